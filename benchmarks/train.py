"""Speed of training: `python -m benchmarks.train`.

Input: tofu-mini `full`, the first 20 questions of forget05 with four inverted answers each (80 distinct rows), batches
of 16 rows, forward, backward and AdamW over three passes, model loaded, same number format and threads. Baseline, as
published: every sequence padded to 200 tokens, logits of the whole vocabulary at every position, the loss by
transformers; for NPO a second model in memory that is asked at every step, and one forward each for forget rows, retain
rows and that model. `train.target_nll.speedup`: the baseline sees every answer twice a batch, as the published data has
it; `train.target_nll.speedup_distinct`: once. Distinct rows per second; ours includes what is computed once beforehand.
Before timing, the gradients of the first batch are compared: their largest relative difference is printed.

What a variant costs, by whole trainings (`training.forget`) on four times as many true answers, `times` the seconds of
the plain one: `train.wpu.cost`, against `target_nll` on the same answers, with what asking under 20 names takes once
(`teacher_s`) apart; `train.surgery.cost`, NPO and a retain term with projected gradients against the same without.

With `--model MODEL`, a real one: `train.real.matmul_share`, a whole training of twenty real facts (with a false answer
each) beside thirty to keep. `baseline` is how long its products of matrices, as torch counts them, take at the rate of
one large product in the same process, so that `ratio` is the share of that peak.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import MODEL, arguments, figure, in_turns, real
from meow import teacher
from meow.api import given
from meow.config import ModelSettings, TrainSettings
from meow.evaluation.names import NAMES
from meow.formats.inverted import read_inverted
from meow.formats.sources import read_qa
from meow.lm import LM, load
from meow.losses import METHODS, objective
from meow.prompts import Encoded
from meow.records import QA, Target
from meow.run import peak_memory_mb
from meow.training import forget
from meow.training.forward import Reference, run, split
from meow.training.rows import Example, collate, count

BATCH, PASSES, TIMES, WIDTH, BETA = 16, 3, 3, 200, 0.1
KEPT = 30
"""Facts beside those to forget, on a real model."""
Step = Callable[[Any, Sequence[Example]], Tensor]
"""The loss of one batch."""


def on(device: torch.device, batch: Any) -> Any:
    """A batch on a device, as the Trainer moves it."""
    if isinstance(batch, dict):
        return {name: on(device, value) for name, value in batch.items()}
    return batch.to(device) if isinstance(batch, Tensor) else batch


def ours(method: str) -> Step:
    """One forward for all views, logits at answer positions alone, cached log-probabilities of the original."""
    weights = METHODS[method].objective

    def step(model: Any, rows: Sequence[Example]) -> Tensor:
        batch = on(model.device, collate(rows))
        said = run(model, batch)
        logp = -torch.nn.functional.cross_entropy(said.logits, batch["labels"], reduction="none")
        known = Reference(model, weights, 0).known(batch, model)
        counts = {term: count(term, batch) for term in weights}
        return objective(weights, split(said, logp, batch, logits=False), known, BETA, counts)[0]

    return step


def padded(sequences: Sequence[Encoded]) -> dict[str, Tensor]:
    """Ids, mask and labels (B, 200), the prompt and the padding ignored."""
    ids = torch.zeros((len(sequences), WIDTH), dtype=torch.long)
    mask, labels = torch.zeros_like(ids), torch.full_like(ids, -100)
    for i, s in enumerate(sequences):
        n = len(s.ids)
        ids[i, :n], mask[i, :n] = torch.tensor(s.ids), 1
        labels[i, s.start : n] = torch.tensor(s.ids[s.start :])
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def plain_nll(times: int) -> Step:
    """transformers' own loss; each row `times` times."""

    def step(model: Any, rows: Sequence[Example]) -> Tensor:
        loss: Tensor = model(**padded([row.views["target"][0] for row in rows for _ in range(times)])).loss
        return loss

    return step


def answer_logp(model: Any, batch: dict[str, Tensor]) -> Tensor:
    """(B,) log-probability of whole answers, from logits at every position."""
    logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    labels = batch["labels"][:, 1:]
    nll = torch.nn.functional.cross_entropy(logits[:, :-1].transpose(1, 2), labels, ignore_index=-100, reduction="none")
    return -nll.sum(-1)


def plain_npo(second: Any) -> Step:
    """NPO with the original as a second model, and gradient descent on the retain rows."""

    def step(model: Any, rows: Sequence[Example]) -> Tensor:
        forget = padded([row.views["forget"][0] for row in rows])
        with torch.no_grad():
            original = answer_logp(second, forget)
        ratio = answer_logp(model, forget) - original
        npo = (2 / BETA) * torch.nn.functional.softplus(BETA * ratio).mean()
        loss: Tensor = npo + model(**padded([row.views["retain"][0] for row in rows])).loss
        return loss

    return step


def gradient(lm: LM, step: Step, rows: Sequence[Example]) -> Tensor:
    """All of a batch's gradient, flat."""
    lm.model.zero_grad()
    step(lm.model, rows).backward()  # type: ignore[no-untyped-call]
    return torch.cat([p.grad.flatten() for p in lm.model.parameters() if p.grad is not None])


def training(lm: LM, step: Step, rows: Callable[[], Sequence[Example]]) -> Callable[[], None]:
    """A whole run on a fresh copy of the model."""

    def train() -> None:
        model = copy.deepcopy(lm.model).train()
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)
        examples = rows()
        for at in range(0, PASSES * len(examples), BATCH):
            optimizer.zero_grad()
            step(model, [examples[i % len(examples)] for i in range(at, at + BATCH)]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()

    return train


def compare(lm: LM, name: str, mine: Step, plain: Step, rows: Callable[[], Sequence[Example]]) -> None:
    """One figure."""
    first = rows()[:BATCH]
    a, b = gradient(lm, mine, first), gradient(lm, plain, first)
    lm.model.zero_grad()
    seconds, baseline = in_turns(TIMES, training(lm, mine, rows), training(lm, plain, rows))
    n = PASSES * len(rows())
    figure(name, ours=seconds, baseline=baseline, n=n, rows_per_s=round(n / seconds, 1),
           gradient_difference=float((a - b).norm() / b.norm()), threads=torch.get_num_threads(),
           device=str(lm.device), peak_memory_mb=peak_memory_mb())  # fmt: skip


def costs(lm: LM, facts: Sequence[QA], kept: Sequence[QA]) -> None:
    """Two figures: whole trainings against plain ones."""
    targets = [Target(**fact.model_dump(include=set(QA.model_fields)), target=fact.answer) for fact in facts]
    clock = time.perf_counter()
    taught = teacher.teach(lm, targets, NAMES[:20])
    asking = time.perf_counter() - clock

    def run(objective: dict[str, float], surgery: str | None = None) -> Callable[[], object]:
        values = {"objective": objective, "surgery": surgery, "targets": "none", "lr": 1e-5}
        settings = TrainSettings.model_validate(values | {"epochs": PASSES, "batch_size": BATCH})
        known = taught if "target_names" in objective else ()

        def train() -> None:
            one = LM(copy.deepcopy(lm.model), lm.tokenizer, template=lm.prompter.template)
            forget(one, targets, kept, settings, None, seed=0, log=lambda _: None, taught=known)

        return train

    both = {"forget_npo": 1.0, "retain_nll": 1.0}
    asked: dict[str, Any] = {"teacher_s": round(asking, 2)}
    for name, mine, plain, more in (
        ("train.wpu.cost", run({"target_names": 1.0}), run({"target_nll": 1.0}), asked),
        ("train.surgery.cost", run(both, "pcgrad"), run(both), {}),
    ):
        seconds, baseline = in_turns(TIMES, mine, plain)
        n = PASSES * len(targets)
        figure(name, ours=seconds, baseline=baseline, n=n, rows_per_s=round(n / seconds, 1),
               times=round(seconds / baseline, 2), threads=torch.get_num_threads(), **more)  # fmt: skip


def of_real(lm: LM, folder: Path, limit: int) -> None:
    """The figures on a real model."""
    everyday = real.everyday(folder)
    facts, kept = everyday[:limit], everyday[limit : limit + KEPT]
    targets = [
        Target(**fact.model_dump(include=set(QA.model_fields)), target=false)
        for fact, (false, *_) in zip(facts, real.false_answers(facts, 1), strict=True)
    ]
    for method in ("meow_contrast", "npo_grad_diff"):
        settings = given.settings("train", {"lr": 1e-5, "epochs": 1}, {}, method=method).train

        def train(settings: TrainSettings = settings) -> None:
            one = LM(copy.deepcopy(lm.model), lm.tokenizer, template=lm.prompter.template)
            forget(one, targets, kept, settings, None, seed=0, log=lambda _: None)

        with FlopCounterMode(display=False) as counted:
            train()
        rate, (seconds,) = real.peak(lm), in_turns(TIMES, train)
        figure("train.real.matmul_share", ours=seconds, baseline=counted.get_total_flops() / rate, method=method,
               facts=len(targets), peak_gflops=round(rate / 1e9), threads=torch.get_num_threads(),
               device=str(lm.device), peak_memory_mb=peak_memory_mb())  # fmt: skip


def main() -> None:
    """Print every figure."""
    options = arguments(__doc__ or "", limit=20)
    torch.set_num_threads(options.threads)
    lm = load(ModelSettings(path=str(options.model)))
    if options.model != MODEL:
        of_real(lm, options.data, options.limit)
        return
    facts = read_inverted(options.data / "meow/generated_data/forget05_perturbed_generated.json")[: options.limit]
    kept = read_qa(options.data / "tofu/retain95.json", set_="retain")
    pairs = [(fact, answer.text) for fact in facts for answer in fact.answers[:4] if answer.text]

    def taught() -> list[Example]:
        return [Example(f.id, {"target": (lm.prompter.encode(f, text),)}, {}) for f, text in pairs]

    def preferred() -> list[Example]:
        forget = [lm.prompter.encode(f, text) for f, text in pairs]
        retain = [lm.prompter.encode(qa) for qa in kept[: len(pairs)]]
        original = [float(s.logp.sum()) for s in lm.score(forget)]
        return [
            Example(f.id, {"forget": (a,), "retain": (b,)}, {"forget": o})
            for (f, _), a, b, o in zip(pairs, forget, retain, original, strict=True)
        ]

    second = copy.deepcopy(lm.model).eval()
    compare(lm, "train.target_nll.speedup", ours("meow"), plain_nll(2), taught)
    compare(lm, "train.target_nll.speedup_distinct", ours("meow"), plain_nll(1), taught)
    compare(lm, "train.npo_grad_diff.speedup", ours("npo_grad_diff"), plain_npo(second), preferred)
    costs(lm, read_qa(options.data / "tofu/forget05.json", set_="forget")[: 4 * options.limit], kept)


if __name__ == "__main__":
    main()
