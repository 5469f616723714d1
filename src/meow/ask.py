"""Questions put to the models of a run (the original, the changed one, the reference) or to one model, beside what is
known."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from meow import results
from meow.config import ModelSettings, RunConfig
from meow.errors import ConfigError, DataError, MeowError
from meow.formats import sources
from meow.formats.documents.facts import asked as with_facts
from meow.labels import MODELS
from meow.modelfiles import check_files, is_model
from meow.pipeline.inputs.models import check_changed
from meow.pipeline.plan import load_config
from meow.prompts import reworded, room
from meow.records import EvalItem, Fact
from meow.run import Run, existing
from meow.terminal import out, say, starting

if TYPE_CHECKING:  # torch takes seconds, and a place is looked at without it
    from meow.lm import LM

MODEL = "model"
"""Label of a model that is asked directly."""


class Reply(NamedTuple):
    """What the models say to one question."""

    question: str
    """As it was asked."""
    role: str | None
    """The set that the question belongs to; None: it is none of the run's."""
    true: Sequence[str]
    """The true answers, where the question is one of the run's."""
    taught: Sequence[str]
    """The answers that were taught instead."""
    answers: Mapping[str, str]
    """The greedy answer of each model, by label."""
    missing: Mapping[str, str]
    """Why a model was not asked, by label."""

    def as_object(self) -> dict[str, Any]:
        """What `--json` prints."""
        return {k: v for k, v in self._asdict().items() if v or k in ("question", "answers")}


def ask(
    place: Path, questions: Iterable[str], labels: Sequence[str] = (), *, trust_remote_code: bool = False
) -> Iterator[Reply]:
    """Load the models of a run, or one model, then answer questions greedily.

    Args:
        place: of a run, or what `model.path` takes.
        questions: a list is answered at once; what else gives them is taken one by one, so that they may be typed.
        labels: of a run's models that must answer, from `before`, `after`, `reference`; none: `after`, and of the
            others those that are there.
        trust_remote_code: run code that comes with the models, which you have read.

    Raises:
        DataError: neither a run folder nor a model, or a question too long for the model.
        ConfigError: nothing is trained yet, or a label has no model.
    """
    unknown = [label for label in labels if label not in MODELS]
    if unknown:
        raise ConfigError(f"--label: found {unknown[0]!r}, expected one of {', '.join(MODELS)}")
    asked = (
        _model(place, labels, trusted=trust_remote_code) if _is_model(place) else _run(place, labels, trust_remote_code)
    )
    for group in [questions] if isinstance(questions, list) else ([question] for question in questions):
        yield from _replies(asked, [question.strip() for question in group if question.strip()])


TOKENS = 200
"""Of an answer of a model without a run, at most."""


class _Asked(NamedTuple):
    """Who is asked, and what is known."""

    models: Mapping[str, LM]
    """By label."""
    max_new_tokens: int
    missing: Mapping[str, str] = {}
    """Why a model is not asked, by label."""
    known: Mapping[str, list[EvalItem]] = {}
    """Facts by question, of `_known`."""
    taught: Mapping[str, list[str]] = {}
    """The answers that were taught, by the fact's id."""


def _replies(asked: _Asked, questions: Sequence[str]) -> Iterator[Reply]:
    """What every model says to each question; all questions are put to a model at once."""
    facts = [asked.known.get(_same(question), []) for question in questions]
    # in its chat, as it was asked when evaluated
    put: list[str | Fact] = [
        reworded(of[0], question) if of else question for question, of in zip(questions, facts, strict=True)
    ]
    said = {label: model.answer(put, max_new_tokens=asked.max_new_tokens) for label, model in asked.models.items()}
    for i, (question, of) in enumerate(zip(questions, facts, strict=True)):
        instead = [text for fact in of for text in asked.taught.get(fact.id, [])]
        true = list(dict.fromkeys(fact.answer for fact in of))
        answers = {label: texts[i] for label, texts in said.items()}
        yield Reply(question, of[0].role if of else None, true, instead, answers, asked.missing)


def _is_model(place: Path) -> bool:
    """Whether a place is a model's and no run's: a folder with one, a file, or what can only be an id of the hub."""
    if place.is_dir():
        return is_model(place) and not (place / "config.yaml").is_file()
    return place.is_file() or not (place.is_absolute() or place.parent.is_dir())


def _model(path: Path, labels: Sequence[str], *, trusted: bool) -> _Asked:
    """One model, asked directly."""
    if labels:
        raise ConfigError(f"--label: names a model of a run, but {path} is a model; leave it out")
    check_files(str(path))
    with starting():
        from meow import lm

    say(f"loading {path}")
    settings = ModelSettings(path=str(path), trust_remote_code=trusted)
    return _Asked({MODEL: lm.load(settings)}, TOKENS)


def _run(folder: Path, labels: Sequence[str], trusted: bool) -> _Asked:
    """The models of a run, and what it knows."""
    if not folder.is_dir():
        raise DataError(
            f"{folder}: no run folder and no model; give one, as in runs/demo/meow, or a hub id (NAME/MODEL)"
        )
    run = existing(folder)
    config = load_config(folder / "config.yaml", ["model.trust_remote_code=true"] if trusted else [])
    models, missing = _models(run, config, labels)
    known, limit = _known(with_facts(config, run.path)), config.eval.max_new_tokens
    if limit == "auto":
        limit = room(next(iter(models.values())).tokenizer, (item.answer for items in known.values() for item in items))
    return _Asked(models, limit, missing, known, results.taught(run.path))


def typed() -> Iterator[str]:
    """Questions, one a line, until the end of the input; at a terminal with a prompt and the keys of a line editor."""
    if not sys.stdin.isatty():
        yield from sys.stdin
        return
    with suppress(ImportError):  # Windows
        import readline  # noqa: F401 - input() uses it where it is loaded

    say("one question a line; Ctrl-D ends")
    while True:
        try:
            yield input("? ")
        except EOFError:
            say("")
            return


def show(reply: Reply) -> None:
    """Print one question with what is true, what was taught and what each model says."""
    line = partial(out.print, soft_wrap=True)
    line(reply.question, style="bold")
    rows = [("true", text) for text in reply.true] + [("taught", text) for text in reply.taught]
    shown = {label: text or "(nothing)" for label, text in reply.answers.items()} | dict(reply.missing)
    rows += [(label, shown[label]) for label in (*MODELS, MODEL) if label in shown]
    for name, text in rows:
        line(f"  {name:10} {text}", style="dim" if name in reply.missing else None)
    line()


def _models(run: Run, config: RunConfig, labels: Sequence[str]) -> tuple[dict[str, LM], dict[str, str]]:
    """The loaded models by label, and why others are missing."""
    if "after" in (labels or ["after"]):
        check_changed(run.path)
    with starting():
        from meow import lm
        from meow.pipeline import stages

    found: dict[str, LM] = {}
    missing: dict[str, str] = {}
    wanted = labels or ["after", "before", *(["reference"] if config.eval.reference else [])]
    for label in wanted:
        try:
            settings = stages.model_of(run, config, label)
            say(f"loading {label}: {settings.path}")
            found[label] = lm.load(settings)
        except MeowError as e:
            if labels or label == "after":
                raise
            missing[label] = f"not asked: {e}"
    return {label: found[label] for label in MODELS if label in found}, missing


def _known(config: RunConfig) -> dict[str, list[EvalItem]]:
    """The run's facts by question and by reworded question; none where its files are not there any more."""
    found: dict[str, list[EvalItem]] = {}
    try:
        items = sources.eval_items(config.data)
    except MeowError:
        return {}
    for item in items:
        for question in (item.question, item.paraphrased_question):
            if question:
                found.setdefault(_same(question), []).append(item)
    return found


def _same(question: str) -> str:
    return " ".join(question.split()).casefold()
