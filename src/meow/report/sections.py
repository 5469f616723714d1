"""The parts of the page, as plain values for the template."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from meow import differences, evaluation, memory, metrics, plots
from meow.metrics import items, statistics
from meow.records import EvalLog, EvalSample, MemoRecord, Value
from meow.report.view import Folder

BROKEN = -2.0
"""Fluency, in nats per token, below which answers may be broken text, or sentences that the original never learned."""
Columns = Mapping[str, EvalLog]


def columns(views: Sequence[Folder]) -> dict[str, EvalLog]:
    """Every evaluated model once: before, after each run, the reference."""
    found: dict[str, EvalLog] = {}
    for label in ("before", "after", "reference"):
        for view in views:
            if label in view.logs:
                name = f"after {view.name}" if label == "after" and len(views) > 1 else label
                found.setdefault(name, view.logs[label])
    return found


def table(columns: Columns, *, headline: bool) -> list[dict[str, Any]]:
    """Rows of a table of metrics; `headline`: those of a short table, else all others."""
    rows = []
    for name, row in metrics.METRICS.items():
        if (name in metrics.HEADLINES) != headline:
            continue
        cells = [_cell(name, log.metrics.get(name), asked=_is_asked(name, log.label)) for log in columns.values()]
        rows.append({"name": name, "label": row.label, "better": row.better, "unit": row.unit, "cells": cells})
    return rows


def _is_asked(metric: str, label: str) -> bool:
    """Whether a metric means anything for a label: the reference has nothing to be compared with."""
    return not (label == "reference" or (label == "before" and metric.startswith("fluen")))


def _cell(name: str, value: Value | None, *, asked: bool) -> dict[str, str]:
    if not asked and (value is None or value.value is None):
        return {"text": "–", "why": ""}
    if value is None or value.value is None:
        return {"text": "not computable", "why": (value.reason if value else None) or "not measured"}
    notes = [f"{value.low:.3f} to {value.high:.3f}"] if value.low is not None and value.high is not None else []
    worst = metrics.worst(name, value)
    notes += [f"95% no worse than {worst[1]:.3f}, worst {worst[0]:.3f}"] if worst else []
    notes += [f"n = {value.n}"] if value.n else []
    notes += [f"used to choose: {value.selected_on}"] if value.selected_on else []
    notes += [value.reason] if value.reason else []
    return {"text": metrics.show(value), "why": "; ".join(notes)}


def told(views: Sequence[Folder]) -> list[dict[str, str]]:
    """What happened, in words with the numbers behind them: one entry per run."""
    found = []
    for view in views:
        before, after = view.logs.get("before"), view.logs.get("after")
        if before is None or after is None:
            left = "before" if before is None else "after"
            found.append({"run": view.name, "forgotten": f"Not evaluated yet: eval/{left} is missing.", "kept": ""})
            continue
        found.append({"run": view.name, "forgotten": _forgotten(before, after), "kept": _kept(before, after)})
    return found


def _forgotten(before: EvalLog, after: EvalLog) -> str:
    old, new = (log.metrics["facts_told"] for log in (before, after))
    if old.value is None or new.value is None:
        return f"How many true facts are still told is not computable: {new.reason or old.reason}."
    was, now = round(old.value * old.n), round(new.value * new.n)
    text = f"True facts told: {was} of {old.n} before, {now} of {new.n} after."
    quality = after.metrics["forget_quality"]
    if quality.value is None:
        return f"{text} Forget quality is not computable: {quality.reason}."
    d = after.metrics["ks_d"].value
    verdict = "cannot be told apart from" if quality.value >= 0.05 else "differs from"
    return (
        f"{text} On the forget set it {verdict} a model that never saw it "
        f"(forget quality p = {quality.value:.2g}, D = {d:.3f}, n = {quality.n})."
    )


def _kept(before: EvalLog, after: EvalLog) -> str:
    old, new = (log.metrics["model_utility_gm"] for log in (before, after))
    if old.value and new.value is not None:
        return f"Utility: {new.value:.3f}, {new.value / old.value:.0%} of the original's {old.value:.3f}."
    rouge = [log.metrics["retain_rougeL"].value for log in (before, after)]
    if rouge[0] is not None and rouge[1] is not None:
        return f"ROUGE-L on what must stay: {rouge[0]:.2f} before, {rouge[1]:.2f} after (utility needs all four sets)."
    return f"What was kept is not known: {new.reason or 'no retain set'}."


def warnings(views: Sequence[Folder], columns: Columns) -> list[str]:
    """What a reader must know before quoting a number."""
    per_run = {view.name: _warnings_of(view) for view in views}
    shared = [text for text in next(iter(per_run.values()), []) if all(text in texts for texts in per_run.values())]
    found = [*shared, *(f"{name}: {text}" for name, texts in per_run.items() for text in texts if text not in shared)]
    retain = any(log.rows.get("retain") for log in columns.values())
    if retain and any("authors" in log.rows for log in columns.values()):
        found.append("The evaluated retain questions were trained on: utility on them is a training-set number.")
    chosen = {v.selected_on for log in columns.values() for v in log.metrics.values() if v.selected_on}
    found += [f"Some numbers were used to choose ({what}); they are no results." for what in sorted(chosen)]
    return found


def _warnings_of(view: Folder) -> list[str]:
    after, reference = view.logs.get("after"), view.logs.get("reference")
    found = []
    untaught = view.stages.get("select", {}).get("untaught") or []
    if untaught:
        found.append(
            f"{len(untaught)} questions have no inverted answer and were not taught: {', '.join(untaught[:12])}."
        )
    for name, rows in memory.by_measure(view.memo.get("before", ())).items():
        first = memory.ranks_first(rows)
        if first is not None and first[0] < memory.RANKS_FIRST:
            found.append(
                f"{name} hardly tells true from inverted answers for this model: the true one ranks first in "
                f"{first[0]:.0%} of {first[1]} questions."
            )
    if after is None:
        return found
    words = items.common_words(view.retain.get("after", []))
    still = [s for s in view.samples.get("after", {}).values() if items.verdict(s, words) == "still there"]
    if still:
        found.append(f"{len(still)} true facts are still told, to the question or to its paraphrase.")
    ours, theirs = (log.metrics["median_truth_ratio"].value if log else None for log in (after, reference))
    if ours is not None and theirs is not None and ours > 1.1 * theirs:
        found.append(
            f"Over-forgetting: median R is {ours:.2f}, the reference's {theirs:.2f}; the model avoids the truth more "
            "than one that never saw it, which can be detected."
        )
    quality, floor = after.metrics["forget_quality"], after.metrics["forget_quality_floor"]
    if quality.value is not None:
        smallest = statistics.smallest_significant_d(quality.n)
        found.append(f"With {quality.n} questions only D of {smallest:.3f} and more is significant (p < .05).")
        if floor.value is not None and quality.value <= floor.value:
            found.append(f"Forget quality stands at its floor of {floor.value:.3g}.")
        if quality.reason:
            found.append(f"Forget quality: {quality.reason}.")
    fluency = after.metrics["fluency"].value
    if fluency is not None and fluency < BROKEN:
        found.append(
            f"Fluency is {fluency:.1f} nats per token: the original finds these answers very unlikely. "
            "Read some below: broken text is not forgetting, sentences that it never learned may be."
        )
    return found


def tests(columns: Columns) -> list[str]:
    """How each p-value was found."""
    found = []
    for name, log in columns.items():
        quality, d, floor = (log.metrics.get(k) for k in ("forget_quality", "ks_d", "forget_quality_floor"))
        if quality and quality.value is not None and d and d.value is not None and floor and floor.value is not None:
            found.append(
                f"{name}: two-sample KS test on log R, p = {quality.value:.3g}, D = {d.value:.3f}, n = {quality.n}, "
                f"method {quality.method}, floor {floor.value:.3g}"
            )
    return found


def pictures(views: Sequence[Folder], columns: Columns) -> list[dict[str, str]]:
    """Title, SVG and a sentence each."""
    found = []
    points = []
    for name, log in columns.items():
        utility, quality = log.metrics["model_utility_gm"].value, log.metrics["forget_quality"].value
        if utility is not None and quality is not None:
            points.append(plots.Point(name, utility, quality))
    if points:
        reference = columns.get("reference")
        kept = reference.metrics["model_utility_gm"].value if reference else None
        more = f" The reference's utility is {kept:.3f}." if kept is not None else ""
        found.append(
            _picture("Quality against utility", plots.quality_utility(points), "Up and right is better." + more)
        )
    panels = plots.remembered(labelled(views))
    if panels:
        text = "Left: how values are distributed. Right: every question, its true answer and its inverted ones."
        found.append(_picture("Memorization", plots.memorization(panels), text))
    for view in views:
        terms = list(dict.fromkeys(term for row in view.steps for term in row["terms"]))
        if terms:
            lines = {t: ([r["step"] for r in view.steps], [r["terms"][t] for r in view.steps]) for t in terms}
            found.append(_picture(f"Training: {view.name}", plots.curves(lines, "value of the term"), ""))
        found += _robustness(view)
    return found


def _robustness(view: Folder) -> list[dict[str, str]]:
    """Facts told along each curve of further training, and what coarser weights tell."""
    lines: dict[str, list[tuple[int, float]]] = {}
    for label, log in sorted(view.logs.items()):
        curve, _, step = label.rpartition("-")
        value = log.metrics["facts_told"].value
        if label.startswith(evaluation.PARTIAL) and value is not None:
            lines.setdefault(CURVES[curve], []).append((int(step), value))
    if not lines:
        return []
    rounded = [
        f"{name}: {metrics.show(view.logs[name].metrics['facts_told'])}"
        for name in ("int8", "int4")
        if name in view.logs
    ]
    text = "Share of the facts told that were not taught again." + (
        f" With coarser weights, of all facts: {', '.join(rounded)}." if rounded else ""
    )
    drawn = {name: ([s for s, _ in found], [v for _, v in found]) for name, found in lines.items()}
    return [_picture(f"Brought back? {view.name}", plots.curves(drawn, "facts told", share=True), text)]


CURVES = {
    "relearn": "a few forget facts", "unrelated": "unrelated text",
    "reference-relearn": "the reference, the same facts",
}  # fmt: skip
"""What the model is trained on, by the beginning of the label."""


def _picture(title: str, svg: str, text: str) -> dict[str, str]:
    return {"title": title, "svg": svg, "text": text}


def labelled(views: Sequence[Folder]) -> dict[str, Sequence[MemoRecord]]:
    """Measured memorization of every model once, as in `columns`."""
    found: dict[str, Sequence[MemoRecord]] = {}
    for label in ("before", "after", "reference"):
        for view in views:
            if view.memo.get(label):
                name = f"after {view.name}" if label == "after" and len(views) > 1 else label
                found.setdefault(name, view.memo[label])
    return found


def capability(views: Sequence[Folder]) -> dict[str, Any]:
    """NLU and NLG by run: before, after, reference, and the difference with what it means."""
    rows = []
    for view in views:
        for found in differences.read(view.path):
            cells = [_cell("", found.values.get(label), asked=label in found.values) for label in differences.LABELS]
            gap, ends, means = found.change()
            name = found.name if len(views) == 1 else f"{view.name}: {found.name}"
            rows.append({"name": name, "cells": cells, "change": gap, "ends": ends, "means": means})
    return {"labels": differences.LABELS, "rows": rows}


def memory_table(views: Sequence[Folder]) -> dict[str, Any]:
    """Spread of memorization by model, measure and kind of answer, and how alike the measures rank answers."""
    rows, agreements = [], []
    for label, measured in labelled(views).items():
        measures = memory.by_measure(measured)
        for name, mine in measures.items():
            first = memory.ranks_first(mine)
            for group, values in memory.groups(mine).items():
                spread = memory.spread(values)
                if spread is not None:
                    share = f"{first[0]:.0%} of {first[1]}" if first and group == "true" else "–"
                    cv = "–" if spread.cv is None else f"{spread.cv:.2f}"
                    numbers = [f"{x:.3f}" for x in (spread.mean, spread.sd)]
                    ends = [f"{x:.3f}" for x in (spread.low, spread.high)]
                    rows.append([f"{name}, {label}: {group}", str(spread.n), *numbers, cv, *ends, share])
        agreements += [
            f"{label}: {a.one} and {a.other} rank {a.n} answers alike by {a.rank:.2f} (Spearman)."
            for a in memory.agreements(measures)
        ]
    return {"rows": rows, "agreements": agreements}


def facts(views: Sequence[Folder], *, redact: bool) -> dict[str, Any]:
    """Every forget fact with what each model says, and counts of the verdicts."""
    rows = []
    counts: dict[str, Counter[str]] = {view.name: Counter() for view in views}
    before = next((v.samples["before"] for v in views if v.samples.get("before")), {})
    shown = before or next((v.samples["after"] for v in views if v.samples.get("after")), {})
    reference = next((v.samples["reference"] for v in views if v.samples.get("reference")), {})
    common = [items.common_words(v.retain.get("after", [])) for v in views]
    for id_, fact in shown.items():
        after = []
        for view, words in zip(views, common, strict=True):
            sample = view.samples.get("after", {}).get(id_)
            if sample is not None:
                after.append(_answered(view.name, fact, sample, items.verdict(sample, words), redact))
                counts[view.name][after[-1]["verdict"]] += 1
        verdicts = sorted({a["verdict"] for a in after})
        row: dict[str, Any] = {"id": id_, "after": after, "verdicts": verdicts}
        if not redact:
            theirs = reference.get(id_)
            row |= {
                "question": fact.question, "answer": fact.answer, "subject": fact.subject or "",
                "before": fact.generation, "reference": theirs.generation if theirs else None,
                "reworded": fact.paraphrased_question, "before_reworded": fact.paraphrase_generation,
            }  # fmt: skip
        rows.append(row)
    subjects = sorted({r.get("subject", "") for r in rows} - {""})
    verdicts = sorted({verdict for counted in counts.values() for verdict in counted})
    return {"rows": rows, "counts": counts, "verdicts": verdicts, "subjects": subjects}


def _answered(name: str, fact: EvalSample, after: EvalSample, found: str, redact: bool) -> dict[str, Any]:
    row: dict[str, Any] = {"run": name, "verdict": found, "rouge": after.rougeL_recall}
    if not redact:
        row |= {
            "taught": [answer.text for answer in after.taught or ()],
            "words": marked(fact.generation or "", after.generation or ""),
            "reworded": after.paraphrase_generation,
        }  # fmt: skip
    return row


def marked(before: str, after: str) -> list[tuple[bool, str]]:
    """The words of `after` in order, in runs, each with whether it is new against `before`."""
    old, new = before.split(), after.split()
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    return [(tag != "equal", " ".join(new[a:b])) for tag, _, _, a, b in matcher.get_opcodes() if b > a]


def provenance(views: Sequence[Folder]) -> list[dict[str, Any]]:
    """Settings, stages and the command that repeats each run."""
    found = []
    for view in views:
        stages = [
            {
                "name": name, "state": "finished" if "finished" in entry else "interrupted",
                "rows": entry.get("rows", ""), "seconds": entry.get("seconds", ""),
                "memory": entry.get("peak_memory_mb", ""), "source": entry.get("copied_from", ""),
            }
            for name, entry in view.stages.items()
            if name != "report"
        ]  # fmt: skip
        last: dict[str, Any] = next((e for e in reversed(list(view.stages.values())) if "versions" in e), {})
        found.append({
            "name": view.name, "config": view.config, "stages": stages, "versions": last.get("versions", {}),
            "commit": last.get("commit"), "command": f"meow run {view.path}/config.yaml",
            "models": {label: log.model for label, log in view.logs.items()},
        })  # fmt: skip
    return found
