"""Every method on the real TOFU and tofu-mini: `make study`, or `python -m benchmarks.study --minutes 100`.

1. forget05, every method at three learning rates, seed 0, 16 facts a step, six epochs. Each method's setting is chosen
   on the tuning half (even-numbered forget questions, 60 retain questions, likelihoods alone): the highest forget
   quality among settings that keep 0.9 of the original's retain probability, or, where none does, what keeps most.
2. Each method at its setting, seeds 0, 1, 2, evaluated whole; numbers come from the questions that chose nothing, as
   median and range over seeds (p-values are never averaged).
3. Which inverted answers to teach: {highest, lowest, random} x k {1, 2, 3} and all, `meow`, three seeds, same steps.
4. forget01 and forget10, six methods at their settings of forget05, seed 0.

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
from meow import data, metrics, tofu
from meow.config import DataSettings, ModelSettings
from meow.lm import load
from meow.losses import METHODS
from meow.records import EvalSample, read_records
from meow.training import Look

RATES = ("2e-4", "5e-4", "1e-3")
SEEDS = (0, 1, 2)
FACTS, EPOCHS = 16, 6
ELSEWHERE = ("meow", "meow_contrast", "grad_diff", "npo_grad_diff", "dpo_grad_diff", "simnpo")
RETAIN = {"forget01": "retain99", "forget05": "retain95", "forget10": "retain90"}
SHOWN = ("forget_quality", "ks_d", "model_utility_gm", "facts_told", "median_truth_ratio", "fluency", "forget_rougeL")
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
    return [*found, *([f"invert.path={inverted}"] if inverted.is_file() else []), *more]


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
        items = data.eval_items(DataSettings(source=str(TOFU), split="forget05"))

        def half(path: Path) -> list[EvalSample]:
            return tofu.tuning_half(load(ModelSettings(path=str(path))), items)

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


def pooled(folders: Sequence[Path]) -> dict[str, Any]:
    """Median, smallest and largest of each metric over the runs that are finished."""
    done = [measured(folder) for folder in folders if (folder / "eval/after/log.json").is_file()]
    found: dict[str, Any] = {"runs": len(done)}
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


def methods(clock: Clock) -> dict[str, str]:
    """Parts 1 and 2."""
    clock.run((f"{m}-{r}", ["forget", *settings("forget05", m, r, f"name={m}-{r}")]) for r in RATES for m in METHODS)
    best = chosen(looks([f"{m}-{r}" for m in METHODS for r in RATES]))

    def jobs() -> Iterator[tuple[str, list[str]]]:
        for seed in SEEDS:
            for method, rate in best.items():
                name = f"{method}-{rate}" + (f"-s{seed}" if seed else "")
                yield name, ["run", *settings("forget05", method, rate, f"name={name}", f"seed={seed}")]

    clock.run(jobs())
    for method, rate in best.items():
        folders = [OUT / "forget05" / (f"{method}-{rate}" + (f"-s{seed}" if seed else "")) for seed in SEEDS]
        show("forget05", method=method, lr=rate, chosen_on="the tuning half", n=100, **pooled(folders))
    return best


def ablation(clock: Clock, rate: str) -> None:
    """Part 3: does it matter which inverted answers are taught?"""
    kinds = [(rule, k) for k in (1, 2, 3) for rule in ("highest", "lowest", "random")] + [("all", 4)]
    steps = 600 * EPOCHS // (3 * FACTS)

    def name(rule: str, k: int, seed: int) -> str:
        return f"{rule}-{k}-s{seed}"

    def run(rule: str, k: int, seed: int) -> list[str]:
        epochs = steps * FACTS / 200
        more = [f"select.rule={rule}", f"select.k={k}", f"train.batch_size={FACTS * k}", f"train.epochs={epochs}"]
        return ["run", *settings("forget05", "meow", rate, f"name={name(rule, k, seed)}", f"seed={seed}", *more)]

    clock.run((name(rule, k, seed), run(rule, k, seed)) for seed in SEEDS for rule, k in kinds)
    for rule, k in kinds:
        folders = [OUT / "forget05" / name(rule, k, seed) for seed in SEEDS]
        show("ablation", rule=rule, k=k, lr=rate, n=100, **pooled(folders))


def elsewhere(clock: Clock, best: dict[str, str]) -> None:
    """Part 4."""
    for split in ("forget01", "forget10"):
        wanted = [(m, best[m]) for m in ELSEWHERE if m in best]
        clock.run((f"{split} {m}", ["run", *settings(split, m, r, f"name={m}-{r}")]) for m, r in wanted)
        for method, rate in wanted:
            show(split, method=method, lr=rate, **pooled([OUT / split / f"{method}-{rate}"]))


def main() -> None:
    """All parts, as far as the minutes go."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=100)
    clock = Clock(parser.parse_args().minutes)
    best = methods(clock)
    parts: list[Callable[[], None]] = [
        lambda: ablation(clock, best.get("meow", RATES[1])),
        lambda: elsewhere(clock, best),
    ]
    for part in parts:
        part()
    for name in clock.missing:
        show("not run", name=name)


if __name__ == "__main__":
    main()
