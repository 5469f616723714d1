"""What a run would do, counted before anything is loaded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from meow import inversion, notify, training
from meow.config import RunConfig
from meow.formats import sources
from meow.formats.inverted import read_inverted
from meow.memorization.measures import columns
from meow.memorization.windows import Pair, measured
from meow.pipeline import stages
from meow.pipeline.plan import plan, run_of
from meow.records import QA, InvertedFacts


def describe(config: RunConfig) -> str:
    """What a run would do, counted without loading a model."""
    folder = run_of(config)
    notify.addresses(config.notify)
    stages.check_inputs(config, [stage.name for stage in plan(config)])
    facts, items = sources.forget_set(config.data), sources.eval_items(config.data, limit=config.eval.rows)
    k = {"selected": config.select.k, "all": config.invert.n}.get(str(config.train.targets), 1)
    rows = len(facts) * k
    sized = training.sized(config.train, rows)
    batch = min(int(sized.batch_size), rows) * config.train.accumulate
    steps = math.ceil(rows * float(sized.epochs) / batch)
    roles = ", ".join(f"{sum(i.role == r for i in items)} {r}" for r in dict.fromkeys(i.role for i in items))
    numbers = {
        "invert": f"{len(facts)} questions, {config.invert.n} versions each{_requests(facts, config)}",
        "memo": f"about {_windows(facts, config)} windows" if config.memo.cut == "chars" else "a cut after every token",
        "select": f"{config.select.rule}, k = {config.select.k}",
        "forget": f"about {steps} steps of {batch} rows",
    }
    lines = [f"{folder.path}, seed {config.seed}"]
    for stage in plan(config):
        state = "finished" if folder.finished(stage.name) else "to do"
        lines.append(f"  {stage.name:16}{state:10}{numbers.get(stage.name, roles if 'eval' in stage.name else '')}")
    return "\n".join(lines)


def _windows(facts: Sequence[QA], config: RunConfig) -> int:
    """Prompts of MEMO between characters; of false answers that are not there yet as many as of the true one."""
    path = config.invert.path
    listed = read_inverted(Path(path)) if path else [InvertedFacts(**fact.model_dump()) for fact in facts]
    pairs = [Pair(fact, column, text) for fact in listed for column, text in columns(fact)]
    spans = [measured(pair, config.memo) or (0, 0) for pair in pairs]
    first = 1 if config.memo.on == "answer" else 0
    return (1 if path else 1 + config.invert.n) * sum(len(range(a + first, b, config.memo.stride)) for a, b in spans)


def _requests(facts: Sequence[QA], config: RunConfig) -> str:
    if config.invert.backend not in inversion.ASKED:
        return ""
    return f", {inversion.requests(facts, config.invert)} requests if every first reply is accepted"
