"""NLU and NLG of a run folder: every label's numbers, and the paired difference that forgetting made. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from meow.metrics import paired
from meow.records import CapabilityLog, NlgSample, NluSample, Value, read_json, read_records
from meow.text import repetition

LABELS = ("before", "after", "reference")


class Changed(NamedTuple):
    """One metric of one task, before and after."""

    name: str
    """`piqa acc`, `bleu`, ..."""
    n: int
    """Items."""
    values: Mapping[str, Value]
    """By label."""
    difference: Value | None
    """After minus before over the same items; None where one of the two is missing."""

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
    """What was measured in a run folder, by metric."""
    logs = {(k, label): _log(folder, k, label) for k in ("nlu", "nlg") for label in LABELS}
    found = []
    for kind in ("nlu", "nlg"):
        mine = {label: log for (k, label), log in logs.items() if k == kind and log is not None}
        for name in dict.fromkeys(name for log in mine.values() for name in log.metrics):
            values = {label: log.metrics[name] for label, log in mine.items() if name in log.metrics}
            gap = None
            if {"before", "after"} <= values.keys():
                gap = _nlu(folder, name) if kind == "nlu" else _nlg(folder, name, mine["after"])
            found.append(Changed(name, max(v.n for v in values.values()), values, gap))
    return found


def _log(folder: Path, kind: str, label: str) -> CapabilityLog | None:
    file = folder / f"capability/{label}/{kind}.json"
    return CapabilityLog.model_validate(read_json(file)) if file.is_file() else None


def _nlu(folder: Path, name: str) -> Value:
    """Items that are right after and were not before, against those that were."""
    task, _, metric = name.rpartition(" ")
    scores = []
    for label in ("before", "after"):
        rows = read_records(folder / f"capability/{label}/nlu.jsonl", NluSample)
        scores.append({s.index: s.right[metric] for s in rows if s.task == task and metric in s.right})
    both = sorted(scores[0].keys() & scores[1].keys())
    return paired.difference([scores[0][i] for i in both], [scores[1][i] for i in both], binary=True)


def _nlg(folder: Path, name: str, log: CapabilityLog) -> Value:
    texts = []
    for label in ("before", "after"):
        rows = read_records(folder / f"capability/{label}/nlg.jsonl", NlgSample)
        texts.append({s.prompt + s.continuation: s for s in rows})
    both = [text for text in texts[0] if text in texts[1]]
    sides = [[side[text] for text in both] for side in texts]
    full = log.settings.get("nlg.scope") == "full"
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
    values = [_log(folder, "nlg", label) for label in ("before", "after")]
    numbers = [v.metrics[name].value for v in values if v is not None]
    if len(numbers) < 2 or numbers[0] is None or numbers[1] is None:
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
