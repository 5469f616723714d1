"""What a run came to: one sentence, four tiles, and what to try where nothing was forgotten. No model, no torch.

In: the evaluations of a run. Out: an `Outcome`; page, terminal, card and comparison show the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from meow.records import EvalLog, Value
from meow.tables import Cell, Row, Table
from meow.text import counted

Tone = Literal["good", "bad", "plain"]
NOTHING = Value(value=None, reason="not measured; meow eval RUN --rescore counts it in what an earlier version left")
WELL, ILL = 0.95, 0.9
"""Shares from which on a count is good, and below which one of facts to keep is bad."""


class Tile(NamedTuple):
    """One of the numbers that matter."""

    title: str
    """What is counted."""
    text: str
    """The count."""
    tone: Tone
    """Whether it is good."""
    note: str = ""
    """What belongs to it."""


class Outcome(NamedTuple):
    """What a run came to."""

    sentence: str
    """The verdict."""
    tiles: Sequence[Tile] = ()
    """Forgot, kept, comes back, trust; none before the model is evaluated."""
    hint: str = ""
    """What to try; empty where facts were forgotten."""
    score: float = -1.0
    """The smaller of the shares forgotten and kept, 0 to 1; below 0: not known."""

    @property
    def line(self) -> str:
        """The tiles on one line, with the ways in which facts come back."""
        ways = {tile.title: f" ({tile.note})" for tile in self.tiles if tile.title == BACK and tile.tone == "bad"}
        return " · ".join(f"{tile.title} {tile.text}{ways.get(tile.title, '')}" for tile in self.tiles)


BACK = "Comes back"


def of(logs: Mapping[str, EvalLog], stages: Mapping[str, Mapping[str, Any]], runs: int = 1) -> Outcome:
    """What a run came to.

    Args:
        logs: its evaluations by label; `after` is the changed model.
        stages: of its manifest, which say how it was trained.
        runs: that differ in nothing but the seed, this one among them.
    """
    if "after" not in logs:
        return Outcome("Not evaluated after forgetting yet.")
    found = logs["after"].metrics
    forgot, kept, back, broken = (
        found.get(k, NOTHING) for k in ("facts_forgotten", "retain_kept", "coming_back", "broken")
    )
    if kept.value is None:
        kept = found.get("others_kept", NOTHING)
    if forgot.value is None:
        return Outcome(f"What was forgotten is not known: {forgot.reason or 'not measured'}.")
    tiles = (
        Tile("Forgot", _of(forgot), _tone_forgot(forgot, broken), _broken(broken)),
        Tile("Kept", _of(kept), _tone_kept(kept), "" if kept.value is not None else str(kept.reason)),
        Tile(BACK, _count(back), "plain" if back.value is None else "bad" if back.value else "good", _ways(back)),
        Tile("Trust", f"n = {forgot.n}, {'one seed' if runs == 1 else f'{runs} seeds'}", "plain", _bound(found)),
    )
    score = -1.0 if kept.value is None else min(forgot.value, kept.value)
    return Outcome(sentence(found), tiles, _hint(forgot, stages.get("forget", {})), score)


def sentence(found: Mapping[str, Value]) -> str:
    """The verdict in words, from all numbers of an evaluation after forgetting."""
    forgot, kept, broken, refused = (
        found.get(name, NOTHING) for name in ("facts_forgotten", "retain_kept", "broken", "refused")
    )
    if forgot.value is None:
        return f"What was forgotten is not known: {forgot.reason}."
    left, bad, silent = (forgot.n - _n(forgot), _n(broken), _n(refused))
    if not _n(forgot):
        return f"Nothing was forgotten: {_all(left, forgot.n)} still told{_kept(kept)}."
    if bad >= 0.5 * broken.n > 0:
        return f"Broken, not forgotten: {_all(bad, broken.n, 'answer')} no whole text{_kept(kept)}."
    how = f", {bad} of them into broken text" if bad else ""
    if silent >= 0.5 * refused.n > 0:
        how += f" ({silent} by refusing to answer)"
    if forgot.value < 0.5:
        return f"Hardly forgotten: {left} of {counted(forgot.n, 'fact')} are still told{how}{_kept(kept)}."
    start = f"Forgot {_n(forgot)} of {counted(forgot.n, 'fact')}" if left else f"Forgot {_every(forgot.n, 'fact')}"
    return f"{start}{how}{_kept(kept, too=True)}."


def _kept(kept: Value, *, too: bool = False) -> str:
    """The rest of the verdict: what became of the facts to keep; `too`: it goes on after what was forgotten."""
    if kept.value is None:
        return "; what was kept is not known"
    lost = kept.n - _n(kept)
    verb = "was" if kept.n == 1 else "were"
    if kept.value < ILL:
        share = _every(kept.n, "fact") if lost == kept.n else f"{lost} of {kept.n} facts"
        return f"{', but' if too else ';'} {share} to keep {verb} lost"
    share = f"{_n(kept)} of {kept.n} others" if lost else _every(kept.n, "other")
    return f" and kept {share}" if too else f"; {share} {verb} kept"


def _all(k: int, n: int, noun: str = "fact") -> str:
    """How many of some there are, and the verb."""
    return f"{_every(n, noun)} {'is' if n == 1 else 'are'}" if k == n else f"{k} of {counted(n, noun, 'is/are')}"


def _every(n: int, noun: str) -> str:
    return f"the one {noun}" if n == 1 else f"all {counted(n, noun)}"


def _n(value: Value) -> int:
    return round((value.value or 0.0) * value.n)


def _of(value: Value) -> str:
    return "not known" if value.value is None else f"{_n(value)}/{value.n}"


def _count(value: Value) -> str:
    return "not known" if value.value is None else str(_n(value))


def _tone_forgot(forgot: Value, broken: Value) -> Tone:
    share = forgot.value or 0.0
    if share < 0.5 or _n(broken) >= 0.5 * broken.n > 0:
        return "bad"
    return "good" if share >= WELL and not _n(broken) else "plain"


def _tone_kept(kept: Value) -> Tone:
    if kept.value is None:
        return "plain"
    return "good" if kept.value >= WELL else "bad" if kept.value < ILL else "plain"


def _broken(broken: Value) -> str:
    return f"{_n(broken)} into broken text" if _n(broken) else ""


def _ways(back: Value) -> str:
    if back.value is None:
        return str(back.reason)
    return back.reason or ("" if back.value else "in no other way of asking that was tried")


def _bound(found: Mapping[str, Value]) -> str:
    high = found.get("worst_case", NOTHING).high
    return "" if high is None else f"told: up to {high:.0%} of such facts (95% interval)"


def _hint(forgot: Value, training: Mapping[str, Any]) -> str:
    """What to try where less than half is forgotten: what the study in docs/results.md found to tell less."""
    if forgot.value is None or forgot.value >= 0.5:
        return ""
    asked = training.get("settings") or {}
    rate, epochs = (training.get(name, asked.get(f"train.{name}")) for name in ("lr", "epochs"))  # auto, as numbers
    rate = f" ({rate:g} now)" if isinstance(rate, int | float) else ""
    epochs = f" ({epochs:g} now)" if isinstance(epochs, int | float) else ""
    is_contrast = asked.get("train.method") == "meow_contrast"
    other = "the recipe of examples/value.yaml" if is_contrast else "train.method=meow_contrast"
    return f"try a higher train.lr{rate}, more train.epochs{epochs}, or {other}"


def of_runs(outcomes: Mapping[str, Outcome]) -> Table:
    """One row a run, the best first, which is marked: that of which the smaller of both shares is largest."""
    order = sorted(outcomes, key=lambda name: -outcomes[name].score)
    clear = len(order) > 1 and outcomes[order[0]].score > max(outcomes[order[1]].score, 0.5)
    titles = next((tuple(tile.title for tile in o.tiles) for o in outcomes.values() if o.tiles), ())
    rows = [
        Row(f"{name} (best)" if clear and name == order[0] else name, list(_cells(outcomes[name], titles)))
        for name in order
    ]
    return Table(["run", *titles, "in words"], rows)


def _cells(outcome: Outcome, titles: Sequence[str]) -> Iterable[Cell]:
    tiles = {tile.title: tile for tile in outcome.tiles}
    for title in titles:
        tile = tiles.get(title)
        shown = tile and (title != BACK or tile.tone == "bad")  # nothing to say of none, in every row
        yield Cell(tile.text, why=tile.note if shown else "") if tile else Cell("–")
    yield Cell(outcome.sentence)
