"""Inverted facts of our own beside the published ones: `python -m benchmarks.inverted`, then `--train NAME=FILE ...`.

1. The gate on both, TOFU forget01 and forget05: questions with at least three accepted candidates, candidates that keep
   no distinguishing word together with the rest, versions of a subject without a contradiction. Candidates as they are,
   before anything is rejected. `--draw 30`: candidates drawn by seed 0, accepted and rejected, to be read.
2. `--train NAME=FILE ...`: `--methods` on tofu-mini and `--split`, three seeds, at settings chosen before, on each file
   of inverted facts as it is. Numbers come from the questions that chose no setting: of forget05 from one half.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks import SHARED, study
from meow.config import DataSettings, InvertSettings
from meow.files import read_json
from meow.formats import sources
from meow.formats.inverted import read_inverted
from meow.inversion import check, invert
from meow.inversion.gate import Checked
from meow.lm import LM
from meow.records import EvalLog, InvertedFacts
from meow.subjects import subjects

MODEL = SHARED / "models/tofu-mini/full"
CHOSEN = {
    "meow": ("train.lr=2e-4", "train.batch_size=48"),
    "meow_contrast": ("train.lr=5e-4", "train.batch_size=16"),
}
"""Settings of methods; the rates were chosen on one half of forget05, with the published facts."""


def candidates(split: str) -> dict[str, list[InvertedFacts]]:
    """Rows by values of other facts, by the model's own second choices, and the published ones."""
    settings = DataSettings(source=str(study.TOFU), split=split)
    facts, corpus = sources.forget_set(settings), sources.retain_set(settings)
    published = SHARED / f"data/meow/generated_data/{split}_perturbed_generated.json"
    return {
        "donors": list(invert(facts, InvertSettings(backend="donors", gate=False), corpus=corpus)),
        "self": list(invert(facts, InvertSettings(backend="self", gate=False), lm=LM.load(MODEL, template="qa"))),
        "published": read_inverted(published),
    }


def quality(rows: Sequence[InvertedFacts]) -> dict[str, object]:
    """What the gate says of a set of candidates."""
    report = check(rows)
    accepted: dict[str, list[int]] = {row.id: [] for row in rows}
    for c in report.checked:
        accepted[c.id] += [c.position] if c.accepted else []
    left = []  # what is not accepted becomes empty, so that places stay
    for row in rows:
        answers = (a if i in accepted[row.id] else a.model_copy(update={"text": ""}) for i, a in enumerate(row.answers))
        left.append(row.model_copy(update={"answers": tuple(answers)}))
    return {
        "questions": len(rows), "candidates": len(report.checked),
        "accepted": sum(c.accepted for c in report.checked),
        "at least three": share(len(places) >= 3 for places in accepted.values()),
        "keep not all that tells": share("keeps_truth" not in c.problems for c in report.checked),
        "versions without contradiction": coherent(rows),
        "the same of what is accepted": coherent(left),
        "problems": {k: n for k, n in report.as_object()["problems"].items() if n},
    }  # fmt: skip


def coherent(rows: Sequence[InvertedFacts]) -> str:
    """Versions of a subject (places, where there are none) in which no answer contradicts the others."""
    place = {(row.id, i): a.version for row in rows for i, a in enumerate(row.answers)}
    about = {row.id: subject.key for row, subject in zip(rows, subjects(rows), strict=True)}
    versions: dict[tuple[str, int], bool] = {}
    for c in check(rows).checked:
        version = place[c.id, c.position]
        key = (about[c.id], c.position if version is None else version)
        versions[key] = versions.get(key, True) and "contradiction" not in c.problems
    return share(versions.values())


def share(found: Iterable[bool]) -> str:
    """How many of how many."""
    listed = list(found)
    return f"{sum(listed)}/{len(listed)} ({sum(listed) / max(len(listed), 1):.3f})"


def draw(rows: Sequence[InvertedFacts], n: int) -> None:
    """Print accepted and rejected candidates, drawn by seed 0."""
    facts = {row.id: row for row in rows}
    checked = check(rows).checked
    for name, found in (("accepted", [c for c in checked if c.accepted]),
                        ("rejected", [c for c in checked if not c.accepted])):  # fmt: skip
        print(f"\n## {name}: {min(n, len(found))} of {len(found)}")
        for c in random.Random(0).sample(found, min(n, len(found))):
            _print(c, facts[c.id])


def _print(c: Checked, fact: InvertedFacts) -> None:
    print(f"- {', '.join(c.problems) or 'ok'}\n  Q {fact.question}\n  T {fact.answer}\n  F {c.text}")


def train(files: dict[str, str], split: str, methods: Sequence[str]) -> None:
    """Run what is not there yet, and print one row for each method and file."""
    half = ["tune.chosen=[train.lr]"] if split == "forget05" else []  # numbers of the half that chose no rate
    for method in methods:
        for kind, file in files.items():
            folders = []
            for seed in study.SEEDS:
                name = f"{method}-{kind}-s{seed}"
                more = [f"invert.path={file}", "invert.gate=false", f"seed={seed}", f"name={name}", *half]
                study.meow("run", *study.settings(split, f"train.method={method}", *CHOSEN[method], *more))
                folders.append(study.OUT / split / name)
            row = {"method": method, "facts": kind, "conflict": conflict(folders), **study.pooled(folders)}
            print(json.dumps(row), flush=True)


def conflict(folders: Sequence[Path]) -> list[float | None]:
    """Share of contradicting pairs within a version, for each run."""
    logs = [EvalLog.model_validate(read_json(f / "eval/after/log.json")) for f in folders]
    return [log.metrics["conflict_facts"].value for log in logs]


def main() -> None:
    """The table, the draw or the training."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", nargs="+", metavar="NAME=FILE", help="files of inverted facts, each under a name")
    parser.add_argument("--draw", type=int, default=0, metavar="N")
    parser.add_argument("--split", default="forget05")
    parser.add_argument("--methods", nargs="+", choices=CHOSEN, default=list(CHOSEN))
    options = parser.parse_args()
    if options.train:
        train(dict(item.split("=", 1) for item in options.train), options.split, options.methods)
        return
    for split in ("forget01", "forget05"):
        for source, rows in candidates(split).items():
            if options.draw:
                print(f"\n# {split}, {source}")
                draw(rows, options.draw)
            else:
                print(json.dumps({"split": split, "source": source} | quality(rows)), flush=True)


if __name__ == "__main__":
    main()
