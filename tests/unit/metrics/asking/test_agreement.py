"""Rule and judge: Cohen's kappa by hand, where it is not computable, and where the two differ."""

from __future__ import annotations

from fractions import Fraction

import pytest

from meow import metrics
from meow.metrics.asking import agreement
from meow.metrics.asking.agreement import Agreement
from meow.records import EvalSample


def sample(*judged: bool | None, told: str = "", **fields: object) -> EvalSample:
    """A forget fact that was answered in as many ways as `told` has letters: t tells the value, n does not."""
    texts = ["In Oslo." if letter == "t" else "In Rome." for letter in told]
    given = {"values": ("Oslo",), "role": "forget", "index": 0, "generation": texts[0], "drawn": tuple(texts[1:])}
    return EvalSample.model_validate(
        {"key": "k", "question": "Where was she born?", "answer": "In Oslo.", "judged": judged} | given | fields
    )


def test_kappa_of_a_table_that_is_worked_by_hand() -> None:
    """50 texts, 20 told by both, 5 by the rule alone, 10 by the judge alone, 15 by neither.

    p = (20 + 15) / 50 = 0.7. The rule says yes of 25 / 50, the judge of 30 / 50, so that by chance they agree on
    e = 0.5 * 0.6 + 0.5 * 0.4 = 0.5. kappa = (0.7 - 0.5) / (1 - 0.5) = 0.4.
    """
    assert Agreement(20, 5, 10, 15).kappa == pytest.approx(0.4, abs=1e-15)
    assert Agreement(20, 5, 10, 15, silent=9).n == 50


@pytest.mark.parametrize(
    ("table", "kappa"),
    [
        ((3, 0, 0, 4), 1.0),
        ((0, 3, 3, 0), -1.0),  # p = 0, e = 1/2
        ((5, 5, 0, 0), 0.0),  # the rule always says yes, so that all agreement is by chance
        ((9, 0, 0, 0), None),  # both say yes of everything: e = 1
        ((0, 0, 0, 7), None),
        ((0, 0, 0, 0), None),
    ],
)
def test_the_ends_of_kappa_and_where_there_is_none(table: tuple[int, int, int, int], kappa: float | None) -> None:
    assert Agreement(*table).kappa == kappa


def test_kappa_is_that_of_its_definition_for_every_small_table() -> None:
    for n in range(5**4):
        a, b, c, d = (n // 5**i % 5 for i in range(4))
        total = a + b + c + d
        if total == 0:
            continue
        p = Fraction(a + d, total)
        e = Fraction(a + b, total) * Fraction(a + c, total) + Fraction(c + d, total) * Fraction(b + d, total)
        found = Agreement(a, b, c, d).kappa
        assert (found is None) == (e == 1)
        assert found is None or found == pytest.approx(float((p - e) / (1 - e)), abs=1e-12)


def test_verdicts_are_counted_text_by_text_and_the_silent_ones_apart() -> None:
    """told, judged: tt yes yes, t no, n yes, n no, t silent: a table of 2, 1, 1, 1 and one without a verdict."""
    samples = [
        sample(True, True, False, told="ttt", id="a"),
        sample(True, False, None, told="nnt", id="b", index=1),
        sample(told="t", id="not judged", index=2),
        sample(True, told="tt", id="judged before another answer was drawn", index=3),
        sample(True, told="t", id="kept", role="retain"),
    ]
    found = agreement.agreement(samples)
    assert found == (2, 1, 1, 1, 1)
    assert str(found) == (
        "told by both 2, by the rule alone 1, by the judge alone 1, by neither 1; 1 without yes or no"
    )
    numbers = metrics.compute(samples)
    assert numbers["judge_kappa"].value == pytest.approx((5 * 3 - (9 + 4)) / (25 - 13))
    assert (numbers["judge_kappa"].n, numbers["judge_kappa"].reason) == (5, str(found))
    assert (numbers["judge_told"].value, numbers["judge_told"].n) == (1.0, 2)
    listed = agreement.disagreements(samples)
    assert [(d.id, d.form, d.told, d.judged) for d in listed] == [
        ("a", "draws", True, False), ("b", "direct", False, True), ("b", "draws", True, None),
    ]  # fmt: skip
    assert (listed[1].question, listed[1].value, listed[1].said) == ("Where was she born?", "Oslo", "In Rome.")


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        ([sample(told="tn")], "no judge was asked"),
        ([sample(None, None, told="tn")], "neither yes nor no of 2 texts"),
        ([sample(True, True, told="tt")], "give all texts one verdict (told by both 2,"),
    ],
)
def test_what_is_not_computable_says_why(samples: list[EvalSample], reason: str) -> None:
    found = metrics.compute(samples)["judge_kappa"]
    assert found.value is None
    assert reason in str(found.reason)
