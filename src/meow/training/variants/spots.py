"""The value alone: which tokens of a true answer are forgotten, and what becomes of the others (`train.on: value`).

Source: TPO, arXiv 2506.03142, which forgets unwanted words and preserves general ones. Differs: the value is found by
rule (SPEC section 8), and the other words are kept by cross-entropy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from meow import values
from meow.config import TrainSettings
from meow.errors import ConfigError
from meow.losses import Term
from meow.prompts import Encoded, Prompter
from meow.prompts.places import Spot, place
from meow.records import Fact

KEEP = "keep_nll"
"""The term that gets the rest of the answers."""


def with_rest(settings: TrainSettings, terms: Mapping[str, Term]) -> TrainSettings:
    """The settings with the term of the rest of the answers, at weight 1 where the objective gives none.

    Raises:
        ConfigError: no term reads the true answers to forget, or one reads their rest though all of it is forgotten.
    """
    weights = settings.objective or {}
    views = {view for name in weights for view in terms[name].views}
    if settings.on == "answer":
        if "keep" in views:
            raise ConfigError(
                f"train.objective: {KEEP} reads what is beside the values; set train.on=value, or drop it"
            )
        return settings
    if "forget" not in views:
        raise ConfigError(
            "train.on: found value, but no term of the objective reads the true answers; take one that does (a "
            "forget_* term), or leave train.on out"
        )
    return settings.model_copy(update={"objective": {**weights, KEEP: weights.get(KEEP, 1.0)}})


def spot(prompter: Prompter, fact: Fact, encoded: Encoded) -> tuple[int, int] | None:
    """The answer tokens that a fact's value takes, from 0, the last one exclusive.

    None where it has no place in the answer, where it was cut off, or where it is a yes or no, on which every word
    depends.

    Args:
        prompter: that made the tokens.
        fact: a question and its true answer.
        encoded: both as tokens, perhaps cut.
    """
    span = values.place(fact.accepted, fact.question, fact.answer)
    if span is None or values.kind(fact.answer[slice(*span)], fact.question) == "yes/no":
        return None
    found = place(prompter, Spot(fact, fact.answer, *span))
    if found is None or found.encoded.ids != encoded.ids[: len(found.encoded.ids)]:
        return None
    return found.encoded.start - encoded.start, len(found.encoded.ids) - encoded.start


def spots(
    prompter: Prompter, facts: Sequence[Fact], sequences: Sequence[Encoded]
) -> tuple[list[tuple[int, int]], list[Fact]]:
    """The answer tokens to forget of every fact, and the facts of which that is the whole answer."""
    found = [spot(prompter, fact, encoded) for fact, encoded in zip(facts, sequences, strict=True)]
    whole = [fact for fact, at in zip(facts, found, strict=True) if at is None]
    return [at or (0, len(s.ids) - s.start) for at, s in zip(found, sequences, strict=True)], whole
