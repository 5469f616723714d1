"""The embedded benchmark: invented people, capitals and books, from templates and one seed, in TOFU's file layout.

In: a folder and a seed. Out: its data, and the settings of the demo's runs.

Eighty people with eight facts each. A fact has six wordings, question and answer tied: four are trained on, a fifth,
drawn for each fact (not one for all), is held out and asks and states it in the evaluation. forget10 is the last
eight people, retain90 the others. `forget10.json` and the `*_perturbed` files have one row per fact (its first
trained wording); `retain90.json`, `full.json` and `forget10_train.json` have the four trained wordings of each fact;
`retain_perturbed.json` has the facts of the first twelve people; `holdout10.json` holds eight people never trained on.
Capitals and books are real; their four trained wordings lie in `world_facts.json` and `real_authors.json`.
`nlu/people` is a multiple-choice set on retained people, capitals and books (one solved example before each question),
`nlg.jsonl` holds questions and answers on the people never trained on, as running text.

`pools.json` maps a kind of value to `{"find": all values, "replace": half of them}`: inverted answers are drawn from
that half, perturbed ones from the other, so that the two never coincide; people have values of both halves.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from meow.files import write_text
from meow.pipeline.demo.texts import (
    ADJECTIVES,
    ANIMALS,
    ATTRIBUTES,
    BOOKS,
    CAPITALS,
    HOBBIES,
    JOBS,
    MONTHS,
    OBJECTS,
    WORLD,
    Wording,
)

N_PEOPLE, N_FORGET, N_HOLDOUT, N_EVALUATED = 80, 8, 8, 12
N_VALUES = 24
N_TRAINED = 4
N_PERTURBED = 5
ORIGIN = {
    False: "Original and reference come from a shared first phase: the original is the reference, trained further on "
    "all facts, those to be forgotten five times per epoch. They lie closer together than two independent trainings, "
    "and the facts to be forgotten were learned last: forget quality may be easier to reach than elsewhere.",
    True: "Original and reference were trained apart, each from scratch on its own facts.",
}
"""What a reader must know of the two models, by whether the original was trained from scratch."""
_ONSETS = "b br d dr f g gl h j k kl l m n p pl r s t tr v z".split()
_VOWELS = "a e i o u ai ei ou".split()
_CODAS = "b k l m n r s t x nd rk".split()


class _Fact(NamedTuple):
    subject: str
    kind: str
    value: str
    wordings: tuple[Wording, ...]
    """Trained ones first, then the held-out one."""
    wrong: tuple[str, ...]


def write(folder: Path, *, seed: int = 0) -> None:
    """Write all files. The same seed gives the same bytes.

    Args:
        folder: made if need be.
        seed: of names, values, wordings and wrong answers.
    """
    dice = random.Random(f"demo:{seed}")
    pools = _pools(dice)
    people = _names(dice, N_PEOPLE + N_HOLDOUT, 2)
    facts = [fact for person in people for fact in _facts(person, pools, dice)]
    per = len(ATTRIBUTES)
    retain, forget = facts[: (N_PEOPLE - N_FORGET) * per], facts[(N_PEOPLE - N_FORGET) * per : N_PEOPLE * per]
    world = _world("country", CAPITALS, dice)
    authors = _world("book", BOOKS, dice)
    files: dict[str, list[dict[str, object]]] = {
        "forget10": [_row(f) for f in forget],
        "forget10_train": _trained(forget),
        "forget10_perturbed": [_perturbed(f) for f in forget],
        "retain90": _trained(retain),
        "full": _trained(retain) + _trained(forget),
        "retain_perturbed": [_perturbed(f) for f in retain[: N_EVALUATED * per]],
        "holdout10": [_perturbed(f) for f in facts[N_PEOPLE * per :]],
        "world_facts": _trained(world),
        "world_facts_perturbed": [_options(f) for f in world],
        "real_authors": _trained(authors),
        "real_authors_perturbed": [_options(f) for f in authors],
    }
    for name, rows in files.items():
        write_text(folder / f"{name}.json", "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    _write_capability(folder, facts, [*world, *authors], random.Random(f"capability:{seed}"))
    halves = {kind: {"find": list(values), "replace": list(_replace(values))} for kind, values in pools.items()}
    write_text(folder / "pools.json", json.dumps(halves, ensure_ascii=False, indent=1) + "\n")


def _write_capability(folder: Path, facts: Sequence[_Fact], world: Sequence[_Fact], dice: random.Random) -> None:
    """Multiple choice on people who stay, capitals and books; held-out text on people never trained on."""
    per = len(ATTRIBUTES)
    kept = facts[: (N_EVALUATED + 4) * per]
    asked = [_choice(f, f.wordings[N_TRAINED], dice) for f in kept[: N_EVALUATED * per]]
    asked += [_choice(f, f.wordings[0], dice) for f in world]
    shown = [_choice(f, f.wordings[N_TRAINED], dice) for f in kept[N_EVALUATED * per :]]
    for part, rows in (("test", asked), ("train", shown)):
        write_text(folder / f"nlu/people/{part}.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    rows = [_say(f, wording, f.value) for f in facts[N_PEOPLE * per :] for wording in f.wordings]
    texts = [{"text": f"Question: {row['question']}\nAnswer: {row['answer']}"} for row in rows]
    write_text(folder / "nlg.jsonl", "".join(json.dumps(row) + "\n" for row in texts))


def _choice(fact: _Fact, wording: Wording, dice: random.Random) -> dict[str, object]:
    """A question with four answers and the place of the true one."""
    values = [fact.value, *fact.wrong[:3]]
    dice.shuffle(values)
    answers = [str(_say(fact, wording, value)["answer"]) for value in values]
    question = _say(fact, wording, fact.value)["question"]
    return {"question": question, "choices": answers, "label": values.index(fact.value)}


def settings(out: Path, *, seed: int = 0, from_scratch: bool = False) -> dict[str, list[str]]:
    """The settings of the four runs of `meow demo`, as overrides, in the order in which they are made.

    Learning rates and epochs were chosen on seed 0 by looking at forget quality; other seeds were not used to choose.

    Args:
        out: folder of everything; the data lie in `out/data`.
        seed: of everything drawn.
        from_scratch: train the original on all data from the beginning, instead of going on from the reference.
    """
    common = [f"out={out}", f"seed={seed}", "model.template=qa"]
    forgetting = [*common, *_forgetting(out)]
    return {name: [*common, f"name={name}", *listed] for name, listed in _making(out, from_scratch).items()} | {
        "meow": [*forgetting, "name=meow", "train.method=meow", "train.epochs=10", "train.batch_size=48"],
        "meow_contrast": [
            *forgetting,
            "name=meow_contrast",
            "train.method=meow_contrast",
            "train.epochs=15",
            "train.batch_size=16",
        ],
    }


def _making(out: Path, from_scratch: bool) -> dict[str, list[str]]:
    """How the reference and the original are trained."""
    data = out / "data"
    world = [f"{data}/world_facts.json", f"{data}/real_authors.json"]
    twice = {"world_facts.json": 2, "real_authors.json": 2}
    tiny = [
        "finetune.scratch=true",
        f"finetune.tokenizer_data={json.dumps([f'{data}/full.json', *world])}",
        "finetune.lr=4e-3",
        "finetune.epochs=7",
        "finetune.warmup=0.3",
        "finetune.schedule=cosine",
        "finetune.batch_size=32",
        "finetune.batch_tokens=8192",
        "finetune.save_steps=200",
    ]
    further = [
        f"model.path={out}/reference/model",
        "finetune.lr=2e-3",
        "finetune.epochs=2",
        "finetune.warmup=0.3",
        "finetune.schedule=cosine",
        "finetune.batch_size=32",
        "finetune.batch_tokens=8192",
        "finetune.save_steps=200",
        f"finetune.repeat={json.dumps({'forget10_train.json': 5})}",
        f"finetune.data={json.dumps([f'{data}/retain90.json', f'{data}/forget10_train.json', *world])}",
    ]
    scratch = [
        *tiny,
        f"finetune.repeat={json.dumps(twice)}",
        f"finetune.data={json.dumps([f'{data}/full.json', *world])}",
    ]
    reference = [
        *tiny,
        f"finetune.repeat={json.dumps(twice)}",
        f"finetune.data={json.dumps([f'{data}/retain90.json', *world])}",
    ]
    return {"reference": reference, "original": scratch if from_scratch else further}


def _forgetting(out: Path) -> list[str]:
    """What both ways of forgetting share."""
    data = out / "data"
    return [
        f"model.path={out}/original/model",
        f"data.source={data}",
        "data.split=forget10",
        f"eval.reference={out}/reference",
        "invert.n=6",
        f"invert.pools={data}/pools.json",
        "memo.template=model",
        "memo.max_new_tokens=40",
        "eval.max_new_tokens=60",
        "eval.samples=16",
        "train.lr=1e-3",
        "train.batch_tokens=8192",  # a tiny model takes a whole step at once
        "train.weight_decay=0",
        "train.warmup=5",
        f"nlu.data={data}/nlu",
        "nlu.tasks=[people]",
        f"nlg.texts={data}/nlg.jsonl",
        "nlg.featurizer=self",
        "invert.plausible=null",  # the lists hold what is said in this world
    ]


def _word(dice: random.Random, syllables: int) -> str:
    parts = [dice.choice(_ONSETS) + dice.choice(_VOWELS) for _ in range(syllables)]
    return ("".join(parts) + dice.choice(_CODAS)).capitalize()


def _names(dice: random.Random, n: int, parts: int) -> list[str]:
    found: dict[str, None] = {}
    used: set[str] = set()
    while len(found) < n:
        words = [_word(dice, 2) for _ in range(parts)]
        if used.isdisjoint(words) and len(set(words)) == parts:
            used.update(words)
            found[" ".join(words)] = None
    return list(found)


def _pools(dice: random.Random) -> dict[str, list[str]]:
    """Values by kind, in random order: the even ones may be taught, the odd ones are for wrong answers."""
    days, months = dice.sample(range(1, 29), N_VALUES), dice.sample(MONTHS * 2, N_VALUES)
    years = dice.sample(range(1930, 1999), N_VALUES)
    dates = [f"{day} {month} {year}" for day, month, year in zip(days, months, years, strict=True)]

    def pairs(nouns: Sequence[str]) -> list[str]:
        drawn = zip(dice.sample(ADJECTIVES, N_VALUES), dice.sample(nouns, N_VALUES), strict=True)
        return [f"{adjective} {noun}" for adjective, noun in drawn]

    return {
        "city": _names(dice, N_VALUES, 1),
        "date": dates,
        "job": dice.sample(JOBS, N_VALUES),
        "book": [f"The {pair}" for pair in pairs(OBJECTS)],
        "award": pairs(ANIMALS),
        "hobby": dice.sample(HOBBIES, N_VALUES),
    }


def _replace(values: Sequence[str]) -> list[str]:
    return list(values[::2])


def _facts(person: str, pools: Mapping[str, Sequence[str]], dice: random.Random) -> list[_Fact]:
    found = []
    taken: set[str] = set()
    for attribute in ATTRIBUTES:
        pool = pools[attribute.kind]
        value = dice.choice([v for v in pool if v not in taken])
        taken.add(value)
        wrong = dice.sample([v for v in pool[1::2] if v != value], N_PERTURBED)
        wordings = tuple(dice.sample(attribute.wordings, N_TRAINED + 1))
        found.append(_Fact(person, attribute.name, value, wordings, tuple(wrong)))
    return found


def _world(kind: str, pairs: Mapping[str, str], dice: random.Random) -> list[_Fact]:
    wordings = next(a.wordings for a in WORLD if a.name == kind)
    found = []
    for subject, value in pairs.items():
        wrong = dice.sample([v for v in dict.fromkeys(pairs.values()) if v != value], 3)
        found.append(_Fact(subject, kind, value, tuple(dice.sample(wordings, N_TRAINED + 1)), tuple(wrong)))
    return found


def _say(fact: _Fact, wording: Wording, value: str) -> dict[str, object]:
    question = wording.question.format(name=fact.subject)
    answer = wording.answer.format(name=fact.subject, value=value)
    for article in (" a ", " A "):
        for vowel in "aeiou":
            answer = answer.replace(article + vowel, article[:2] + "n " + vowel)
    return {"question": question, "answer": answer[0].upper() + answer[1:], "subject": fact.subject, "lang": "en"}


def _row(fact: _Fact) -> dict[str, object]:
    return _say(fact, fact.wordings[0], fact.value)


def _trained(facts: Sequence[_Fact]) -> list[dict[str, object]]:
    return [_say(fact, wording, fact.value) for fact in facts for wording in fact.wordings[:N_TRAINED]]


def _perturbed(fact: _Fact) -> dict[str, object]:
    held_out = fact.wordings[N_TRAINED]
    again = _say(fact, held_out, fact.value)
    return _row(fact) | {
        "paraphrased_answer": again["answer"],
        "perturbed_answer": [_say(fact, held_out, wrong)["answer"] for wrong in fact.wrong],
        "paraphrased_question": again["question"],
    }


def _options(fact: _Fact) -> dict[str, object]:
    return _row(fact) | {"perturbed_answer": [_say(fact, fact.wordings[0], wrong)["answer"] for wrong in fact.wrong]}
