"""Further questions that a chat model writes for an evaluation, where one is named and the facts lack them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from meow import inversion, keys, terminal
from meow.config import RunConfig
from meow.evaluation.asking import writing
from meow.evaluation.asking.writing import Wanted
from meow.formats import sources
from meow.inversion.chat.models import conversations, side_by_side
from meow.inversion.subjects import with_subjects
from meow.pipeline.inputs.models import inverter
from meow.pipeline.stages.common import done
from meow.pipeline.stages.models import lm_for, weights
from meow.processes import agreed
from meow.records import Reply, Written, write_records
from meow.run import Run
from meow.run.rows import keeping
from meow.terminal import say
from meow.text import counted


def lacking(config: RunConfig) -> list[Wanted]:
    """The further questions that facts lack and a chat model is to write; none where no chat model is named."""
    if not inversion.names_chat_model(config.invert):
        return []
    items = sources.eval_items(config.data, limit=config.eval.rows)
    return writing.wanted(with_subjects([item for item in items if item.role == "forget"]), config.eval)


def write_questions(folder: Run, config: RunConfig) -> None:
    """Facts -> questions.jsonl: what they lack, or why it was left out. Replies lie beside those of inversion."""
    wanted, settings = lacking(config), config.invert
    here = settings.backend == "local"
    source = weights(inverter(config)) if here else str([settings.url, settings.model])
    requests = [writing.first(one, settings) for one in wanted]
    key = keys.of_stage("questions", config, {}, [source, requests, [one.mark for one in wanted]])
    if done(folder, "questions", key, ["questions.jsonl"]):
        return
    with folder.stage("questions", *key) as entry:
        with keeping(folder / "replies.jsonl", Reply) as (known, keep):
            replies = inversion.Replies(settings, source, known=known, keep=keep)
            rows = agreed(lambda: _written(config, wanted, replies, here=here))
        write_records(folder / "questions.jsonl", rows)
        left_out = Counter(row.problem for row in rows if row.problem)
        entry |= {"rows": len(rows), "left_out": dict(left_out)} | replies.as_object()
        why = "".join(f", {n} left out: {problem}" for problem, n in left_out.items())
        say(f"questions: {len(rows) - left_out.total()} of {len(rows)} are asked{why}; {replies.said()}")


def _written(config: RunConfig, wanted: Sequence[Wanted], replies: inversion.Replies, *, here: bool) -> list[Written]:
    """What the model writes, in order of what is wanted."""
    settings = config.invert
    if not wanted:
        return []
    if any(replies.known(writing.first(one, settings)) is None for one in wanted):
        reverse = sum(one.lang is None for one in wanted)
        what = f"{counted(reverse, 'question')} with true answers, and {len(wanted) - reverse} to be translated,"
        say(f"questions: {what} go to {inverter(config).path if here else settings.url}")
    asking = [writing.ask(one, settings) for one in wanted]
    found: list[Written] = []
    with terminal.progress("writing questions", len(wanted), note=replies.said) as advance:
        both = side_by_side(lm_for(inverter(config)), asking, settings, replies) if here else None
        for row in both or conversations(asking, settings, replies):
            found.append(row)
            advance(1)
    order = {(one.fact.id, one.mark): i for i, one in enumerate(wanted)}
    return sorted(found, key=lambda row: order[row.id, row.about])
