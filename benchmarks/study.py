"""Recipes of forgetting, each at settings of its own: `python -m benchmarks.study --ground embedded`.

Every recipe has 12 trials of `meow tune`, which choose its learning rate and one more number, a weight or a bound that
trades what must go for what must stay; epochs, rows and ways of asking are the ground's. The tuning half judges: fewest
facts told in the worst case above what the reference tells, then the smallest forget distance, among trials that keep
.95 of the utility. The best trial's settings are run whole with three seeds, and every number of the table is of the
questions that chose nothing: median and range over seeds. `--epochs 24`: other epochs, in folders of their own. *Kept*
is the trials' own measure, of those questions. *Beaten by*: recipes whose medians of told, distance and utility are no
worse, and one of them better.

`--ground forget01` and `--ground forget10`: no trials, but the settings that those on forget05 chose (`CHOSEN`), three
seeds, all questions; forget05's facts hold those of forget01 and are among those of forget10. Inverted facts are the
published ones; for forget10, of which none are published, the model's own.

`--ground real`: France, the Solar System and Shakespeare out of .models/smollm2 (`make real-model`) in bfloat16, as far
as it tells them, by an adapter of rank 8. There is no reference, so p(value) stands for the distance, and what is kept
for the utility. `meow known study/real/untrained.jsonl` asks a model for facts that no run trains.

A method that has no row here is tuned by its learning rate alone (`--recipes rmu`). The same command goes on where it
was stopped, also in several processes at once. Run folders lie in `study/`.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import SHARED
from meow import results
from meow.files import read_json, rows
from meow.losses import METHODS
from meow.metrics import halves
from meow.pipeline import demo
from meow.pipeline.tuning import judging, showing, studies
from meow.records import EvalLog
from meow.run import STUDY
from meow.tables import Cell, Row, Table, markdown

HERE, OUT = Path(__file__).resolve().parents[1], Path("study")
MODELS, TOFU = SHARED / "models/tofu-mini", SHARED / "data/tofu"
RETAIN = {"forget01": "retain99", "forget05": "retain95", "forget10": "retain90"}
SUBJECTS = {"france": "France", "solar-system": "Solar System", "shakespeare": "Shakespeare"}
"""Examples' folders, and what the everyday facts call the same."""
NEAR = re.compile("France|French|Paris|Shakespeare|Romeo|planet|Solar|Sun|Moon")
"""In a question that is about one of them."""
SEEDS = (0, 1, 2)
TRIALS = 12
TOLD, UTILITY, KEPT = "told, worst case", "utility / original's", "kept"
SHOWN = {
    TOLD: "worst_case",
    "distance": "forget_distance",
    "p(value)": "value_probability",
    "D": "ks_d",
    "broken text": "broken",
}
"""What is shown beside what stays; p(value) where there is no reference."""
UNIT = 1.0
"""`constraint_rate` in units of the ground's loss: how fast a weight follows is the same on every ground."""


class Ground(NamedTuple):
    """What is forgotten, from which model."""

    settings: Sequence[str]
    """Of every run."""
    rates: tuple[float, float]
    """The learning rates between which one is chosen."""
    loss: float
    """On the facts to keep (`retain_nll`, nats a token): the original's where it was trained on them, else what
    training on them alone leaves. The unit of a bound on it."""


class Recipe(NamedTuple):
    """One way of forgetting."""

    settings: Mapping[str, object]
    """Of the run."""
    tried: str = ""
    """What is tried beside the learning rate, between `low` and `high`; a bound in units of the ground's loss."""
    low: float = 0
    high: float = 0
    bound: float = 0
    """Of what must stay, in units of the ground's loss, where it is not tried: a bound; 0: none."""


def _of(method: str, tried: str, low: float, high: float, **more: object) -> Recipe:
    """A method, its objective completed by `more` weights, one number of which is tried."""
    row = METHODS[method]
    return Recipe({"train.targets": row.targets, "train.objective": {**row.objective, **more}}, tried, low, high)


RETAINED, BOUND = "train.objective.retain_nll", "train.constraint.retain_nll"
ON_VALUE: dict[str, Any] = {
    "train.on": "value",
    "train.targets": "selected",
    "train.objective": {"target_nll": 1, "forget_npo": 1, "retain_nll": 1},
}
RECIPES = {
    "value": Recipe(ON_VALUE, BOUND, 1.05, 1.5),
    "value_names": Recipe(
        ON_VALUE | {"train.objective": ON_VALUE["train.objective"] | {"target_names": 1}},
        "train.objective.target_names",
        1.0,
        8.0,
        bound=1.475,
    ),
    "meow_npo": Recipe(
        {"train.targets": "selected", "train.objective": {"target_nll": 5, "forget_npo": 2, "retain_nll": 1}},
        "train.beta",
        0.005,
        0.05,
        bound=1.475,
    ),
    "meow_contrast": _of("meow_contrast", "train.objective.target_dpo", 0.01, 0.5),
    "npo_grad_diff": _of("npo_grad_diff", RETAINED, 0.5, 8),
    "simnpo": _of("simnpo", "train.objective.forget_simnpo", 0.125, 2),
    "wpu": _of("wpu", RETAINED, 0.25, 4, retain_nll=1),
    "flat": _of("flat", RETAINED, 0.25, 4, retain_nll=1),
    "grad_diff": _of("grad_diff", RETAINED, 0.5, 8),
    "meow": Recipe({"train.method": "meow"}, "select.k", 1, 3),
}
"""In the order in which they are tried."""
CHOSEN = {
    "value": (4.09e-4, 0.11),
    "value_names": (9.21e-4, 7.66),
    "meow_npo": (1.16e-3, 0.0138),
    "meow_contrast": (2.32e-4, 0.070),
    "npo_grad_diff": (1.35e-3, 6.88),
    "simnpo": (8.27e-4, 0.546),
    "wpu": (1.35e-3, 3.44),
    "flat": (8.27e-4, 1.09),
    "grad_diff": (2.12e-4, 1.47),
    "meow": (2.08e-4, 1),
}
"""Learning rate and the other number that the trials on forget05 chose, as `docs/results.md` prints them; of `meow_npo`
trial 10 of those with `--epochs 24`, which keeps more than the best."""


def settings(split: str, *more: str) -> list[str]:
    """Overrides of one run on tofu-mini."""
    inverted = SHARED / f"data/meow/generated_data/{split}_perturbed_generated.json"
    found = [
        f"out={OUT}/{split}", f"model.path={MODELS}/full", f"data.source={TOFU}", f"data.split={split}", "threads=1",
        "memo.template=model", f"eval.reference={MODELS}/{RETAIN[split]}", "train.epochs=6", "train.batch_size=16",
        "train.weight_decay=0",
    ]  # fmt: skip
    published = [f"invert.path={inverted}", "invert.gate=false"]  # as they were published, none left out
    return [*found, *(published if inverted.is_file() else []), *more]


def embedded() -> list[str]:
    """Overrides of one run on the demo's people, which are made first."""
    out = OUT / "embedded"
    if not (out / "original/model").is_dir():
        meow("demo", "--out", out)
    own = ("name=", "seed=", "eval.samples=", "train.method=", "train.batch_size=", "train.lr=", "nlu.", "nlg.")
    base = [item for item in demo.settings(out)["meow"] if not item.startswith(own)]
    return [*base, "train.batch_size=16", "threads=1"]


def real() -> list[str]:
    """Overrides of one run on what a real model knows of three subjects, which is asked first."""
    out, model = OUT / "real", HERE / ".models/smollm2"
    known = out / "known.jsonl"
    if not known.is_file():
        out.mkdir(parents=True, exist_ok=True)
        for role, facts in everyday().items():
            text = "".join(json.dumps(fact) + "\n" for fact in facts)
            (out / f"{role}.jsonl").write_text(text, encoding="utf-8")
        meow("known", out / "forget.jsonl", "--model_name_or_path", model, "model.dtype=bfloat16", "--save-path", known)
    return [
        f"out={out}", f"model.path={model}", "model.dtype=bfloat16", f"data.forget={known}",
        f"data.retain={out}/retain.jsonl", "threads=1", "invert.backend=self", "memo.on=value", "memo.template=model",
        "memo.max_new_tokens=auto", "train.lora_rank=8",
        "train.epochs=5", "train.batch_size=8", "train.weight_decay=0", "eval.max_new_tokens=auto",
    ]  # fmt: skip


def everyday() -> dict[str, list[Mapping[str, Any]]]:
    """Facts about three subjects to forget and others to keep: the examples', then everyday ones; no question twice.

    `untrained` are the further facts of `benchmarks/facts` that are not near the subjects: for `meow known`, no run's.
    """
    ours = ("forget", "retain")
    examples = {role: [HERE / f"examples/facts/{name}/{role}.jsonl" for name in SUBJECTS] for role in ours}
    given = {role: [row for file in files for _, row in rows(file)] for role, files in examples.items()}
    for _, row in rows(SHARED / "data/facts/everyday.jsonl"):
        given["forget" if row["subject"] in SUBJECTS.values() else "retain"].append(row)
    others = (row for file in sorted((HERE / "benchmarks/facts").glob("*.jsonl")) for _, row in rows(file))
    given["untrained"] = [row for row in others if not NEAR.search(row["question"])]
    found: dict[str, list[Mapping[str, Any]]] = {role: [] for role in given}
    asked: set[str] = set()
    for role, facts in given.items():
        for row in facts:
            if row["question"] not in asked:
                asked.add(row["question"])
                found[role].append(row)
    return found


def ground(name: str, epochs: int | None = None) -> Ground:
    """A ground by its name, with as many epochs; None: its own."""
    more = [] if epochs is None else [f"train.epochs={epochs}"]
    if name == "embedded":
        return Ground([*embedded(), *more], (1e-4, 3e-3), 0.0135)
    if name == "real":
        return Ground([*real(), *more], (1e-4, 4e-3), 0.12)
    return Ground(settings(name, "eval.max_new_tokens=auto", *more), (2e-4, 2e-3), 0.09)


def run(where: Ground, recipe: Recipe, more: Mapping[str, object]) -> list[str]:
    """Overrides of a run of one recipe."""
    own: dict[str, object] = {"select.k": 1, "train.retain_rows": 2} | dict(recipe.settings)
    own |= {"train.constraint": {"retain_nll": recipe.bound * where.loss}} if recipe.bound else {}
    own |= {"train.constraint_rate": UNIT / where.loss} if recipe.bound or recipe.tried == BOUND else {}
    return [*where.settings, *(f"{key}={json.dumps(value)}" for key, value in (own | dict(more)).items())]


def tuned(where: Ground, recipe: Recipe, folder: Path) -> list[Path]:
    """The whole runs of a recipe at the settings that its trials chose here."""
    unit = where.loss if recipe.tried == BOUND else 1
    low, high = recipe.low * unit, recipe.high * unit
    space = {"train.lr": {"low": where.rates[0], "high": where.rates[1], "log": True}}
    if recipe.tried:
        space[recipe.tried] = {"low": low, "high": high} | ({"log": True} if isinstance(low, float) else {})
    asked = {"tune.space": space, "tune.trials": TRIALS, "tune.seeds": len(SEEDS)}
    meow("tune", *run(where, recipe, asked), f"name={folder.name}")
    return sorted(folder.glob("best-*"))


def carried(where: Ground, recipe: Recipe, folder: Path, at: Mapping[str, object]) -> list[Path]:
    """The whole runs of a recipe at settings that were chosen on another ground."""
    found = [folder.with_name(f"{folder.name}-s{seed}") for seed in SEEDS]
    for seed, path in zip(SEEDS, found, strict=True):
        meow("run", *run(where, recipe, at), f"seed={seed}", f"name={path.name}")
    return found


def meow(*typed: object) -> None:
    """Run a command on one thread; where it fails, it has said why."""
    command = [sys.executable, "-m", "meow", *map(str, typed)]
    done = subprocess.run(command, check=False, stdout=subprocess.DEVNULL, env=os.environ | {"OMP_NUM_THREADS": "1"})
    if done.returncode:
        raise SystemExit(done.returncode)


def numbers(folder: Path, label: str = "after") -> dict[str, float]:
    """Metrics of one evaluation: of the questions that chose nothing, where something was chosen."""
    log = EvalLog.model_validate(read_json(folder / "eval" / label / "log.json"))
    values = {name: log.metrics[of].value for name, of in SHOWN.items()}
    found = {name: value for name, value in values.items() if value is not None}
    if "distance" in found:
        del found["p(value)"]
    return found | stayed(folder, label)


def stayed(folder: Path, label: str) -> dict[str, float]:
    """Utility, where there is one, as a share of the original's; and what the trials call kept."""
    logs = [EvalLog.model_validate(read_json(folder / "eval" / name / "log.json")) for name in (label, "before")]
    ours, theirs = (log.metrics["model_utility_gm"].value for log in logs)
    asked = [results.samples(folder, name) for name in (label, "before")]
    if (folder.parent / STUDY).is_file():
        asked = [halves(samples)[1] for samples in asked]
    kept = judging.utility_kept(*asked)
    return ({UTILITY: ours / theirs} if ours is not None and theirs else {}) | {KEPT: kept}


def pooled(folders: Sequence[Path], label: str = "after") -> dict[str, list[float]]:
    """Median, smallest and largest of each metric over runs."""
    runs = [numbers(folder, label) for folder in folders]
    columns = {name: [run[name] for run in runs if name in run] for name in (*SHOWN, UTILITY, KEPT)}
    return {name: [statistics.median(v), min(v), max(v)] for name, v in columns.items() if v}


def beats(one: Mapping[str, list[float]], other: Mapping[str, list[float]]) -> bool:
    """Whether the medians of one recipe are nowhere worse than another's, and somewhere better."""
    far, stays = ("distance", UTILITY) if "distance" in one else ("p(value)", KEPT)
    mine, theirs = ((row[TOLD][0], row[far][0], -row[stays][0]) for row in (one, other))
    return mine != theirs and all(a <= b for a, b in zip(mine, theirs, strict=True))


def table(found: Mapping[str, Sequence[Path]], chosen: Mapping[str, Mapping[str, object]]) -> str:
    """The finished recipes beside original and reference, as Markdown."""
    first = next(iter(found.values()))[:1]
    labels = {"original": "before", "reference": "reference"}
    models = {n: pooled(first, label) for n, label in labels.items() if (first[0] / "eval" / label).is_dir()}
    recipes = {name: pooled(folders) for name, folders in found.items()}
    columns = list(next(iter(recipes.values())))
    lines = []
    for name, row in (models | recipes).items():
        cells = [shown(row.get(of, [])) for of in columns]
        by = ", ".join(other for other in recipes if name in recipes and beats(recipes[other], row))
        lines.append(Row(name, [Cell(text) for text in (said(chosen.get(name, {})), *cells, by)]))
    return markdown(Table(["recipe", "chosen", *columns, "beaten by"], lines))


def shown(values: Sequence[float]) -> str:
    """Median, and the range where there is one."""
    text = [f"{value:.3f}" for value in values]
    return "" if not text else text[0] if len(set(text)) == 1 else f"{text[0]} ({text[1]} to {text[2]})"


def best(study: Path) -> Mapping[str, object]:
    """The settings of a study's best trial."""
    config = showing.read(study)
    trial = studies.best(studies.kept(studies.opened(config), config))
    return trial.values if trial else {}


def said(settings: Mapping[str, object]) -> str:
    """Settings on one line."""
    return showing.settings(settings).replace("train.", "") if settings else ""


def main() -> None:
    """Every recipe's runs, and the table of those that are finished."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ground", choices=("embedded", *RETAIN, "real"), required=True)
    parser.add_argument("--recipes", nargs="+", choices=(*RECIPES, *METHODS), default=list(RECIPES))
    parser.add_argument("--epochs", type=int, help="of every run, instead of the ground's; in folders of their own")
    given = parser.parse_args()
    is_tuned = given.ground not in ("forget01", "forget10")
    if not is_tuned and (unknown := sorted({*given.recipes} - {*CHOSEN})):
        parser.error(f"{', '.join(unknown)}: nothing was chosen on forget05")
    where, found, at = ground(given.ground, given.epochs), {}, {}
    mark = "" if given.epochs is None else f"-e{given.epochs}"
    for name in given.recipes:
        recipe, folder = RECIPES.get(name) or Recipe({"train.method": name}), OUT / given.ground / f"{name}{mark}"
        if is_tuned:
            folder = folder.with_name(f"tuned-{folder.name}")
            found[name] = tuned(where, recipe, folder)
            at[name] = best(folder)
        else:
            at[name] = dict(zip(("train.lr", recipe.tried), CHOSEN[name], strict=True))
            found[name] = carried(where, recipe, folder, at[name])
        print(f"{name} is finished", file=sys.stderr, flush=True)
    print(table(found, at))


if __name__ == "__main__":
    main()
