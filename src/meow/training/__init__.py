"""Making a model forget, or learn, in place, on transformers.Trainer.

In: a model, training rows, settings. Out: the changed weights, and a log of every step. All views go through one
forward; each term is divided by its count over the whole optimizer step. Whoever evaluates meanwhile hands over a
function.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from transformers import TrainerCallback

from meow.config import FinetuneSettings, Optimization, TrainSettings
from meow.errors import ConfigError, DataError, named
from meow.lm import LM, adapted
from meow.losses import TERMS, Taught, Term
from meow.losses.scores import OF_FORGET
from meow.processes import world_size
from meow.prompts import Encoded, cut
from meow.records import QA, Fact, Look, Target
from meow.training import rate
from meow.training.choosing import Chooser
from meow.training.rate import BY as RATE_BY
from meow.training.rate import sized
from meow.training.rows import Example, Rows, epochs_order, n_steps
from meow.training.trainer import Log, Watcher, train
from meow.training.variants import constrained
from meow.training.variants.naming import named_rows
from meow.training.variants.spots import spots, with_rest

__all__ = ["RATE_BY", "Chosen", "Log", "Look", "finetune", "forget", "sized"]


class Chosen(NamedTuple):
    """Settings of a training that may have been `auto`."""

    lr: float
    """Peak learning rate."""
    epochs: float
    """Passes over the rows."""
    batch_size: int
    """Rows of one forward pass."""
    looks: Sequence[tuple[float, float]]
    """Learning rates that were looked at, and the share of p(value) that each keeps of what must stay."""


def forget(
    lm: LM,
    targets: Sequence[Target],
    retain: Sequence[QA],
    settings: TrainSettings,
    folder: Path | None,
    *,
    seed: int,
    log: Log,
    on_evaluate: Callable[[], Look] | None = None,
    terms: Mapping[str, Term] = TERMS,
    callbacks: Sequence[TrainerCallback] = (),
    taught: Sequence[Taught] = (),
) -> Chosen:
    """Train `lm.model` in place on the objective.

    Args:
        lm: the original, freshly loaded.
        targets: training rows: a question, its true answer and the answer to teach.
        retain: questions and answers to keep, drawn from with the seed; `lr: auto` looks at them.
        settings: objective, learning rate and so on.
        folder: for checkpoints; a complete one in it is gone on from. None: there are none, nor an `on_evaluate`.
        seed: of the order and of the retain rows.
        log: gets one row per optimizer step.
        on_evaluate: called every `evaluate_every` steps; the best step's weights are what is left in the end.
        terms: what each name of the objective is.
        callbacks: of transformers; one that stops the training ends it as it is.
        taught: what the original says under other names, of each row, where a term reads it (`teacher.teach`).

    Returns:
        The settings that were `auto`, as numbers.

    Raises:
        RunError: a loss that is not finite (with step, term and facts), or `max_minutes` is over.
        DataError: a question that leaves no room for an answer.
    """
    settings = constrained(with_rest(sized(settings, len(targets)), terms), terms)
    rows = named_rows(_rows(lm, targets, retain, settings, seed, terms, log), taught, settings.terms, terms, log)
    if settings.lora_rank:
        lm.model = adapted(lm.model, settings, base=lm.path, seed=seed)
    settings, looks = _at_a_rate(lm, rows, retain, settings, folder, terms)
    weights, beta, more = settings.objective or {}, settings.beta, callbacks
    chooser = _chooser(lm, on_evaluate, settings, folder, log)
    train(lm, rows, settings, weights, beta, folder, seed=seed, log=log, chooser=chooser, more=more, terms=terms)
    return _ended(lm, settings, looks)


def _ended(lm: LM, settings: TrainSettings, looks: Sequence[tuple[float, float]]) -> Chosen:
    """Put an adapter into the weights, where it is not to stay one, and say what was chosen."""
    if settings.lora_rank and settings.lora_merge:
        lm.model = lm.model.merge_and_unload()
    return Chosen(float(settings.lr), float(settings.epochs), int(settings.batch_size), looks)


def _chooser(
    lm: LM, on_evaluate: Callable[[], Look] | None, settings: TrainSettings, folder: Path | None, log: Log
) -> Chooser | None:
    """What chooses a step, where one is chosen."""
    if on_evaluate is None or settings.evaluate_every is None:
        return None
    assert folder is not None, "looks are kept beside the checkpoints"
    return Chooser(lm, on_evaluate, settings, folder, log)


def _at_a_rate(
    lm: LM,
    rows: Rows,
    retain: Sequence[QA],
    settings: TrainSettings,
    folder: Path | None,
    terms: Mapping[str, Term],
) -> tuple[TrainSettings, Sequence[tuple[float, float]]]:
    """The settings with a learning rate, and what it was chosen by; () where it was given.

    Raises:
        ConfigError: `auto` in several processes; a run says so before anything starts.
    """
    if settings.lr != "auto":
        return settings, ()
    if world_size() > 1:
        raise ConfigError("train.lr: auto looks at learning rates in one process; set a number, as in train.lr=2e-5")
    half = Rows(rows.examples, rows.order, rows.retain[1::2] or rows.retain, rows.per_row, rows.seed)
    epochs = min(rate.STEPS[-1] / n_steps(len(rows.examples), 1, _at_once(settings)), float(settings.epochs))
    more = {"epochs": epochs, "schedule": "constant", "warmup": 0.0, "report_to": (), "max_minutes": None}

    def run(lr: float, watch: Callable[[int], None]) -> None:
        short = settings.model_copy(update={"lr": lr} | more)
        weights, watcher = settings.objective or {}, Watcher(lm, watch)
        train(lm, half, short, weights, settings.beta, None, seed=rows.seed, log=_unlogged, more=[watcher], terms=terms)

    found = rate.find(lm, retain[::2], run, folder, adapter=settings.lora_rank > 0)
    return settings.model_copy(update={"lr": found.lr}), found.looks


def _unlogged(row: dict[str, Any]) -> None:
    """A step that comes to nothing."""


def _at_once(settings: TrainSettings) -> int:
    """Rows of one optimizer step of one process."""
    return int(settings.batch_size) * settings.accumulate


def _rows(
    lm: LM,
    targets: Sequence[Target],
    retain: Sequence[QA],
    settings: TrainSettings,
    seed: int,
    terms: Mapping[str, Term],
    log: Log,
) -> Rows:
    """The rows of a training, with what the original says of them where the terms of the objective need it."""
    weights = settings.objective or {}
    views = {view for term in weights for view in terms[term].views}
    cached = {view for term in weights if terms[term].original == "logp" for view in terms[term].views}
    encode = _encoder(lm, settings)
    sequences: dict[str, list[Encoded]] = {}
    if "target" in views:
        sequences["target"] = [encode(t, _taught(t)) for t in targets]
    if views & {"forget", *OF_FORGET}:
        sequences["forget"] = [encode(t, t.answer) for t in targets]
    kept = [encode(qa, qa.answer) for qa in retain] if "retain" in views else []
    at: Sequence[tuple[int, int] | None] = [None] * len(targets)
    if settings.on == "value":
        at, whole = spots(lm.prompter, targets, sequences["forget"])
        log({"step": 0, "whole": len(whole), "rows": len(targets)})
    original = {view: _said(lm, sequences[view], at if view == "forget" else ()) for view in sorted(cached)}
    examples = [
        Example(named(t), {v: (s[i],) for v, s in sequences.items()}, {v: o[i] for v, o in original.items()}, at[i])
        for i, t in enumerate(targets)
    ]
    epochs, batch = float(settings.epochs), int(settings.batch_size)
    order = epochs_order([0] * len(examples), epochs, batch, seed, like_lengths=False)
    if "retain" in views and not kept:
        raise DataError("the objective reads the retain set, which is empty; give the facts to keep (data.retain)")
    return Rows(examples, order, kept, settings.retain_rows if kept else 0, seed)


def _said(lm: LM, sequences: Sequence[Encoded], spots: Sequence[tuple[int, int] | None]) -> list[float]:
    """What the original says of answers, or of tokens of theirs."""
    every = [slice(*spot) if spot else slice(None) for spot in spots or [None] * len(sequences)]
    return [float(s.logp[tokens].sum()) for s, tokens in zip(lm.score(sequences), every, strict=True)]


def finetune(
    lm: LM,
    rows: Sequence[QA],
    settings: FinetuneSettings,
    folder: Path | None,
    *,
    seed: int,
    log: Log,
    on_step: Callable[[int], None] | None = None,
    callbacks: Sequence[TrainerCallback] = (),
) -> None:
    """Train `lm.model` in place to give these answers, with the loss on answer tokens.

    Arguments as in `forget`; `on_step` is called with its number after every step.
    """
    encode = _encoder(lm, settings)
    sequences = [encode(qa, qa.answer) for qa in rows]
    lengths = [len(s.ids) for s in sequences]
    order = epochs_order(lengths, settings.epochs, settings.batch_size, seed, like_lengths=True)
    examples = [Example(named(qa), {"target": (s,)}, {}) for qa, s in zip(rows, sequences, strict=True)]
    more = [*([Watcher(lm, on_step)] if on_step else []), *callbacks]
    every = Rows(examples, order, [], 0, seed)
    train(lm, every, settings, {"target_nll": 1.0}, None, folder, seed=seed, log=log, more=more)


def _taught(target: Target) -> str:
    if target.target is None:
        raise DataError(f"{named(target)}: no answer to teach, but the objective reads targets; run meow select again")
    return target.target


def _encoder(lm: LM, settings: Optimization) -> Callable[[Fact, str], Encoded]:
    """Tokenizes each question and answer once, cut to `max_length`."""
    limit = min(settings.max_length or lm.prompter.max_length, lm.prompter.max_length)
    known: dict[tuple[str, str], Encoded] = {}

    def encode(fact: Fact, answer: str) -> Encoded:
        key = (fact.conversation, answer)
        if key not in known:
            full = lm.prompter.encode(fact, answer)
            if full.start >= limit:
                raise DataError(
                    f"{named(fact)}: the question takes {full.start} tokens, max_length is {limit}, which leaves no "
                    "room for an answer; shorten the question or raise max_length"
                )
            known[key] = cut(full, limit)
        return known[key]

    return encode
