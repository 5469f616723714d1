"""NLU and NLG of a run folder: every label's numbers, and the paired difference that forgetting made. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from meow.capability import paired
from meow.labels import MODELS
from meow.records import CapabilityLog, NlgSample, NluSample, Value, read_record, read_records
from meow.text import repetition


class Changed(NamedTuple):
    """One metric of one task, before and after."""

    name: str
    """`piqa acc`, `bleu`, ..."""
    n: int
    """Items."""
    values: Mapping[str, Value]
    """By label, or by run."""
    difference: Value | None
    """The second minus the first over the same items; None where one of the two is missing."""

    def as_object(self) -> dict[str, Any]:
        """Values by label and the difference, as JSON."""
        found: dict[str, Any] = {k: v.model_dump(exclude_defaults=True) for k, v in self.values.items()}
        if self.difference is not None:
            found["difference"] = self.difference.model_dump(exclude_defaults=True)
        return found

    def change(self) -> tuple[str, str, str]:
        """The difference, its interval, and what it means in a few words; empty where there is none."""
        gap = self.difference
        if gap is None or gap.value is None:
            return "", "", (gap.reason if gap else None) or ""
        ends = "" if gap.low is None or gap.high is None else f"{gap.low:+.3f} to {gap.high:+.3f}"
        return f"{gap.value:+.3f}", ends, (gap.reason or "").partition(":")[0]


def read(folder: Path) -> list[Changed]:
    """What was measured in a run folder, by metric, and what forgetting changed."""
    return _changed({label: folder / "capability" / label for label in MODELS}, "before", "after")


def between(one: Path, other: Path) -> list[Changed]:
    """What two runs left after forgetting, item by item: the second against the first."""
    sides = {folder.resolve().name: folder / "capability/after" for folder in (one, other)}
    return _changed(sides, *sides) if len(sides) == 2 else []


def _changed(sides: Mapping[str, Path], first: str, second: str) -> list[Changed]:
    """Every metric of some models by their name, and the difference between two of them."""
    found = []
    for kind in ("nlu", "nlg"):
        logs = {name: log for name, side in sides.items() if (log := _log(side, kind)) is not None}
        for metric in dict.fromkeys(metric for log in logs.values() for metric in log.metrics):
            values = {name: log.metrics[metric] for name, log in logs.items() if metric in log.metrics}
            gap = None
            if {first, second} <= values.keys():
                there = all((sides[name] / f"{kind}.jsonl").is_file() for name in (first, second))
                of = {"nlu": _nlu, "nlg": _nlg}[kind]
                gap = of(sides[first], sides[second], metric) if there else _of_numbers(values[first], values[second])
            found.append(Changed(metric, max(v.n for v in values.values()), values, gap))
    return found


def _log(side: Path, kind: str) -> CapabilityLog | None:
    file = side / f"{kind}.json"
    return read_record(file, CapabilityLog) if file.is_file() else None


def _of_numbers(one: Value, other: Value) -> Value:
    """The difference of two numbers of which the items are gone."""
    if one.value is None or other.value is None:
        return Value(value=None, reason="not computable on both sides")
    return Value(value=other.value - one.value, n=min(one.n, other.n), reason="no interval: the items are cleaned away")


def _nlu(one: Path, other: Path, name: str) -> Value:
    """Items that are right on one side and not on the other."""
    task, _, metric = name.rpartition(" ")
    scores = []
    for side in (one, other):
        rows = read_records(side / "nlu.jsonl", NluSample)
        scores.append({s.index: s.right[metric] for s in rows if s.task == task and metric in s.right})
    both = sorted(scores[0].keys() & scores[1].keys())
    return paired.difference([scores[0][i] for i in both], [scores[1][i] for i in both], binary=True)


def _nlg(one: Path, other: Path, name: str) -> Value:
    texts = []
    for side in (one, other):
        rows = read_records(side / "nlg.jsonl", NlgSample)
        texts.append({s.prompt + s.continuation: s for s in rows})
    both = [text for text in texts[0] if text in texts[1]]
    sides = [[side[text] for text in both] for side in texts]
    logs = [log for side in (one, other) if (log := _log(side, "nlg")) is not None]
    full = logs[-1].settings.get("nlg.scope") == "full"
    if name == "ppl":
        sums = [np.array([[s.nll, s.n_tokens] for s in side], dtype=np.float64) for side in sides]

        def statistic(drawn: np.ndarray[tuple[int, int], np.dtype[np.int64]]) -> tuple[_Numbers, _Numbers]:
            totals = [side[drawn].sum(1) for side in sums]
            before, after = (np.exp(np.minimum(t[:, 0] / t[:, 1], 700)) for t in totals)
            return before, after

        return paired.of_statistic(len(both), statistic)
    if name == "rep3":
        scores = [[repetition((s.prompt if full else "") + s.generation) for s in side] for side in sides]
        pairs = [(b, a) for b, a in zip(*scores, strict=True) if a is not None and b is not None]
        return paired.difference([b for b, _ in pairs], [a for _, a in pairs])
    if name == "bleu":
        counts = [_bleu_counts(side, full=full) for side in sides]

        def bleus(drawn: np.ndarray[tuple[int, int], np.dtype[np.int64]]) -> tuple[_Numbers, _Numbers]:
            before, after = (_bleu(side[drawn].sum(1)) for side in counts)
            return before, after

        return paired.of_statistic(len(both), bleus)
    numbers = [log.metrics[name].value for log in logs]
    if numbers[0] is None or numbers[1] is None:
        return Value(value=None, reason="not computable on both sides")
    return Value(value=numbers[1] - numbers[0], n=len(both), reason="no interval: a distance between two sets of texts")


_Numbers = np.ndarray[tuple[int], np.dtype[np.float64]]


def _bleu_counts(side: Sequence[NlgSample], *, full: bool) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """(N, 10) matched and total n-grams, and lengths, of each text (sacrebleu)."""
    from sacrebleu.metrics import BLEU

    metric = BLEU()
    found = []
    for s in side:
        head = s.prompt if full else ""
        score = metric.corpus_score([head + s.generation], [[head + s.continuation]])
        found.append([*score.counts, *score.totals, score.sys_len, score.ref_len])
    return np.array(found, dtype=np.float64)


def _bleu(sums: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> _Numbers:
    """BLEU of each row of sums, by sacrebleu."""
    from sacrebleu.metrics import BLEU

    rows = sums.astype(int).tolist()
    scores = [
        BLEU.compute_bleu(correct=r[:4], total=r[4:8], sys_len=r[8], ref_len=r[9], smooth_method="exp").score
        for r in rows
    ]
    return np.array(scores)
