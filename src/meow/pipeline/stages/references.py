"""References that are not evaluated as the original is: published ones, and models of which log R alone is needed."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from meow import keys
from meow.config import ModelSettings, RunConfig
from meow.evaluation import likelihoods, scoring
from meow.formats import evaluations
from meow.pipeline.stages.models import lm_for, reference_model, references, weights
from meow.records import EvalItem, EvalSample, write_records
from meow.run import Run
from meow.run.rows import append_rows
from meow.terminal import say


def published(folder: Run, config: RunConfig, *, label: str) -> None:
    """An evaluation that others made -> eval/<label>/."""
    path = Path(references(config)[label])
    found = evaluations.read(path)
    samples = found.samples
    if found.note:
        say(f"warning: {path}: {found.note}")
    key = keys.of_stage("published evaluation", config, {"reference": samples})
    if folder.current(f"eval/{label}", *key):
        return
    with folder.stage(f"eval/{label}", *key) as entry:
        write_records(folder / f"eval/{label}/samples.jsonl", samples)
        origin = {"path": str(path), "hash": key.settings["reference"]}
        scoring.write_log(folder, config, label, samples, origin)
        entry["rows"] = len(samples)


def scored(folder: Run, config: RunConfig, settings: ModelSettings, items: Sequence[EvalItem], *, label: str) -> None:
    """A model's likelihoods of the forget questions, without an answer -> eval/<label>/."""
    items = [item for item in items if item.role == "forget"]
    key = keys.of_stage("scored reference", config, {"weights": weights(settings)}, items)
    if folder.current(f"eval/{label}", *key):
        return
    with folder.stage(f"eval/{label}", *key) as entry:
        model = lm_for(settings)
        wanted = likelihoods.scored_keys(model, items)

        def produce(known: Collection[str]) -> Iterator[EvalSample]:
            yield from (sample for sample in likelihoods.scored(model, items) if sample.key not in known)

        samples = append_rows(folder / f"eval/{label}/samples.jsonl", EvalSample, wanted, produce, exact=True)
        scoring.write_log(folder, config, label, samples, {"path": str(settings.path), "hash": model.weights})
        entry["rows"] = len(samples)
        entry["device"] = str(model.device)


def named(config: RunConfig) -> dict[str, str | None]:
    """What stands for each reference in a key; where there is no second one, nothing is said of it."""
    found: dict[str, str | None] = {"reference": None}
    for label, place in references(config).items():
        settings = reference_model(config, label)
        found[label] = weights(settings) if settings else keys.digest(_unjudged(evaluations.read(Path(place)).samples))
    return found


def _unjudged(samples: Sequence[EvalSample]) -> list[EvalSample]:
    """Samples without what a judge said of them, which changes nothing that they are compared by."""
    return [s.model_copy(update={"judged": ()}) for s in samples]
