"""Training: forgetting, and making an original or a reference."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from meow import keys, lm, metrics, results, teacher, terminal, training
from meow.config import RunConfig, TrainSettings
from meow.errors import ConfigError, OtherSettingsError
from meow.evaluation import sampling, scoring
from meow.formats import sources
from meow.formats.documents.facts import FACTS
from meow.lm import LM
from meow.losses import TERMS, Taught
from meow.pipeline.inputs import shards
from meow.pipeline.stages.common import seed_of
from meow.pipeline.stages.evaluation.references import is_renamed, names_of
from meow.pipeline.stages.models import model_of, release, weights
from meow.pipeline.stages.shards import put_together
from meow.processes import agreed
from meow.records import QA, EvalSample, Fact, Target, read_records
from meow.run import Run
from meow.training import checkpoints
from meow.training.choosing import HalfWay

TEACHER = "teacher"
"""Folder of what the original says of others, in a run's."""


def forget(folder: Run, config: RunConfig, *, halfway: Callable[[LM], None] | None = None) -> None:
    """targets.jsonl, forget and retain set -> model/, through train/.

    Args:
        folder: of the run.
        config: of the run.
        halfway: looks at the model after half of the steps; what it raises ends the training.
    """
    targets = read_records(folder / "targets.jsonl", Target)
    retain = sources.retain_set(config.data) if _reads_retain(config) else []
    looks = [*_looked_at(folder, config), *(fact.accepted for fact in retain if config.train.lr == "auto")]
    content = {"weights": weights(config.model), "retain": _trained(retain), "looks": looks}
    others = names_of(config, config.train.names) if is_renamed(config) else ()
    content |= {"names": [others, [row.subject for row in targets]]} if others else {}
    key = keys.of_stage("forget", config, {"targets": _trained(targets)} | content)

    def train(model: LM) -> dict[str, Any]:
        taught = _taught(folder, model, targets, others) if others else ()
        look = _looker(folder, config, model) if config.train.evaluate_every is not None else None
        more = [HalfWay(model, halfway)] if halfway else []
        with _logged(folder, "forget") as log:
            chosen = training.forget(
                model,
                targets,
                retain,
                config.train,
                folder / "train",
                seed=seed_of(config),
                log=log,
                on_evaluate=look,
                callbacks=more,
                taught=taught,
            )
        used = [training.RATE_BY] if chosen.looks else []
        used += [found] if (found := scoring.selected_on(config)) else []
        return chosen._asdict() | ({"selected_on": "; ".join(used)} if used else {})

    _train(folder, config, "forget", key, train, beside={"data": _data(folder, config)})


def refuse_other_data(folder: Run, config: RunConfig) -> None:
    """Refuse what training would refuse, before everything that leads to it is done anew.

    Raises:
        OtherSettingsError: the model was, or is being, trained to forget, or to keep, something else.
    """
    before = folder.stages.get("forget", {}).get("data", {})
    if other := [what for what, now in _data(folder, config).items() if before.get(what, now) != now]:
        raise OtherSettingsError(
            f"{folder.path}: forget was made with other data ({' and '.join(other)} reads otherwise now); take another "
            "name, or --force to make it anew (the old output is kept aside)"
        )


def _data(folder: Run, config: RunConfig) -> dict[str, str]:
    """Digests of what is to be forgotten and, where that is read, kept, before anything is made of it."""
    made = config.data.facts == str(folder / FACTS)
    data = config.data.model_copy(update={"facts": None}) if made else config.data
    forget = sources.passages(data)
    forget += sources.forget_set(data) if data.facts or not forget else []
    parts = {"what must go": forget} | ({"what must stay": sources.retain_set(data)} if _reads_retain(config) else {})
    return {what: keys.digest([[row.conversation, row.answer] for row in rows]) for what, rows in parts.items()}


def _reads_retain(config: RunConfig) -> bool:
    return config.train.lr == "auto" or any(TERMS[term].retain for term in config.train.terms)


def _taught(folder: Run, model: LM, targets: Sequence[Target], others: Sequence[str]) -> Sequence[Taught]:
    """What the original says of the others, for each row."""
    own, beside = folder / TEACHER, [path / TEACHER for path in folder.near()]
    with terminal.progress("asking under other names", len(targets)) as advance:
        return teacher.teach(model, targets, others, own, beside=beside, advance=advance)


def _trained(rows: Sequence[Fact]) -> list[dict[str, Any]]:
    """What a training can see of its rows."""
    return [keys.content(row, without=(*keys.ABOUT, "version", "value")) for row in rows]


def _looked_at(folder: Run, config: RunConfig) -> list[Any]:
    """What a step is chosen by: the questions, and how likely original and reference find their answers."""
    if config.train.evaluate_every is None:
        return []
    measured = [sample for label in ("before", "reference") for sample in results.samples(folder.path, label)]
    likelihoods = [[s.id, s.role, s.true, s.paraphrased, s.perturbed, s.log_truth_ratio] for s in measured]
    how = [] if config.eval.reference else [config.eval.max_new_tokens]
    return [sources.eval_items(config.data, limit=config.eval.rows), likelihoods, *how]


def _looker(folder: Run, config: RunConfig, model: LM) -> Callable[[], training.Look]:
    """Looks at the tuning half: forget quality, or, without a reference, what is not told; and how much is kept."""
    items = sources.eval_items(config.data, limit=config.eval.rows)
    before, reference = (metrics.halves(results.samples(folder.path, label))[0] for label in ("before", "reference"))
    by, stays = ("forget_quality", "retain_probability") if reference else ("facts_told", "retain_value_probability")

    def measured(half: Sequence[EvalSample]) -> tuple[float, float]:
        found = metrics.compute(half, reference=reference or None)
        quality, kept = found[by], found[stays]
        if quality.value is None or kept.value is None:
            raise ConfigError(f"train.evaluate_every: no step can be chosen: {quality.reason or kept.reason}")
        return quality.value, kept.value

    _, original = measured(before)
    if not original:
        raise ConfigError("train.evaluate_every: no step can be chosen: the original keeps nothing of the retain set")

    def look() -> training.Look:
        quality, kept = measured(sampling.tuning_half(model, items, None if reference else config.eval))
        return training.Look(quality if reference else 1 - quality, kept / original)

    return look


def finetune(folder: Run, config: RunConfig) -> None:
    """Questions and answers -> model/: an original or a reference."""
    rows = shards.learned(config)
    texts = [keys.file_hash(Path(file)) for file in config.finetune.tokenizer_data]
    origin = {"tokenizer_data": texts} if config.finetune.scratch else {"weights": weights(config.model)}
    key = keys.of_stage("finetune", config, origin | {"rows": _trained(rows)})

    def train(model: LM) -> dict[str, Any]:
        _learn(folder, config, model, rows)
        return {}

    if not config.finetune.shards:
        _train(folder, config, "finetune", key, train)
    elif not folder.current("finetune", *key):
        parts = shards.assigned(rows, config.finetune.shards)
        with folder.stage("finetune", *key) as entry:
            own = [Run(folder / f"train/shard-{i}") for i in range(len(parts))]
            for run, part in zip(own, parts, strict=True):
                finetune_shard(run, config, part)
            given = [list(dict.fromkeys(map(shards.hash_of, part))) for part in parts]
            entry["result"] = agreed(lambda: _together(folder, config, own, given))


def finetune_shard(folder: Run, config: RunConfig, rows: Sequence[QA]) -> None:
    """The rows of one shard -> model/: an adapter that was trained on them and on nothing else.

    It depends on nothing but the base, the settings and these rows; without any it does nothing.
    """
    content = {"weights": weights(config.model), "rows": _trained(rows)}
    key = keys.of_stage("finetune", config, content)
    how = TrainSettings(lora_rank=config.finetune.shard_rank)

    def train(model: LM) -> dict[str, Any]:
        model.model = lm.adapted(model.model, how, base=model.path, seed=seed_of(config))
        if rows:
            _learn(folder, config, model, rows)
        return {"rows": len(rows)}

    folder.path.mkdir(parents=True, exist_ok=True)
    _train(folder, config, "finetune", key, train)


def _learn(folder: Run, config: RunConfig, model: LM, rows: Sequence[QA]) -> None:
    with _logged(folder, "finetune") as log:
        training.finetune(model, rows, config.finetune, folder / "train", seed=seed_of(config), log=log)


def _together(folder: Run, config: RunConfig, own: Sequence[Run], given: Sequence[Sequence[str]]) -> str:
    """The adapters of all shards as one model, whose hash is returned; what they were trained in is removed."""
    with checkpoints.saved(folder / "model"):
        put_together(folder / "model", config.model, [run / "model" for run in own], given)
    checkpoints.remove(folder / "train")
    return lm.weights_hash(model_of(folder, config, "after"))


def _train(
    folder: Run,
    config: RunConfig,
    stage: str,
    key: keys.Key,
    train: Callable[[LM], dict[str, Any]],
    *,
    beside: Mapping[str, Any] | None = None,
) -> None:
    if folder.current(stage, *key):
        return
    release()
    if config.model.load_in_4bit and not (stage == "forget" and config.train.lora_rank):
        raise ConfigError("model.load_in_4bit: weights of four bits cannot be trained; set train.lora_rank=8 or so")
    with folder.stage(stage, *key, beside=beside) as entry:
        model = _starting_model(config) if stage == "finetune" else lm.load(config.model)
        entry["device"] = str(model.device)
        with lm.thrifty(model.model):
            entry |= train(model)
        entry["result"] = agreed(lambda: _keep(folder, config, model))


def _keep(folder: Run, config: RunConfig, model: LM) -> str:
    """Save a trained model, whose hash is returned; what training needed to go on is removed when it is complete."""
    aside = folder / "model.part"
    shutil.rmtree(aside, ignore_errors=True)
    with checkpoints.saved(aside):
        model.save(aside)
    shutil.rmtree(folder / "model", ignore_errors=True)
    aside.rename(folder / "model")
    checkpoints.remove(folder / "train")
    return lm.weights_hash(model_of(folder, config, "after"))


def _starting_model(config: RunConfig) -> LM:
    if not config.finetune.scratch:
        return lm.load(config.model)
    files = config.finetune.tokenizer_data or config.finetune.data
    texts = [f"{qa.question}\n{qa.answer}" for file in files for qa in sources.learned(Path(file))]
    model, tokenizer = lm.make_tiny(texts, config.finetune, seed=seed_of(config))
    return LM(
        model.to(lm.pick_device(config.model.device)),
        tokenizer,
        template=config.model.template,
        template_args=config.model.template_args,
        template_date=config.model.template_date,
    )


@contextmanager
def _logged(folder: Run, stage: str) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Every row of a training goes to `log.jsonl`, and moves the bar; what goes wrong is said, once."""
    first: dict[str, Any] = {}
    said: set[str] = set()
    with terminal.steps("forgetting" if stage == "forget" else f"training {folder.path.name}") as shown:

        def log(row: dict[str, Any]) -> None:
            folder.log({"stage": stage} | row)
            shown(row)
            if "terms" in row:
                first.update({} if first else row)
                for what, warning in troubles(first, row).items():
                    if what not in said:
                        terminal.say(f"warning: step {row['step']}: {warning}")
                    said.add(what)

        try:
            yield log
        finally:
            folder.settle_log(stage)


def troubles(first: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, str]:
    """What has gone wrong in a training by one of its steps, by the number that shows it.

    Args:
        first: row of the log of the first step.
        row: of a later one.
    """
    found = {}
    for term in ("retain_nll", "retain_kl"):
        before, now = first["terms"].get(term, math.inf), row["terms"].get(term, 0.0)
        if now > max(2 * before, before + 1):
            found[term] = f"{term} rose from {before:.2f} to {now:.2f}: what must stay is being lost; lower train.lr"
    if row["grad_norm"] > max(100, 10 * first["grad_norm"]):
        found["grad_norm"] = f"the gradient's norm is {row['grad_norm']:.0f}: training is coming apart; lower train.lr"
    return found
