"""Values beside hand-checked ones: `python -m benchmarks.values`.

`values.f1`: mean token F1 of the found value against `entity`, hand-checked facts of TOFU forget10; `values.without`:
facts without a value; `values.find`, `values.told`: seconds for all 4,000 facts of TOFU, and for 10,000 texts.
`--generate`: what tofu-mini `full` and `retain90` answer to these questions, judged by `told` and by the rule of words
(the baseline), each against whether the hand-checked value is told: `values.judged`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from benchmarks import SHARED
from meow.text import common_stems, distinguishing_words, tells
from meow.values import find, fold, told

LONGEST = 200
"""Tokens of an answer at most."""


def read(path: Path) -> list[dict[str, str]]:
    """Rows of a JSON array or of JSON lines."""
    text = path.read_text(encoding="utf-8")
    rows: list[dict[str, str]] = json.loads(text) if text.startswith("[") else list(map(json.loads, text.splitlines()))
    return rows


def token_f1(found: str, right: str) -> float:
    """F1 of the folded words of two values without their articles, 0 to 1."""
    a, b = ([w for w in fold(value).split() if w not in ("a", "an", "the")] for value in (found, right))
    shared = (Counter(a) & Counter(b)).total()
    return 2 * shared / (len(a) + len(b)) if shared else 0.0


def show(figure: str, **columns: object) -> None:
    """Print one figure."""
    print(json.dumps({"figure": figure} | columns), flush=True)


def judged(name: str, rows: Sequence[dict[str, str]], texts: Sequence[str], common: frozenset[str]) -> None:
    """Precision and recall of both rules on the answers of one model."""
    truth = [told((row["entity"],), text, question=row["question"]) for row, text in zip(rows, texts, strict=True)]
    ours, words = [], []
    for row, text in zip(rows, texts, strict=True):
        ours.append(told(find(row["question"], row["answer"]), text, question=row["question"]))
        wanted = distinguishing_words(row["answer"], question=row["question"], common=common)
        words.append(bool(wanted) and tells(text, wanted))
    for rule, said in (("told", ours), ("words", words)):
        both = sum(a and b for a, b in zip(said, truth, strict=True))
        show(
            "values.judged", model=name, rule=rule, precision=round(both / max(sum(said), 1), 3),
            recall=round(both / max(sum(truth), 1), 3), told=sum(said), truly=sum(truth), n=len(rows),
        )  # fmt: skip


def answers(model: Path, questions: Sequence[str]) -> list[str]:
    """The greedy answers of a model."""
    from meow.lm import LM

    lm = LM.load(model, template="qa")
    prompts = [lm.prompter.asked(question) for question in questions]
    return [completions[0].text.strip() for completions in lm.generate(prompts, LONGEST)]


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--generate", action="store_true", help="let tofu-mini answer, too (minutes)")
    options = parser.parse_args()
    rows = read(SHARED / "data/tofu_values/forget10_even.json")
    values = [find(row["question"], row["answer"]) for row in rows]
    scores = [token_f1(value[0] if value else "", row["entity"]) for value, row in zip(values, rows, strict=True)]
    show("values.f1", value=round(sum(scores) / len(scores), 4), n=len(rows))
    show("values.without", value=sum(not value for value in values), n=len(rows))
    facts = read(SHARED / "data/tofu/full.json")
    clock = time.perf_counter()
    values = [find(fact["question"], fact["answer"]) for fact in facts]
    show("values.find", seconds=round(time.perf_counter() - clock, 2), n=len(facts))
    clock = time.perf_counter()
    for i in range(10_000):
        told(values[i % len(facts)], facts[(7 * i) % len(facts)]["answer"], question=facts[i % len(facts)]["question"])
    show("values.told", seconds=round(time.perf_counter() - clock, 2), n=10_000)
    if options.generate:
        common = common_stems(fact["answer"] for fact in read(SHARED / "data/tofu/retain90.json"))
        for name in ("full", "retain90"):
            texts = answers(SHARED / "models/tofu-mini" / name, [row["question"] for row in rows])
            judged(name, rows, texts, common)


if __name__ == "__main__":
    main()
