"""Speed, each figure a ratio against a plain baseline in the same process: one JSON object per line."""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

SHARED = Path(__file__).resolve().parents[2] / "shared"
MODEL = SHARED / "models/tofu-mini/full"
"""What is measured where no model is named."""


def arguments(description: str, *, limit: int) -> argparse.Namespace:
    """`--model`, `--data`, `--limit`, `--threads`: what to measure on."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--model", type=Path, default=MODEL)
    parser.add_argument("--data", type=Path, default=SHARED / "data")
    parser.add_argument("--limit", type=int, default=limit, help="questions")
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def in_turns(times: int, *runs: Callable[[], object]) -> list[float]:
    """Median seconds of each run, taken in turns."""
    found: list[list[float]] = [[] for _ in runs]
    for _ in range(times):
        for run, seconds in zip(runs, found, strict=True):
            clock = time.perf_counter()
            run()
            seconds.append(time.perf_counter() - clock)
    return [statistics.median(seconds) for seconds in found]


def figure(name: str, *, ours: float, baseline: float, unit: str = "s", **more: object) -> None:
    """Print one figure."""
    row = {"figure": name, "ratio": round(baseline / ours, 2), "ours": round(ours, 4), "baseline": round(baseline, 4)}
    print(json.dumps(row | {"unit": unit} | more), flush=True)
