"""An evaluation in a run folder: from samples to `log.json`, once and again. No model, no torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from meow import labels, metrics, results
from meow.config import RunConfig
from meow.errors import DataError
from meow.evaluation.benchmarks import scored
from meow.files import write_json, write_rows
from meow.formats import evaluations, layouts
from meow.labels import OTHER_NAMES, REFERENCES
from meow.metrics import distance, items
from meow.metrics.asking import agreement
from meow.metrics.verdicts import verdict
from meow.processes import agreed
from meow.records import EvalLog, EvalSample, Value, write_records
from meow.run import Run
from meow.text import cell

HALF = "by the even-numbered forget questions and up to 60 retain ones"
"""The tuning half."""
CHOSEN = f"the training step, {HALF}"
"""What `train.evaluate_every` uses it for."""
Samples = Sequence[EvalSample]


def selected_on(config: RunConfig, label: str = "after") -> str | None:
    """What the tuning half was used to choose, in words; None: nothing, and results come from all questions.

    Args:
        config: of the run.
        label: of the evaluation; models that stand beside the changed one are the same for whatever was chosen.
    """
    if config.tune.chosen:
        step = " and the training step" if config.train.evaluate_every is not None else ""
        what = "settings" if label in ("before", *labels.REFERENCES) else f"{', '.join(config.tune.chosen)}{step}"
        return f"{what}, {HALF}"
    return CHOSEN if config.train.evaluate_every is not None else None


CHOSEN_BY = {
    True: ("forget_quality", "ks_d", "retain_probability"),
    False: ("facts_told", "retain_value_probability"),
}
"""The numbers of the tuning half that choose a step, with a reference and without."""
TUNED_BY = {
    True: ("worst_case", "forget_distance", "retain_told"),
    False: ("worst_case", "value_probability", "retain_told"),
}
"""Those that choose settings."""


def _beside(folder: Run, label: str) -> list[list[EvalSample]]:
    """What the original and the two references said; nothing where an evaluation is not compared with it."""
    not_with = {"before": ["before"], "second": ["before", "second"], "reference": ["before", *REFERENCES]}
    names = ("before", *REFERENCES)
    return [[] if name in not_with.get(label, ()) else results.samples(folder.path, name) for name in names]


def _alike(samples: Sequence[EvalSample], others: Sequence[EvalSample]) -> list[EvalSample]:
    """Those of the others that are the same facts."""
    ids = {s.id for s in samples}
    return [s for s in others if s.id in ids]


def _with_words(samples: Sequence[EvalSample], whole: Sequence[EvalSample]) -> list[EvalSample]:
    """With the retain set's answers, which tell the words that distinguish nothing; they hold no measurement."""
    retain = [
        EvalSample(key="", id=s.id, role="retain", set=s.set, index=s.index, question=s.question, answer=s.answer)
        for s in whole
        if s.role == "retain"
    ]
    return [*samples, *retain]


def write_log(
    folder: Run, config: RunConfig, label: str, samples: Sequence[EvalSample], model: dict[str, str]
) -> EvalLog:
    """Compute every metric of an evaluation and write its `log.json`.

    Args:
        folder: holds `eval/before`, `eval/reference` and `eval/second` where there are such evaluations.
        config: of the run.
        label: of the evaluation.
        samples: all sets.
        model: `path` and `hash` of what was evaluated.

    Raises:
        DataError: the reference was evaluated on other questions.
    """
    before, reference, second = _beside(folder, label)
    if labels.curve_of(label):
        whole = results.samples(folder.path, "before")
        places = {s.id: s.index for s in whole}  # among all facts: halves are told by it
        samples = [s.model_copy(update={"index": places.get(s.id, s.index)}) for s in samples]
        before, reference, second = (_alike(samples, rows) for rows in (before, reference, second))
        samples = _with_words(samples, whole)
    chosen: dict[str, Value] = {}
    if selected_on(config):
        halves = [metrics.halves(rows) for rows in (samples, before, reference, second)]
        chosen = _tuning(config, label, *(half[0] for half in halves[:3]))
        samples, before, reference, second = (half[1] for half in halves)
    log = EvalLog(
        label=label,
        model=model,
        source=layouts.described(config.data),
        rows={role: sum(s.role == role for s in samples) for role in dict.fromkeys(s.role for s in samples)},
        reference={} if label == "reference" else _named(config.eval.reference),
        metrics=metrics.compute(samples, before=before or None, reference=reference or None, second=second or None)
        | chosen,
        farthest={gap.sample.id: round(gap.nats, 4) for gap in distance.farthest(samples, reference)},
        **scored.of(folder, label)._asdict(),
        forms=metrics.rates(samples, before=before or None, reference=reference or None),
        settings=settings(config),
    )
    write_json(folder / f"eval/{label}/log.json", log.model_dump(mode="json", exclude_defaults=True))
    _write_disagreements(folder / f"eval/{label}/judge.jsonl", samples)
    if label == "after":
        write_facts(folder, chosen=selected_on(config))
    return log


def _tuning(config: RunConfig, label: str, samples: Samples, before: Samples, reference: Samples) -> dict[str, Value]:
    """The numbers of the tuning half that have chosen something, marked so."""
    seen = metrics.compute(samples, before=before or None, reference=reference or None)
    has_reference = config.eval.reference is not None
    names = (TUNED_BY if config.tune.chosen else CHOSEN_BY)[has_reference]
    return {
        f"{name}_tuning": seen[name].model_copy(update={"selected_on": selected_on(config, label)}) for name in names
    }


def _named(reference: str | None) -> dict[str, str]:
    """What a log says of the reference."""
    return {} if reference is None else {"path": "other names" if reference == OTHER_NAMES else reference}


def settings(config: RunConfig) -> dict[str, object]:
    """The settings that an evaluation's numbers depend on, by dotted key; who judged stands in the manifest."""
    chosen = config.eval.model_dump(mode="json", exclude={"judge"})
    return {f"eval.{k}": v for k, v in chosen.items()} | {"model.template": config.model.template}


def _write_disagreements(file: Path, samples: Sequence[EvalSample]) -> None:
    """The answers on which rule and judge differ -> judge.jsonl; no file where no judge was asked."""
    if any(s.judged for s in samples):
        write_records(file, agreement.disagreements(samples))
    else:
        agreed(lambda: file.unlink(missing_ok=True))


FACTS = (
    "id",
    "role",
    "set",
    "subject",
    "verdict",
    "told",
    "told_paraphrase",
    "told_by",
    "question",
    "answer",
    "taught",
    "before",
    "after",
    "after_paraphrase",
    "reference",
    "rougeL_recall",
    "probability",
    "forget_distance",
    "selected_on",
)
"""Columns of `eval/facts.csv`: `forget_distance` is log R minus the reference's, in nats; the last says what a
fact was used to choose, which no result comes from then."""


def write_facts(folder: Run, *, chosen: str | None) -> None:
    """Every fact of every set with what each model says and what became of it -> eval/facts.csv.

    Args:
        folder: of the run.
        chosen: what was chosen by the tuning half; None: nothing.
    """
    after = results.samples(folder.path, "after")
    others = {k: {(s.role, s.id): s for s in results.samples(folder.path, k)} for k in ("before", "reference")}
    gaps = {gap.sample.id: gap.nats for gap in distance.gaps(after, list(others["reference"].values()))}
    rows = []
    for s in (s for role in items.SETS for s in items.of(after, role)):
        before, reference = (others[k].get((s.role, s.id)) for k in ("before", "reference"))
        told = [items.told(s), items.told(s, paraphrase=True)]
        said = [before and before.generation, s.generation, s.paraphrase_generation, reference and reference.generation]
        taught = " | ".join(answer.text for answer in s.taught or ())
        used = chosen if metrics.used_to_choose(s.role, s.index) else None
        forms = " ".join(dict.fromkeys(a.form for a in items.telling(s)))
        nats = round(gaps[s.id], 4) if s.role == "forget" and s.id in gaps else None
        scores = [s.rougeL_recall, items.probability(s), nats]
        facts = [s.id, s.role, s.set, s.subject, verdict(s, before), *told, forms, s.question, s.answer, taught]
        rows.append(dict(zip(FACTS, map(cell, [*facts, *said, *scores, used]), strict=True)))
    write_rows(folder / "eval/facts.csv", rows)


def rescore(folder: Run, config: RunConfig, *, weights: str | None = None) -> list[str]:
    """Compute every `log.json` of a run folder again from its samples.

    Args:
        folder: of the run.
        config: of the run.
        weights: hash of the reference, where it is a model that is still there.

    Returns:
        The labels.

    Raises:
        DataError: there is no evaluation, or the reference is a model that this run has not evaluated.
    """
    reference = Path(config.eval.reference) if config.eval.reference else None
    labels = [file.parent.name for file in sorted(folder.path.glob("eval/*/samples.jsonl"))]
    if not labels:
        folder.refuse_cleaned()
        raise DataError(f"{folder.path}: holds no samples (eval/<label>/samples.jsonl); run meow eval first")
    if reference is not None and evaluations.find(reference) is None:
        known = evaluations.read(folder / "eval/reference").log if "reference" in labels else None
        if known is None or weights not in (None, known.model.get("hash")):
            raise DataError(f"{reference}: a model, which this run has not evaluated; leave --rescore out")
    for label in labels:
        again(folder, config, label)
    return labels


def again(folder: Run, config: RunConfig, label: str) -> EvalLog:
    """Compute the `log.json` of one evaluation again from its samples."""
    old = evaluations.read(folder / f"eval/{label}").log
    if old and "eval.max_new_tokens" in old.settings:  # `auto` was a number then
        tokens = {"max_new_tokens": old.settings["eval.max_new_tokens"]}
        config = config.model_copy(update={"eval": config.eval.model_copy(update=tokens)})
    return write_log(folder, config, label, results.samples(folder.path, label), old.model if old else {})
