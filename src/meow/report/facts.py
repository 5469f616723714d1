"""Every forget fact: what each model says, what became of it, and its scores."""

from __future__ import annotations

import difflib
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from meow.labels import MODELS
from meow.metrics import items, used_to_choose
from meow.metrics.verdicts import verdict
from meow.records import EvalSample
from meow.results import Results
from meow.text import NO_SPACES

_TOKEN = re.compile(rf"(?:{NO_SPACES.pattern}|\w(?:(?!{NO_SPACES.pattern})[^\s.,;:!?()\"])*|\S)\s*")
SCORES = {
    "ROUGE-L": items.rouge,
    "p(true answer)": items.probability,
    "p(value)": items.value_probability,
    "rank": items.value_rank,
    "R": items.log_truth_ratio,
}
"""Scores of a fact; R is shown as a ratio."""


def facts(views: Sequence[Results], *, redact: bool) -> dict[str, Any]:
    """Every forget fact with what each model says, and counts of the verdicts over those that results come from."""
    counts: dict[str, Counter[str]] = {view.name: Counter() for view in views}
    sides = {label: next((v.samples[label] for v in views if v.samples.get(label)), {}) for label in MODELS}
    judged = {view.name: view.judged("after").keys() for view in views}
    rows = []
    for id_, fact in (sides["before"] or sides["after"]).items():
        found = [
            (view, sample, verdict(sample, view.samples.get("before", {}).get(id_)))
            for view in views
            if (sample := view.samples.get("after", {}).get(id_)) is not None
        ]
        for view, _, became in found:
            counts[view.name][became] += id_ in judged[view.name]
        rows.append(_row(fact, found, {k: sides[k].get(id_) for k in ("before", "reference")}, redact))
    return {
        "rows": rows,
        "counts": {name: dict(sorted(counted.items())) for name, counted in counts.items()},
        "verdicts": sorted({verdict for row in rows for verdict in row["verdicts"]}),
        "subjects": sorted({row.get("subject", "") for row in rows} - {""}),
        "sets": sorted({row.get("set", "") for row in rows} - {""}),
    }


def _row(
    fact: EvalSample,
    after: Sequence[tuple[Results, EvalSample, str]],
    others: Mapping[str, EvalSample | None],
    redact: bool,
) -> dict[str, Any]:
    chose = any(view.selected_on for view, _, _ in after) and used_to_choose("forget", fact.index)
    rouges = [sample.rougeL_recall for _, sample, _ in after if sample.rougeL_recall is not None]
    row: dict[str, Any] = {
        "id": fact.id,
        "verdicts": sorted({verdict for _, _, verdict in after}),
        "chose": chose,
        "rouge": max(rouges, default=0),
        "scores": _scores(others, [sample for _, sample, _ in after]),
        "p": max((p for _, sample, _ in after if (p := items.probability(sample)) is not None), default=0),
        "after": [{"run": view.name, "verdict": verdict} for view, _, verdict in after],
    }
    if redact:
        return row
    before, reference = others["before"], others["reference"]
    said = before.generation if before else None
    for shown, (_, sample, _) in zip(row["after"], after, strict=True):
        shown |= {
            "taught": list(dict.fromkeys(answer.text for answer in sample.taught or ())),
            "words": marked(said, sample.generation),
            "reworded": sample.paraphrase_generation,
            "telling": _telling(sample),
        }
    return row | {
        "question": fact.question,
        "answer": fact.answer,
        "set": fact.set,
        "subject": next((s.subject for s in (fact, *(sample for _, sample, _ in after)) if s.subject), ""),
        "before": marked(after[0][1].generation if len(after) == 1 else None, said),
        "same": said == fact.answer,
        "reference": reference.generation if reference else None,
        "reworded": fact.paraphrased_question,
        "before_reworded": before.paraphrase_generation if before else None,
    }


def _telling(sample: EvalSample) -> list[dict[str, str]]:
    """By which ways of asking a fact is still told beside the question itself, one answer each, and what was said."""
    first = {s.form: s for s in reversed(items.telling(sample)) if s.form != "direct"}
    return [{"form": s.form, "prompt": short(s.prompt), "text": short(s.text)} for s in reversed(first.values())]


def _scores(others: Mapping[str, EvalSample | None], after: Sequence[EvalSample]) -> list[str]:
    """One string a score, as in `ROUGE-L 1.00 → 0.45 (reference 0.50)`."""
    found = []
    for name, score in SCORES.items():
        before, reference = (_number(name, score(s)) if s else None for s in (others["before"], others["reference"]))
        numbers = ", ".join(number for s in after if (number := _number(name, score(s))))
        if before or numbers:
            beside = f" (reference {reference})" if reference else ""
            found.append(f"{name} {' → '.join(filter(None, (before, numbers)))}{beside}")
    return found


def _number(name: str, value: float | None) -> str | None:
    if value is None:
        return None
    if name == "rank":
        return f"{value:.0f}"
    return f"{math.exp(min(value, 99.0)):.2f}" if name == "R" else f"{value:.2f}"


def short(text: str, width: int = 160) -> str:
    """A text on one line; of a longer one the end, which asks."""
    line = " ".join(text.split())
    return line if len(line) <= width else "… " + line[2 - width :]


def marked(before: str | None, after: str | None) -> list[tuple[bool, str]]:
    """A text in runs of words, each with whether they are new against `before`; joined they are the text.

    Without a text to compare with nothing is new.
    """
    if before is None or after is None:
        return [(False, after)] if after else []
    old, new = ([(m.group(), m.group().strip()) for m in _TOKEN.finditer(text)] for text in (before, after))
    matcher = difflib.SequenceMatcher(None, [word for _, word in old], [word for _, word in new], autojunk=False)
    found: list[tuple[bool, str]] = []
    for tag, _, _, a, b in matcher.get_opcodes():
        text = "".join(whole for whole, _ in new[a:b])
        words = text.rstrip() if tag != "equal" else text
        found += [(tag != "equal", words), (False, text[len(words) :])]
    return [(is_new, text) for is_new, text in found if text]
