"""Training on transformers.Trainer: one forward for all views, terms divided by the counts of the whole step.

The order of all rows is drawn before the first step, so that a resumed run sees what an uninterrupted one sees.
"""

from __future__ import annotations

import importlib.util
import json
import math
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.utils.data import Dataset, Sampler
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from meow import terminal
from meow.checkpoints import COMPLETE, last_complete, saved
from meow.config import FinetuneSettings, Optimization, TrainSettings
from meow.errors import ConfigError, DataError, MeowError, RunError
from meow.files import write_text
from meow.lm import LM, adapted, pad
from meow.losses import TERMS, objective
from meow.original import Reference, moved, run, split
from meow.processes import agreed, world_size
from meow.prompts import Encoded, cut
from meow.records import QA, Fact, Target
from meow.sharding import filled, gathered, is_sharded, outline
from meow.stopping import asked_to_stop

Log = Callable[[dict[str, Any]], None]
KEPT = 0.9
"""Share of the original's retain probability that a chosen step should keep."""
COLLAPSED = 1e5
"""Value of a term beyond which nothing is being learned any more: the model has collapsed."""
LOST = 0.1
"""Share of weights whose updates may be too small for their number format before a training says so."""


@dataclass(frozen=True)
class Example:
    """One training row: its sequences by view, and what the original says of them."""

    id: str
    """Of the fact, for messages."""
    views: Mapping[str, tuple[Encoded, ...]]
    """One sequence for `forget` and `target`, `retain_rows` for `retain`."""
    original: Mapping[str, float]
    """Log-probability of the whole answer under the original, by view, where a term needs it."""


class Rows(Dataset[Example]):
    """All rows of all epochs in the order in which they are trained on."""

    def __init__(
        self, examples: Sequence[Example], order: Sequence[int], retain: Sequence[Encoded], per_row: int, seed: int
    ) -> None:
        self.examples, self.order, self.per_row = examples, order, per_row
        self.retain = retain
        self.drawn = draw(len(retain), per_row * len(order), seed) if per_row else []

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, position: int) -> Example:
        example = self.examples[self.order[position]]
        if not self.per_row:
            return example
        drawn = self.drawn[position * self.per_row : (position + 1) * self.per_row]
        kept = tuple(self.retain[i] for i in drawn)
        return Example(example.id, {**example.views, "retain": kept}, example.original)


def draw(n: int, wanted: int, seed: int) -> list[int]:
    """`wanted` indices below n without replacement, reshuffled when exhausted."""
    dice = random.Random(f"retain:{seed}")
    found: list[int] = []
    while len(found) < wanted:
        found += dice.sample(range(n), n)
    return found[:wanted]


class Epochs(Sampler[int]):
    """Positions of one epoch after another among the rows of all epochs; no batch holds rows of two of them."""

    def __init__(self, rows: int) -> None:
        self.rows, self.epoch = rows, 0

    def set_epoch(self, epoch: int) -> None:
        """Called by the Trainer as each epoch begins."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.epoch * self.rows, (self.epoch + 1) * self.rows))

    def __len__(self) -> int:
        return self.rows


def n_steps(rows: int, epochs: float, at_once: int) -> int:
    """Optimizer steps of a training: every epoch ends with a step, of what is left of it; at least one."""
    return max(1, math.ceil(epochs * math.ceil(rows / at_once) - 1e-9))


def epochs_order(lengths: Sequence[int], epochs: float, batch: int, seed: int, *, like_lengths: bool) -> list[int]:
    """Row indices of all epochs, the last one whole too, each a shuffle of all rows.

    Args:
        lengths: tokens of each row.
        epochs: passes, not necessarily whole.
        batch: rows of one batch.
        seed: of the shuffles.
        like_lengths: put rows of like length into one batch (less padding); batches stay in random order.
    """
    dice = random.Random(f"order:{seed}")
    order: list[int] = []
    for _ in range(math.ceil(epochs)):
        rows = dice.sample(range(len(lengths)), len(lengths))
        if like_lengths:
            pool = 32 * batch
            rows = [
                i for at in range(0, len(rows), pool) for i in sorted(rows[at : at + pool], key=lambda i: lengths[i])
            ]
            whole = len(rows) - len(rows) % batch
            batches = [rows[at : at + batch] for at in range(0, whole, batch)]
            rows = [i for part in dice.sample(batches, len(batches)) for i in part] + rows[whole:]
        order += rows
    return order


def collate(examples: Sequence[Example]) -> dict[str, Any]:
    """One padded batch of all views: ids and mask (S, T), and for each answer token its place, view and row."""
    sequences: list[Encoded] = []
    places: dict[str, tuple[int, int]] = {}
    original: dict[str, Tensor] = {}
    for view in examples[0].views:
        first = len(sequences)
        sequences += [sequence for example in examples for sequence in example.views[view]]
        places[view] = (first, len(sequences))
        if view in examples[0].original:
            original[view] = torch.tensor([example.original[view] for example in examples])
    ids, mask = pad([s.ids for s in sequences], torch.device("cpu"))
    keep = torch.zeros_like(mask, dtype=torch.bool)
    for i, sequence in enumerate(sequences):
        keep[i, sequence.start - 1 : len(sequence.ids) - 1] = True
    lengths = [len(s.ids) - s.start for s in sequences]
    return {
        "input_ids": ids, "attention_mask": mask, "keep": keep,
        "labels": torch.cat([torch.tensor(s.ids[s.start :]) for s in sequences]),
        "lengths": lengths, "places": places, "original": original, "ids": [example.id for example in examples],
    }  # fmt: skip


def count(term: str, batch: Mapping[str, Any]) -> int:
    """What a term divides by in one micro-batch: rows or answer tokens of its first view, or tokens of all."""
    row = TERMS[term]
    places = [batch["places"][view] for view in (row.views if row.per == "token of all" else row.views[:1])]
    if row.per == "row":
        return int(places[0][1] - places[0][0])
    return sum(sum(batch["lengths"][first:last]) for first, last in places)


class UnlearnTrainer(Trainer):  # type: ignore[misc]
    """transformers' Trainer with a weighted sum of terms as its loss."""

    loss_is_scaled_for_ga = True

    def __init__(
        self, *, weights: Mapping[str, float], beta: float | None, emit: Log, reference: Reference, **kwargs: Any
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        self.weights, self.beta, self.emit, self.reference = weights, beta, emit, reference
        self.moved: Tensor | None = None
        self.shares: dict[str, float] = {}
        self.tokens, self.clock = 0, time.perf_counter()
        self.ids: list[str] = []

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        return Epochs(len((train_dataset if train_dataset is not None else self.train_dataset).examples))

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: torch.device) -> dict[str, float]:
        if any(TERMS[term].step for term in self.weights):
            found = torch.cat([moved(self._prepare_inputs(b), self.model_wrapped) for b in batch_samples]).double()
            step = torch.stack([found.sum(), found.new_tensor(len(found))])
            if self.args.world_size > 1:
                step = self.accelerator.reduce(step, "sum")
            self.moved = step[0] / step[1]
        counts = torch.tensor([sum(count(t, b) for b in batch_samples) for t in self.weights], dtype=torch.float64)
        if self.args.world_size > 1:
            counts = self.accelerator.reduce(counts.to(device), "sum").cpu()
        return dict(zip(self.weights, counts.tolist(), strict=True))

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Tensor:
        """The micro-batch's share of the step's loss; stops at the first term that is not finite."""
        del return_outputs
        needs = {TERMS[term].needs for term in self.weights}
        out = run(model, inputs, layer=self.reference.layer if "hidden" in needs else None)
        logp = -torch.nn.functional.cross_entropy(out.logits, inputs["labels"], reduction="none")
        views = split(out, logp, inputs, logits="logits" in needs)
        known = self.reference.known(inputs, model, moved=self.moved)
        loss, shares = objective(self.weights, views, known, self.beta, num_items_in_batch)
        for term, share in shares.items():
            if not torch.isfinite(share):
                raise self._not_finite(term, share.item(), inputs["ids"])
            self.shares[term] = self.shares.get(term, 0.0) + share.item()
            if abs(self.shares[term]) > COLLAPSED:
                raise self._not_finite(term, self.shares[term], inputs["ids"])
        self.tokens += int(inputs["attention_mask"].sum())
        self.ids += inputs["ids"]
        return torch.mul(loss, self.args.world_size)

    def _clip_grad_norm(self, model: Any) -> Any:
        norm = super()._clip_grad_norm(model)
        if norm is not None and not math.isfinite(float(norm)):
            raise self._not_finite("the gradient", float(norm), self.ids)
        return norm

    def _run_epoch(self, **arguments: Any) -> None:
        """As the Trainer does; it would train on where the checkpoint is of the last step, in mid-epoch."""
        if self.state.global_step < self.state.max_steps and not self.control.should_training_stop:
            super()._run_epoch(**arguments)

    def _save_checkpoint(self, *arguments: Any) -> None:
        """As the Trainer does; a disk that is full is one line, whoever writes."""
        with saved(Path(self.args.output_dir)):
            super()._save_checkpoint(*arguments)

    def _not_finite(self, what: str, value: float, ids: Sequence[str]) -> RunError:
        return RunError(
            f"step {self.state.global_step + 1}: {what} is {value} on the rows with ids {', '.join(ids[:8])}; "
            "lower train.lr (the last good checkpoint is kept)"
        )

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """One row per optimizer step, for `log.jsonl`."""
        del start_time
        if "grad_norm" not in logs:
            return
        now = time.perf_counter()
        if self.args.world_size > 1:
            own = torch.tensor([*self.shares.values(), float(self.tokens)], device=self.args.device)
            *values, tokens = self.accelerator.reduce(own, "sum").tolist()
            self.shares, self.tokens = dict(zip(self.shares, values, strict=True)), int(tokens)
        if self.is_world_process_zero():
            self.emit({
                "step": self.state.global_step, "steps": self.state.max_steps,
                "loss": sum(self.weights[t] * v for t, v in self.shares.items()),
                "lr": logs["learning_rate"], "grad_norm": float(logs["grad_norm"]),
                "tokens_per_s": round(self.tokens / max(now - self.clock, 1e-9)), "terms": dict(self.shares),
            })  # fmt: skip
            if self.args.report_to:
                terms = {f"term/{name}": value for name, value in self.shares.items()}
                super().log({name: float(value) for name, value in logs.items()} | terms)
        self.shares, self.tokens, self.clock, self.ids = {}, 0, now, []


class _Keeper(TrainerCallback):  # type: ignore[misc]
    """Marks complete checkpoints, and stops cleanly when the time is over or somebody asks."""

    def __init__(self, minutes: float | None, asked: Callable[[], bool]) -> None:
        self.until = time.monotonic() + 60 * minutes if minutes else math.inf
        self.asked = asked
        self.is_under_way = False

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """What a checkpoint holds has been read."""
        del args, state, control, kwargs
        self.is_under_way = True

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """A checkpoint is whole."""
        del control, kwargs
        (Path(args.output_dir) / f"checkpoint-{state.global_step}" / COMPLETE).touch()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """The time is over for the first process, or it was asked: all save, then stop, after the same step."""
        del state, kwargs
        if agreed(lambda: self.asked() or time.monotonic() > self.until):
            control.should_save, control.should_training_stop = args.save_strategy != "no", True


class _Watcher(TrainerCallback):  # type: ignore[misc]
    """Calls somebody after every step, with the model ready to be evaluated."""

    def __init__(self, lm: LM, watch: Callable[[int], None]) -> None:
        self.lm, self.watch = lm, watch

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Evaluate, then go on training."""
        del args, control, kwargs
        self.lm.model.eval()
        self.watch(state.global_step)
        self.lm.model.train()


class Look(NamedTuple):
    """What a step is chosen by."""

    quality: float
    """Forget quality (p) on the tuning half."""
    kept: float
    """Retain probability there, as a share of the original's."""

    def rank(self) -> tuple[bool, float]:
        """Higher: better. Forget quality counts among steps that keep enough; below that, what is kept."""
        enough = self.kept >= KEPT
        return enough, self.quality if enough else self.kept


class _Chooser(TrainerCallback):  # type: ignore[misc]
    """Looks every few steps, keeps the weights of the best one, and stops when no better one comes."""

    def __init__(self, lm: LM, look: Callable[[], Look], settings: TrainSettings, folder: Path, emit: Log) -> None:
        self.lm, self.look, self.emit = lm, look, emit
        self.every, self.patience = settings.evaluate_every or 1, settings.patience
        self.file, self.best = folder / "looks.json", folder / "best.safetensors"
        self.looks: dict[int, Look] = {}
        self.stopped = False
        self.weights: Callable[[], Mapping[str, Tensor]] = lm.model.state_dict
        """All weights by name."""

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Looks after the checkpoint that is gone on from are repeated; it may be the one where choosing ended."""
        del args, kwargs
        rows = json.loads(self.file.read_text()) if self.file.is_file() else []
        self.looks = {step: Look(*look) for step, *look in rows if step <= state.global_step}
        self._stop_where_no_better_comes(control)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Look, keep, or stop."""
        del args, kwargs
        step = state.global_step
        if step % self.every and step != state.max_steps:
            return
        self.lm.model.eval()
        mine = self.look()
        self.lm.model.train()
        found = agreed(lambda: mine)
        if not self.looks or found.rank() > self.looks[self.chosen].rank():
            every = self.weights()
            names = [n for n, p in self.lm.model.named_parameters() if p.requires_grad and n in every]
            kept = {n: every[n].detach().cpu().contiguous() for n in names}
            with saved(self.best):
                agreed(lambda: save_file(kept, self.best))
        self.looks[step] = found
        agreed(lambda: write_text(self.file, json.dumps([[at, *look] for at, look in self.looks.items()])))
        self.emit({"step": step, "steps": state.max_steps, "look": found._asdict()})
        self._stop_where_no_better_comes(control)

    def _stop_where_no_better_comes(self, control: Any) -> None:
        if sum(at > self.chosen for at in self.looks) >= self.patience:
            self.stopped = control.should_training_stop = True

    @property
    def chosen(self) -> int:
        """The first of the best steps."""
        return max(self.looks, key=lambda step: (self.looks[step].rank(), -step))

    def restore(self) -> None:
        """Put the chosen step's weights back, into the whole model."""
        own = dict(self.lm.model.named_parameters())
        with torch.no_grad():
            for name, value in load_file(self.best).items():
                own[name].copy_(value)


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
) -> None:
    """Train `lm.model` in place on the objective.

    Args:
        lm: the original, freshly loaded.
        targets: training rows: a question, its true answer and the answer to teach.
        retain: questions and answers to keep; drawn from with the seed.
        settings: objective, learning rate and so on.
        folder: for checkpoints; a complete one in it is gone on from. None: there are none, nor an `on_evaluate`.
        seed: of the order and of the retain rows.
        log: gets one row per optimizer step.
        on_evaluate: called every `evaluate_every` steps; the best step's weights are what is left in the end.

    Raises:
        RunError: a loss that is not finite (with step, term and ids), or `max_minutes` is over.
        DataError: a question that leaves no room for an answer.
    """
    rows = _rows(lm, targets, retain, settings, seed)
    if settings.lora_rank:
        lm.model = adapted(lm.model, settings, base=lm.path, seed=seed)
    chooser = None
    if on_evaluate is not None and settings.evaluate_every is not None:
        assert folder is not None, "looks are kept beside the checkpoints"
        chooser = _Chooser(lm, on_evaluate, settings, folder, log)
    weights = settings.objective or {}
    _train(lm, rows, settings, weights, settings.beta, folder, seed=seed, log=log, chooser=chooser)
    if settings.lora_rank and settings.lora_merge:
        lm.model = lm.model.merge_and_unload()


def _rows(lm: LM, targets: Sequence[Target], retain: Sequence[QA], settings: TrainSettings, seed: int) -> Rows:
    """The rows of a training, with what the original says of them where the terms of the objective need it."""
    weights = settings.objective or {}
    views = {view for term in weights for view in TERMS[term].views}
    cached = {view for term in weights if TERMS[term].original == "logp" for view in TERMS[term].views}
    encode = _encoder(lm, settings)
    sequences: dict[str, list[Encoded]] = {}
    if "target" in views:
        sequences["target"] = [encode(t, _taught(t)) for t in targets]
    if "forget" in views:
        sequences["forget"] = [encode(t, t.answer) for t in targets]
    kept = [encode(qa, qa.answer) for qa in retain] if "retain" in views else []
    original = {view: [float(s.logp.sum()) for s in lm.score(sequences[view])] for view in sorted(cached)}
    examples = [
        Example(t.id, {v: (s[i],) for v, s in sequences.items()}, {v: o[i] for v, o in original.items()})
        for i, t in enumerate(targets)
    ]
    order = epochs_order([0] * len(examples), settings.epochs, settings.batch_size, seed, like_lengths=False)
    if "retain" in views and not kept:
        raise DataError("the objective reads the retain set, which is empty; give the facts to keep (data.retain)")
    return Rows(examples, order, kept, settings.retain_rows if kept else 0, seed)


def finetune(
    lm: LM, rows: Sequence[QA], settings: FinetuneSettings, folder: Path | None, *, seed: int, log: Log,
    on_step: Callable[[int], None] | None = None,
) -> None:  # fmt: skip
    """Train `lm.model` in place to give these answers, with the loss on answer tokens.

    Arguments as in `forget`; `on_step` is called with its number after every step.
    """
    encode = _encoder(lm, settings)
    sequences = [encode(qa, qa.answer) for qa in rows]
    lengths = [len(s.ids) for s in sequences]
    order = epochs_order(lengths, settings.epochs, settings.batch_size, seed, like_lengths=True)
    examples = [Example(qa.id, {"target": (s,)}, {}) for qa, s in zip(rows, sequences, strict=True)]
    watcher = _Watcher(lm, on_step) if on_step else None
    every = Rows(examples, order, [], 0, seed)
    _train(lm, every, settings, {"target_nll": 1.0}, None, folder, seed=seed, log=log, more=[watcher])


def _check_format(model: Any, lr: float) -> None:
    """Refuse weights that cannot be trained, and say where updates of this size are lost in their number format.

    Raises:
        ConfigError: float16, or quantised weights without an adapter.
    """
    trained = [p.detach() for p in model.parameters() if p.requires_grad]
    if getattr(model, "hf_quantizer", None) is not None and not hasattr(model, "disable_adapter"):
        raise ConfigError("train.lora_rank: quantised weights cannot be trained; set it to 8 or so, or take others")
    if any(p.dtype == torch.float16 for p in trained):
        raise ConfigError(
            "model.dtype: float16 weights cannot be trained (AdamW's epsilon is 0 in float16); set bfloat16, or "
            "float32 with train.mixed_precision, or an adapter with train.lora_rank"
        )
    narrow = [p for p in trained if p.dtype == torch.bfloat16]
    lost = sum(int((p.abs() > 512 * lr).sum()) for p in narrow) / max(sum(p.numel() for p in trained), 1)
    if lost > LOST:
        terminal.say(
            f"bfloat16: at train.lr={lr:g} the updates of {lost:.0%} of the weights are rounded away (less than 1/512 "
            "of the weight); model.dtype=float32 with train.mixed_precision=bf16 keeps them"
        )


def _taught(target: Target) -> str:
    if target.target is None:
        raise DataError(f"id {target.id}: no answer to teach, but the objective reads targets; run meow select again")
    return target.target


def _encoder(lm: LM, settings: Optimization) -> Callable[[Fact, str], Encoded]:
    """Tokenizes each question and answer once, cut to `max_length`."""
    limit = min(settings.max_length or lm.prompter.max_length, lm.prompter.max_length)
    known: dict[tuple[str, str], Encoded] = {}

    def encode(fact: Fact, answer: str) -> Encoded:
        key = (fact.question + "\n".join(m.content for m in fact.messages), answer)
        if key not in known:
            full = lm.prompter.encode(fact, answer)
            if full.start >= limit:
                raise DataError(
                    f"id {fact.id}: the question takes {full.start} tokens, max_length is {limit}, which leaves no "
                    "room for an answer; shorten the question or raise max_length"
                )
            known[key] = cut(full, limit)
        return known[key]

    return encode


def _arguments(lm: LM, settings: Optimization, folder: Path | None, steps: int, seed: int) -> TrainingArguments:
    for tracker in settings.report_to:
        if importlib.util.find_spec(tracker) is None:
            raise ConfigError(f"train.report_to: {tracker} is not installed; pip install {tracker}, or leave it out")
    if "tensorboard" in settings.report_to:
        place = folder.parent if folder else Path(tempfile.gettempdir())
        os.environ["TENSORBOARD_LOGGING_DIR"] = str(place / "tensorboard")  # of this run, not of one before it
    schedule = {"constant": "constant_with_warmup"}.get(settings.schedule, settings.schedule)
    warmup = int(settings.warmup if settings.warmup >= 1 else settings.warmup * steps)
    arguments = TrainingArguments(
        output_dir=str(folder or tempfile.gettempdir()), max_steps=steps, learning_rate=settings.lr,
        per_device_train_batch_size=settings.batch_size, gradient_accumulation_steps=settings.accumulate,
        weight_decay=settings.weight_decay, max_grad_norm=settings.max_grad_norm, lr_scheduler_type=schedule,
        warmup_steps=warmup if warmup > 1 else 0,  # the first step of a warm-up has rate 0: a single one is a step lost
        bf16=settings.mixed_precision == "bf16", fp16=settings.mixed_precision == "fp16",
        activation_checkpointing=settings.gradient_checkpointing, optim="adamw_torch", seed=seed, data_seed=seed,
        logging_steps=1, logging_nan_inf_filter=False, save_strategy="steps" if folder else "no",
        save_steps=settings.save_steps, save_total_limit=2, report_to=list(settings.report_to), disable_tqdm=True,
        remove_unused_columns=False, log_level="info" if terminal.verbose else "error",
        dataloader_pin_memory=False, use_cpu=lm.device.type == "cpu",
    )  # fmt: skip
    arguments._n_gpu = min(arguments.n_gpu, 1)
    return arguments


def _train(
    lm: LM, rows: Rows, settings: Optimization, weights: Mapping[str, float], beta: float | None,
    folder: Path | None, *, seed: int, log: Log, chooser: _Chooser | None = None,
    more: Sequence[TrainerCallback | None] = (),
) -> None:  # fmt: skip
    batch = min(settings.batch_size, len(rows.examples))
    settings = settings.model_copy(update={"batch_size": batch})
    at_once = batch * settings.accumulate * world_size()
    steps = n_steps(len(rows.examples), settings.epochs, at_once)
    truncated = {e.id for e in rows.examples for sequences in e.views.values() for s in sequences if s.truncated}
    if truncated:
        log({"step": 0, "steps": steps, "truncated": len(truncated)})
    _check_format(lm.model, settings.lr)
    trainer = UnlearnTrainer(
        weights=weights, beta=beta, emit=log, reference=Reference(lm.model, weights, seed), model=lm.model,
        args=_arguments(lm, settings, folder, steps, seed), train_dataset=rows, data_collator=collate,
        callbacks=[c for c in (chooser, *more) if c is not None],
    )  # fmt: skip
    trainer.remove_callback(PrinterCallback)
    whole = outline(lm.model) if is_sharded(trainer) else None
    if chooser is not None and whole is not None:
        chooser.weights = partial(gathered, trainer)
    with asked_to_stop() if folder else nullcontext(lambda: False) as asked:
        checkpoint = agreed(lambda: last_complete(folder)) if folder else None
        _go_on(trainer, _Keeper(settings.max_minutes, asked), checkpoint)
    if trainer.state.global_step < steps and not (chooser is not None and chooser.stopped):
        if asked():
            raise KeyboardInterrupt
        raise RunError(
            f"stopped at step {trainer.state.global_step} of {steps} after max_minutes={settings.max_minutes}; "
            "the same command goes on"
        )
    if whole is not None:
        lm.model = filled(whole, gathered(trainer))
    if chooser is not None:
        chooser.restore()


def _go_on(trainer: UnlearnTrainer, keeper: _Keeper, checkpoint: str | None) -> None:
    """Train, from a checkpoint where there is one; it is read as weights and numbers alone, and runs nothing.

    Raises:
        RunError: the checkpoint is somebody else's, or broken.
    """
    trainer.add_callback(keeper)
    try:
        trainer.train(resume_from_checkpoint=checkpoint)
    except (MeowError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as e:  # UnpicklingError, RuntimeError, SafetensorError, KeyError, ...
        if checkpoint is None or keeper.is_under_way:
            raise
        raise RunError(
            f"{checkpoint}: cannot be gone on from ({type(e).__name__}: {' '.join(str(e).split())[:100]}); remove "
            f"{Path(checkpoint).parent}, and the training begins anew"
        ) from e
    finally:
        trainer.model.eval()
