"""The steps of the method, as functions: each takes what the one before returned."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from meow import inversion, metrics, teacher, terminal, training
from meow.api import given
from meow.api.found import Evaluated
from meow.api.given import NONE, Facts, Model, Settings
from meow.api.objectives import METHOD, Objective, settled
from meow.config import TrainSettings
from meow.errors import ConfigError
from meow.evaluation import names, sampling
from meow.evaluation.neighbours import with_kinds
from meow.formats import evaluations
from meow.keys import digest
from meow.lm import LM
from meow.losses import Taught, Term
from meow.memorization import measures, selection
from meow.pipeline import stages
from meow.records import EvalLog, EvalSample, Fact, InvertedFacts, MemoRecord, Target


def invert(
    forget: Facts,
    *,
    n: int | None = None,
    retain: Facts = (),
    lm: Model | None = None,
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
    rows, corpus = given.asked(forget, "forget"), given.asked(retain, "retain")
    model = None if lm is None else given.model(lm)
    is_own = model is not None and not any(more.get(name) for name in ("backend", "path", "pools"))
    with given.arguments("invert", "invert", more=more):
        config = given.settings("invert", {"n": n, "backend": "self" if is_own else None}, more)
        judge = None if config.invert.backend == "local" else model
        made = inversion.invert(rows, config.invert, seed=seed, corpus=corpus, lm=model, original=judge)
    found = {row.id: row for row in made}
    return [found[row.id] for row in rows]


def memorize(lm: Model, inverted: Sequence[InvertedFacts] | Facts, *, more: Settings = NONE) -> list[MemoRecord]:
    """How strongly a model remembers every true and every false answer, by MEMO.

    Args:
        lm: the original.
        inverted: of `invert`; facts without false answers are measured as they are.
        more: of section `memo`, as in `{"metric": "ma"}`.
    """
    model, rows = given.model(lm), given.inverted(inverted)
    found = []
    with given.arguments("memorize", "memo", more=more):
        settings = measures.settled(model, rows, given.settings("memo", {}, more).memo)
        keys = sum(len(measures.row_keys(model, fact, settings)) for fact in rows)
        with terminal.progress("measuring memorization", keys) as advance:
            for row in measures.memorize(model, rows, settings):
                found.append(row)
                advance(1)
    return found


def select(
    inverted: Sequence[InvertedFacts] | Facts,
    measured: Sequence[MemoRecord] | Facts = (),
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
    facts, memory = given.inverted(inverted), given.measured(measured)
    with given.arguments("select", "select", "train", more=more):
        rule = {"rule": "highest" if memory else "random", "k": k}
        config = given.settings("select", rule, more, method=method)
        if config.train.targets not in ("selected", "all"):
            name = config.train.method
            raise ConfigError(f"select: {name} teaches no inverted answer; give forget the facts themselves")
        every = {"rule": "all", "by": "question"} if config.train.targets == "all" else {}
        return selection.select(facts, memory, config.select.model_copy(update=every), seed=seed).targets


def forget(
    lm: Model,
    targets: Sequence[Target] | Facts,
    retain: Facts = (),
    *,
    method: str | None = None,
    objective: Objective | None = None,
    lr: float | None = None,
    epochs: float | None = None,
    batch_size: int | None = None,
    seed: int = 0,
    callbacks: Iterable[TrainerCallback] = (),
    more: Settings = NONE,
) -> list[dict[str, Any]]:
    """Train a model in place, so that it says something else; returns a row for every step.

    Args:
        lm: the original; changed. An adapter that is not merged (`lora_merge`) stays inside it.
        targets: of `select`; for methods that teach no false answer, the facts to forget.
        retain: what must stay.
        method: a row of METHODS; default: `meow_contrast`.
        objective: weights of terms instead, which may be functions, as in `{"retain_nll": 1, my_function: 0.5}`.
        lr: peak learning rate.
        epochs: passes over what is taught.
        batch_size: rows of one step.
        seed: of the order and of what is drawn.
        callbacks: of transformers, as in `[MyCallback()]`; one that stops the training ends it as it is.
        more: of section `train`.

    Raises:
        ConfigError: an unknown method or term, or one that needs `retain` or targets that are not given.
        RunError: a loss that is not finite.
    """
    model, kept, heard = given.model(lm), given.qa(retain, "retain", "retain"), _called(callbacks)
    how = {"lr": lr, "epochs": epochs, "batch_size": batch_size}
    with given.arguments("forget", "train", more=more):
        teaches = bool(given.targets(targets))
        train, terms, sources = settled(method, objective, how, more, teaches=teaches, keeps=bool(kept))
        rows = _targets(targets, train, terms, seed)
        run = partial(training.forget, model, rows, kept, train, None, seed=seed, terms=terms, callbacks=heard)
        taught = _taught(model, rows, kept, train, terms, seed)
        log = _train("forgetting", partial(run, taught=taught))
    model.weights = digest([model.weights, train, seed, rows, kept, *sources])
    return log


def finetune(
    lm: Model,
    source: Facts,
    *,
    lr: float | None = None,
    epochs: float | None = None,
    batch_size: int | None = None,
    seed: int = 0,
    callbacks: Iterable[TrainerCallback] = (),
    more: Settings = NONE,
) -> list[dict[str, Any]]:
    """Train a model in place to give these answers; arguments as in `forget`, `more` of section `finetune`."""
    model, rows, heard = given.model(lm), given.qa(source, "source", "train"), _called(callbacks)
    how = {"lr": lr, "epochs": epochs, "batch_size": batch_size}
    with given.arguments("finetune", "finetune", more=more):
        settings = given.settings("finetune", how, more).finetune
        log = _train("training", partial(training.finetune, model, rows, settings, None, seed=seed, callbacks=heard))
    model.weights = digest([model.weights, settings, seed, rows])
    return log


def evaluate(
    lm: Model,
    forget: Facts,
    retain: Facts = (),
    *,
    targets: Sequence[Target] | Facts = (),
    before: Evaluated | str | Path | None = None,
    reference: Evaluated | str | Path | None = None,
    original: Model | None = None,
    label: str = "",
    more: Settings = NONE,
) -> Evaluated:
    """What a model still tells, and what it kept.

    Args:
        lm: the model.
        forget: what was to be forgotten; rows may bring wrong and paraphrased answers, in TOFU's columns.
        retain: what was to stay.
        targets: what was taught, so that answers that repeat it are counted.
        before: the same evaluation of the original, or where it lies: a run folder, a published file.
        reference: the same of a model that never saw the forget set; forget quality needs it.
        original: the unchanged model, which tells broken text from whole, and for fluency.
        label: of the log; default: `after` where `before` is given, else `before`.
        more: of section `eval`.
    """
    model, unchanged = given.model(lm), None if original is None else given.model(original, "original")
    asked, kept, taught = given.items(forget, "forget"), given.items(retain, "retain"), given.targets(targets)
    items = stages.with_taught(stages.with_subjects(with_kinds([*asked, *kept], asked)), taught)
    old, theirs = _samples(before), _samples(reference)
    samples = []
    with given.arguments("evaluate", "eval", more=more):
        config = given.settings("eval", {}, more)
        with terminal.progress(f"evaluating {label}".strip(), len(items)) as advance:
            for row in sampling.evaluate(model, items, config.eval, original=unchanged):
                samples.append(row)
                advance(1)
    log = EvalLog(
        label=label or ("after" if before else "before"),
        model={"path": model.path, "hash": model.weights},
        source=str(forget) if isinstance(forget, str | Path) else "",
        metrics=metrics.compute(samples, before=old, reference=theirs),
        forms=metrics.rates(samples, before=old, reference=theirs),
        rows={role: sum(s.role == role for s in samples) for role in dict.fromkeys(s.role for s in samples)},
    )
    return Evaluated(log, samples)


def _targets(
    source: Sequence[Target] | Facts, train: TrainSettings, terms: Mapping[str, Term], seed: int
) -> list[Target]:
    """Training rows; made of facts where the method teaches nothing that is selected."""
    name = train.method or "objective"
    taught = given.targets(source)
    if not taught and train.targets in ("selected", "all", "file"):
        raise ConfigError(f"forget: {name} teaches false answers; give the targets that select returns")
    rows = taught or [
        Target(**fact.model_dump(), target=text)
        for fact in given.qa(source, "targets", "forget")
        for text in stages.instead(fact, train.targets, {}, seed)
    ]
    reads = next((t for t in train.objective or {} if "target" in terms[t].views), None)
    if reads and any(row.target is None for row in rows):
        raise ConfigError(f"forget: {reads} reads the answers to teach; give the targets that select returns")
    return rows


def _taught(
    model: LM, rows: Sequence[Target], kept: Sequence[Fact], train: TrainSettings, terms: Mapping[str, Term], seed: int
) -> Sequence[Taught]:
    """What the model says under other names, where a term reads it."""
    if not any(terms[name].renames for name in train.terms):
        return ()
    texts = [text for fact in (*rows, *kept) for text in (fact.conversation, fact.answer)]
    drawn = names.draw(names.NAMES, texts, train.names, seed=seed)
    teacher.check(rows, drawn)
    with terminal.progress("asking under other names", len(rows)) as advance:
        return teacher.teach(model, rows, drawn, advance=advance)


def _called(callbacks: Iterable[TrainerCallback]) -> list[TrainerCallback]:
    """The callbacks.

    Raises:
        ConfigError: something else.
    """
    found = list(callbacks)
    for one in found:
        if not isinstance(one, TrainerCallback):
            raise ConfigError(f"callbacks: found {one!r:.80}, expected objects of transformers.TrainerCallback")
    return found


def _samples(other: Evaluated | str | Path | None) -> Sequence[EvalSample] | None:
    if other is None or isinstance(other, Evaluated):
        return None if other is None else other.samples
    return evaluations.read(Path(other)).samples


def _train(title: str, train: Callable[..., Any]) -> list[dict[str, Any]]:
    """Call a training with a log that shows a bar; returns the log."""
    log: list[dict[str, Any]] = []
    with terminal.steps(title) as shown:

        def write(row: dict[str, Any]) -> None:
            log.append(row)
            shown(row)

        train(log=write)
    return log
