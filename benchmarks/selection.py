"""Does it matter which inverted answers are taught? `python -m benchmarks.selection --ground embedded`.

One inverted answer a question, chosen by value-MEMO: the one that the original remembers best (`highest`), least
(`lowest`), or any (`random`); three seeds each, all else equal. Rows: for each two rules the difference of what the
changed models say, paired by question and averaged over seeds, with its 95% interval over questions and the smallest
difference that would have been seen (at 80%: 2.8 standard errors). `p(value)`: log-probability of the true value where
it stands in the answer, nats; `told`: by any way of asking, share; `kept`: that log-probability, of retain facts.

`--ground embedded`: the demo's people, method `meow`. `--ground real`: France in
.models/smollm2, `meow_contrast`, an adapter. Run folders lie in `study/selection`.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path

from meow import results
from meow import statistics as intervals
from meow.metrics import items
from meow.pipeline import demo
from meow.records import EvalSample

RULES, SEEDS = ("highest", "lowest", "random"), (0, 1, 2)
HERE = Path(__file__).resolve().parents[1]
SEEN = 2.8
"""Standard errors that a difference must have to be seen in four of five tries, at 5%."""
Score = Callable[[EvalSample], float | None]
SCORES: dict[str, tuple[str, Score]] = {
    "p(value)": ("forget", lambda s: s.value_logp),
    "told": ("forget", items.worst),
    "kept": ("retain", lambda s: s.value_logp),
}


def meow(*typed: object) -> None:
    """Run a command on one thread."""
    command = [sys.executable, "-m", "meow", "-q", *map(str, typed)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ | {"OMP_NUM_THREADS": "1"})


def embedded(out: Path) -> list[str]:
    """Settings of a run on the demo's people, which are made first."""
    if not (out / "original/model").is_dir():
        meow("demo", "--out", out)
    own = ("name=", "seed=", "eval.samples=", "train.method=", "train.epochs=", "train.batch_size=")
    base = [item for item in demo.settings(out)["meow"] if not item.startswith(own)]
    return [*base, "train.method=meow", "train.epochs=10", "train.batch_size=16"]


def real(out: Path) -> list[str]:
    """Settings of a run on facts about France that the model knows."""
    if not (out / "known.jsonl").is_file():
        facts = HERE / "examples/facts/france/forget.jsonl"
        out.mkdir(parents=True, exist_ok=True)
        meow("known", facts, "--model_name_or_path", HERE / ".models/smollm2", "--save-path", out / "known.jsonl")
    return [
        str(HERE / "examples/france.yaml"), f"out={out}", f"model.path={HERE / '.models/smollm2'}",
        f"data.forget={out / 'known.jsonl'}", f"data.retain={HERE / 'examples/facts/france/retain.jsonl'}",
        "train.method=meow_contrast", "train.lora_rank=8", "train.lr=1e-3", "train.epochs=10", "eval.forms=[]",
        "eval.max_new_tokens=auto", "memo.max_new_tokens=auto", "memo.template=model",
    ]  # fmt: skip


def by_fact(folders: Sequence[Path], role: str, score: Score) -> dict[str, float]:
    """The mean over seeds of a score of each fact."""
    found: dict[str, list[float]] = {}
    for folder in folders:
        for sample in results.samples(folder, "after"):
            value = score(sample) if sample.role == role else None
            if value is not None:
                found.setdefault(sample.id, []).append(float(value))
    return {id_: statistics.fmean(values) for id_, values in found.items() if len(values) == len(folders)}


def main() -> None:
    """Nine runs, then what tells them apart."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ground", choices=("embedded", "real"), required=True)
    given = parser.parse_args()
    out = Path("study/selection", given.ground).absolute()
    base = {"embedded": embedded, "real": real}[given.ground](out)
    folders = {rule: [out / f"{rule}-s{seed}" for seed in SEEDS] for rule in RULES}
    for seed in SEEDS:
        for rule in RULES:
            more = [f"select.rule={rule}", "select.k=1", "select.by=question", "memo.on=value", "threads=1"]
            if not (out / f"{rule}-s{seed}/report.html").is_file():
                meow("run", *base, *more, f"name={rule}-s{seed}", f"seed={seed}")
    for name, (role, score) in SCORES.items():
        means = {rule: by_fact(folders[rule], role, score) for rule in RULES}
        for one, other in combinations(RULES, 2):
            apart = [means[one][id_] - means[other][id_] for id_ in means[one] if id_ in means[other]]
            value = intervals.mean(apart, missing="", bounded=False)
            error = statistics.stdev(apart) / math.sqrt(len(apart))
            row = {"of": name, one: statistics.fmean(means[one].values()),
                   other: statistics.fmean(means[other].values()), "apart": value.value,
                   "interval": [value.low, value.high], "n": len(apart), "seen from": SEEN * error}  # fmt: skip
            print(json.dumps({k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()}), flush=True)


if __name__ == "__main__":
    main()
