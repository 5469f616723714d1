"""Every method on the real TOFU and tofu-mini: `make study`, or `python -m benchmarks.study --minutes 100`.

1. forget05, every method by `meow tune`: three learning rates, seed 0, 16 facts a step, six epochs, judged by the
   tuning half (even-numbered forget questions, 60 retain questions): fewest facts told, then the smallest forget
   distance, among rates that keep 0.9 of the utility, or, where none does, what keeps most.
2. Each method at its rate, seeds 0, 1, 2; numbers come from the questions that chose nothing, as median and range over
   seeds (p-values are never averaged).
3. Which inverted answers to teach: {highest, lowest, random} x k {1, 2, 3} and all, `meow`, three seeds, same steps.
4. forget01 and forget10, six methods at their rates of forget05, seed 0.
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
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks import SHARED
from meow.files import read_json
from meow.losses import METHODS
from meow.pipeline import demo as embedded
from meow.pipeline.tuning import showing, studies
from meow.records import EvalLog
from meow.run import STUDY, Run

RATES, MIXED_RATES = (2e-4, 5e-4, 1e-3), (1e-3, 2e-3)
SEEDS = (0, 1, 2)
FACTS, EPOCHS = 16, 6
ELSEWHERE = ("meow", "meow_contrast", "grad_diff", "npo_grad_diff", "dpo_grad_diff", "simnpo")
FIRST = ("meow", "meow_contrast", "npo_grad_diff")
"""Methods whose further seeds come before everything else."""
RETAIN = {"forget01": "retain99", "forget05": "retain95", "forget10": "retain90"}
SHOWN = (
    "forget_quality", "ks_d", "forget_distance", "worst_case", "model_utility_gm", "facts_told", "facts_told_words",
    "median_truth_ratio", "fluency", "forget_rougeL",
)  # fmt: skip
MODELS, TOFU = SHARED / "models/tofu-mini", SHARED / "data/tofu"
OUT = Path("study")
ONE_THREAD = {"OMP_NUM_THREADS": "1"}
CHOSEN = "tune.chosen=[train.lr]"
"""Of runs at a rate that was chosen elsewhere on these questions: numbers come from the other half."""


def settings(split: str, k: int, *more: str) -> list[str]:
    """Overrides of one run with so many training rows of each fact."""
    inverted = SHARED / f"data/meow/generated_data/{split}_perturbed_generated.json"
    found = [
        f"out={OUT}/{split}", f"model.path={MODELS}/full", f"data.source={TOFU}", f"data.split={split}", "threads=1",
        "memo.template=model", f"eval.reference={MODELS}/{RETAIN[split]}", f"train.epochs={EPOCHS}",
        f"train.batch_size={FACTS * k}", "train.weight_decay=0",
    ]  # fmt: skip
    published = [f"invert.path={inverted}", "invert.gate=false"]  # as they were published, none left out
    return [*found, *(published if inverted.is_file() else []), *more]


def of_method(split: str, method: str, *more: str) -> list[str]:
    """Overrides of one run of a method."""
    row = METHODS[method]
    k = {"selected": row.defaults.get("select.k", 3), "all": 4}.get(row.targets, 1)
    return settings(split, k, f"train.method={method}", *more)


MIXTURES = {
    "meow + NPO + 2 NLL": {"target_nll": 1, "forget_npo": 1, "retain_nll": 2},
    "meow + 2 NPO + 3 NLL": {"target_nll": 1, "forget_npo": 2, "retain_nll": 3},
    "meow + DPO + NLL": {"target_nll": 1, "target_dpo": 1, "retain_nll": 1},
}


def mixture(objective: Mapping[str, int]) -> list[str]:
    """Overrides of one mixture on forget05: one inverted answer a question, three retain rows beside it."""
    own = [f"train.objective={json.dumps(objective)}", "train.targets=selected", "select.k=1", "train.retain_rows=3"]
    return settings("forget05", 1, *own)


def tuning(rates: Sequence[float], seeds: int) -> list[str]:
    """What is tried, and with how many seeds the best of it is run."""
    space = f"tune.space={json.dumps({'train.lr': rates})}"
    return [space, "tune.sampler=grid", f"tune.trials={len(rates)}", "tune.keep=0.9", f"tune.seeds={seeds}"]


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


def numbers(folder: Path, label: str = "after") -> dict[str, float | None]:
    """Metrics of one evaluation: of the questions that chose nothing, where something was chosen."""
    log = EvalLog.model_validate(read_json(folder / "eval" / label / "log.json"))
    return {name: log.metrics[name].value for name in SHOWN}


def pooled(folders: Iterable[Path]) -> dict[str, Any]:
    """Median, smallest and largest of each metric, and the seconds of training, over the runs that are finished."""
    finished = [folder for folder in folders if (folder / "eval/after/log.json").is_file()]
    done = [numbers(folder) for folder in finished]
    seconds = [float(Run(folder).stages["forget"]["seconds"]) for folder in finished]
    found: dict[str, Any] = {"runs": len(done), "seconds": min(seconds, default=None)}
    for name in SHOWN:
        values = [value for row in done if (value := row[name]) is not None]
        found[name] = [statistics.median(values), min(values), max(values)] if values else None
    return found


def rate_of(name: str) -> float | None:
    """The learning rate that was chosen in a study of forget05; None: none yet."""
    folder = OUT / "forget05" / name
    if not (folder / STUDY).is_file():
        return None
    config = showing.read(folder)
    best = studies.best(studies.kept(studies.opened(config), config))
    return None if best is None else best.values["train.lr"]


def show(kind: str, **row: object) -> None:
    """Print one row."""
    print(json.dumps({"study": kind} | row), flush=True)


def tuned(clock: Clock, methods: Iterable[str], seeds: int) -> None:
    """Parts 1 and 2 of some methods, the best with so many seeds."""
    more = tuning(RATES, seeds)
    clock.run((f"{m} x {seeds}", ["tune", *of_method("forget05", m, f"name={m}", *more)]) for m in methods)


def methods(clock: Clock) -> None:
    """The rest of part 2, and its rows."""
    tuned(clock, METHODS, len(SEEDS))
    for method in METHODS:
        if rate := rate_of(method):
            folders = sorted((OUT / "forget05" / method).glob("best-*"))
            show("forget05", method=method, lr=rate, chosen_on="the tuning half", n=100, **pooled(folders))


def ablation(clock: Clock, seeds: Sequence[int]) -> None:
    """Part 3, the runs of some seeds: does it matter which inverted answers are taught?"""
    kinds = [(rule, k) for k in (1, 2, 3) for rule in ("highest", "lowest", "random")] + [("all", 4)]
    rate, epochs = rate_of("meow") or RATES[1], 600 * EPOCHS // (3 * FACTS) * FACTS / 200  # the same steps

    def run(rule: str, k: int, seed: int) -> list[str]:
        more = [f"select.rule={rule}", f"select.k={k}", f"train.lr={rate}", f"train.epochs={epochs}", CHOSEN]
        own = ["train.method=meow", f"name={rule}-{k}-s{seed}", f"seed={seed}"]
        return ["run", *settings("forget05", k, *own, *more)]

    clock.run((f"{rule}-{k}-s{seed}", run(rule, k, seed)) for seed in seeds for rule, k in kinds)
    for rule, k in kinds if seeds != SEEDS[:1] else []:
        folders = [OUT / "forget05" / f"{rule}-{k}-s{seed}" for seed in SEEDS]
        show("ablation", rule=rule, k=k, lr=rate, n=100, **pooled(folders))


def elsewhere(clock: Clock) -> None:
    """Part 4."""
    for split in ("forget01", "forget10"):
        wanted = [(method, rate) for method in ELSEWHERE if (rate := rate_of(method))]
        runs = {m: ["run", *of_method(split, m, f"name={m}", f"train.lr={rate}")] for m, rate in wanted}
        clock.run((f"{split} {method}", run) for method, run in runs.items())
        for method, rate in wanted:
            show(split, method=method, lr=rate, **pooled([OUT / split / method]))


def ceiling(clock: Clock) -> None:
    """Part 5; the original and the reference beside it."""
    another = of_method("forget05", "meow", "name=retain95-b", f"model.path={MODELS}/retain95-b", CHOSEN)
    clock.run([("retain95-b", ["eval", *another])])
    trial = next(iter(sorted(OUT.glob("forget05/meow/best-*"))), None)
    for kind, folder, label in (
        ("ceiling", OUT / "forget05/retain95-b", "before"),
        ("original", trial, "before"),
        ("reference", trial, "reference"),
    ):
        if folder and (folder / "eval" / label / "log.json").is_file():
            show(kind, n=100, **numbers(folder, label))


def mixtures(clock: Clock) -> None:
    """Part 6."""
    names = {mixture_: mixture_.replace(" ", "").replace("+", "-") for mixture_ in MIXTURES}
    more = tuning(MIXED_RATES, len(SEEDS))
    clock.run((name, ["tune", *mixture(MIXTURES[m]), f"name={name}", *more]) for m, name in names.items())
    for mixture_, name in names.items():
        if rate := rate_of(name):
            folders = sorted((OUT / "forget05" / name).glob("best-*"))
            show("mixture", name=mixture_, lr=rate, n=100, **pooled(folders))


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
        show("embedded", method=method, n=64, **pooled(folders))


def main() -> None:
    """All parts, as far as the minutes go."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=100)
    clock = Clock(parser.parse_args().minutes)
    parts: list[Callable[[], None]] = [
        lambda: tuned(clock, METHODS, 1),
        lambda: tuned(clock, FIRST, len(SEEDS)),
        lambda: ablation(clock, SEEDS[:1]),
        lambda: at_home(clock),
        lambda: ceiling(clock),
        lambda: elsewhere(clock),
        lambda: mixtures(clock),
        lambda: ablation(clock, SEEDS[1:]),
        lambda: methods(clock),
    ]
    for part in parts:
        part()
    for name in clock.missing:
        show("not run", name=name)


if __name__ == "__main__":
    main()
