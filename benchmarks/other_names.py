"""How far the original, asked about names that no file holds, agrees with models that never saw the facts.

python -m benchmarks.other_names SHARED [K]   (the real TOFU and tofu-mini; one thread, about four minutes)
"""

from __future__ import annotations

import sys
from pathlib import Path

from meow.config import ModelSettings
from meow.evaluation import names
from meow.formats.layouts.own import RETAIN_OF
from meow.formats.sources import read_eval, read_qa
from meow.lm import load
from meow.metrics import aggregate, distance
from meow.metrics.items import log_truth_ratio
from meow.records import EvalSample
from meow.subjects import with_subjects
from meow.tables import Cell, Row, Table, markdown

HEAD = ("split, model", "against", "n", "D", "p", "d (nats)", "mean log R, model", "reference")


def row(name: str, against: str, model: list[EvalSample], reference: list[EvalSample]) -> Row:
    """D, p and d on the questions where both have log R."""
    both = [
        (a, b)
        for a, b in distance.paired(model, reference)
        if log_truth_ratio(a) is not None and log_truth_ratio(b) is not None
    ]
    ours, theirs = [a for a, _ in both], [b for _, b in both]
    p, d = (aggregate.forget_test(ours, reference=theirs, what=what).value for what in ("p", "d"))
    apart = distance.forget_distance(ours, reference=theirs).value
    means = [sum(log_truth_ratio(s) or 0 for s in side) / len(side) for side in (ours, theirs)]
    numbers = [f"{d:.3f}", f"{p:.2g}", f"{apart:.2f}", *(f"{mean:.2f}" for mean in means)]
    return Row(name, [Cell(text) for text in (against, str(len(both)), *numbers)])


def main(shared: Path, k: int) -> None:
    """Print the table."""
    data, models = shared / "data/tofu", shared / "models/tofu-mini"
    full = load(ModelSettings(path=str(models / "full"), device="cpu"))
    rows = []
    for split, retain in RETAIN_OF.items():
        items = with_subjects(read_eval(data / f"{split}_perturbed.json", "forget"))
        every = [text for qa in read_qa(data / "full.json") for text in (qa.question, qa.answer)]
        drawn = names.draw(names.NAMES, [*every, *names.texts_of(items)], k, seed=0)
        known = list(names.scored(full, items))
        others = list(names.scored(full, items, drawn))
        for name in (retain, *(["retain95-b"] if retain == "retain95" else [])):
            real = list(names.scored(load(ModelSettings(path=str(models / name), device="cpu")), items))
            rows.append(row(f"{split}, full", name, known, real))
            rows.append(row(f"{split}, full asked under other names", name, others, real))
            if name == "retain95":
                first = real
            elif retain == "retain95":
                rows.append(row(f"{split}, {name}", "retain95", real, first))
        rows.append(row(f"{split}, full", "other names", known, others))
    print(markdown(Table(HEAD, rows)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else names.K)
