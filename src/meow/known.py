"""Which facts a model knows: what it says, whether that tells the value, and how likely the value is beside others.

The first step of forgetting: what a model does not know it need not forget.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from meow import values
from meow.config import ModelSettings
from meow.errors import ConfigError
from meow.evaluation.asking.forms import gives_away
from meow.evaluation.others import GROUP, others_of
from meow.files import VALUE, Row, rows, write_rows
from meow.formats.columns import SUFFIXES
from meow.formats.documents import is_documents
from meow.formats.sources import facts_of, read_eval
from meow.inversion.second_choice.choices import wanted_of
from meow.inversion.second_choice.continuations import log_probabilities
from meow.metrics.items import tells_value
from meow.modelfiles import check_files
from meow.prompts import room
from meow.prompts.places import Spot
from meow.records import QA, EvalItem, dump_line
from meow.terminal import progress, starting

if TYPE_CHECKING:  # torch takes seconds, and files are checked without it
    from meow.lm import LM


class Other(NamedTuple):
    """Another value that the model might give."""

    value: str
    """As it stands in the answer."""
    p: float
    """Probability of its tokens in the true one's place."""


class Known(NamedTuple):
    """What a model knows of one fact."""

    fact: EvalItem
    """As it was read."""
    said: str
    """The greedy answer."""
    told: bool | None
    """Whether it tells the value; None: the true answer has none."""
    said_otherwise: str | None = None
    """The greedy answer to the paraphrased question; None: there is no such question."""
    told_otherwise: bool | None = None
    """Whether that tells the value."""
    p: float | None = None
    """Probability of the value's tokens, given the question and what stands before them in the answer; None: no value
    stands there."""
    others: tuple[Other, ...] = ()
    """Other values of the model's own, likeliest first; of a list none are sought."""

    @property
    def is_known(self) -> bool:
        """Whether the value is told, asked directly or in other words."""
        return bool(self.told or self.told_otherwise)

    @property
    def rank(self) -> int | None:
        """Place of the true value among it and the others by probability, from 1; None: nothing to compare with."""
        if self.p is None or not self.others:
            return None
        return 1 + sum(other.p > self.p for other in self.others)

    def as_object(self) -> dict[str, Any]:
        """What `--json` prints of a fact."""
        found = {"id": self.fact.id, "question": self.fact.question, "value": list(self.fact.accepted)}
        found |= {k: v for k, v in self._asdict().items() if k not in ("fact", "others")}
        return found | {"rank": self.rank, "others": [other._asdict() for other in self.others]}


def known(path: Path, settings: ModelSettings, target: Path) -> list[Known]:
    """Ask a model for every fact of a file, and write those that it knows.

    Args:
        path: facts, as JSON lines, JSON or CSV.
        settings: the model.
        target: gets the rows of the facts that are told, with all their columns and the value; left alone where there
            is none.

    Returns:
        What the model knows of each fact, in order of the file.

    Raises:
        ConfigError: no model; or the target is no file of rows, the facts themselves, or holds rows of something else.
        DataError: a bad row, or a model that cannot be used.
    """
    items, kept = check(path, settings, target)
    with starting():
        from meow import lm

    found = ask(lm.load(settings), items)
    told = [row for row, one in zip(kept, found, strict=True) if one.is_known]
    if told:
        write_rows(target, told)
    return found


def check(path: Path, settings: ModelSettings, target: Path) -> tuple[list[EvalItem], list[dict[str, Any]]]:
    """The facts of a file, and their rows as `known` writes them; no model is loaded.

    Raises:
        ConfigError, DataError: see `known`.
    """
    items = read_eval(path, "forget")
    if settings.path is None:
        raise ConfigError("model.path: not set; name a folder or a hub id, as in --model_name_or_path MODEL")
    if settings.url is None:
        check_files(settings.path, revision=settings.revision, tokenizer=settings.tokenizer)
    _check_name(target, path)
    kept = [_kept(row, item, as_text=target.suffix == ".csv") for row, item in zip(_rows(path), items, strict=True)]
    _check_target(target, path, kept)
    return items, kept


def _rows(path: Path) -> Iterable[Row]:
    """The rows of a file, or of documents those that can be asked."""
    if not is_documents(path):
        return rows(path)
    return [Row(str(path), json.loads(dump_line(fact))) for fact in facts_of(path, "forget")]


def ask(lm: LM, items: Sequence[EvalItem]) -> list[Known]:
    """What a model knows of each fact.

    Args:
        lm: the model.
        items: facts, those with `paraphrased_question` asked in those words, too, where there is room for an answer and
            they do not tell the value.

    Raises:
        DataError: a question that leaves no room for an answer.
    """
    prompts = [lm.prompter.prompt(item) for item in items]
    worded = {i: item.paraphrased_question for i, item in enumerate(items) if item.paraphrased_question}
    other = {i: text for i, text in worded.items() if not gives_away(items[i], text)}
    fitting = {i: put for i, text in other.items() if (put := lm.prompter.fitting(items[i], question=text))}
    prompts += fitting.values()
    with progress("asking", len(prompts)) as advance:
        said = lm.generate(prompts, room(lm.tokenizer, (item.answer for item in items)), each=lambda *_: advance(1))
    texts = [row[0].text.strip() for row in said]
    otherwise = dict(zip(fitting, texts[len(items) :], strict=True))
    likely = _likely(lm, [QA(**item.model_dump(include=set(QA.model_fields))) for item in items])
    found = []
    for i, item in enumerate(items):
        asked = Known(item, texts[i], tells_value(item, texts[i]))
        if i in otherwise:
            told = tells_value(item, otherwise[i], paraphrase=True)
            asked = asked._replace(said_otherwise=otherwise[i], told_otherwise=told)
        p, others = likely.get(item.id, (None, ()))
        found.append(asked._replace(p=p, others=others))
    return found


def _likely(lm: LM, facts: Sequence[QA]) -> dict[str, tuple[float | None, tuple[Other, ...]]]:
    """By id the probability of the value, and other values with theirs, where the value stands in the answer."""
    wanted = list(wanted_of(facts).values())
    found: dict[str, tuple[float | None, tuple[Other, ...]]] = {}
    with progress("looking for other values", len(wanted)) as advance:
        for at in range(0, len(wanted), GROUP):
            group = wanted[at : at + GROUP]
            texts = [[w.place.true, *others] for w, others in zip(group, others_of(lm, group), strict=True)]
            spots = [
                Spot.filled(w.fact, (w.place.start, w.place.end), value)
                for w, row in zip(group, texts, strict=True)
                for value in row
            ]
            scores = (math.exp(float(logp.sum())) for logp in log_probabilities(lm, spots))
            for w, row in zip(group, texts, strict=True):
                true, *others = [Other(value, next(scores)) for value in row]
                placed = w.fact.id, (true.p or None, tuple(sorted(others, key=lambda other: (-other.p, other.value))))
                found.update([placed])
            advance(len(group))
    return found


def _kept(row: Row, fact: EvalItem, *, as_text: bool) -> dict[str, Any]:
    """A row with all its columns, and the fact's value behind the answer."""
    found: dict[str, Any] = {}
    value = values.as_column(fact.accepted, answer=fact.answer, as_text=as_text)
    for name, cell in _filled(row).items():
        if name not in (*VALUE, "values"):
            found[name] = cell
        if name == "answer" and value is not None:
            found["value"] = value
    return found


def _filled(row: Row) -> dict[str, Any]:
    """The cells of a row that hold something; a question may be empty."""
    return {name: cell for name, cell in row.values.items() if name == "question" or cell not in ("", None)}


def _check_name(target: Path, path: Path) -> None:
    """Refuse a file of another form, and the facts themselves."""
    if target.suffix not in SUFFIXES:
        raise ConfigError(f"--save-path: found {target}, expected a name that ends in {', '.join(SUFFIXES)}")
    if target.exists() and target.samefile(path):
        raise ConfigError(f"--save-path: {target} holds the facts themselves; name another file")


def _check_target(target: Path, path: Path, kept: Sequence[dict[str, Any]]) -> None:
    """Refuse to write over what cannot be made again from the facts."""
    if target.exists() and any(_filled(row) not in kept for row in rows(target)):
        raise ConfigError(
            f"{target}: is there already and holds rows that are not in {path}; name another file (--save-path), or "
            "move it away"
        )
