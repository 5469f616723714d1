"""What a run needs, before it is begun: parameters, memory by formula, time, measured on a few facts where it can be.

In: settings and the work that they mean. Out: lines for the dry run. A model in a folder, if small enough, is loaded,
and two training steps and two batches of questions are timed. Of another one the time of training follows from how fast
this machine multiplies matrices.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import torch

from meow import lm, teacher, training
from meow.config import RunConfig
from meow.evaluation import sampling
from meow.evaluation.names import NAMES
from meow.losses import TERMS
from meow.losses.scores import OF_FORGET
from meow.memorization import measures
from meow.modelfiles import adapted_base, folder_of
from meow.pipeline.costs import sizes
from meow.pipeline.costs.sizes import GB, Pass, Shape, Way
from meow.processes import world_size
from meow.prompts import Template
from meow.records import QA, EvalItem, InvertedFacts, Target
from meow.training.trainer import budget_of

PATIENCE = 20.0
"""Seconds that measuring may take, by what the machine multiplies; longer, and nothing is loaded."""
SHORT = 32
"""Tokens of an answer while measuring; longer ones are reckoned up."""
NARROW = 8
"""Answers that go on together while measuring."""
READ = 1e9
"""Bytes of weights a second that are read and looked through."""
LONGEST = 200
"""Facts among which the one of most tokens is looked for: those of most characters."""
ASKED = 3
"""Prompts of a forget item: the question, its other words, the answer begun."""


class Work(NamedTuple):
    """What a run will do."""

    facts: Sequence[InvertedFacts]
    """What is to be forgotten, with the false answers that are there."""
    retain: Sequence[QA]
    """What is to stay."""
    items: Sequence[EvalItem]
    """What is evaluated on."""
    batch: int
    """Training rows of one forward pass."""
    passes: float
    """Forward passes of the whole training."""
    windows: int
    """Prompts of MEMO; 0: not measured."""


class Model(NamedTuple):
    """What is known of a model that is not loaded."""

    shape: Shape
    parameters: int
    dtype: torch.dtype
    device: torch.device


class Seconds(NamedTuple):
    """How long the parts of a run take."""

    training: float
    evaluation: float | None = None
    """Before and after; None: not known."""
    memo: float | None = None
    """Of MEMO; None: not known."""
    measuring: float | None = None
    """How long it took to find out; None: nothing was loaded."""


def lines(config: RunConfig, work: Work) -> list[str]:
    """Parameters, memory of training and time, in words; of a model of unknown shape that it is."""
    model = model_of(config)
    if model is None:
        return ["model: its configuration names no layers, width or vocabulary: memory and time are not known"]
    way, at_once = way_of(config, model), pass_of(config, work, model)
    trained = f"a LoRA adapter of rank {way.rank} is trained" if way.rank else "all of them trained"
    checkpointing = config.train.gradient_checkpointing
    held = sizes.states(model.shape, way, counted=model.parameters) / GB
    active = sizes.activations(model.shape, way, at_once, checkpointing=checkpointing) / GB
    what = "weights, gradients and AdamW" if not way.rank else "weights and adapter"
    total, kind = held + active + sizes.OWN, str(model.dtype).removeprefix("torch.")
    return [
        f"model: {model.parameters:,} parameters in {kind} on {model.device}, {trained}",
        f"memory of training: about {total:.1f} GB: {held:.1f} of {what}, {active:.1f} of activations "
        f"({at_once.sequences} sequences of up to {at_once.length} tokens at once), {sizes.OWN:.1f} of libraries",
        _time(seconds(config, work, model, way, at_once)),
    ]


def model_of(config: RunConfig) -> Model | None:
    """Shape, size, number format and device of the model that is to be trained; no weight is read.

    Raises:
        DataError: no such model.
    """
    from transformers import AutoConfig

    folder = folder_of(str(config.model.path), revision=config.model.revision)
    base = adapted_base(folder)
    folder = folder_of(base.path, revision=base.revision) if base else folder
    found = AutoConfig.from_pretrained(folder, trust_remote_code=config.model.trust_remote_code).get_text_config()
    shape, device = sizes.shape_of(found), lm.pick_device(config.model.device)
    if shape is None:
        return None
    stored = getattr(found, "dtype", None) or torch.float32
    named = "float32" if config.model.dtype == "auto" and device.type == "cpu" else config.model.dtype
    dtype = stored if named == "auto" else getattr(torch, named)
    return Model(shape, sizes.counted(folder) or sizes.parameters(shape), dtype, device)


def way_of(config: RunConfig, model: Model) -> Way:
    """How the settings train, in bytes per parameter."""
    train, size = config.train, float(model.dtype.itemsize)
    casts = train.mixed_precision != "no"
    wide = 1.0 if casts else size / 2
    if train.lora_rank:
        held = 0.52 if config.model.load_in_4bit else size
        return Way("LoRA", held, 0, 0, train.lora_rank, sizes.MARGIN * wide)
    copied = size if any(TERMS[term].asks for term in train.terms) else 0.0
    weights = size + copied + (2 if casts else 0)
    return Way("full", weights, size, 2 * size, wide=sizes.MARGIN if casts else wide)


def pass_of(config: RunConfig, work: Work, model: Model) -> Pass:
    """The largest forward pass of the training: all views of as many rows as go through the model at once, as long as
    the longest of the facts."""
    named = config.model
    template = Template(lm.load_tokenizer(named), named.template, args=named.template_args, date=named.template_date)
    tokens: list[tuple[int, int]] = []
    for fact in sorted([*work.facts, *work.retain], key=lambda f: len(f.conversation) + len(f.answer))[-LONGEST:]:
        frame = template.frame(fact)
        prompt, answer = (len(template.tokenizer(t)["input_ids"]) for t in (frame.before, fact.answer + frame.end))
        tokens.append((prompt + answer, answer + 1))
    longest, answer = max(n for n, _ in tokens), max(n for _, n in tokens)
    rows = max(1, budget_of(config.train, model.device) // (views(config) * longest))
    return Pass(min(work.batch, rows) * views(config), longest, answer)


def views(config: RunConfig) -> int:
    """Sequences of one training row."""
    read = {"forget" if v in OF_FORGET else v for term in config.train.terms for v in TERMS[term].views}
    return len(read - {"retain"}) + (config.train.retain_rows if "retain" in read else 0)


def seconds(config: RunConfig, work: Work, model: Model, way: Way, at_once: Pass) -> Seconds:
    """Time of the run: measured where that is quick, else estimated for the training alone."""
    rate, narrow = multiplied(model, 256), multiplied(model, NARROW)
    per_token = 2 * model.parameters * ((2 if way.rank else 3) + config.train.gradient_checkpointing)
    tokens = work.batch * views(config) * at_once.length
    once = tokens / work.batch if model.device.type == "cpu" else tokens
    loading = model.parameters * model.dtype.itemsize / READ
    spread = config.model.load_in_4bit or config.model.device_map or world_size() > 1
    costs = loading + 2 * once * per_token / rate + 3 * SHORT * NARROW * 2 * model.parameters / narrow
    if costs <= PATIENCE and not spread and Path(str(config.model.path)).is_dir():
        with suppress(MemoryError, torch.OutOfMemoryError):
            return measured(config, work)
    return Seconds(work.passes * tokens * per_token / rate)


def multiplied(model: Model, rows: int) -> float:
    """Floating-point operations a second of so many rows by a matrix of the model's, in its number format."""
    how: Any = {"dtype": model.dtype, "device": model.device}
    left, right = torch.ones(rows, model.shape.hidden, **how), torch.ones(model.shape.hidden, model.shape.inner, **how)
    times = []
    for _ in range(9):
        clock = time.perf_counter()
        float((left @ right)[0, 0])  # the number is waited for
        times.append(time.perf_counter() - clock)
    return 2 * rows * right.numel() / sorted(times)[4]


def measured(config: RunConfig, work: Work) -> Seconds:
    """Load the model, answer a few questions and take two training steps; nothing is kept.

    MEMO comes last, and only where half of PATIENCE is left.
    """
    clock = time.perf_counter()
    model = lm.load(config.model)
    assert model.serving  # it is looked for once
    forget = [item for item in work.items if item.role == "forget"]
    others = [item for item in work.items if item.role != "forget"]
    limit = int(sampling.settled(model, work.items, config.eval).max_new_tokens)
    short = config.eval.model_copy(update={"max_new_tokens": min(limit, SHORT)})
    points = [_answered(model, chosen, short) for chosen in (forget[:1], [*forget[:2], *others[:4]])]
    (few, first, _), (many, second, cut) = points
    each = min(max(second - first, 0.0) / max(many - few, 1), second / many)
    fixed = second - many * each
    longer = 1 + cut * (limit / min(limit, SHORT) - 1)
    evaluation = 2 * longer * (fixed + each * sum(map(_prompts, work.items)))
    steps = work.passes * _stepped(model, config, work)
    has_time = time.perf_counter() - clock < PATIENCE / 2
    memo = _remembered(model, config, work, fixed, each) if work.windows and has_time else None
    return Seconds(steps, evaluation, memo, time.perf_counter() - clock)


def _prompts(item: EvalItem) -> int:
    return ASKED if item.role == "forget" else 1


def _answered(model: lm.LM, items: Sequence[EvalItem], settings: Any) -> tuple[int, float, float]:
    """Prompts, seconds, and the share of answers that the limit stopped."""
    clock = time.perf_counter()
    found = list(sampling.evaluate(model, items, settings, original=model))
    share = sum(bool(sample.unfinished) for sample in found) / max(len(found), 1)
    return sum(map(_prompts, items)), time.perf_counter() - clock, share


def _remembered(model: lm.LM, config: RunConfig, work: Work, fixed: float, each: float) -> float:
    """Seconds of MEMO, by the true answers of two facts; more windows cost as more questions do.

    Args:
        model: the original.
        config: of the run.
        work: of the run.
        fixed: seconds of a batch of questions, however many.
        each: seconds more for each of them.
    """
    limit = min(int(measures.settled(model, work.facts, config.memo).max_new_tokens), SHORT)
    clock = time.perf_counter()
    facts = [fact.model_copy(update={"answers": (), "others": {}}) for fact in work.facts[:2]]
    rows = list(measures.memorize(model, facts, config.memo.model_copy(update={"max_new_tokens": limit})))
    took, n = time.perf_counter() - clock, sum(row.n for row in rows)
    groups = math.ceil(len(work.facts) / measures.GROUP)
    return took * (groups * fixed + each * work.windows) / max(fixed + each * n, 1e-9)


def _stepped(model: lm.LM, config: RunConfig, work: Work) -> float:
    """Seconds of one forward and backward pass with its share of an optimizer step; the second of two counts.

    On a CPU a pass of one row is timed and multiplied: there rows cost alike.
    """
    rows = 1 if model.device.type == "cpu" else work.batch
    targets = [Target(**f.model_dump(include=set(QA.model_fields)), target=f.answer) for f in work.facts]
    targets = (targets * (2 * rows))[: 2 * rows]
    times: list[float] = []
    few = {"epochs": 1, "batch_size": rows, "accumulate": 1, "evaluate_every": None, "max_minutes": None}
    settings = config.train.model_copy(update=few | {"lr": 1e-9, "report_to": ()})
    log = lambda row: times.append(time.perf_counter()) if "terms" in row else None  # noqa: E731
    taught = teacher.teach(model, targets, NAMES[:1]) if any(TERMS[t].renames for t in settings.terms) else ()
    training.forget(model, targets, work.retain, settings, None, seed=0, log=log, taught=taught)
    return (times[-1] - times[-2]) * work.batch / rows


def _time(found: Seconds) -> str:
    """How long it takes, in words."""
    if found.measuring is None:
        return f"time: training about {_long(found.training)}, estimated from how fast this machine multiplies matrices"
    parts = [f"training about {_long(found.training)}", f"both evaluations at most {_long(found.evaluation or 0)}"]
    parts += [f"memorization {_long(found.memo)}"] if found.memo is not None else []
    left = "inverting is" if found.memo is not None else "inverting and memorization are"
    return f"time: {', '.join(parts)}; measured on a few facts in {_long(found.measuring)}; {left} not counted"


def _long(time: float) -> str:
    if time < 100:
        return f"{time:.0f} s" if time >= 10 else f"{time:.1f} s"
    return f"{time / 60:.0f} min" if time < 6000 else f"{time / 3600:.1f} h"
