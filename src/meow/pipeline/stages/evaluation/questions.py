"""Further questions that a chat model writes for an evaluation, where one is named and the facts lack them."""

from __future__ import annotations

from collections import Counter

from meow import keys
from meow.config import RunConfig
from meow.evaluation.asking import writing
from meow.evaluation.asking.writing import Wanted
from meow.formats import sources
from meow.pipeline.stages import asking
from meow.pipeline.stages.common import done
from meow.records import write_records
from meow.run import Run
from meow.subjects import with_subjects
from meow.terminal import say
from meow.text import counted


def lacking(config: RunConfig) -> list[Wanted]:
    """The further questions that facts lack and a chat model is to write; none where no chat model is named."""
    if not config.invert.names_chat_model:
        return []
    items = sources.eval_items(config.data, limit=config.eval.rows)
    return writing.wanted(with_subjects([item for item in items if item.role == "forget"]), config.eval)


def write_questions(folder: Run, config: RunConfig) -> None:
    """Facts -> questions.jsonl: what they lack, or why it was left out. Replies lie beside those of inversion."""
    wanted, settings = lacking(config), config.invert
    first = [writing.first(one, settings) for one in wanted]
    key = keys.of_stage("questions", config, {}, [asking.source(config), first, [one.mark for one in wanted]])
    if done(folder, "questions", key, ["questions.jsonl"]):
        return
    reverse = sum(one.lang is None for one in wanted)
    what = f"{counted(reverse, 'question')} with true answers, and {len(wanted) - reverse} to be translated,"
    with folder.stage("questions", *key) as entry:
        rows, replies = asking.conversed(
            folder,
            config,
            [writing.ask(one, settings) for one in wanted],
            first=first,
            goes=f"questions: {what} go",
            doing="writing questions",
        )
        write_records(folder / "questions.jsonl", rows)
        left_out = Counter(row.problem for row in rows if row.problem)
        entry |= {"rows": len(rows), "left_out": dict(left_out)} | replies.as_object()
        why = "".join(f", {n} left out: {problem}" for problem, n in left_out.items())
        say(f"questions: {len(rows) - left_out.total()} of {len(rows)} are asked{why}; {replies.said()}")
