"""Training: forgetting, and making an original or a reference."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from meow import data, evaluation, lm, metrics, terminal, tofu, training
from meow.config import RunConfig
from meow.errors import ConfigError
from meow.lm import LM
from meow.losses import TERMS
from meow.processes import agreed
from meow.records import (
    Target,
    read_records,
)
from meow.run import Run, digest
from meow.stages.common import part, seed_of
from meow.stages.models import model_of, release, weights


def forget(folder: Run, config: RunConfig) -> None:
    """targets.jsonl, forget and retain set -> model/, through train/."""
    targets = read_records(folder / "targets.jsonl", Target)
    reads_retain = any(TERMS[term].retain for term in config.train.objective or {})
    retain = data.retain_set(config.data) if reads_retain else []
    key = _training_key(config, "train") | {"targets": digest([[t.id, t.target] for t in targets])}
    key["retain"] = digest([[q.question, q.answer] for q in retain])

    def train(model: LM) -> None:
        look = _looker(folder, config, model) if config.train.evaluate_every is not None else None
        with _logged(folder, "forget") as log:
            training.forget(
                model, targets, retain, config.train, folder / "train", seed=seed_of(config), log=log, on_evaluate=look
            )

    _train(folder, config, "forget", key, train)


def _looker(folder: Run, config: RunConfig, model: LM) -> Callable[[], training.Look]:
    """Looks at the tuning half: forget quality against the reference, and how much of the original is kept."""
    items = data.eval_items(config.data, limit=config.eval.rows)
    before, reference = (metrics.halves(evaluation.samples_of(folder, label))[0] for label in ("before", "reference"))
    original = metrics.compute(before)["retain_probability"].value

    def look() -> training.Look:
        found = metrics.compute(tofu.tuning_half(model, items), reference=reference or None)
        quality, kept = found["forget_quality"], found["retain_probability"].value
        if quality.value is None or kept is None or not original:
            raise ConfigError(
                f"train.evaluate_every: no step can be chosen: {quality.reason or 'no retain questions are evaluated'}"
            )
        return training.Look(quality.value, kept / original)

    return look


def finetune(folder: Run, config: RunConfig) -> None:
    """Questions and answers -> model/: an original or a reference."""
    if not config.finetune.data:
        raise ConfigError("finetune.data: not set; name the files of questions and answers to learn")
    rows = [
        qa
        for file in config.finetune.data
        for qa in data.read_qa(Path(file), set_="train")
        for _ in range(config.finetune.repeat.get(Path(file).name, 1))
    ]
    key = _training_key(config, "finetune") | {"rows": digest([[q.question, q.answer] for q in rows])}

    def train(model: LM) -> None:
        with _logged(folder, "finetune") as log:
            training.finetune(model, rows, config.finetune, folder / "train", seed=seed_of(config), log=log)

    _train(folder, config, "finetune", key, train)


def _train(folder: Run, config: RunConfig, stage: str, key: dict[str, Any], train: Callable[[LM], None]) -> None:
    if folder.current(stage, key):
        return
    release()
    if config.model.load_in_4bit and not (stage == "forget" and config.train.lora_rank):
        raise ConfigError("model.load_in_4bit: weights of four bits cannot be trained; set train.lora_rank=8 or so")
    with folder.stage(stage, key) as entry:
        model = _starting_model(config) if stage == "finetune" else lm.load(config.model)
        entry["device"] = str(model.device)
        train(model)
        entry["result"] = agreed(lambda: _keep(folder, config, stage, model))


def _keep(folder: Run, config: RunConfig, stage: str, model: LM) -> str:
    """Save a trained model, whose hash is returned; what training needed to go on is removed when it is complete."""
    aside = folder / "model.part"
    shutil.rmtree(aside, ignore_errors=True)
    model.save(aside)
    shutil.rmtree(folder / "model", ignore_errors=True)
    aside.rename(folder / "model")
    folder.settle_log(stage)
    shutil.rmtree(folder / "train", ignore_errors=True)
    return lm.weights_hash(model_of(folder, config, "after"))


def _starting_model(config: RunConfig) -> LM:
    if not config.finetune.scratch:
        return lm.load(config.model)
    files = config.finetune.tokenizer_data or config.finetune.data
    texts = [f"{qa.question}\n{qa.answer}" for file in files for qa in data.read_qa(Path(file), set_="train")]
    model, tokenizer = lm.make_tiny(texts, config.finetune, seed=seed_of(config))
    return LM(
        model.to(lm.pick_device(config.model.device)), tokenizer, template=config.model.template,
        template_args=config.model.template_args, template_date=config.model.template_date,
    )  # fmt: skip


_UNSEEN = ("save_steps", "max_minutes", "report_to")
"""Training settings that change no weight."""


def _training_key(config: RunConfig, section: str) -> dict[str, Any]:
    key = {"seed": config.seed, "threads": config.threads, "model.template": config.model.template}
    key |= {k: v for k, v in part(config, section).items() if k.split(".")[1] not in _UNSEEN}
    from_scratch = section == "finetune" and config.finetune.scratch
    return key | ({} if from_scratch else {"weights": weights(config.model)})


@contextmanager
def _logged(folder: Run, stage: str) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Every row of a training goes to `log.jsonl`, and moves the bar."""
    with terminal.steps("forgetting" if stage == "forget" else f"training {folder.path.name}") as shown:

        def log(row: dict[str, Any]) -> None:
            folder.log({"stage": stage} | row)
            shown(row)

        yield log
