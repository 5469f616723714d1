"""Training on transformers.Trainer: one forward for all views, terms divided by the counts of the whole step.

The order of all rows is drawn before the first step, so that a resumed run sees what an uninterrupted one sees.
"""

from __future__ import annotations

import importlib.util
import math
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Sampler
from transformers import PrinterCallback, TrainerCallback, TrainingArguments

from meow import terminal
from meow.config import Optimization
from meow.errors import ConfigError, MeowError, NotFiniteError, RunError
from meow.lm import LM
from meow.lm.rounding import rounded_forward
from meow.losses import TERMS, Term
from meow.processes import agreed, world_size
from meow.training.checkpoints import last_complete, saved
from meow.training.choosing import Chooser
from meow.training.forward import Reference, moved, run, split
from meow.training.rows import Epochs, Rows, count, n_steps
from meow.training.sharding import filled, gathered, is_sharded, outline
from meow.training.stopping import Keeper, asked_to_stop
from meow.training.variants import Variant
from meow.training.variants.stepping import Stepping

Log = Callable[[dict[str, Any]], None]
COLLAPSED = 1e5
"""Value of a term beyond which nothing is being learned any more: the model has collapsed."""
CPU_TOKENS, GPU_TOKENS = 512, 2048
"""Tokens of one forward pass of a training, where nothing is set."""
LOST = 0.1
"""Share of weights whose updates may be too small for their number format before a training says so."""


class UnlearnTrainer(Stepping):
    """transformers' Trainer with a weighted sum of terms as its loss."""

    loss_is_scaled_for_ga = True

    def __init__(
        self,
        *,
        weights: Mapping[str, float],
        terms: Mapping[str, Term],
        variant: Variant,
        beta: float | None,
        emit: Log,
        reference: Reference,
        budget: int,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs, data_collator=list)
        self.budget = budget
        self.remove_callback(PrinterCallback)
        self.weights, self.terms, self.variant = dict(weights), terms, variant
        self.beta, self.emit, self.reference = beta, emit, reference
        self.moved: Tensor | None = None
        self.shares: dict[str, float] = {}
        self.tokens, self.clock = 0, time.perf_counter()
        self.names: list[str] = []

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        return Epochs(len((train_dataset if train_dataset is not None else self.train_dataset).examples))

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: torch.device) -> dict[str, float]:
        if any(self.terms[term].step for term in self.weights):
            found = torch.cat([moved(self._prepare_inputs(b), self.model_wrapped) for b in batch_samples]).double()
            step = torch.stack([found.sum(), found.new_tensor(len(found))])
            if self.args.world_size > 1:
                step = self.accelerator.reduce(step, "sum")
            self.moved = step[0] / step[1]
        counts = torch.tensor(
            [sum(count(t, b, self.terms) for b in batch_samples) for t in self.weights], dtype=torch.float64
        )
        if self.args.world_size > 1:
            counts = self.accelerator.reduce(counts.to(device), "sum").cpu()
        return dict(zip(self.weights, counts.tolist(), strict=True))

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Tensor:
        """A part's share of the step's loss; stops at the first term that is not finite."""
        del return_outputs
        needs = {self.terms[term].needs for term in self.weights}
        out = run(model, inputs, layer=self.reference.layer if "hidden" in needs else None)
        logp = -torch.nn.functional.cross_entropy(out.logits, inputs["labels"], reduction="none")
        views = split(out, logp, inputs, logits="logits" in needs)
        known = self.reference.known(inputs, model, moved=self.moved)
        loss, shares = self.weighed(views, known, self.beta, num_items_in_batch)
        for term, share in shares.items():
            if not torch.isfinite(share):
                raise self._not_finite(term, share.item(), inputs["names"])
            self.shares[term] = self.shares.get(term, 0.0) + share.item()
            if abs(self.shares[term]) > COLLAPSED:
                raise self._not_finite(term, self.shares[term], inputs["names"])
        self.tokens += int(inputs["attention_mask"].sum())
        self.names += inputs["names"]
        return torch.mul(loss, self.args.world_size)

    def _clip_grad_norm(self, model: Any) -> Any:
        norm = super()._clip_grad_norm(model)
        if norm is not None and not math.isfinite(float(norm)):
            raise self._not_finite("the gradient", float(norm), self.names)
        return norm

    def _run_epoch(self, **arguments: Any) -> None:
        """As the Trainer does; it would train on where the checkpoint is of the last step, in mid-epoch."""
        if self.state.global_step < self.state.max_steps and not self.control.should_training_stop:
            super()._run_epoch(**arguments)

    def _save_checkpoint(self, *arguments: Any) -> None:
        """As the Trainer does; a disk that is full is one line, whoever writes."""
        with saved(Path(self.args.output_dir)):
            super()._save_checkpoint(*arguments)

    def _not_finite(self, what: str, value: float, names: Sequence[str]) -> NotFiniteError:
        return NotFiniteError(
            f"step {self.state.global_step + 1}: {what} is {value} on the rows of {', '.join(names[:4])}"
            f"{f' and {len(names) - 4} more' if len(names) > 4 else ''}; "
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
            self.emit(
                {
                    "step": self.state.global_step,
                    "steps": self.state.max_steps,
                    "loss": sum(self.weights[t] * v for t, v in self.shares.items()),
                    "lr": logs["learning_rate"],
                    "grad_norm": float(logs["grad_norm"]),
                    "tokens_per_s": round(self.tokens / max(now - self.clock, 1e-9)),
                    "terms": dict(self.shares),
                }
                | ({"duals": {term: self.weights[term] for term in self.variant.bounds}} if self.variant.bounds else {})
            )
            terms = {f"term/{name}": value for name, value in self.shares.items()}
            super().log({name: float(value) for name, value in logs.items()} | terms)
        self.ascend(self.shares)
        self.shares, self.tokens, self.clock, self.names = {}, 0, now, []


class Watcher(TrainerCallback):  # type: ignore[misc]
    """Calls somebody after every step, with the model ready to be evaluated."""

    def __init__(self, lm: LM, watch: Callable[[int], None]) -> None:
        self.lm, self.watch = lm, watch

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Evaluate, then go on training."""
        del args, control, kwargs
        self.lm.model.eval()
        self.watch(state.global_step)
        self.lm.model.train()


def budget_of(settings: Optimization, device: torch.device) -> int:
    """Tokens that go through the model at once in training on a device."""
    return settings.batch_tokens or (CPU_TOKENS if device.type == "cpu" else GPU_TOKENS)


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
        output_dir=str(folder or tempfile.gettempdir()),
        max_steps=steps,
        learning_rate=float(settings.lr),
        per_device_train_batch_size=int(settings.batch_size),
        gradient_accumulation_steps=settings.accumulate,
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        lr_scheduler_type=schedule,
        warmup_steps=warmup if warmup > 1 else 0,  # the first step of a warm-up has rate 0: a single one is a step lost
        bf16=settings.mixed_precision == "bf16",
        fp16=settings.mixed_precision == "fp16",
        activation_checkpointing=settings.gradient_checkpointing,
        optim="adamw_torch",
        seed=seed,
        data_seed=seed,
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="steps" if folder else "no",
        save_steps=settings.save_steps,
        save_total_limit=2,
        report_to=list(settings.report_to),
        disable_tqdm=True,
        remove_unused_columns=False,
        log_level="info" if terminal.verbose else "error",
        dataloader_pin_memory=False,
        use_cpu=lm.device.type == "cpu",
    )
    arguments._n_gpu = min(arguments.n_gpu, 1)
    return arguments


def train(
    lm: LM,
    rows: Rows,
    settings: Optimization,
    weights: Mapping[str, float],
    beta: float | None,
    folder: Path | None,
    *,
    seed: int,
    log: Log,
    chooser: Chooser | None = None,
    more: Sequence[TrainerCallback | None] = (),
    terms: Mapping[str, Term] = TERMS,
) -> None:
    """Train on rows in place, from a checkpoint in `folder` where there is one; leaves the whole model."""
    settings = settings.model_copy(update={"batch_size": min(int(settings.batch_size), len(rows.examples))})
    at_once = int(settings.batch_size) * settings.accumulate * world_size()
    steps = n_steps(len(rows.examples), float(settings.epochs), at_once)
    truncated = {e.name for e in rows.examples if any(s.truncated for view in e.views.values() for s in view)}
    if truncated:
        log({"step": 0, "steps": steps, "truncated": len(truncated)})
    _check_format(lm.model, float(settings.lr))
    variant = Variant.of(settings)
    trainer = UnlearnTrainer(
        weights=weights,
        terms=terms,
        variant=variant,
        beta=beta,
        emit=log,
        reference=Reference(lm.model, weights, seed, terms),
        budget=budget_of(settings, lm.device),
        model=lm.model,
        args=_arguments(lm, settings, folder, steps, seed),
        train_dataset=rows,
        callbacks=[*filter(None, (chooser, *more))],
    )
    whole = outline(lm.model) if is_sharded(trainer) else None
    if chooser and whole is not None:
        chooser.weights = partial(gathered, trainer)
    with rounded_forward(lm.model, variant.bits) if variant.bits else nullcontext():
        _until_done(trainer, folder, settings.max_minutes, lambda: bool(chooser and chooser.stopped))
    if whole is not None:
        lm.model = filled(whole, gathered(trainer))
    if chooser:
        chooser.restore()


def _until_done(
    trainer: UnlearnTrainer, folder: Path | None, minutes: float | None, is_chosen: Callable[[], bool]
) -> None:
    """Train to the last step, or to the one where choosing or a callback ends.

    Raises:
        KeyboardInterrupt: somebody asked to stop; there is a checkpoint.
        RunError: the minutes are over.
    """
    with asked_to_stop() if folder else nullcontext(lambda: False) as asked:
        checkpoint = agreed(lambda: last_complete(folder)) if folder else None
        keeper = Keeper(minutes, asked)
        _go_on(trainer, keeper, checkpoint)
    at, steps = trainer.state.global_step, trainer.state.max_steps
    if keeper.stopped and at < steps and not is_chosen():
        if asked():
            raise KeyboardInterrupt
        raise RunError(f"stopped at step {at} of {steps} after max_minutes={minutes}; the same command goes on")


def _go_on(trainer: UnlearnTrainer, keeper: Keeper, checkpoint: str | None) -> None:
    """Train, from a checkpoint where there is one; it is read as weights and numbers alone, and runs nothing.

    Raises:
        RunError: the checkpoint is somebody else's, or broken.
    """
    trainer.add_callback(keeper)
    try:
        with terminal.without_bars():
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
