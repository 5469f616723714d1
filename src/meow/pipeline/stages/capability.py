"""NLU and NLG of the original, the changed model and the reference."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from meow import capability, keys, terminal
from meow.capability import nlg as texts
from meow.config import ModelSettings, RunConfig
from meow.files import write_json
from meow.pipeline.inputs import check_featurizer
from meow.pipeline.stages.common import done, part, seed_of
from meow.pipeline.stages.models import lm_for, model_of, weights
from meow.processes import rank
from meow.records import CapabilityLog, NlgSample, Value, write_records
from meow.run import Run
from meow.run.rows import append_rows
from meow.terminal import say


def nlu(folder: Run, config: RunConfig, *, label: str) -> None:
    """A model -> capability/<label>/nlu.json and nlu.jsonl."""
    files = capability.task_files(config.nlu)
    settings = model_of(folder, config, label)
    read = [[task, name, keys.file_hash(file)] for task, named in files.items() for name, file in named.items()]
    key = keys.of_stage("nlu", config, {"weights": weights(settings)}, read)
    outputs = [f"capability/{label}/nlu.json", f"capability/{label}/nlu.jsonl"]
    if done(folder, f"nlu/{label}", key, outputs):
        return
    with folder.stage(f"nlu/{label}", *key) as entry:
        model = lm_for(settings)
        say(f"nlu {label}: {', '.join(config.nlu.tasks)}")
        cache = folder / f"capability/{label}/answers-{keys.digest(key)}.jsonl"  # of this very model
        results, samples = capability.evaluate_tasks(model, config.nlu, seed=seed_of(config), cache=cache)
        write_records(folder / outputs[1], samples)
        metrics = {f"{task} {name}": v for task, found in results.items() for name, v in found["metrics"].items()}
        tasks = {task: {k: v for k, v in found.items() if k != "metrics"} for task, found in results.items()}
        log = CapabilityLog(
            label=label,
            kind="nlu",
            model={"path": str(settings.path), "hash": model.weights},
            source=config.nlu.data or "the hub",
            tasks=tasks,
            metrics=metrics,
            settings=part(config, "nlu"),
        )
        write_json(folder / outputs[0], log.model_dump(mode="json", exclude_defaults=True))
        for left in cache.parent.glob("answers*") if rank() == 0 else ():
            left.unlink()
        entry |= {"rows": len(samples), "device": str(model.device)}


def nlg(folder: Run, config: RunConfig, *, label: str) -> None:
    """A model -> capability/<label>/nlg.json and nlg.jsonl; with other metrics or another scope, from the kept rows."""
    found = texts.read_texts(config.nlg, seed=seed_of(config))
    check_featurizer(config)
    settings = model_of(folder, config, label)
    compared = weights(_featurizer(config)) if "mauve" in config.nlg.metrics else None
    key = keys.of_stage("nlg", config, {"weights": weights(settings)}, [found, compared])
    outputs = [f"capability/{label}/nlg.json", f"capability/{label}/nlg.jsonl"]
    if done(folder, f"nlg/{label}", key, outputs):
        return
    with folder.stage(f"nlg/{label}", *key) as entry:
        model = lm_for(settings)
        kept = texts.windows(model, found)
        wanted = texts.row_keys(model, kept)

        def produce(known: Collection[str]) -> Iterator[NlgSample]:
            with terminal.progress(f"nlg {label}", len(wanted) - len(set(known) & set(wanted))) as advance:
                for row in texts.continue_texts(model, kept, known=known):
                    advance(1)
                    yield row

        samples = append_rows(folder / outputs[1], NlgSample, wanted, produce, exact=True)
        origin = {"path": str(settings.path), "hash": model.weights}
        write_nlg(folder, config, label, samples, origin, skipped=len(found) - len(kept))
        entry |= {"rows": len(samples), "device": str(model.device)}


def _featurizer(config: RunConfig) -> ModelSettings:
    """The model whose features MAUVE compares."""
    own = config.nlg.featurizer == "self"
    path = {} if own else {"path": config.nlg.featurizer, "tokenizer": None, "revision": None}
    return config.model.model_copy(update=path)


def write_nlg(
    folder: Run, config: RunConfig, label: str, samples: list[NlgSample], model: dict[str, str], *, skipped: int
) -> None:
    """Compute the metrics of kept continuations and write `nlg.json`."""
    featurizer = lm_for(_featurizer(config)) if "mauve" in config.nlg.metrics else None
    values: dict[str, Value] = capability.nlg_metrics(samples, config.nlg, featurizer)
    log = CapabilityLog(
        label=label,
        kind="nlg",
        model=model,
        source=Path(config.nlg.texts).name,
        metrics=values,
        skipped=skipped,
        settings=part(config, "nlg"),
    )
    write_json(folder / f"capability/{label}/nlg.json", log.model_dump(mode="json", exclude_defaults=True))
