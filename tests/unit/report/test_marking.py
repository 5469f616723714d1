"""Words of a text that are told, taught or new: where they stand, and the text cut at them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meow import values
from meow.report import marking

SCRIPTS = ["Oslo", "Rome,", "don't", "3.5", "她住在", "罗马", "é", "a-b", "(x)", "नमस्ते"]
TOLD, _, _, NEW = range(len(marking.KINDS))
WORDS = st.lists(st.sampled_from(SCRIPTS), max_size=8)


def new(before: str, after: str) -> list[marking.Piece]:
    return marking.pieces(after, {"new": marking.new(before, after)})


@given(WORDS, WORDS)
def test_new_words_are_marked_and_the_unmarked_ones_stood_there_before(old: list[str], words: list[str]) -> None:
    before, after = " ".join(old), " ".join(words)
    found = new(before, after)
    assert "".join(part if isinstance(part, str) else part[0] for part in found) == after
    assert all(part[0] == part[0].strip() for part in found if not isinstance(part, str))
    rest = iter(before.replace(" ", ""))
    assert all(letter in rest for part in found if isinstance(part, str) for letter in part.replace(" ", ""))
    assert all(isinstance(part, str) for part in new(after, after))


def test_only_the_changed_words_are_marked_whatever_the_script() -> None:
    assert new("Lives in Oslo, Norway.", "Lives in Rome, Italy.") == [
        "Lives in ", ("Rome", NEW), ", ", ("Italy", NEW), ".",
    ]  # fmt: skip
    assert new("她住在北京。", "她住在上海。") == ["她住在", ("上海", NEW), "。"]
    assert new("", "") == []


@pytest.mark.parametrize(
    ("accepted", "question", "text", "marked"),
    [
        (["Oslo"], "Where?", "In Oslo, oslo; not in Oslovia.", ["Oslo", "oslo"]),
        (["Mira Holt"], "Who wrote it?", "It was Holt.", ["Holt"]),  # a person by the last name
        (["5 June 1990"], "When was she born?", "On June 5, 1990 in Rome.", ["June 5, 1990"]),
        (["twenty-one"], "How many?", "It is 21 years.", ["21"]),
        (["Oslo, Norway"], "Where was she born?", "She comes from Oslo.", ["Oslo"]),
        (["The Amber Clock; Iron Mirror"], "Which books?", "The Amber Clock and Iron Hat.", ["The Amber Clock"]),
        (["罗马"], "她住在哪里？", "她住在罗马。", ["罗马"]),
        (["باريس"], "أين تعيش؟", "تعيش في باريس.", ["باريس"]),
        (["No"], "Did he?", "No, he had no time.", ["No"]),
        (["Oslo"], "Where?", "In Rome.", []),
        ([], "Where?", "In Rome.", []),
    ],
)
def test_a_told_value_is_found_where_it_stands(
    accepted: list[str], question: str, text: str, marked: list[str]
) -> None:
    assert [text[a:b] for a, b in marking.telling(accepted, text, question)] == marked


@given(WORDS, st.sampled_from(["Oslo", "Rome", "罗马", "3.5", "Norway"]))
def test_what_is_marked_tells_the_value_and_what_tells_it_is_marked(words: list[str], value: str) -> None:
    text = " ".join(words)
    spans = marking.telling([value], text, "Where?")
    assert bool(spans) == values.told([value], text, question="Where?")
    assert all(values.told([value], text[a:b], question="Where?") for a, b in spans)


def test_of_overlapping_marks_the_first_counts() -> None:
    assert marking.pieces("abc def", {"told": [(0, 3)], "new": [(2, 7)]}) == [("abc", TOLD), (" def", NEW)]
