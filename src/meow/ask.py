"""Questions put to the models of a run: the original, the changed one and the reference, beside what is known."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from meow import lm, results
from meow.config import RunConfig
from meow.errors import ConfigError, MeowError
from meow.formats import sources
from meow.labels import MODELS
from meow.lm import LM
from meow.pipeline import stages
from meow.pipeline.plan import load_config
from meow.prompts import reworded
from meow.records import EvalItem
from meow.run import Run, existing
from meow.terminal import out, say


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
    folder: Path, questions: Iterable[str], labels: Sequence[str] = (), *, trust_remote_code: bool = False
) -> Iterator[Reply]:
    """Load the models of a run, then answer one question after the other, greedily.

    Args:
        folder: of the run.
        questions: taken one by one, so that they may be typed.
        labels: of the models that must answer, from `before`, `after`, `reference`; none: `after`, and of the others
            those that are there.
        trust_remote_code: run code that comes with the models, which you have read.

    Raises:
        DataError: no run folder, or a question too long for the model.
        ConfigError: nothing is trained yet, or a label has no model.
    """
    trusted = ["model.trust_remote_code=true"] if trust_remote_code else []
    run, config = existing(folder), load_config(folder / "config.yaml", trusted)
    unknown = [label for label in labels if label not in MODELS]
    if unknown:
        raise ConfigError(f"--label: found {unknown[0]!r}, expected one of {', '.join(MODELS)}")
    models, missing = _models(run, config, labels)
    known, taught = _known(config), results.taught(run.path)
    for question in filter(None, map(str.strip, questions)):
        facts = known.get(_same(question), [])
        asked = reworded(facts[0], question) if facts else question  # in its chat, as it was asked when evaluated
        answers = {
            label: model.answer(asked, max_new_tokens=config.eval.max_new_tokens) for label, model in models.items()
        }
        instead = [text for fact in facts for text in taught.get(fact.id, [])]
        role = facts[0].role if facts else None
        yield Reply(question, role, list(dict.fromkeys(f.answer for f in facts)), instead, answers, missing)


def typed() -> Iterator[str]:
    """Questions, one a line, until the end of the input; at a terminal with a prompt and the keys of a line editor."""
    if not sys.stdin.isatty():
        yield from sys.stdin
        return
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
    rows += [(label, shown[label]) for label in MODELS if label in shown]
    for name, text in rows:
        line(f"  {name:10} {text}", style="dim" if name in reply.missing else None)
    line()


def _models(run: Run, config: RunConfig, labels: Sequence[str]) -> tuple[dict[str, LM], dict[str, str]]:
    """The loaded models by label, and why others are missing."""
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
