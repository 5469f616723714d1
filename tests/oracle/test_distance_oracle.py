"""Forget distance: by hand for three questions, against a slow version, on the published logs; what pairing sees."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from meow import metrics
from meow.formats import evaluations
from meow.metrics import aggregate, distance, items
from meow.records import EvalSample, Likelihood
from meow.statistics import Floats, ks_test


def asked(
    index: int, log_ratio: float | None, *, id_: str | None = None, answer: str | None = None, subject: str = "Ada"
) -> EvalSample:
    """A forget question with a true answer of 20 nats a token and one wrong answer: log R = 20 - its loss."""
    wrong = () if log_ratio is None else (Likelihood(avg_loss=20 - log_ratio, n_tokens=4),)
    return EvalSample(
        key=f"k{index}", id=id_ or f"q{index}", role="forget", set="forget", index=index, question=f"Q{index}?",
        answer=answer or f"A{index}.", subject=subject, true=Likelihood(avg_loss=20.0, n_tokens=4), perturbed=wrong,
    )  # fmt: skip


def side(*logs: float | None) -> list[EvalSample]:
    return [asked(i, log) for i, log in enumerate(logs)]


def test_three_questions_by_hand() -> None:
    """log R -1, .5, 1 against -.7, .1, 1: gaps -.3, .4, 0; d = sqrt((.09 + .16 + 0) / 3) = .288675. A second
    reference at -.8, .1, 1.2: gaps -.1, 0, .2, d = sqrt(.05 / 3); the ratio is sqrt(.25 / .05) = sqrt(5)."""
    ours, reference, second = side(-1, 0.5, 1), side(-0.7, 0.1, 1), side(-0.8, 0.1, 1.2)
    found = metrics.compute(ours, reference=reference, second=second)
    d = found["forget_distance"]
    assert (d.value, d.n, d.unit) == (pytest.approx(0.2886751346), 3, "nats")
    assert d.extremes is not None
    assert d.extremes[0] == pytest.approx(0)
    assert d.extremes[3] == pytest.approx(0.4)
    assert d.low is not None
    assert d.high is not None
    assert 0 <= d.low < 0.2886751346 < d.high <= 0.4
    assert found["forget_distance_relative"].value == pytest.approx(math.sqrt(5))
    assert [(g.sample.id, round(g.nats, 9)) for g in distance.farthest(ours, reference, 2)] == [
        ("q1", 0.4),
        ("q0", -0.3),
    ]
    about = [asked(i, log, subject=who) for i, (log, who) in enumerate(((-1.0, "Ada"), (0.5, "Bo"), (1.0, "Ada")))]
    by = distance.by_subject(about, reference)
    assert {k: (v.value, v.n) for k, v in by.items()} == {
        "Bo": (pytest.approx(0.4), 1), "Ada": (pytest.approx(math.sqrt(0.045)), 2)
    }  # fmt: skip
    assert list(by) == ["Bo", "Ada"]


def slow(ours: list[EvalSample], theirs: list[EvalSample]) -> float:
    """The definition in loops: of each question the one with the same answer."""
    squares = []
    for s in ours:
        for r in theirs:
            if s.answer == r.answer:
                log_r = [
                    math.log(math.exp(-x.perturbed[0].avg_loss) / math.exp(-x.true.avg_loss)) for x in (s, r) if x.true
                ]
                squares.append((log_r[0] - log_r[1]) ** 2)
    return math.sqrt(sum(squares) / len(squares))


def test_questions_are_paired_whatever_their_order_and_their_ids() -> None:
    dice = np.random.default_rng(0)
    ours = [asked(i, float(x), answer=f"Town {i}.") for i, x in enumerate(dice.normal(size=40))]
    theirs = [
        asked(i, float(x), id_=f"published{i}", answer=f"Town {39 - i}.") for i, x in enumerate(dice.normal(size=40))
    ]
    expected = slow(ours, theirs)
    assert metrics.compute(ours, reference=theirs)["forget_distance"].value == pytest.approx(expected)
    mixed = [ours[i] for i in dice.permutation(40)]
    assert distance.forget_distance(mixed, reference=theirs[::-1]).value == pytest.approx(expected)
    assert len(distance.paired(ours[:25], theirs[20:])) == 20  # answers 0 to 24, and 0 to 19
    assert distance.forget_distance(ours[:25], reference=theirs).value == pytest.approx(slow(ours[:25], theirs))


def test_one_answer_to_several_questions_is_paired_by_id_and_else_in_order() -> None:
    ours = [asked(i, float(i), id_=name, answer="Yes.") for i, name in enumerate("abc")]
    theirs = [asked(i, 0.0, id_=name, answer="Yes.") for i, name in enumerate("xca")]
    assert [(a.id, b.id) for a, b in distance.paired(ours, theirs)] == [("a", "a"), ("b", "x"), ("c", "c")]


def test_what_has_no_log_ratio_is_left_out_counted_and_said() -> None:
    found = distance.forget_distance(side(1.0, None, 2.0), reference=side(0.0, 0.0, 2.0))
    assert (found.value, found.n) == (pytest.approx(math.sqrt(0.5)), 2)
    assert found.reason == "1 of 3 left out: no log R on both sides"
    nothing = distance.forget_distance(side(None, None), reference=side(1.0, 1.0))
    assert (nothing.value, nothing.reason) == (None, "no log R on both sides")
    same = side(1.0, 2.0)
    assert distance.relative(same, reference=same, second=same).reason == "the two references are the same"
    assert distance.relative(same, reference=same).reason == "no second one; set eval.second_reference"
    assert distance.forget_distance(same).reason == "no reference; set eval.reference"


def test_a_source_without_texts_is_paired_by_place_and_says_so() -> None:
    bare = [s.model_copy(update={"answer": "", "id": f"forget:{s.index}"}) for s in side(0.0, 0.0)]
    found = distance.forget_distance(side(3.0, 4.0), reference=bare[::-1])
    assert (found.value, found.reason) == (pytest.approx(math.sqrt(12.5)), metrics.NOT_VERIFIABLE)


def test_the_interval_covers_the_distance_of_all_questions() -> None:
    """Gaps drawn from one distribution of root mean square .5: 95% intervals hold it about as often."""
    dice, hits = np.random.default_rng(5), 0
    for _ in range(100):
        gaps = dice.normal(0.3, 0.4, 60)
        found = distance.forget_distance(side(*map(float, gaps)), reference=side(*[0.0] * 60))
        hits += (found.low or 0) <= 0.5 <= (found.high or 0)
    assert 0.9 <= hits / 100 <= 0.99


def published(shared: Path, name: str) -> tuple[EvalSample, ...]:
    return evaluations.read(shared / "data" / name).samples


@pytest.mark.parametrize(
    ("split", "first", "d", "p", "apart", "alike"),
    [("forget05", "retain95", 0.070, 0.713, 0.1022, 0.983), ("forget01", "retain99", 0.075, 1.0, 0.0998, 0.980)],
)
def test_two_independent_references_lie_so_far_apart(
    shared: Path, split: str, first: str, d: float, p: float, apart: float, alike: float
) -> None:
    """Models of 7 B, by TOFU's authors and by others, on the same questions."""
    reference = published(shared, f"tofu_logs/llama2-7b_{first}_wd0.01")
    second = published(shared, f"tofu_logs_second/llama2-7b_retain_{split}")
    for what, value in (("d", d), ("p", p)):
        assert aggregate.forget_test(second, reference=reference, what=what).value == pytest.approx(value, abs=5e-4)
    found = distance.forget_distance(second, reference=reference)
    assert (found.value, found.n) == (pytest.approx(apart, abs=1e-4), 200 if split == "forget05" else 40)
    assert distance.relative(second, reference=reference, second=second).value == pytest.approx(1)
    both = ratios(distance.paired(second, reference))
    assert np.corrcoef(both.T)[0, 1] == pytest.approx(alike, abs=1e-3)


def ratios(pairs: list[tuple[EvalSample, EvalSample]]) -> Floats:
    return np.array([[items.log_truth_ratio(s) for s in pair] for pair in pairs], dtype=np.float64)


def test_pairing_sees_a_tenth_of_the_full_model_that_ks_does_not(shared: Path) -> None:
    """As docs/numbers.md has it, of the 100 questions of forget05 that the full model's log holds, n = 40, 20 draws:
    log R = .9 second reference's + .1 full model's lies farther from the reference than the second reference does."""
    reference = published(shared, "tofu_logs/llama2-7b_retain95_wd0.01")
    second = published(shared, "tofu_logs_second/llama2-7b_retain_forget05")
    full = distance.paired(published(shared, "tofu_logs/llama2-7b_full_wd0.01"), reference)
    places = {r.index: i for i, (_, r) in enumerate(full)}
    known, theirs = ratios(full).T
    honest = ratios([(s, r) for s, r in distance.paired(second, reference) if r.index in places])[:, 0]
    assert list(places) == list(range(100))
    assert ks_test(known, theirs).p < 1e-6
    dice, seen = np.random.default_rng(0), {"ks": 0, "pairing": 0}
    for _ in range(20):
        at = dice.choice(100, 40, replace=False)
        mixed, one, other = (side(*map(float, x[at])) for x in (0.9 * honest + 0.1 * known, theirs, honest))
        seen["ks"] += ks_test(0.9 * honest[at] + 0.1 * known[at], theirs[at]).p < 0.05
        low = distance.relative(mixed, reference=one, second=other).low
        seen["pairing"] += low is not None and low > 1
    assert seen["ks"] == 0
    assert seen["pairing"] >= 16
