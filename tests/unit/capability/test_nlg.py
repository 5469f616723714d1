"""The interval of MAUVE: against leaving out each text longhand, and as the number of texts grows."""

from __future__ import annotations

import itertools
import math
from typing import Any

import mauve
import numpy as np
import pytest

from meow.capability import nlg


def longhand(p: list[int], q: list[int], k: int) -> float:
    """MAUVE from the cluster of each text: exp(-2 KL) to the mixtures of both, and the area under that curve."""
    one, other = ([side.count(j) / len(side) for j in range(k)] for side in (p, q))
    points = [(1.0, 0.0), (0.0, 1.0)]
    for i in range(25):
        w = 1e-6 + i * (1 - 2e-6) / 24
        mixed = [w * a + (1 - w) * b for a, b in zip(one, other, strict=True)]
        found = []
        for side in (other, one):
            kl = sum(a * math.log(a / m) for a, m in zip(side, mixed, strict=True) if a)
            found.append(math.exp(-2 * kl))
        points.append((found[0], found[1]))
    areas = []
    for axis in (0, 1):
        curve = sorted((point[axis], point[1 - axis]) for point in points)
        areas.append(sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in itertools.pairwise(curve)))
    return sum(areas) / 2


def test_the_interval_is_what_leaving_out_each_text_once_makes_of_it() -> None:
    """Five texts a side in three clusters; the variance is 4/5 of the squares of both sides, and t 2.776."""
    p, q = [0, 0, 1, 1, 2], [0, 1, 2, 2, 2]
    without_p = [longhand(p[:i] + p[i + 1 :], q, 3) for i in range(5)]
    without_q = [longhand(p, q[:i] + q[i + 1 :], 3) for i in range(5)]
    variance = sum(0.8 * sum((x - sum(side) / 5) ** 2 for x in side) for side in (without_p, without_q))
    middle = longhand(p, q, 3)
    found = nlg.jackknifed(np.array([0.4, 0.4, 0.2]), np.array([0.2, 0.2, 0.6]), 5)
    reach = 2.7764451 * math.sqrt(variance)
    assert found == pytest.approx((max(0.0, middle - reach), min(1.0, middle + reach)), abs=1e-7)


def features(n: int) -> tuple[Any, Any]:
    drawn = np.random.default_rng(n)
    return tuple(drawn.normal(size=(n, 8)).astype(np.float32) + shift for shift in (0, 0.8))


def test_the_interval_holds_the_value_draws_nothing_and_narrows_with_more_texts() -> None:
    widths = []
    for n in (30, 120, 480):
        p, q = features(n)
        found = mauve.compute_mauve(p_features=p, q_features=q, mauve_scaling_factor=2, seed=25)
        assert nlg.area(found.p_hist, found.q_hist) == pytest.approx(float(found.mauve), abs=1e-12)
        assert nlg.area(found.q_hist, found.p_hist) == pytest.approx(float(found.mauve), abs=1e-9)
        ends = nlg.jackknifed(found.p_hist, found.q_hist, n)
        assert ends is not None
        assert 0 <= ends[0] < found.mauve < ends[1] <= 1
        assert nlg.jackknifed(found.p_hist, found.q_hist, n) == ends
        widths.append(ends[1] - ends[0])
    assert widths[0] > widths[1] > widths[2]
    assert widths[0] > 2 * widths[2]


def test_where_no_text_makes_a_difference_there_is_no_interval() -> None:
    half = np.array([0.5, 0.5])
    assert nlg.area(half, half) == 1
    assert nlg.jackknifed(half, half, 6) is None
    assert nlg.jackknifed(np.array([1.0, 0.0]), np.array([0.0, 1.0]), 6) is None
    assert nlg.jackknifed(np.array([1.0, 0.0]), np.array([1.0, 0.0]), 1) is None
