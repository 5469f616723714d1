"""The method in a few lines of Python: `from meow import LM, invert, memorize, select, forget, evaluate`.

Each function takes facts as a file, as pairs of question and answer, or as records, and a few settings by name; `more`
holds further settings of the same section (docs/config.md), as in `{"stride": 3}`. What is not given is that section's
default. The work is done elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from math import isnan
from pathlib import Path
from typing import Any, NamedTuple

from meow import inversion, metrics, terminal, training
from meow.config import RunConfig
from meow.errors import ConfigError, DataError, shown
from meow.evaluation import sampling
from meow.evaluation.neighbours import with_kinds
from meow.files import Row
from meow.formats import sources
from meow.formats.columns import fact_of
from meow.keys import digest
from meow.lm import LM
from meow.losses import TERMS
from meow.memorization import measures, selection
from meow.pipeline import stages
from meow.pipeline.plan import load_config
from meow.records import QA, EvalItem, EvalLog, EvalSample, InvertedFacts, MemoRecord, Role, Target

Facts = str | Path | Collection[QA] | Collection[tuple[str, str]] | Collection[Mapping[str, Any]]
"""A file of questions and answers, or the rows themselves: records, pairs, or mappings by column, as a pandas DataFrame
and a `datasets.Dataset` hold them."""
Settings = Mapping[str, Any]
NONE: Settings = {}
METHOD = "meow_contrast"
"""What is done where no method is named."""


class Evaluated(NamedTuple):
    """What an evaluation found."""

    log: EvalLog
    """Every metric."""
    samples: Sequence[EvalSample]
    """Every question with the model's answer; what a later evaluation is compared with."""

    def __repr__(self) -> str:
        return f"{self.log!r}, {len(self.samples)} samples"

    def _repr_html_(self) -> str:
        return self.log._repr_html_()


def facts(source: Facts, *, set_: str = "forget") -> list[QA]:
    """Questions and answers as records.

    Args:
        source: a JSON, JSON lines or CSV file, pairs, records, or mappings with `question` and `answer` (and what
            a file's columns may hold: `id`, `value`, ...), such as the rows of a pandas DataFrame.
        set_: name of the set that they belong to.

    Raises:
        DataError: a bad file or row.
    """
    if isinstance(source, str | Path):
        return sources.read_qa(Path(source), set_=set_)
    table: Any = source
    given = table.to_dict("records") if hasattr(table, "itertuples") else table  # a DataFrame iterates its columns
    return [row if isinstance(row, QA) else _fact(f"row {i}", row, set_) for i, row in enumerate(given)]


def _fact(where: str, row: Any, set_: str) -> QA:
    """A pair or a mapping as a record."""
    if isinstance(row, tuple | list) and len(row) == 2:
        row = {"question": row[0], "answer": row[1]}
    if not isinstance(row, Mapping):
        found = f"{type(row).__name__} {shown(row)}"
        raise DataError(f"{where}: found {found}, expected (question, answer), or a mapping with question and answer")
    cells = {str(column): value for column, value in row.items() if not (isinstance(value, float) and isnan(value))}
    return fact_of(QA, Row(where, cells), {"set": set_})


def invert(
    forget: Facts,
    *,
    n: int | None = None,
    retain: Facts = (),
    lm: LM | None = None,
    seed: int = 0,
    more: Settings = NONE,
) -> list[InvertedFacts]:
    """False answers for every fact, in order, as the gate accepts them: a model's own second choices, values of other
    facts, or those of a chat model (`more={"backend": "local"}`), a server (`more={"backend": "openai", "url": ...,
    "model": ...}`) or a file (`more={"path": FILE}`).

    Args:
        forget: what is to be forgotten.
        n: false versions of every answer.
        retain: facts of the same kind, a source of values where no model is given.
        lm: the model that is to forget; for `local` the chat model that is asked.
        seed: of everything that is drawn.
        more: of section `invert`.
    """
    own = lm is not None and not any(more.get(name) for name in ("backend", "path", "pools"))
    config = _config("invert", {"n": n, "backend": "self" if own else None}, more)
    rows, corpus = facts(forget), facts(retain, set_="retain")
    judge = None if config.invert.backend == "local" else lm
    made = inversion.invert(rows, config.invert, seed=seed, corpus=corpus, lm=lm, original=judge)
    found = {row.id: row for row in made}
    return [found[row.id] for row in rows]


def memorize(lm: LM, inverted: Sequence[InvertedFacts], *, more: Settings = NONE) -> list[MemoRecord]:
    """How strongly a model remembers every true and every false answer, by MEMO.

    Args:
        lm: the original.
        inverted: of `invert`.
        more: of section `memo`, as in `{"metric": "ma"}`.
    """
    config = _config("memo", {}, more)
    settings = measures.settled(lm, inverted, config.memo)
    keys = sum(len(measures.row_keys(lm, fact, settings)) for fact in inverted)
    found = []
    with terminal.progress("measuring memorization", keys) as advance:
        for row in measures.memorize(lm, inverted, settings):
            found.append(row)
            advance(1)
    return found


def select(
    inverted: Sequence[InvertedFacts],
    measured: Sequence[MemoRecord] = (),
    *,
    method: str = METHOD,
    k: int | None = None,
    seed: int = 0,
    more: Settings = NONE,
) -> list[Target]:
    """Which false answers to teach: the best remembered of every question, or any where nothing was measured.

    Args:
        inverted: of `invert`.
        measured: of `memorize`.
        method: that will teach them, a row of METHODS; it may set how many (`meow_contrast`: one) or take all.
        k: answers for every question; default: the method's, else 3.
        seed: of what is drawn.
        more: of section `select`.

    Raises:
        ConfigError: an unknown method, or one that teaches no inverted answer.
    """
    given = {"rule": "highest" if measured else "random", "k": k}
    config = _config("select", given, more, method=method)
    if config.train.targets not in ("selected", "all"):
        raise ConfigError(f"select: {config.train.method} teaches no inverted answer; give forget the facts themselves")
    everything = {"rule": "all", "by": "question"} if config.train.targets == "all" else {}
    return selection.select(inverted, measured, config.select.model_copy(update=everything), seed=seed).targets


def forget(
    lm: LM,
    targets: Sequence[Target] | Facts,
    retain: Facts = (),
    *,
    method: str = METHOD,
    lr: float | None = None,
    epochs: float | None = None,
    batch_size: int | None = None,
    seed: int = 0,
    more: Settings = NONE,
) -> list[dict[str, Any]]:
    """Train a model in place, so that it says something else.

    Args:
        lm: the original; changed.
        targets: of `select`; for methods that teach no false answer, the facts to forget.
        retain: what must stay.
        method: a row of METHODS.
        lr: peak learning rate.
        epochs: passes over what is taught.
        batch_size: rows of one step.
        seed: of the order and of what is drawn.
        more: of section `train`.

    Returns:
        One row for every step: loss, every term, gradient norm, learning rate.

    Raises:
        ConfigError: an unknown method, or one that needs `retain` or targets that are not given.
        RunError: a loss that is not finite.
    """
    config = _config("train", {"lr": lr, "epochs": epochs, "batch_size": batch_size}, more, method=method)
    kept = facts(retain, set_="retain")
    if any(TERMS[term].retain for term in config.train.objective or {}) and not kept:
        raise ConfigError(f"forget: {method} has a retain term; give retain, the facts to keep")
    rows = _targets(targets, config, seed)
    log = _train("forgetting", lambda write: training.forget(lm, rows, kept, config.train, None, seed=seed, log=write))
    lm.weights = digest([lm.weights, config.train, seed, rows, kept])
    return log


def finetune(
    lm: LM,
    source: Facts,
    *,
    lr: float | None = None,
    epochs: float | None = None,
    batch_size: int | None = None,
    seed: int = 0,
    more: Settings = NONE,
) -> list[dict[str, Any]]:
    """Train a model in place to give these answers; arguments as in `forget`, `more` of section `finetune`."""
    config = _config("finetune", {"lr": lr, "epochs": epochs, "batch_size": batch_size}, more)
    rows = facts(source, set_="train")
    log = _train("training", lambda write: training.finetune(lm, rows, config.finetune, None, seed=seed, log=write))
    lm.weights = digest([lm.weights, config.finetune, seed, rows])
    return log


def evaluate(
    lm: LM,
    forget: Facts,
    retain: Facts = (),
    *,
    targets: Sequence[Target] = (),
    before: Evaluated | None = None,
    reference: Evaluated | None = None,
    original: LM | None = None,
    label: str = "",
    more: Settings = NONE,
) -> Evaluated:
    """What a model still tells, and what it kept.

    Args:
        lm: the model.
        forget: what was to be forgotten; a file may bring wrong and paraphrased answers, in TOFU's form.
        retain: what was to stay.
        targets: what was taught, so that answers that repeat it are counted.
        before: the same evaluation of the original.
        reference: the same evaluation of a model that never saw the forget set; forget quality needs it.
        original: the unchanged model, for fluency.
        label: of the log; default: `after` where `before` is given, else `before`.
        more: of section `eval`.
    """
    config = _config("eval", {}, more)
    asked = _items(forget, "forget")
    items = stages.with_taught(stages.with_subjects(with_kinds([*asked, *_items(retain, "retain")], asked)), targets)
    samples = []
    with terminal.progress(f"evaluating {label}".strip(), len(items)) as advance:
        for row in sampling.evaluate(lm, items, config.eval, original=original):
            samples.append(row)
            advance(1)
    old, theirs = (None if other is None else other.samples for other in (before, reference))
    log = EvalLog(
        label=label or ("after" if before else "before"),
        model={"path": lm.path, "hash": lm.weights},
        source=str(forget) if isinstance(forget, str | Path) else "",
        metrics=metrics.compute(samples, before=old, reference=theirs),
        forms=metrics.rates(samples, before=old, reference=theirs),
        rows={role: sum(s.role == role for s in samples) for role in dict.fromkeys(s.role for s in samples)},
    )
    return Evaluated(log, samples)


def _config(section: str, given: Settings, more: Settings, *, method: str | None = None) -> RunConfig:
    """Settings as the command line has them: a method brings its own where none are given."""
    known = {key: value for key, value in given.items() if value is not None}
    named = [] if method is None else [f"train.method={json.dumps(method)}"]
    settings = [f"{section}.{key}={json.dumps(value)}" for key, value in (known | {**more}).items()]
    return load_config(None, named + settings)


def _items(source: Facts, role: Role) -> list[EvalItem]:
    if isinstance(source, str | Path):
        return sources.read_eval(Path(source), role)
    return [EvalItem(**fact.model_dump(include=set(QA.model_fields)), role=role) for fact in facts(source, set_=role)]


def _targets(given: Sequence[Target] | Facts, config: RunConfig, seed: int) -> list[Target]:
    """Training rows; made of facts where the method teaches nothing that is selected."""
    taught = [] if isinstance(given, str | Path) else [row for row in given if isinstance(row, Target)]
    if taught:
        return taught
    if config.train.targets in ("selected", "all", "file"):
        raise ConfigError(f"forget: {config.train.method} teaches false answers; give the targets that select returns")
    return [
        Target(**fact.model_dump(), target=text)
        for fact in facts(given)  # type: ignore[arg-type]  # none is a Target
        for text in stages.instead(fact, config.train.targets, {}, seed)
    ]


def _train(title: str, train: Any) -> list[dict[str, Any]]:
    """Call a training with a log that shows a bar; returns the log."""
    log: list[dict[str, Any]] = []
    with terminal.steps(title) as shown:

        def write(row: dict[str, Any]) -> None:
            log.append(row)
            shown(row)

        train(write)
    return log
