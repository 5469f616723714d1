"""Which step's weights are kept: looks at the tuning half, and the best of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import TrainerCallback

from meow.config import TrainSettings
from meow.files import write_text
from meow.lm import LM
from meow.processes import agreed
from meow.records import Look, chosen_step
from meow.training.checkpoints import saved

Log = Callable[[dict[str, Any]], None]


class Chooser(TrainerCallback):  # type: ignore[misc]
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
            kept = trained(self.lm, self.weights())
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
        return chosen_step(self.looks)

    def restore(self) -> None:
        """Put the chosen step's weights back, into the whole model."""
        put_back(self.lm, load_file(self.best))


class HalfWay(TrainerCallback):  # type: ignore[misc]
    """Looks once, after half of the steps, with the model ready to be evaluated; whoever looks may raise."""

    def __init__(self, lm: LM, look: Callable[[LM], None]) -> None:
        self.lm, self.look = lm, look

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Look, then go on training."""
        del args, control, kwargs
        if state.global_step == (state.max_steps + 1) // 2:
            self.lm.model.eval()
            self.look(self.lm)
            self.lm.model.train()


def trained(lm: LM, every: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Those of a model's weights that are trained, to be written: on the CPU."""
    names = [n for n, p in lm.model.named_parameters() if p.requires_grad and n in every]
    return {n: every[n].detach().cpu().contiguous() for n in names}


def put_back(lm: LM, weights: Mapping[str, Tensor]) -> None:
    """Overwrite weights of a model with those that were written."""
    own = dict(lm.model.named_parameters())
    with torch.no_grad():
        for name, value in weights.items():
            own[name].copy_(value)
