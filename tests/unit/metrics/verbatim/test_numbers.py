"""Numbers of verbatim memorization, worked by hand."""

from __future__ import annotations

import random

import pytest

from meow.metrics import METRICS, compute
from meow.records import Continued, EvalSample
from meow.tables.evidence import of_passages
from meow.text import longest_substring


def row(prefix: int, equal: int, lcs: int, *, rouge: float | None = 0.5) -> Continued:
    return Continued(prefix=prefix, tokens=20, truth="x" * 40, said="x" * lcs, equal=equal, rougeL=rouge, lcs=lcs)


def sample(index: int, *rows: Continued) -> EvalSample:
    return EvalSample(key="", id=f"p{index}", role="passages", set="forget", index=index, answer="x", continued=rows)


def test_each_passage_counts_once_by_the_mean_of_its_beginnings() -> None:
    samples = [sample(0, row(16, 20, 40, rouge=1.0), row(32, 10, 20, rouge=None)), sample(1, row(16, 0, 0)), sample(2)]
    found = compute(samples)
    assert found["verbatim_rougeL"].value == pytest.approx((1.0 + 0.5) / 2)
    assert found["verbatim_lcs"].value == pytest.approx((30 + 0) / 2)
    assert found["verbatim_lcs_share"].value == pytest.approx((0.75 + 0) / 2)
    assert found["verbatim_exact"].value == pytest.approx((0.75 + 0) / 2)
    assert found["verbatim_exact"].n == 2
    assert found["extracted_16"].value == 0.5
    assert (found["extracted_32"].value, found["extracted_32"].n) == (0.0, 1)
    assert found["extracted_64"].value is None
    assert "too short" in str(found["extracted_64"].reason)
    low, high = found["verbatim_lcs"].low, found["verbatim_lcs"].high
    assert low is not None
    assert high is not None
    assert low < 15 < high
    assert METRICS["extracted_128"].better == "lower"


def test_the_page_lists_passages_by_what_is_left_of_them() -> None:
    before = [sample(0, row(16, 20, 40)), sample(1, row(16, 10, 0)), sample(2)]
    after = [sample(0, row(16, 5, 40)), sample(1, row(16, 10, 0)), sample(2)]
    found = of_passages({"before": before, "after": after}, ids=True)
    assert [(r.name, [c.text for c in r.cells]) for r in found.rows] == [
        ("p1", ["0.500", "0.500"]),
        ("p0", ["1.000", "0.250"]),
    ]
    assert of_passages({"before": []}).rows == []


def test_without_documents_there_is_a_reason() -> None:
    found = compute([EvalSample(key="", id="a", role="forget", set="forget", index=0, question="Q", answer="A")])
    assert found["verbatim_rougeL"].reason == "the forget set is no document"


def test_the_longest_common_substring_is_that_of_a_quadratic_table() -> None:
    draw = random.Random(0)
    for _ in range(300):
        a, b = ("".join(draw.choice("ab c") for _ in range(draw.randrange(30))) for _ in range(2))
        table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
        for i, x in enumerate(a, 1):
            for j, y in enumerate(b, 1):
                table[i][j] = table[i - 1][j - 1] + 1 if x == y else 0
        assert longest_substring(a, b) == max(map(max, table))
