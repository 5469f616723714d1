"""Every method on the real TOFU and tofu-mini: `make study`, or `python -m benchmarks.study --minutes 100`.

1. forget05, every method at three learning rates, seed 0, 16 facts a step, six epochs. Each method's setting is chosen
   on the tuning half (even-numbered forget questions, 60 retain questions, likelihoods alone): the highest forget
   quality among settings that keep 0.9 of the original's retain probability, or, where none does, what keeps most.
2. Each method at its setting, seeds 0, 1, 2, evaluated whole; numbers come from the questions that chose nothing, as
   median and range over seeds (p-values are never averaged).
3. Which inverted answers to teach: {highest, lowest, random} x k {1, 2, 3} and all, `meow`, three seeds, same steps.
4. forget01 and forget10, six methods at their settings of forget05, seed 0.
5. The ceiling: another model that never saw forget05 (`retain95-b`, another seed) in the place of the changed one.
6. Mixtures of an inverted, a negative and a retain term that are no named method, chosen like these, three seeds.
7. The embedded benchmark: six methods at the demo's settings, three seeds; nothing is chosen there.

What says most per minute comes first: one seed of everything before the further seeds of anything but FIRST.

Two runs go side by side on one thread each. A second call reuses what is finished; what the minutes did not suffice for
is printed as not run. Rows go to stdout as JSON; the run folders lie in `study/`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks import SHARED
from meow import metrics
from meow.config import DataSettings, ModelSettings
from meow.evaluation import sampling
from meow.files import read_json
from meow.formats import sources
from meow.lm import load
from meow.losses import METHODS
from meow.pipeline import demo as embedded
from meow.records import EvalLog, EvalSample, Look, read_records
from meow.run import Run

RATES = ("2e-4", "5e-4", "1e-3")
SEEDS = (0, 1, 2)
FACTS, EPOCHS = 16, 6
ELSEWHERE = ("meow", "meow_contrast", "grad_diff", "npo_grad_diff", "dpo_grad_diff", "simnpo")
FIRST = ("meow", "meow_contrast", "npo_grad_diff")
"""Methods whose further seeds come before everything else."""
RETAIN = {"forget01": "retain99", "forget05": "retain95", "forget10": "retain90"}
SHOWN = (
    "forget_quality", "ks_d", "model_utility_gm", "facts_told", "facts_told_words", "median_truth_ratio", "fluency",
    "forget_rougeL",
)  # fmt: skip
MODELS, TOFU = SHARED / "models/tofu-mini", SHARED / "data/tofu"
OUT = Path("study")


def settings(split: str, method: str, rate: str, *more: str) -> list[str]:
    """Overrides of one run."""
    row = METHODS[method]
    k = {"selected": row.defaults.get("select.k", 3), "all": 4}.get(row.targets, 1)
    inverted = SHARED / f"data/meow/generated_data/{split}_perturbed_generated.json"
    found = [
        f"out={OUT}/{split}", f"model.path={MODELS}/full", f"data.source={TOFU}", f"data.split={split}", "threads=1",
        "memo.template=model", f"eval.reference={MODELS}/{RETAIN[split]}", f"train.method={method}", f"train.lr={rate}",
        f"train.epochs={EPOCHS}", f"train.batch_size={FACTS * k}", "train.weight_decay=0",
    ]  # fmt: skip
    published = [f"invert.path={inverted}", "invert.gate=false"]  # as they were published, none left out
    return [*found, *(published if inverted.is_file() else []), *more]


MIXTURES = {
    "meow + NPO + 2 NLL": {"target_nll": 1, "forget_npo": 1, "retain_nll": 2},
    "meow + 2 NPO + 3 NLL": {"target_nll": 1, "forget_npo": 2, "retain_nll": 3},
    "meow + DPO + NLL": {"target_nll": 1, "target_dpo": 1, "retain_nll": 1},
}
MIXED_RATES = ("1e-3", "2e-3")


def mixed(objective: dict[str, int], rate: str, *more: str) -> list[str]:
    """Overrides of one mixture on forget05: one inverted answer a question, three retain rows beside it."""
    own = [f"train.objective={json.dumps(objective)}", "train.targets=selected", "select.k=1", "train.retain_rows=3"]
    named = [item for item in settings("forget05", "meow_contrast", rate) if not item.startswith("train.method")]
    return [*named, *own, *more]


class Clock:
    """The minutes that are left, and the commands that run in them, two at a time."""

    def __init__(self, minutes: float) -> None:
        self.until = time.monotonic() + 60 * minutes
        self.missing: list[str] = []

    def run(self, jobs: Iterable[tuple[str, Sequence[str]]]) -> None:
        """Run `meow` on each; a job that cannot start in time is noted as not run."""

        def one(job: tuple[str, Sequence[str]]) -> None:
            name, arguments = job
            if time.monotonic() > self.until:
                self.missing.append(name)
                return
            command = [sys.executable, "-m", "meow", "-q", *arguments]
            done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | ONE_THREAD)
            if done.returncode:
                self.missing.append(f"{name}: {done.stderr.strip().splitlines()[-1] if done.stderr else 'failed'}")

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(one, jobs))


ONE_THREAD = {"OMP_NUM_THREADS": "1"}


def looks(names: Sequence[str]) -> dict[str, Look]:
    """What the tuning half says of each trained run of forget05; kept in `study/looks.json`."""
    file = OUT / "looks.json"
    known: dict[str, list[float]] = json.loads(file.read_text()) if file.is_file() else {}
    todo = [n for n in names if n not in known and (OUT / "forget05" / n / "model/config.json").is_file()]
    if todo:
        items = sources.eval_items(DataSettings(source=str(TOFU), split="forget05"))

        def half(path: Path) -> list[EvalSample]:
            return sampling.tuning_half(load(ModelSettings(path=str(path))), items)

        reference = half(MODELS / "retain95")
        original = metrics.compute(half(MODELS / "full"))["retain_probability"].value or 1.0
        for name in todo:
            found = metrics.compute(half(OUT / "forget05" / name / "model"), reference=reference)
            quality, kept = found["forget_quality"].value, found["retain_probability"].value
            known[name] = [quality or 0.0, (kept or 0.0) / original]
            file.write_text(json.dumps(known, indent=1))
    return {name: Look(*known[name]) for name in names if name in known}


def fresh(folder: Path, label: str) -> list[EvalSample]:
    """The samples that chose nothing."""
    rows = read_records(folder / "eval" / label / "samples.jsonl", EvalSample)
    return [row for row in rows if not metrics.used_to_choose(row.role, row.index)]


def measured(folder: Path, label: str = "after") -> dict[str, float | None]:
    """Metrics of one evaluation on what chose nothing."""
    found = metrics.compute(fresh(folder, label), before=fresh(folder, "before"), reference=fresh(folder, "reference"))
    return {name: found[name].value for name in SHOWN}


def everything(folder: Path) -> dict[str, float | None]:
    """Metrics of the evaluation after forgetting on all questions: nothing was chosen."""
    log = EvalLog.model_validate(read_json(folder / "eval/after/log.json"))
    return {name: log.metrics[name].value for name in SHOWN}


def pooled(folders: Sequence[Path], *, whole: bool = False) -> dict[str, Any]:
    """Median, smallest and largest of each metric, and of the seconds of training, over the runs that are finished."""
    finished = [folder for folder in folders if (folder / "eval/after/log.json").is_file()]
    done = [everything(folder) if whole else measured(folder) for folder in finished]
    seconds = [float(Run(folder).stages["forget"]["seconds"]) for folder in finished]
    found: dict[str, Any] = {"runs": len(done), "seconds": min(seconds, default=None)}
    for name in SHOWN:
        values = [row[name] for row in done if row[name] is not None]
        numbers = [v for v in values if v is not None]
        found[name] = [statistics.median(numbers), min(numbers), max(numbers)] if numbers else None
    return found


def chosen(found: dict[str, Look]) -> dict[str, str]:
    """The learning rate of each method that was tried."""
    best: dict[str, str] = {}
    for method in METHODS:
        tried = {rate: found[f"{method}-{rate}"] for rate in RATES if f"{method}-{rate}" in found}
        if tried:
            best[method] = max(tried, key=lambda rate: tried[rate].rank())
    return best


def show(kind: str, **row: object) -> None:
    """Print one row."""
    print(json.dumps({"study": kind} | row), flush=True)


def seeded(best: dict[str, str], seeds: Iterable[int]) -> Iterator[tuple[str, list[str]]]:
    """A whole run of each method at its learning rate, for each seed."""
    for seed in seeds:
        for method, rate in best.items():
            name = f"{method}-{rate}" + (f"-s{seed}" if seed else "")
            if (OUT / f"forget05/{name}/eval/after/log.json").is_file():
                continue
            yield name, ["run", *settings("forget05", method, rate, f"name={name}", f"seed={seed}")]


def chosen_rates(clock: Clock) -> dict[str, str]:
    """Part 1, and seed 0 of part 2."""
    left = [(m, r) for r in RATES for m in METHODS if not (OUT / f"forget05/{m}-{r}/model/config.json").is_file()]
    clock.run((f"{m}-{r}", ["forget", *settings("forget05", m, r, f"name={m}-{r}")]) for m, r in left)
    best = chosen(looks([f"{m}-{r}" for m in METHODS for r in RATES]))
    clock.run(seeded(best, SEEDS[:1]))
    return best


def methods(clock: Clock, best: dict[str, str]) -> None:
    """The rest of part 2."""
    clock.run(seeded(best, SEEDS[1:]))
    for method, rate in best.items():
        folders = [OUT / "forget05" / (f"{method}-{rate}" + (f"-s{seed}" if seed else "")) for seed in SEEDS]
        show("forget05", method=method, lr=rate, chosen_on="the tuning half", n=100, **pooled(folders))


def ablation(clock: Clock, rate: str, seeds: Sequence[int]) -> None:
    """Part 3, the runs of some seeds: does it matter which inverted answers are taught?"""
    kinds = [(rule, k) for k in (1, 2, 3) for rule in ("highest", "lowest", "random")] + [("all", 4)]
    steps = 600 * EPOCHS // (3 * FACTS)

    def name(rule: str, k: int, seed: int) -> str:
        return f"{rule}-{k}-s{seed}"

    def run(rule: str, k: int, seed: int) -> list[str]:
        epochs = steps * FACTS / 200
        more = [f"select.rule={rule}", f"select.k={k}", f"train.batch_size={FACTS * k}", f"train.epochs={epochs}"]
        return ["run", *settings("forget05", "meow", rate, f"name={name(rule, k, seed)}", f"seed={seed}", *more)]

    clock.run((name(rule, k, seed), run(rule, k, seed)) for seed in seeds for rule, k in kinds)
    for rule, k in kinds if seeds != SEEDS[:1] else []:
        folders = [OUT / "forget05" / name(rule, k, seed) for seed in SEEDS]
        show("ablation", rule=rule, k=k, lr=rate, n=100, **pooled(folders))


def elsewhere(clock: Clock, best: dict[str, str]) -> None:
    """Part 4."""
    for split in ("forget01", "forget10"):
        wanted = [(m, best[m]) for m in ELSEWHERE if m in best]
        clock.run((f"{split} {m}", ["run", *settings(split, m, r, f"name={m}-{r}")]) for m, r in wanted)
        for method, rate in wanted:
            show(split, method=method, lr=rate, **pooled([OUT / split / f"{method}-{rate}"]))


def ceiling(clock: Clock) -> None:
    """Part 5."""
    another = [item for item in settings("forget05", "meow", RATES[0]) if not item.startswith("model.path")]
    clock.run([("retain95-b", ["eval", *another, "name=retain95-b", f"model.path={MODELS}/retain95-b"])])
    folder = OUT / "forget05/retain95-b"
    if (folder / "eval/before/log.json").is_file():
        mine, theirs = fresh(folder, "before"), fresh(folder, "reference")
        found = metrics.compute(mine, reference=theirs)
        show("ceiling", name="retain95-b", n=100, **{name: found[name].value for name in SHOWN})
    original = OUT / "forget05" / next((p.parts[-4] for p in OUT.glob("forget05/*/eval/before/log.json")), "")
    if (original / "eval/before/log.json").is_file():
        show("original", n=100, **measured(original, "before"))
        show("reference", n=100, **{k: metrics.compute(fresh(original, "reference"))[k].value for k in SHOWN})


def mixtures(clock: Clock) -> None:
    """Part 6."""
    names = {
        (name, rate): f"{name.replace(' ', '').replace('+', '-')}-{rate}" for name in MIXTURES for rate in MIXED_RATES
    }
    clock.run((f, ["forget", *mixed(MIXTURES[m], r, f"name={f}")]) for (m, r), f in names.items())
    found = looks(list(names.values()))
    for mixture, objective in MIXTURES.items():
        tried = {rate: found[names[mixture, rate]] for rate in MIXED_RATES if names[mixture, rate] in found}
        if not tried:
            continue
        rate = max(tried, key=lambda r: tried[r].rank())
        folders = [f"{names[mixture, rate]}" + (f"-s{seed}" if seed else "") for seed in SEEDS]
        clock.run(
            (f, ["run", *mixed(objective, rate, f"name={f}", f"seed={seed}")])
            for f, seed in zip(folders, SEEDS, strict=True)
        )
        show("mixture", name=mixture, lr=rate, n=100, **pooled([OUT / "forget05" / f for f in folders]))


def at_home(clock: Clock) -> None:
    """Part 7."""
    out = OUT / "embedded"
    clock.run([("embedded", ["demo", "--out", str(out)])])
    base = [
        item
        for item in embedded.settings(out)["meow"]
        if not item.startswith(("name=", "train.method=", "train.epochs=", "train.batch_size=", "seed="))
    ]

    def run(method: str, seed: int) -> list[str]:
        row = METHODS[method]
        k = {"selected": row.defaults.get("select.k", 3), "all": 6}.get(row.targets, 1)
        own = [f"name={method}-s{seed}", f"seed={seed}", f"train.method={method}", "train.epochs=10"]
        return ["run", *base, *own, f"train.batch_size={16 * k}", "threads=1"]

    clock.run((f"embedded {m}", run(m, seed)) for seed in SEEDS for m in ELSEWHERE)
    for method in ELSEWHERE:
        folders = [out / f"{method}-s{seed}" for seed in SEEDS]
        show("embedded", method=method, n=64, **pooled(folders, whole=True))


def main() -> None:
    """All parts, as far as the minutes go."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=100)
    clock = Clock(parser.parse_args().minutes)
    best = chosen_rates(clock)
    rate = best.get("meow", RATES[1])
    parts: list[Callable[[], None]] = [
        lambda: clock.run(seeded({m: r for m, r in best.items() if m in FIRST}, SEEDS[1:])),
        lambda: ablation(clock, rate, SEEDS[:1]),
        lambda: at_home(clock),
        lambda: ceiling(clock),
        lambda: elsewhere(clock, best),
        lambda: mixtures(clock),
        lambda: ablation(clock, rate, SEEDS[1:]),
        lambda: methods(clock, best),
    ]
    for part in parts:
        part()
    for name in clock.missing:
        show("not run", name=name)


if __name__ == "__main__":
    main()
