"""References that are not evaluated as the original is: published ones, and models of which log R alone is needed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from meow import keys, lm, teacher
from meow.config import ModelSettings, RunConfig
from meow.errors import ConfigError
from meow.evaluation import names, scoring
from meow.evaluation.benchmarks.scored import FILE
from meow.formats import evaluations, sources
from meow.labels import OTHER_NAMES
from meow.losses import TERMS
from meow.metrics.items import log_truth_ratio
from meow.pipeline.inputs.models import check_references, reference_model, references
from meow.pipeline.stages.common import seed_of
from meow.pipeline.stages.models import lm_for, weights
from meow.records import EvalItem, EvalSample, Probed, read_if, write_records
from meow.run import Run
from meow.run.rows import append_rows
from meow.subjects import with_subjects
from meow.terminal import say
from meow.text import counted


def measure(
    folder: Run, config: RunConfig, settings: ModelSettings | None, items: Iterable[EvalItem], *, label: str
) -> None:
    """What a reference says of the forget questions, without an answer where it is a model -> eval/<label>/.

    Args:
        folder: of the run.
        config: of the run.
        settings: of the model; None: it is an evaluation, or the original asked about other names.
        items: of all sets.
        label: `reference` or `second`.
    """
    forget = [item for item in items if item.role == "forget"]
    if settings is not None:
        _scored(folder, config, settings, forget, (), label=label)
    elif references(config)[label] == OTHER_NAMES:
        _scored(folder, config, config.model, with_subjects(forget), names_of(config), label=label)
    else:
        _published(folder, config, label=label)


def check(config: RunConfig) -> None:
    """Look at every reference before a weight is loaded.

    Raises:
        ConfigError: too few names, or a folder without a model.
        DataError: a broken evaluation.
    """
    check_references(config)
    if is_renamed(config):
        teacher.check(sources.forget_set(config.data), names_of(config, config.train.names))
    for label, place in references(config).items():
        if settings := reference_model(config, label):
            lm.check_model(settings)
        elif place == OTHER_NAMES:
            names_of(config)


def named(config: RunConfig) -> dict[str, str | None]:
    """What stands for each reference in a key; where there is no second one, nothing is said of it."""
    found: dict[str, str | None] = {"reference": None}
    for label, place in references(config).items():
        settings = reference_model(config, label)
        if settings is not None:
            found[label] = weights(settings)
        elif place == OTHER_NAMES:
            found[label] = keys.digest([OTHER_NAMES, weights(config.model), names_of(config)])
        else:
            read = evaluations.read(Path(place))  # what a judge said of them changes nothing here
            probed = read_if(read.path / FILE, Probed)
            found[label] = keys.digest([*(s.model_copy(update={"judged": ()}) for s in read.samples), *probed])
    return found


def nobody(config: RunConfig) -> str | None:
    """A name for the control of the original, of which no word stands in a file; None where a reference is asked."""
    if reference_model(config) is not None:
        return None
    with suppress(ConfigError):  # no name is left
        return names_of(config, 1)[0]
    return None


def _published(folder: Run, config: RunConfig, *, label: str) -> None:
    """An evaluation that others made."""
    path = Path(references(config)[label])
    found = evaluations.read(path)
    samples = found.samples
    if found.note:
        say(f"warning: {path}: {found.note}")
    probed = read_if(found.path / FILE, Probed)
    key = keys.of_stage("published evaluation", config, {"reference": [*samples, *probed]})
    if folder.current(f"eval/{label}", *key):
        return
    with folder.stage(f"eval/{label}", *key) as entry:
        write_records(folder / f"eval/{label}/samples.jsonl", samples)
        if probed:
            write_records(folder / f"eval/{label}/{FILE}", probed)
        origin = {"path": str(path), "hash": key.settings["reference"]}
        scoring.write_log(folder, config, label, samples, origin)
        entry["rows"] = len(samples)


def _scored(
    folder: Run,
    config: RunConfig,
    settings: ModelSettings,
    items: Sequence[EvalItem],
    drawn: Sequence[str],
    *,
    label: str,
) -> None:
    """A model's likelihoods, or its log R under other names."""
    more = {"names": ", ".join(drawn)} if drawn else {}
    key = keys.of_stage("scored reference", config, {"weights": weights(settings), **more}, items)
    if folder.current(f"eval/{label}", *key):
        return
    with folder.stage(f"eval/{label}", *key) as entry:
        model, file = lm_for(settings), folder / f"eval/{label}/samples.jsonl"

        def produce(known: Collection[str]) -> Iterator[EvalSample]:
            return names.scored(model, items, drawn, known=known)

        rows = append_rows(file, EvalSample, names.scored_keys(model, items, drawn), produce, exact=True)
        origin = {"path": str(settings.path), "hash": model.weights, **more}
        scoring.write_log(folder, config, label, rows, origin)
        entry["rows"] = len(rows)
        entry["device"] = str(model.device)
    unnamed = sum(log_truth_ratio(row) is None for row in rows)
    if drawn and unnamed:
        say(
            f"reference: other names: {counted(unnamed, 'question')} of {len(rows)} cannot be asked so: the question "
            "names nobody, or there are no wrong answers"
        )


def names_of(config: RunConfig, k: int = names.K) -> tuple[str, ...]:
    """The names, of which no word stands in a file of the run."""
    facts = [*sources.forget_set(config.data), *sources.retain_set(config.data)]
    texts = [text for fact in facts for text in (fact.conversation, fact.answer)]
    texts += names.texts_of(sources.eval_items(config.data))
    return names.draw(names.read(config.data.names), texts, k, seed=seed_of(config))


def is_renamed(config: RunConfig) -> bool:
    """Whether the training reads what the original says under other names."""
    return any(term.renames for name, term in TERMS.items() if name in config.train.terms)
