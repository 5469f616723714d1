"""Every fact of every set: what each model says, what became of it, and its scores."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from meow import values
from meow.labels import MODELS
from meow.metrics import items, used_to_choose
from meow.metrics.items import SETS
from meow.metrics.verdicts import VERDICTS, Meaning, Verdict, verdict
from meow.records import EvalSample
from meow.report import marking
from meow.report.marking import KINDS, Kind, Piece
from meow.results import Results

Key = tuple[str, str, str]
"""Set, id and question: ids of two runs may mean different facts."""
Samples = Mapping[str, Mapping[Key, EvalSample]]
"""What the models of one run said, by label."""
Line = tuple[str, list[Piece]]
"""How a model was asked, where it was not by the question itself, and what it said."""


SCORES = {
    "ROUGE-L": items.rouge,
    "p(true answer)": items.probability,
    "p(value)": items.value_probability,
    "rank of the value": items.value_rank,
    "R": items.log_truth_ratio,
}
"""Scores of what a model says to a question; R is shown as a ratio."""


def facts(views: Sequence[Results], *, redact: bool) -> dict[str, Any]:
    """Every fact with what each model says, and how many have which verdict.

    Returns:
        `rows`: see `_row`; `badges` by run and by `forget` or `kept`: counts that lead to what they count; `runs`,
        `verdicts`, `sets`, `subjects` that there are; `json`: what the list is made of, for a script element.
    """
    said = [_by_key(view) for view in views]
    chosen = any(view.selected_on for view in views)
    keys = [key for side in said for label in ("before", "after") for key in side.get(label, {})]
    several = {role for role in SETS if len({_own_set(key, said) for key in dict.fromkeys(keys) if key[0] == role}) > 1}
    rows: list[dict[str, Any]] = []
    taken: Counter[str] = Counter()
    for key in sorted(dict.fromkeys(keys), key=lambda key: SETS.index(key[0])):
        row = _row(key, said, [view.name for view in views], redact=redact)
        taken[row["id"]] += 1
        row["key"] = f"{row['id']}~{taken[row['id']]}" if taken[row["id"]] > 1 else row["id"]
        used = used_to_choose(key[0], row.pop("index")) and chosen
        row["sets"] = [f"{key[0]}, used to choose the step" if used else key[0]]
        row["sets"] += [_own_set(key, said)] if key[0] in several and not redact else []
        rows.append(row)
    runs, tones = [view.name for view in views], _tones(views)
    listed = {
        "runs": runs,
        "kinds": KINDS,
        "verdicts": [[name, v.tone] for name, v in tones.items()],
        "rows": rows,
    }
    return {
        "rows": rows,
        "badges": {name: _badges(i, name, rows, tones, alone=len(runs) == 1) for i, name in enumerate(runs)},
        "runs": runs,
        "tones": tones,
        "verdicts": [name for name in VERDICTS if any(name in row["verdicts"] for row in rows)],
        "sets": list(dict.fromkeys(name for row in rows for name in row["sets"])),
        "subjects": sorted({row["subject"] for row in rows} - {""}),
        "json": _script(listed),
    }


def _by_key(view: Results) -> dict[str, dict[Key, EvalSample]]:
    """A run's samples by label and key."""
    found: dict[str, dict[Key, EvalSample]] = {}
    for label in MODELS:
        listed = [*view.samples.get(label, {}).values(), *view.kept.get(label, ())]
        found[label] = {(s.role, s.id, s.question): s for s in listed if s.role in SETS}
    return found


def _first(key: Key, label: str, said: Sequence[Samples]) -> EvalSample | None:
    """What the first run that has it says of a fact under a label."""
    return next((side[label][key] for side in said if key in side.get(label, {})), None)


def _own_set(key: Key, said: Sequence[Samples]) -> str:
    """The name of the set that a fact was given."""
    fact = _first(key, "before", said) or _first(key, "after", said)
    return fact.set if fact else ""


def _script(value: object) -> str:
    """JSON that can stand in a script element: nothing in it ends the element."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def _tones(views: Sequence[Results]) -> dict[Verdict, Meaning]:
    """What each verdict means; what the runs were to make the model say is good."""
    taught = {(view.stages.get("forget", {}).get("settings") or {}).get("train.targets") for view in views}
    aims: set[Verdict] = {"refused" if targets == "idk" else "changed" for targets in taught if targets != "none"}
    return {name: row._replace(tone="good") if name in aims else row for name, row in VERDICTS.items()}


def _badges(
    place: int, run: str, rows: Sequence[Mapping[str, Any]], tones: Mapping[Verdict, Meaning], *, alone: bool
) -> dict[str, list[dict[str, Any]]]:
    """How many facts have which verdict after a run, by set, each with the address that shows just these."""
    counts = Counter((row["sets"][0], row["verdicts"][place]) for row in rows if row["verdicts"][place])
    found: dict[str, list[dict[str, Any]]] = {"forget": [], "kept": []}
    for role in SETS:
        for name, (tone, about) in tones.items():
            n = counts[role, name]
            if n and (role == "forget" or tone != "plain"):
                wanted = {"set": role, "verdict": name} | ({} if alone else {"run": run})
                text = f"{n} {name}" if role == "forget" else f"{n} {name} ({role})"
                badge = {"text": text, "tone": tone, "about": about, "address": f"#{urlencode(wanted)}"}
                found["forget" if role == "forget" else "kept"].append(badge)
    return found


def _row(key: Key, said: Sequence[Samples], runs: Sequence[str], *, redact: bool) -> dict[str, Any]:
    """One fact.

    Returns:
        `verdicts`, one for each run, None where it was not asked; `rouge` and `p`, the largest of the runs; `blocks`,
        what is shown of an opened fact: who (`run`: its place), lines of text, scores. Redacted it has no text.
    """
    before, reference = _first(key, "before", said), _first(key, "reference", said)
    after = [side.get("after", {}).get(key) for side in said]
    fact = before or next(s for s in after if s)
    there = [s for s in after if s]
    verdicts = [s and verdict(s, side.get("before", {}).get(key)) for s, side in zip(after, said, strict=True)]
    blocks = [_block("before", before, fact, redact=redact)] if before else []
    for i, (run, sample) in enumerate(zip(runs, after, strict=True)):
        if sample:
            name = run if len(runs) > 1 else "after"
            blocks.append(_block(name, sample, fact, redact=redact, before=before, run=i))
    blocks += [_block("reference", reference, fact, redact=redact)] if reference else []
    row = {
        "id": fact.id,
        "index": fact.index,
        "subject": "",
        "verdicts": verdicts,
        "rouge": round(max((s.rougeL_recall or 0 for s in there), default=0), 4),
        "p": round(max((items.probability(s) or 0 for s in there), default=0), 4),
        "blocks": blocks,
    }
    if redact:
        return row
    subject = next((s.subject for s in (fact, *there) if s.subject), "")
    true = marking.pieces(fact.answer, {_kind(fact): marking.telling(fact.accepted, fact.answer, fact.question)})
    return row | {
        "subject": subject,
        "question": fact.question or "(a document)",
        "value": fact.accepted[0] if fact.accepted else "",
        "reworded": fact.paraphrased_question or "",
        "answer": true,
    }


def _kind(fact: EvalSample) -> Kind:
    """How the true value is marked: as what must not be told, or as what must."""
    return "told" if fact.role == "forget" else "right"


def _block(
    who: str,
    sample: EvalSample,
    fact: EvalSample,
    *,
    redact: bool,
    before: EvalSample | None = None,
    run: int | None = None,
) -> dict[str, Any]:
    """What one model says of a fact: to its question, to others, and with which scores; what it was taught."""
    scores = [
        f"{name} {_number(name, value)}" for name, score in SCORES.items() if (value := score(sample)) is not None
    ]
    found: dict[str, Any] = {"who": who, "lines": [], "scores": " · ".join(scores)}
    found |= {} if run is None else {"run": run}
    if redact:
        return found
    taught = list(dict.fromkeys(answer.text for answer in sample.taught or ()))
    forms = [form for text in taught for form in values.find(fact.question, text)]

    def marked(text: str, *, old: str | None = None, other: Sequence[str] = ()) -> list[Piece]:
        told = marking.telling(other or fact.accepted, text, fact.question)
        false = marking.telling(forms, text, fact.question)
        return marking.pieces(text, {_kind(fact): told, "taught": false, "new": marking.new(old, text) if old else []})

    lines: list[Line] = []
    if sample.generation is not None:
        lines = [("", marked(sample.generation or "(nothing)", old=before.generation if before else None))]
    if sample.paraphrase_generation is not None and who != "reference":
        lines.append(("rephrased", marked(sample.paraphrase_generation)))
    if run is not None:
        lines += [
            (f"{s.form.replace('_', ' ')}: {short(s.prompt)}", marked(" ".join(s.text.split()), other=other))
            for s, other in _ways(sample)
        ]
    return found | {"lines": lines + [("taught", marked(text)) for text in taught]}


def _ways(sample: EvalSample) -> list[tuple[items.Said, Sequence[str]]]:
    """By which ways of asking a fact is told beside the question and its paraphrase: one answer each.

    With it the forms of what was asked for, where that is not the fact's own value.
    """
    first = {s.form: s for s in reversed(items.telling(sample)) if s.form not in ("direct", "paraphrase")}
    others = {(a.form, a.prompt): a.forms for a in sample.asked}
    return [(s, others.get((s.form, s.prompt), ())) for s in reversed(first.values())]


def _number(name: str, value: float) -> str:
    if name.startswith("rank"):
        return f"{value:.0f}"
    return f"{math.exp(min(value, 99.0)):.2f}" if name == "R" else f"{value:.2f}"


def short(text: str, width: int = 160) -> str:
    """A text on one line; of a longer one the end, which asks."""
    line = " ".join(text.split())
    return line if len(line) <= width else "… " + line[2 - width :]
