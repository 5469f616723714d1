"""The meta-evaluation of our metrics: its arithmetic by hand, and what its models are trained on."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import meta
from meow import values
from meow.formats import sources
from meow.records import Value


def test_auc_of_three_against_three_by_hand() -> None:
    # 3 is above all three; 2 is above two and level with one; 1 is above two: 3 + 2.5 + 2 of 9 pairs
    assert meta.faithfulness([3, 2, 1], [0, 2, 0.5]) == pytest.approx(7.5 / 9)
    assert meta.faithfulness([0, 0, 0], [1, 2, 3]) == 0


def test_the_share_that_the_group_explains_of_three_and_three_by_hand() -> None:
    # means 2 and 0, 1 from the middle in six models; 4 + 1 + 0 + 0 + 1 + 4 in all
    assert meta.explained([3, 2, 1], [1, 0, -1]) == pytest.approx(6 / 10)
    assert (meta.explained([1, 1, 1], [0, 0, 0]), meta.explained([1, 1], [1, 1])) == (1, 0)


def test_a_score_rises_with_what_is_known() -> None:
    assert meta.score("lower", 0.8, None) == 0.8
    assert meta.score("higher", 0.8, None) == -0.8
    assert meta.score("reference", 0.75, 0.5) == meta.score("reference", 0.25, 0.5) == 0.25


def test_stability_of_three_models_by_hand() -> None:
    # changes of 0.1, 0 and 0.2, up or down: 0.1 on average, a fifth of the distance
    assert meta.stability([1, 0.9, 0.1], [0.9, 0.9, 0.3], 0.5) == pytest.approx(0.8)
    assert meta.stability([1, 0.9, 0.1], [0.9, 0.9, 0.3], -0.5) == pytest.approx(0.8)
    assert meta.stability([1, 0.9, 0.1], [0.9, 0.9, 0.3], 0.05) == 0  # moves further than knowing does
    assert (meta.stability([1, 1], [1, 1], 0), meta.stability([1, 1], [1, 0.9], 0)) == (1, 0)


def scored(plain: float, relearned: float) -> meta.Scored:
    """A model that tells so many facts, before and after; rounding changes nothing."""
    whole, after = ({"facts_told": Value(value=v), "mia_loss": Value(value=v)} for v in (plain, relearned))
    return meta.Scored(
        whole, whole, whole, after, ({"mia_loss": Value(value=0.5), "facts_told": Value(value=0.1)},) * 2
    )


def test_a_metric_is_judged_by_hand() -> None:
    saw, not_ = [scored(v, v - 0.25) for v in (1, 0.875, 0.75)], [scored(v, v) for v in (0, 0.125, 0.25)]
    # apart throughout; 0.25 in half of the models is 0.125, of a distance of 0.75: 1 - 1/6; with 1 for rounding
    stable = 2 / (6 / 5 + 1)
    # means 3/8 from the middle, squared 9/64; within the groups two of three are 1/8 from it: 1/96
    between = 9 / 64 / (9 / 64 + 1 / 96)
    assert meta.judged("facts_told", saw, not_) == {
        "auc": 1.0,
        "explained": round(between, 3),
        "stability": round(stable, 3),
        "relearned": 0.833,
        "rounded": 1.0,
        "trust": round(3 / (1 + 1 / between + 1 / stable), 3),
        "saw": 0.875,
        "did_not": 0.125,
    }
    # 0.5, 0.375 and 0.25 from the reference on either side: three pairs above, three level, of nine
    assert meta.judged("mia_loss", saw, not_)["auc"] == 0.5


def test_what_cannot_be_judged_says_why() -> None:
    none = scored(0.5, 0.5)._replace(relearned={"facts_told": Value(value=None, reason="nothing was generated")})
    why = {"not judged": "nothing was generated (1 of 8 values)"}
    assert meta.judged("facts_told", [none], [scored(0.1, 0.1)]) == why
    assert meta.judged("truncated", [none], [none]) == {"not judged": "no direction is better"}


def test_each_kind_of_model_learns_what_it_is_said_to(tmp_path: Path) -> None:
    world = meta.World(tmp_path, 0)
    whole, reworded, retain, false = (world.rows(kind) for kind in (*meta.SAW, *meta.NOT))
    asked = {fact.question: fact for fact in world.forget}
    assert asked.keys() <= {row.question for row in whole}
    assert not asked.keys() & {row.question for row in (*reworded, *retain)}
    assert len(whole) - len(retain) == 4 * len(asked) == len(false) - len(retain)
    lies = [row for row in false if row.question in asked]
    assert len(lies) == len(asked)
    for row in lies:
        fact = asked[row.question]
        assert not values.told(values.find(fact.question, fact.answer), row.answer, question=row.question)


def test_what_is_taught_again_is_found_among_what_is_asked(tmp_path: Path) -> None:
    world = meta.World(tmp_path, 0)
    asked = {item.id for item in sources.eval_items(world.settings) if item.role == "forget"}
    again = {fact.id for fact in world.again(meta.Model("retain", 1))}
    assert len(again) == 8
    assert again < asked == {fact.id for fact in world.forget}
