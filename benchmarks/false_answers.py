"""How a model tells true from false answers: `python -m benchmarks.false_answers`.

`memo.on`: share of questions whose true answer has a higher MEMO than every false one, by `memo.on=answer` and `value`,
raw and in the template, with seconds; false answers that were published and the model's own second choices.
`plausible`: what passes the gate's model (`invert.plausible=auto`) of true values, of other facts' values of the same
kind, of published false answers, and of 56 lines made by a seed: random letters, such values with two letters swapped
or one left out, values of another kind; fewer lines where a fact that is drawn has no other value of its kind.

`--facts FILE --model FOLDER` asks another model; `--limit` questions, `--template` one form of prompt alone.
"""

from __future__ import annotations

import argparse
import json
import random
import string
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import SHARED
from meow import inversion, values
from meow.config import InvertSettings, MemoSettings, ModelSettings
from meow.formats import sources
from meow.formats.inverted import read_inverted
from meow.inversion.second_choice.choices import wanted_of
from meow.inversion.second_choice.judging import Place
from meow.lm import LM, load
from meow.memorization import recall
from meow.memorization.measures import memorize
from meow.records import QA, InvertedAnswer, InvertedFacts

LINES = 14
"""Of each of the four kinds of nonsense."""
SETTINGS = InvertSettings(backend="self", n=4)


def show(figure: str, **columns: Any) -> None:
    """Print one figure."""
    print(json.dumps({"figure": figure} | columns), flush=True)


def rankings(lm: LM, source: str, rows: Sequence[InvertedFacts], forms: Sequence[str]) -> None:
    """How often the true answer ranks first, by what is cut and how it is asked."""
    for form in forms:
        for on in ("answer", "value"):
            settings = MemoSettings.model_validate({"on": on, "template": form})
            clock = time.perf_counter()
            found = list(memorize(lm, rows, settings))
            share, n = recall.ranks_first(found) or (None, 0)
            show(
                "memo.on", on=on, template=form, false=source, first=share, questions=n,
                not_computable=sum(row.value is None for row in found), seconds=round(time.perf_counter() - clock, 1),
            )  # fmt: skip


def swapped(value: str, draw: random.Random) -> str:
    """Two neighbouring letters change places."""
    at = [i for i in range(len(value) - 1) if value[i : i + 2].isalpha() and value[i] != value[i + 1]]
    i = draw.choice(at or [0])
    return value[:i] + value[i : i + 2][::-1] + value[i + 2 :]


def shortened(value: str, draw: random.Random) -> str:
    """One letter is left out."""
    i = draw.randrange(1, max(2, len(value)))
    return value[:i] + value[i + 1 :]


def soup(value: str, draw: random.Random) -> str:
    """Random letters in the place of letters."""
    return "".join(draw.choice(string.ascii_lowercase) if c.isalpha() else c for c in value.lower())


def lines(there: Sequence[tuple[QA, Place]], kind: str, draw: random.Random) -> list[tuple[QA, str]]:
    """False answers of one kind; as many as LINES, of values that are no true ones one a fact."""
    found = []
    for fact, place in there if kind in ("true", "donors") else draw.choices(there, k=LINES):
        same = values.kind(place.true, place.question)
        others = sorted({p.true for _, p in there if not values.told(place.forms, p.true, question=place.question)})
        alike = [v for v in others if values.kind(v, place.question) == same and any(c.isalpha() for c in v)]
        apart = [v for v in others if values.kind(v, place.question) != same]
        if kind == "true":
            found.append((fact, fact.answer))
        elif kind == "something else":
            found += [(fact, place.filled(draw.choice(apart or others)))]
        elif alike:
            made: dict[str, Callable[[str], str]] = {
                "donors": str,
                "swapped": lambda v: swapped(v, draw),
                "shortened": lambda v: shortened(v, draw),
                "letters": lambda v: soup(v, draw),
            }
            found.append((fact, place.filled(made[kind](draw.choice(alike)))))
    return found


def plausibility(lm: LM, facts: Sequence[QA], published: Sequence[InvertedFacts], seed: int) -> None:
    """What passes of each kind of line."""
    bar = inversion.threshold(lm, facts, seed=seed)
    show("plausible.bar", **bar._asdict())
    judged = inversion.judging(lm, facts, SETTINGS.model_copy(update={"plausible": bar.margin}), seed=seed)
    draw = random.Random(seed)
    there = [(w.fact, w.place) for w in wanted_of(facts).values()]
    texts: dict[str, list[tuple[str, str]]] = {fact.id: [] for fact in facts}
    for kind in ("true", "donors", "letters", "swapped", "shortened", "something else"):
        for fact, text in lines(there, kind, draw):
            texts[fact.id].append((kind, text))
    for row in published:
        texts[row.id] += [("published", answer.text) for answer in row.answers if answer.text]
    rows = [
        InvertedFacts(**fact.model_dump(), answers=tuple(InvertedAnswer(text=text) for _, text in texts[fact.id]))
        for fact in facts
    ]
    bad, passed = judged(rows), dict[str, list[bool]]()
    for id_, listed in texts.items():
        for i, (kind, _) in enumerate(listed):
            passed.setdefault(kind, []).append((id_, i) not in bad)
    for kind, found in passed.items():
        show("plausible", lines=kind, passed=sum(found), of=len(found), share=round(sum(found) / len(found), 3))


def main() -> None:
    """All figures of one model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=SHARED / "models/tofu-mini/full")
    parser.add_argument("--facts", type=Path, help="questions and answers; default: TOFU forget01, as published")
    parser.add_argument("--limit", type=int, default=20, help="questions whose memorization is measured")
    parser.add_argument("--template", choices=("raw", "model"))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    lm = load(ModelSettings(path=str(options.model)))
    named = SHARED / "data/meow/generated_data/forget01_perturbed_generated.json"
    published = [] if options.facts else read_inverted(named)
    facts = sources.read_qa(options.facts) if options.facts else [
        QA(**row.model_dump(include=set(QA.model_fields))) for row in published
    ]  # fmt: skip
    forms = (options.template,) if options.template else ("raw", "model")
    plausibility(lm, facts, published, options.seed)
    if published:
        rankings(lm, "published", published[: options.limit], forms)
    own = list(inversion.invert(facts[: options.limit], SETTINGS, seed=options.seed, lm=lm))
    rankings(lm, "self", [row for row in own if row.answers], forms)


if __name__ == "__main__":
    main()
