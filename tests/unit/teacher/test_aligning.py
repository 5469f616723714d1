"""Tokens of an answer and of the same answer about somebody else, by hand."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest

from meow.evaluation.names import Swap, swaps
from meow.lm import LM
from meow.records import QA
from meow.teacher.aligning import Span, aligned, spans
from tests.unit.training.test_trainer import made

__all__ = ["made"]


def cut(text: str, ids: dict[str, int]) -> list[Span]:
    """The tokens of a text as they are listed: `|` ends one."""
    found: list[Span] = []
    at = 0
    for token in text.split("|"):
        found.append(Span(ids.setdefault(token, len(ids)), at, at + len(token), 0))
        at += len(token)
    return found


def test_offsets_count_from_the_end_of_the_last_name_and_names_have_a_beginning_alone() -> None:
    """Before the first name and behind every one the same offsets; `Ho|lt` becomes one token, `Ada` another one."""
    ids: dict[str, int] = {}
    true = cut("So| Mira| Ho|lt|'s| aunt| met| Ho|lt|.|</s>", ids)
    other = cut("So| Ada| Moor|'s| aunt| met| Moor|.|</s>", ids)
    names = swaps("So Mira Holt's aunt met Holt.", "Mira Holt", "Ada Moor")
    assert names == [Swap(3, 12, 3, 11), Swap(24, 28, 23, 27)]
    found = aligned(true, other, names)
    assert found.there == {0: 0, 1: 1, 4: 3, 5: 4, 6: 5, 7: 6, 9: 7, 10: 8}
    assert found.names == {1: (ids[" Ada"], ids[" Mira"]), 7: (ids[" Moor"], ids[" Ho"])}


def test_tokens_that_differ_are_left_out() -> None:
    """`Holt.` is one token and `Ada` another one with the full stop apart; `a|nd` is `an|d`."""
    ids: dict[str, int] = {}
    true, other = cut("Holt| a|nd| Holt.", ids), cut("Ada| an|d| Ada|.", ids)
    found = aligned(true, other, swaps("Holt and Holt.", "Holt", "Ada"))
    assert found.there == {0: 0, 3: 3}
    assert set(found.names) == {0, 3}


def test_a_token_that_ends_one_name_begins_no_other() -> None:
    ids: dict[str, int] = {}
    true, other = cut("Ho|lt Holt| is", ids), cut("Ada Ada| is", ids)
    found = aligned(true, other, [Swap(0, 4, 0, 3), Swap(5, 9, 4, 7)])
    assert found.there == {0: 0, 2: 1}


@pytest.mark.parametrize("answer", ["Mira Holt was born in Oslo.", "« Čapek » naïve – 北京 😀 Oslo", " Oslo "])
def test_tokens_spell_the_answer_between_what_is_before_and_what_closes_it(made: LM, answer: str) -> None:
    """Characters of several tokens too: each has its number among those that start where it does."""
    encoded = made.prompter.encode(QA(question="Where was Mira Holt born?", answer=answer))
    found = spans(made.tokenizer, encoded, answer)
    assert [span.id for span in found] == list(encoded.ids[encoded.start :])
    assert len({(span.start, span.nth) for span in found}) == len(found)
    assert found[0].start in (0, -1)
    assert found[-1].start == len(answer)
    assert all(one.end == two.start for one, two in pairwise(found))
    assert aligned(found, found, ()).there == {i: i for i in range(len(found))}


def test_what_is_cut_stands_for_nothing(made: LM) -> None:
    encoded: Sequence[Span] = spans(made.tokenizer, made.prompter.encode(QA(question="?", answer="Oslo")), "Rome")
    assert encoded == []
