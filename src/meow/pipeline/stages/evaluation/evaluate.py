"""Evaluation of original, changed model and reference, and the page."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import chain
from typing import Any

from meow import keys, labels, terminal
from meow.config import RunConfig
from meow.evaluation import passages, sampling, scoring
from meow.evaluation.asking import writing
from meow.evaluation.benchmarks.scored import FILE
from meow.evaluation.neighbours import with_kinds
from meow.evaluation.others import with_alternatives
from meow.formats import sources
from meow.formats.documents.facts import asked
from meow.labels import REFERENCES
from meow.lm import LM
from meow.pipeline.inputs.models import reference_model
from meow.pipeline.stages.common import done
from meow.pipeline.stages.evaluation import probes, references
from meow.pipeline.stages.models import lm_for, model_of, release, weights
from meow.records import (
    EvalItem,
    EvalSample,
    InvertedAnswer,
    InvertedFacts,
    Target,
    Written,
    read_if,
)
from meow.report import report
from meow.run import Run
from meow.run.rows import append_rows
from meow.subjects import with_subjects as with_names
from meow.terminal import say
from meow.text import tokenizer_of

SHORT_LOOK = {"alternatives": "by a short look"}
"""Stands in the key of an audit, which looks for other values itself."""


def evaluate(folder: Run, config: RunConfig, *, label: str) -> None:
    """A model -> eval/<label>/: samples and metrics; where an audit has asked before, with other values as there."""
    settings = reference_model(config, label) if label in REFERENCES else model_of(folder, config, label)
    if label == "second" or settings is None:
        references.measure(folder, config, settings, evaluated(folder, config, label), label=label)
        return
    items = evaluated(folder, config, label)
    before = folder.stages.get(f"eval/{label}", {}).get("settings", {})
    look = SHORT_LOOK if "alternatives" in before else {}
    beside = {"weights": weights(settings)} | compared_with(config, label) | look
    own = probes.wanted(config)
    key = keys.of_stage("eval", config, beside, [items, own] if own else items)
    outputs = ["samples.jsonl", "log.json"] + [FILE] * bool(own)
    if done(folder, f"eval/{label}", key, [f"eval/{label}/{name}" for name in outputs]):
        return
    with folder.stage(f"eval/{label}", *key) as entry:
        if label == "after":
            release()
        model = lm_for(settings)
        items = with_alternatives(model, items) if look else items
        against = None if label == "reference" else lm_for(config.model)
        probes.ask(folder, label, model, own)
        entry["rows"] = write_evaluation(folder, config, label, model, items, against, origin=str(settings.path))
        entry["device"] = str(model.device)


def evaluated(folder: Run, config: RunConfig, label: str) -> list[EvalItem]:
    """The items of an evaluation, with the values that were kept and the questions that were written for it.

    Passages of documents come last. After forgetting they hold what was taught.
    """
    config = asked(config, folder.path)
    kept = {row.id: row.evaluation for row in read_if(folder / "inverted.jsonl", InvertedFacts)}
    every = [item for item in sources.eval_items(config.data) if item.role == "forget"]
    items = [
        item.model_copy(update={"alternatives": kept[item.id]}) if item.role == "forget" and kept.get(item.id) else item
        for item in with_kinds(sources.eval_items(config.data, limit=config.eval.rows), every)
    ]
    about = writing.applied(with_subjects(items), read_if(folder / "questions.jsonl", Written))
    whole = sources.passage_items(config.data)[: config.eval.rows]
    if label in ("before", *REFERENCES):
        return [*about, *whole]
    return [*with_taught(about, read_if(folder / "targets.jsonl", Target)), *whole]


def compared_with(config: RunConfig, label: str) -> dict[str, Any]:
    """What the numbers of an evaluation depend on beside its own model and questions, by name, for its key."""
    chosen = scoring.selected_on(config, label)
    half = {"half": chosen} if chosen else {}
    if label == "reference":
        return half
    return half | {"original": weights(config.model)} | references.named(config)


def write_evaluation(
    folder: Run, config: RunConfig, label: str, model: LM, items: Sequence[EvalItem], against: LM | None, *, origin: str
) -> int:
    """Evaluate a loaded model and write its samples and its log.

    Args:
        folder: of the run.
        config: of the run.
        label: of the evaluation.
        model: what is evaluated.
        items: of all sets, or of the forget set alone.
        against: the original, for fluency.
        origin: where the model comes from.

    Returns:
        The number of samples.
    """
    data = asked(config, folder.path).data
    everything = sources.eval_items(data, limit=config.eval.rows)  # the same for half of the facts
    how = sampling.settled(model, everything, config.eval)
    if label not in labels.MODELS:  # a model with quantized weights, or a step: asked as the curves are drawn
        how = how.model_copy(update={"forms": ()})
    config = config.model_copy(update={"eval": how})
    name = references.nobody(config) if label == "before" and how.forms else None
    whole = [item for item in items if item.role == "passages" and model.gives_scores]
    items = [item for item in items if item.role != "passages"]
    wanted = sampling.row_keys(model, items, config.eval, original=against, name=name)
    wanted += passages.row_keys(model, whole)

    def produce(known: Collection[str]) -> Iterator[EvalSample]:
        with terminal.progress(f"evaluating {label}", len(wanted) - len(set(known) & set(wanted))) as advance:
            questions = sampling.evaluate(model, items, config.eval, original=against, name=name, known=known)
            for row in chain(questions, passages.continued(model, whole, known=known)):
                advance(1)
                yield row

    _warn_of_words(items)
    samples = append_rows(folder / f"eval/{label}/samples.jsonl", EvalSample, wanted, produce, exact=True)
    scoring.write_log(folder, config, label, samples, {"path": origin, "hash": model.weights})
    return len(samples)


def _warn_of_words(items: Sequence[EvalItem]) -> None:
    """Say how many answers are not compared as published."""
    others = sum(tokenizer_of(item.answer) == "unicode" for item in items)
    if others:
        say(
            f"warning: {others} of {len(items)} true answers are compared by words of any script, since ROUGE as "
            "published leaves out more than a fifth of their letters"
        )


def with_taught(items: Sequence[EvalItem], targets: Sequence[Target]) -> list[EvalItem]:
    """Items of which those to forget hold the answers that were taught for them."""
    taught: dict[str, list[InvertedAnswer]] = {}
    for t in targets:
        if t.target is not None:
            taught.setdefault(t.id, []).append(InvertedAnswer(text=t.target, version=t.version))
    return [
        item.model_copy(update={"taught": tuple(taught.get(item.id, ()))}) if item.role == "forget" else item
        for item in items
    ]


def with_subjects(items: Sequence[EvalItem]) -> list[EvalItem]:
    """Items of which those to forget name whom or what they are about, where that is known."""
    forget = [item for item in items if item.role == "forget"]
    about = {fact.id: fact for fact in with_names(forget)}
    return [about.get(item.id, item) if item.role == "forget" else item for item in items]


def page(folder: Run, config: RunConfig) -> None:
    """Everything in the folder -> report.html; made anew each time."""
    del config
    with folder.stage("report", {}):
        report([folder.path], folder / "report.html")
