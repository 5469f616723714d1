"""The order of metrics: by what the meta-evaluation found, in tables as on the page that has its numbers."""

from __future__ import annotations

import re
from pathlib import Path

from meow.metrics import HEADLINES, METRICS, TRUST, by_trust

PAGE = (Path(__file__).resolve().parents[3] / "docs/numbers.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `(\w+)` \|(.+)\|$", PAGE.split("## Which numbers to trust first")[1], re.M)


def test_the_order_is_the_one_of_the_page() -> None:
    assert tuple(name for name, _ in ROWS) == TRUST
    trust = [float(cells.split("|")[-1]) for _, cells in ROWS]
    assert trust == sorted(trust, reverse=True)
    assert set(TRUST) <= METRICS.keys()
    assert all(METRICS[name].better for name in TRUST)


def test_headlines_that_were_judged_stand_in_this_order() -> None:
    judged = [name for name in HEADLINES if name in TRUST]
    assert judged == by_trust(judged)
    assert len(judged) > 5


def test_what_was_not_judged_comes_after_as_it_stood() -> None:
    first, last = TRUST[0], TRUST[-1]
    assert by_trust(["new", last, "model_utility_gm", first]) == [first, last, "new", "model_utility_gm"]
    assert sorted(by_trust(METRICS)) == sorted(METRICS)
