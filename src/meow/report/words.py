"""What the page says in words, with the numbers behind them: forgotten, kept, not known, and what to beware of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from meow import outcome, statistics
from meow.labels import OTHER_NAMES, curve_of, is_compressed
from meow.memorization import recall
from meow.metrics import METRICS, items
from meow.metrics.asking import agreement
from meow.records import EvalLog, Value
from meow.results import Results
from meow.text import counted

UNLIKELY = -2.0
"""Fluency, in nats per token, below which the original finds answers unlikely."""
WHOLE = 0.9
"""Share of whole answers from which on unlikely ones are sentences that the original never learned."""
ATTACKED = tuple(name for name in METRICS if name.startswith("mia_"))
NOTHING = Value(value=None, reason="not measured")


def about(views: Sequence[Results]) -> tuple[str, list[str]]:
    """Method, model, questions, reference and day: what all runs share, then what is each one's own."""
    parts = [_about(view) for view in views]
    shared = [part for part in parts[0] if all(part in others for others in parts)]
    return " · ".join(shared), [" · ".join(part for part in mine if part not in shared) for mine in parts]


def _about(view: Results) -> list[str]:
    log = view.logs.get("after") or view.logs.get("before")
    settings = view.settings
    method, model = settings.get("train", {}).get("method"), settings.get("model", {}).get("path")
    parts = [f"method {method}" if method else None, view.near(str(model)) if model else None]
    parts += [f"{view.near(log.source)} ({counted(log.rows.get('forget', 0), 'question')})"] if log else []
    reference = settings.get("eval", {}).get("reference")
    named = "reference: other names" if reference == OTHER_NAMES else f"compared with {view.near(str(reference))}"
    parts += [named if reference else "no reference"]
    day = max((str(entry.get("finished", "")) for entry in view.stages.values()), default="")[:10]
    return [str(part) for part in [*parts, day] if part]


def told(views: Sequence[Results]) -> list[dict[str, Any]]:
    """What happened: one entry per run."""
    found = []
    for view, own in zip(views, about(views)[1], strict=True):
        before, after, reference = (view.logs.get(label) for label in ("before", "after", "reference"))
        seeds = [v for v in views if v.settings.get("group") and v.settings["group"] == view.settings.get("group")]
        entry: dict[str, Any] = {
            "run": view.name,
            "about": own,
            "outcome": outcome.of(view.logs, view.stages, max(1, len(seeds))),
        }
        if before is None or after is None:
            left = "before" if before is None else "after"
            entry |= {"forgotten": f"Not evaluated yet: eval/{left} is missing.", "kept": "Not evaluated yet."}
        else:
            entry |= {"forgotten": _forgotten(before, after, reference), "kept": _kept(before, after, reference)}
        found.append(entry)
    return found


def _forgotten(before: EvalLog, after: EvalLog, reference: EvalLog | None) -> str:
    logs = {"before": before, "after": after} | ({"by the reference": reference} if reference else {})
    plain = _counted(logs, "facts_told")
    if plain is None:
        old, new = (log.metrics.get("facts_told", NOTHING).reason for log in (before, after))
        return f"How many true facts are still told is not computable: {new or old}."
    worst, other = _counted(logs, "worst_case"), _counted({"after": after}, "facts_told_paraphrase")
    text = f"True facts told in any way that was tried: {worst}{_control(after)}. " if worst else ""
    text += f"{'Asked directly' if worst else 'True facts told'}: {plain}"
    text += f"; in other words: {other}." if other else "."
    ps = [log.metrics.get("value_probability", NOTHING).value for log in (before, after)]
    if None not in ps:
        text += f" p(value), the chance of the true value: {ps[0]:.2f} before, {ps[1]:.2f} after."
    return f"{text}{_tests(after, reference)}"


def _tests(after: EvalLog, reference: EvalLog | None) -> str:
    """What each test that looks for a difference from the reference sees, and what the first of them cannot."""
    quality, d = (after.metrics.get(name, NOTHING) for name in ("forget_quality", "ks_d"))
    if quality.value is None or d.value is None or reference is None:
        return ""
    numbers = f"forget quality p = {quality.value:.2g}, D = {d.value:.3f}, n = {quality.n}"
    attacks = _seen_by_attacks(after, reference)
    if quality.value >= 0.05:
        smallest = statistics.smallest_significant_d(quality.n)
        seen = f"; {attacks}" if attacks else ""
        text = f" The KS test sees no difference from the reference ({numbers}); it sees D of {smallest:.3f} and more"
        return f"{text}{seen}.{_distance(after)}"
    ours, theirs = (log.metrics.get("median_truth_ratio", NOTHING).value for log in (after, reference))
    lean = ""
    if ours is not None and theirs is not None and ours < theirs:
        lean = f" The truth is still favoured: median R is {ours:.2f}, the reference's {theirs:.2f}."
    seen = f" So do {attacks.removesuffix(' do')}." if attacks else ""
    start = f" The KS test tells it from the reference, which never saw the facts ({numbers})."
    return f"{start}{seen}{_distance(after)}{lean}"


def _seen_by_attacks(after: EvalLog, reference: EvalLog) -> str:
    """Membership attacks that tell the model from the reference: those whose intervals do not overlap."""
    pairs = {name: (after.metrics.get(name, NOTHING), reference.metrics.get(name, NOTHING)) for name in ATTACKED}
    known = {name: both for name, both in pairs.items() if all(v.value is not None for v in both)}
    apart = {name: (ours, theirs) for name, (ours, theirs) in known.items() if statistics.apart(ours, theirs)}
    if not apart:
        return ""
    name, (ours, theirs) = max(apart.items(), key=lambda kv: abs((kv[1][0].value or 0) - (kv[1][1].value or 0)))
    label = METRICS[name].label
    return (
        f"{len(apart)} of {counted(len(known), 'membership attack')} "
        f"({label}: AUC {ours.value:.2f}, the reference's {theirs.value:.2f}) do"
    )


def _control(after: EvalLog) -> str:
    """What a model tells that cannot know, where that is no reference, which is counted itself."""
    found = after.metrics.get("worst_case_control", NOTHING)
    if found.value is None or (found.reason or "").startswith("of the reference"):
        return ""
    whose = (found.reason or "").partition(";")[0]
    return f" (control, {whose}: {found.value:.0%})"


def _distance(after: EvalLog) -> str:
    """How far the model lies from the reference, question by question, and from how far another one does."""
    found, ratio = (after.metrics.get(name, NOTHING) for name in ("forget_distance", "forget_distance_relative"))
    if found.value is None:
        return ""
    ends = "" if found.low is None or found.high is None else f" (95% interval {found.low:.2f} to {found.high:.2f})"
    beside = f", {ratio.value:.1f} times that of another reference" if ratio.value is not None else ""
    return f" Question by question it lies {found.value:.2f} nats{ends} from it{beside}."


def _counted(logs: Mapping[str, EvalLog], metric: str) -> str | None:
    """A share in counts, as in `64 of 64 before, 0 of 64 after`; None where one of the first two has none."""
    found = {name: log.metrics.get(metric, NOTHING) for name, log in logs.items()}
    if any(value.value is None for name, value in found.items() if name in ("before", "after")):
        return None
    counts = [f"{round(v.value * v.n)} of {v.n} {name}" for name, v in found.items() if v.value is not None]
    return ", ".join(counts)


def _kept(before: EvalLog, after: EvalLog, reference: EvalLog | None) -> str:
    logs = {"before": before, "after": after} | ({"by the reference": reference} if reference else {})
    sets = {"retain": "Retain facts", "authors": "real authors", "world": "world facts"}
    told = [f"{name} told: {text}" for role, name in sets.items() if (text := _counted(logs, f"{role}_told"))]
    near = after.metrics.get("neighbours_kept", NOTHING)
    if near.value is not None:
        told.append(f"neighbours that were told before: {round(near.value * near.n)} of {near.n} still are")
    text = f"{'; '.join(told)}. " if told else ""
    old, new = (log.metrics.get("model_utility_gm", NOTHING) for log in (before, after))
    if old.value and new.value is not None:
        ends = "" if new.low is None or new.high is None else f" (95% interval {new.low:.3f} to {new.high:.3f})"
        theirs = reference.metrics.get("model_utility_gm", NOTHING).value if reference else None
        beside = "" if theirs is None else f" The reference's is {theirs:.3f}."
        share = f"{new.value / old.value:.0%} of the original's {old.value:.3f}"
        return f"{text}Utility: {new.value:.3f}{ends}, {share}.{beside}"
    return text.strip() or f"What was kept is not known: {new.reason or 'no retain set'}."


def unmeasured(views: Sequence[Results]) -> list[str]:
    """What nobody has measured yet in any of the runs."""
    logs = [label for view in views for label in view.logs]
    measured = {
        "a model that never saw the facts (eval.reference)": "reference" in logs,
        "quantized weights and further training, which may bring facts back (meow robustness)": any(
            is_compressed(label) or curve_of(label) == "relearn" for label in logs
        ),
        "other abilities (meow nlu, meow nlg)": any((view.path / "capability/after").is_dir() for view in views),
        "other seeds (seed=[0,1,2])": any(view.settings.get("group") for view in views),
    }
    return [name for name, done in measured.items() if not done]


def unknown(views: Sequence[Results]) -> list[str]:
    """What nobody has measured yet, and what these questions cannot show."""
    left = unmeasured(views)
    found = [f"Not measured: {'; '.join(left)}."] if left else []
    sizes = [log.metrics.get("forget_quality", NOTHING) for v in views for k, log in v.logs.items() if k == "after"]
    for n in sorted({quality.n for quality in sizes if quality.value is not None}):
        smallest = statistics.smallest_significant_d(n)
        found.append(f"With {counted(n, 'question')} only D of {smallest:.3f} and more is significant (p < .05).")
    return found or ["Everything that meow can measure was measured."]


def warnings(views: Sequence[Results]) -> list[str]:
    """What a reader must know before quoting a number."""
    per_run = {view.name: _of_run(view) for view in views}
    shared = [text for text in next(iter(per_run.values()), []) if all(text in texts for texts in per_run.values())]
    found = [f"{name}: {text}" for name, texts in per_run.items() for text in texts if text not in shared]
    found = [*_of_several(views), *shared, *found]
    if any(_saw_retain(view) for view in views):
        found.append(
            "The evaluated retain questions were trained on: utility on them, like what is kept of them, is a score on "
            "training data. Facts that stand in no file may be lost."
        )
    after = [view.logs["after"] for view in views if "after" in view.logs]
    chosen = {v.selected_on for log in after for v in log.metrics.values() if v.selected_on}
    found += [f"Some numbers were used to choose ({what}); do not report them as results." for what in sorted(chosen)]
    return found


def _saw_retain(view: Results) -> bool:
    """Whether the retain questions that were evaluated were trained on: by the run, or, in a benchmark, before it."""
    logs = [log for log in view.logs.values() if "retain" in log.rows]
    terms = (view.stages.get("forget", {}).get("settings") or {}).get("train.objective") or ()
    return any("authors" in log.rows for log in logs) or (bool(logs) and any(t.startswith("retain_") for t in terms))


def _of_several(views: Sequence[Results]) -> list[str]:
    """What makes runs that stand side by side differ in more than their method."""
    found = []
    for label, what in (("before", "original"), ("reference", "reference")):
        models = [(view, view.logs[label].model) for view in views if label in view.logs]
        if len({model.get("hash") for _, model in models}) > 1:
            view, model = models[0]
            first = view.near(str(model.get("path")))
            found.append(f"The runs have different {what}s; the column {label} is that of {first}.")
    if len({(log.source, log.rows.get("forget")) for view in views if (log := view.logs.get("after"))}) > 1:
        found.append("The runs were evaluated on different questions; their numbers cannot be compared.")
    return found


def _of_run(view: Results) -> list[str]:
    found = []
    still = sum(bool(items.worst(s)) for s in view.judged("after").values())
    if still:
        found.append(f"{counted(still, 'true fact', 'is/are')} still told in some way of asking.")
    if "after" in view.logs:
        found += _of_numbers(view.logs["after"], view.logs.get("reference"))
    judged = agreement.agreement(list(view.judged("after").values()))
    if judged.rule or judged.judge:
        texts = counted(judged.rule + judged.judge, "answer")
        found.append(f"The judge disagrees with the rule of values on {texts} of {judged.n}: eval/after/judge.jsonl.")
    if view.settings.get("eval", {}).get("reference") == OTHER_NAMES and "reference" in view.logs:
        found.append(
            "The reference is the original asked about other names. It favours the truth more than a model that never "
            "saw the facts."
        )
    forget = view.stages.get("forget", {})
    if forget.get("looks"):
        looks = ", ".join(f"{lr:g}: {kept:.0%}" for lr, kept in forget["looks"])
        found.append(f"Chosen was {forget['selected_on']}: {forget['lr']:g} (kept at {looks}).")
    untaught = view.stages.get("select", {}).get("untaught") or []
    if untaught:
        listed = ", ".join(untaught[:12]) + (", ..." if len(untaught) > 12 else "")
        verbs = "has no inverted answer and was/have no inverted answer and were"
        found.append(f"{counted(len(untaught), 'question', verbs)} not taught: {listed}.")
    return found + recall.blind(view.memo.get("before", ()))


def _of_numbers(after: EvalLog, reference: EvalLog | None) -> list[str]:
    found = []
    ours, theirs = (log.metrics.get("median_truth_ratio", NOTHING) if log else NOTHING for log in (after, reference))
    if (ours.value or 0) > (theirs.value or 0) and statistics.apart(ours, theirs):
        found.append(
            f"Over-forgetting: median R is {ours.value:.2f} ({ours.low:.2f} to {ours.high:.2f}), the reference's "
            f"{theirs.value:.2f} ({theirs.low:.2f} to {theirs.high:.2f}); the model avoids the truth more than "
            "one that never saw it, which can be detected."
        )
    quality, floor = (after.metrics.get(name, NOTHING) for name in ("forget_quality", "forget_quality_floor"))
    if quality.value is not None:
        if floor.value is not None and quality.value <= floor.value:
            found.append(f"Forget quality is at its floor of {floor.value:.3g}, the smallest p that n can give.")
        if quality.reason:
            found.append(f"Forget quality: {quality.reason}.")
    return found + _of_text(after)


def _of_text(after: EvalLog) -> list[str]:
    """Whether answers are whole text, and whether the original would say such."""
    found = []
    for name, what in (("fluent", "forget"), ("fluent_retain", "retain")):
        value = after.metrics.get(name, NOTHING)
        if value.value is not None and value.value < 1:
            lost = value.n - round(value.value * value.n)
            found.append(f"{lost} of {value.n} answers to {what} questions are no whole text ({value.reason}).")
    whole, gap = (after.metrics.get(name, NOTHING).value for name in ("fluent", "fluency"))
    if whole is not None and whole >= WHOLE and gap is not None and gap < UNLIKELY:
        found.append(
            f"The answers are whole sentences, but the original finds them unlikely ({gap:.1f} nats per token against "
            "its own answers): it never learned them."
        )
    return found
