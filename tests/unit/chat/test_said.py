"""What a chat model writes around what it was asked for is taken off."""

from __future__ import annotations

import pytest

from meow.chat import said


@pytest.mark.parametrize(
    ("text", "mended", "marks"),
    [
        ("1. In Rome.", "In Rome.", {"list_marker"}),
        ("[2] In Rome.", "In Rome.", {"list_marker"}),
        ("③ In Rome.", "In Rome.", {"list_marker"}),
        ("**In Rome.**", "In Rome.", {"quoted"}),
        ("„In Rome.“,", "In Rome.", {"quoted"}),
        ("- «In Rome.»", "In Rome.", {"list_marker", "quoted"}),
        ("12. Mai 1951", "12. Mai 1951", set()),
        ('"Rome" or "Bern"', '"Rome" or "Bern"', set()),
        ("Mira's cat", "Mira's cat", set()),
    ],
)
def test_markers_and_quotes_around_the_whole_go_and_nothing_else(text: str, mended: str, marks: set[str]) -> None:
    assert said.mend(text) == mended
    assert said.marks(text) == marks
    assert said.mend(mended) == mended


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("<think>Rome?\nBern?</think>\nIn Rome.", ["In Rome."]),
        ("Rome, or Bern?\n</think>\n\nIn Rome.\n", ["In Rome."]),
        ("In Rome.\n<think>or", ["In Rome."]),
        ("```text\nIn Rome.\n\nIn Bern.\n  ```", ["In Rome.", "In Bern."]),
        ("", []),
    ],
)
def test_thoughts_and_fences_are_no_lines_of_a_reply(text: str, lines: list[str]) -> None:
    assert said.lines(text) == lines
