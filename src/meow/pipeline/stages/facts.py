"""Documents -> facts.jsonl: what is asked about them, by completions or by a chat model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from meow import keys
from meow.config import RunConfig
from meow.errors import DataError
from meow.formats import sources
from meow.formats.documents import reading
from meow.formats.documents.completions import completions, left_out
from meow.formats.documents.facts import FACTS
from meow.pipeline.stages import asking
from meow.pipeline.stages.common import done
from meow.records import QA, write_records
from meow.run import Run
from meow.terminal import say
from meow.text import counted


def make_facts(folder: Run, config: RunConfig) -> None:
    """The passages of the forget set -> facts.jsonl. Replies of a chat model lie beside those of inversion."""
    passages, asks = sources.passages(config.data), config.invert.names_chat_model
    first = [reading.first(passage, config.invert) for passage in passages] if asks else []
    kind, source = ("facts by a chat model", asking.source(config)) if asks else ("facts", "")
    key = keys.of_stage(kind, config, {}, [source, first, passages])
    if done(folder, "facts", key, [FACTS]):
        return
    with folder.stage("facts", *key) as entry:
        if asks:
            found, replies = asking.conversed(
                folder,
                config,
                [reading.ask(passage, config.invert) for passage in passages],
                first=first,
                goes=f"facts: {counted(len(passages), 'passage')} of your documents go",
                doing="asking about passages",
            )
            facts, problems = _once(found)
            entry |= replies.as_object()
            say(f"facts: {replies.said()}")
        else:
            facts, problems = completions(passages), Counter[str](left_out(passages))
        _tell(passages, facts, problems, "question" if asks else "sentence")
        write_records(folder / FACTS, facts)
        entry |= {"rows": len(facts), "passages": len(passages), "left_out": dict(problems)}


def _tell(passages: Sequence[QA], facts: Sequence[QA], problems: Mapping[Any, int], unit: str) -> None:
    """One line on what was made.

    Raises:
        DataError: nothing.
    """
    why = "".join(f", {counted(n, unit)} left out: {problem}" for problem, n in problems.items() if n)
    if not facts:
        raise DataError(
            f"{passages[0].meta.get('document')}: no facts were made of {counted(len(passages), 'passage')}{why}; name "
            "another chat model (invert.model), or questions and answers of your own (data.facts)"
        )
    say(f"facts: {counted(len(facts), 'fact')} of {counted(len(passages), 'passage')}{why}")


def _once(found: Sequence[reading.Found]) -> tuple[list[QA], Counter[str]]:
    """The facts of all passages, none twice, and what was wrong with the others."""
    facts = {fact.question: fact for one in reversed(found) for fact in reversed(one.facts)}
    problems = sum((one.problems for one in found), Counter[str]())
    twice = sum(len(one.facts) for one in found) - len(facts)
    return list(facts.values())[::-1], problems + Counter({"asked twice": twice})
