"""What a run would do and need, before it is begun."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from meow import inversion, notify, training
from meow.config import RunConfig
from meow.formats import layouts, sources
from meow.formats.documents.facts import asked, trains_on_passages
from meow.formats.inverted import read_inverted
from meow.memorization.measures import columns
from meow.memorization.windows import Pair, measured
from meow.pipeline import costs, stages
from meow.pipeline.plan import plan, run_of
from meow.processes import world_size
from meow.records import QA, InvertedAnswer, InvertedFacts, read_if
from meow.run import Run
from meow.training.rate import STEPS
from meow.training.rows import n_steps


def describe(config: RunConfig, *, needs: bool = True) -> str:
    """What a run would do.

    Args:
        config: of one seed.
        needs: also parameters, memory and time.
    """
    folder = run_of(config)
    notify.addresses(config.notify)
    wanted = plan(config)
    config = asked(config, folder.path)
    stages.check_inputs(config, [stage.name for stage in wanted])
    facts, items = sources.forget_set(config.data), sources.eval_items(config.data, limit=config.eval.rows)
    inverted = expected(folder, facts, config)
    trained = sources.passages(config.data) if trains_on_passages(config) else facts
    rows = training_rows(trained, inverted, config)
    sized = training.sized(config.train, rows)
    batch, epochs = min(int(sized.batch_size), rows), float(sized.epochs)
    steps = n_steps(rows, epochs, batch * sized.accumulate * world_size())
    roles = ", ".join(f"{sum(i.role == r for i in items)} {r}" for r in dict.fromkeys(i.role for i in items))
    own = layouts.probes(config.data, limit=config.eval.rows)
    roles += f", {len(own)} prompts of {layouts.LAYOUTS[own[0].layout].title}" if own else ""
    windows = _windows(inverted, config)
    numbers = {
        "invert": f"{len(facts)} questions, {config.invert.n} versions each{_requests(facts, config)}",
        "memo": f"about {windows} windows" if config.memo.cut == "chars" else "a cut after every token",
        "select": f"{config.select.rule}, k = {config.select.k}",
        "forget": f"about {steps} steps of {batch * config.train.accumulate} rows"
        + (f", and {STEPS[-1]} more for each learning rate looked at" if config.train.lr == "auto" else ""),
    }
    numbers["facts"] = _facts(facts, config)
    numbers["questions"] = f"{len(stages.lacking(config))} requests if every first reply is accepted"
    numbers["judge"] = f"answers to {len(facts)} questions go to {config.eval.judge.url}"
    lines = [f"{folder.path}, seed {config.seed}"]
    for stage in wanted:
        state = "finished" if folder.finished(stage.name) else "to do"
        lines.append(f"  {stage.name:16}{state:10}{numbers.get(stage.name, roles if 'eval' in stage.name else '')}")
    if needs and any(stage.name == "forget" for stage in wanted):
        measures = any(stage.name == "memo" for stage in wanted) and config.memo.path is None
        passes = rows * epochs / (batch * world_size())
        retain = sources.retain_set(config.data)
        taught = inverted if trained is facts else [InvertedFacts(**qa.model_dump()) for qa in trained]
        lines += costs.lines(config, costs.Work(taught, retain, items, batch, passes, windows if measures else 0))
    return "\n".join(lines)


def expected(folder: Run, facts: Sequence[QA], config: RunConfig) -> list[InvertedFacts]:
    """The facts with the false answers that the run or a file has; of those that have none yet, as many as are wanted,
    each as long as the true one.
    """
    path = config.invert.path
    listed = read_inverted(Path(path)) if path else read_if(folder / "inverted.jsonl", InvertedFacts)
    known = {row.conversation: row for row in listed}
    wanted = [] if path else [InvertedAnswer(text="")] * config.invert.n
    return [
        known.get(f.conversation)
        or InvertedFacts(**f.model_dump() | {"answers": [a.model_copy(update={"text": f.answer}) for a in wanted]})
        for f in facts
    ]


def training_rows(facts: Sequence[QA], inverted: Sequence[InvertedFacts], config: RunConfig) -> int:
    """Training rows: as many as there are answers to teach."""
    targets = config.train.targets
    if targets == "file":
        taught = sources.taught(Path(str(config.train.targets_path)), facts)
        return sum(map(len, taught.values()))
    if targets not in ("selected", "all"):
        return len(facts)
    most = config.select.k if targets == "selected" and config.select.rule != "all" else None
    return max(1, sum(len([a for a in fact.answers if a.text][:most]) for fact in inverted))


def _windows(inverted: Sequence[InvertedFacts], config: RunConfig) -> int:
    """Prompts of MEMO between characters."""
    pairs = [Pair(fact, column, text) for fact in inverted for column, text in columns(fact)]
    spans = [measured(pair, config.memo) or (0, 0) for pair in pairs]
    first = 1 if config.memo.on == "answer" else 0
    return sum(len(range(a + first, b, config.memo.stride)) for a, b in spans)


def _facts(facts: Sequence[QA], config: RunConfig) -> str:
    """What is made of documents."""
    n = len(sources.passages(config.data))
    if config.invert.names_chat_model:
        return f"{n} passages, as many requests if every first reply is accepted"
    return f"{n} passages, {len(facts)} facts"


def _requests(facts: Sequence[QA], config: RunConfig) -> str:
    if config.invert.backend not in inversion.ASKED:
        return ""
    return f", {inversion.requests(facts, config.invert)} requests if every first reply is accepted"
