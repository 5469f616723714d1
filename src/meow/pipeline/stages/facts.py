"""Documents -> facts.jsonl: what is asked about them, by completions or by a chat model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from meow import inversion, keys, terminal
from meow.config import RunConfig
from meow.errors import DataError
from meow.formats import sources
from meow.formats.documents.completions import completions, left_out
from meow.formats.documents.facts import FACTS
from meow.inversion.chat import reading
from meow.inversion.chat.models import conversations, side_by_side
from meow.pipeline.inputs.models import inverter
from meow.pipeline.stages.common import done
from meow.pipeline.stages.models import lm_for, weights
from meow.processes import agreed
from meow.records import QA, Reply, write_records
from meow.run import Run
from meow.run.rows import keeping
from meow.terminal import say
from meow.text import counted


def make_facts(folder: Run, config: RunConfig) -> None:
    """The passages of the forget set -> facts.jsonl. Replies of a chat model lie beside those of inversion."""
    passages, settings = sources.passages(config.data), config.invert
    asks = inversion.names_chat_model(settings)
    here = settings.backend == "local"
    source = (weights(inverter(config)) if here else str([settings.url, settings.model])) if asks else ""
    kind = "facts by a chat model" if asks else "facts"
    requests = [reading.first(passage, settings) for passage in passages] if asks else []
    key = keys.of_stage(kind, config, {}, [source, requests, passages])
    if done(folder, "facts", key, [FACTS]):
        return
    with folder.stage("facts", *key) as entry:
        if asks:
            with keeping(folder / "replies.jsonl", Reply) as (known, keep):
                replies = inversion.Replies(settings, source, known=known, keep=keep)
                found = agreed(lambda: _read(config, passages, replies, here=here))
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


def _read(config: RunConfig, passages: Sequence[QA], replies: inversion.Replies, *, here: bool) -> list[reading.Found]:
    """What the chat model asks about each passage."""
    settings = config.invert
    if any(replies.known(reading.first(passage, settings)) is None for passage in passages):
        to = inverter(config).path if here else settings.url
        say(f"facts: {counted(len(passages), 'passage')} of your documents go to {to}")
    asking = [reading.ask(passage, settings) for passage in passages]
    with terminal.progress("asking about passages", len(passages), note=replies.said) as advance:
        both = side_by_side(lm_for(inverter(config)), asking, settings, replies) if here else None
        found = []
        for one in both or conversations(asking, settings, replies):
            found.append(one)
            advance(1)
    order = {passage.id: i for i, passage in enumerate(passages)}
    return sorted(found, key=lambda one: min((order[fact.meta["passage"]] for fact in one.facts), default=0))


def _once(found: Sequence[reading.Found]) -> tuple[list[QA], Counter[str]]:
    """The facts of all passages, none twice, and what was wrong with the others."""
    facts = {fact.question: fact for one in reversed(found) for fact in reversed(one.facts)}
    problems = sum((one.problems for one in found), Counter[str]())
    twice = sum(len(one.facts) for one in found) - len(facts)
    return list(facts.values())[::-1], problems + Counter({"asked twice": twice})
