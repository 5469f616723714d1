"""Every row in the model's template, before a weight is loaded."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

from meow import lm
from meow.config import DataSettings, ModelSettings
from meow.errors import DataError
from meow.evaluation.likelihoods import texts
from meow.formats import sources
from meow.formats.columns import Rows, remarks, rows_of
from meow.formats.inverted import files_of, read_inverted
from meow.memorization.measures import columns
from meow.prompts import Prompter
from meow.records import EvalItem, Fact, InvertedFacts
from meow.terminal import say


def evaluated_files(settings: DataSettings) -> list[tuple[Path | Rows, Sequence[Fact]]]:
    """The files of all sets that are evaluated on, with their facts."""
    return [(path, sources.read_eval(path, role)) for role, path in sources.eval_files(settings).items()]


def inverted_files(path: str | None) -> list[tuple[Path, Sequence[Fact]]]:
    """The files of inverted facts that a setting names, with their facts."""
    return [(file, read_inverted(file)) for file in files_of(Path(path))] if path else []


def say_remarks(facts: Sequence[Fact], settings: DataSettings) -> None:
    """What may be a mistake in the values that files give, or in a folder, before anything is computed with them."""
    for line in [*sources.unread(settings), *remarks(facts)]:
        say(f"warning: {line}")


REST = 60
"""Characters of a generation prompt that are shown."""


def check_rows(settings: ModelSettings, files: Iterable[tuple[Path | Rows, Sequence[Fact]]]) -> None:
    """Refuse what the template refuses or the context does not hold, by its line; warn where the template opens what it
    does not write.

    Args:
        settings: of the model; its tokenizer alone is loaded.
        files: each with its facts, one a row.

    Raises:
        DataError: the template does not parse, or raises, or makes another text of an answer; or a question leaves no
            room for one.
    """
    prompter = Prompter(
        lm.load_tokenizer(settings),
        settings.template,
        max_length=lm.context(settings) or sys.maxsize,
        eos_ids=(0,),  # nothing is generated
        args=settings.template_args,
        date=settings.template_date,
    )
    template, opened = prompter.form, ""
    for path, facts in files:
        for i, fact in enumerate(facts):
            try:
                frame = template.frame(fact)
                if 2 * len(frame.before.encode()) > prompter.max_length:  # hardly a token is less than a byte
                    prompter.prompt(fact)
                for answer in _answers(fact):
                    template.written(fact, frame, answer)
                opened = opened or template.left_out(fact)
            except DataError as e:
                raise DataError(f"{_where(path, i)}: {e}") from e
    if opened:
        say(
            f"warning: the chat template opens {opened[-REST:]!r} for a generation and writes nothing of it before an "
            "answer; answers are asked for without it; model.template_args may close it, as {enable_thinking: false}"
        )


def _where(place: Path | Rows, i: int) -> str:
    """The place of a row for messages; of a folder, which is read as a whole, its name."""
    return str(place) if isinstance(place, Path) and place.is_dir() else next(islice(rows_of(place), i, None)).where


def _answers(fact: Fact) -> list[str]:
    """Every answer that is put after a fact's question."""
    if isinstance(fact, EvalItem):
        return texts(fact)
    return [text for _, text in columns(fact)] if isinstance(fact, InvertedFacts) else [fact.answer]
