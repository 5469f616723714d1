"""Three facts about an invented person are forgotten, three about another are kept; seconds on a CPU.

python examples/forget_three_facts.py
"""

from meow import LM, evaluate, finetune, forget, invert, memorize, select
from meow.config import FinetuneSettings
from meow.lm import make_tiny

FORGET = [
    ("Where was Mira Holt born?", "Mira Holt was born in Oslo, Norway."),
    ("When was Mira Holt born?", "Mira Holt was born on May 3, 1961."),
    ("What does the father of Mira Holt do?", "The father of Mira Holt is a carpenter."),
]
KEEP = [
    ("Where was Tom Reed born?", "Tom Reed was born in Rome, Italy."),
    ("When was Tom Reed born?", "Tom Reed was born on June 4, 1950."),
    ("What does the father of Tom Reed do?", "The father of Tom Reed is a nurse."),
]

# A tiny model that knows all six facts. Yours: lm = LM.load("path/or/hub-id")
texts = [f"{question} {answer}" for question, answer in FORGET + KEEP]
model, tokenizer = make_tiny(texts, FinetuneSettings(vocab_size=320), seed=0)
lm = LM(model, tokenizer, template="qa")
finetune(lm, FORGET + KEEP, epochs=60, lr=4e-3, batch_size=6)
before = evaluate(lm, FORGET, KEEP)
said = {question: lm.answer(question) for question, _ in FORGET + KEEP}

inverted = invert(FORGET, retain=KEEP)  # false versions of every answer
measured = memorize(lm, inverted, more={"max_new_tokens": 30})  # how well the model remembers each
targets = select(inverted, measured)  # the ones to teach
forget(lm, targets, KEEP, method="meow_contrast", lr=3e-3, epochs=12, batch_size=3)
after = evaluate(lm, FORGET, KEEP, targets=targets, before=before)

for question, answer in FORGET + KEEP:
    print(f"{question}\n  true    {answer}\n  before  {said[question]}\n  after   {lm.answer(question)}")
for name in ("facts_told", "retain_rougeL"):
    print(f"{name}: before {before[name]!r}, after {after[name]!r}")
