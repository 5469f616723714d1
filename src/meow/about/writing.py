"""What a model says of a subject as files that a user reads before a job goes on with them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from meow import keys
from meow.about import About, kept
from meow.about.asking import REASONS, Asked
from meow.config import RunConfig
from meow.config.bounds import NOT_IN_NAMES
from meow.errors import ConfigError, DataError, listed, shown
from meow.files import read_json, write_json, write_rows, write_text
from meow.formats.layouts.own import ORIGIN
from meow.formats.sources import read_qa
from meow.records import QA
from meow.text import counted
from meow.values import fold

FOLDER = "about"
"""Below the folder of runs: a folder for each subject."""


class Files(NamedTuple):
    """The files about a subject."""

    folder: Path
    """Of the subject."""

    @property
    def forget(self) -> Path:
        """Facts that must go."""
        return self.folder / "forget.jsonl"

    @property
    def retain(self) -> Path:
        """Facts that must stay; may be absent."""
        return self.folder / "retain.jsonl"

    @property
    def page(self) -> Path:
        """All that was asked, to be read."""
        return self.folder / "about.md"

    @property
    def origin(self) -> Path:
        """Which model was asked, and how many questions were kept and left out."""
        return self.folder / ORIGIN

    @property
    def there(self) -> bool:
        """Whether there are facts to go on with."""
        return self.forget.is_file()


def slug(name: str) -> str:
    """A subject's name as that of a folder: small letters and digits of any script, with - between words.

    Raises:
        ConfigError: it has none.
    """
    text = unicodedata.normalize("NFKC", name).lower()
    found = NOT_IN_NAMES.sub("", "-".join(re.findall(r"\w+", text)))[:60].strip("-._")
    if not found or not fold(name):
        raise ConfigError(f"--about: found {shown(name)}, expected a name, as in --about 'Marie Curie'")
    return found


def run_name(name: str) -> str:
    """The name of the run that forgets a subject: it stands in messages, trackers and files, so it does not tell whom.

    Raises:
        ConfigError: no name.
    """
    return f"about-{keys.digest(slug(name))[:6]}"


def files(name: str, config: RunConfig) -> Files:
    """Where the files about a subject lie.

    Raises:
        ConfigError: no name.
    """
    return Files(Path(config.out) / FOLDER / slug(name))


def check(name: str, config: RunConfig, *, again: bool = False) -> Files:
    """Refuse what cannot be done with a name; no model is loaded.

    Args:
        name: of the subject.
        config: of the job.
        again: the model is asked again, whatever the files hold.

    Returns:
        The subject's files, there or not.

    Raises:
        ConfigError: no name, no model or one behind a server, facts of the user's own as well, or the files are of
            another name or model.
    """
    found = files(name, config)
    if config.data.names_facts:
        setting = next(k for k in ("forget", "split", "source", "layout") if getattr(config.data, k))
        raise ConfigError(
            f"--about: makes the facts to forget, but data.{setting} names some ({getattr(config.data, setting)}); "
            "leave one of the two out"
        )
    if config.model.path is None:
        raise ConfigError("model.path: not set, and --about asks a model; name one, as in --model_name_or_path MODEL")
    if config.model.url is not None:
        raise ConfigError("--about: model.url is set, and a server gives no scores; name the weights, as in model.path")
    if found.origin.is_file() and not again:
        of: dict[str, Any] = read_json(found.origin)
        for what, wanted in (("name", name), ("model", place_of(config))):
            if of.get(what) != wanted:
                raise ConfigError(
                    f"{found.folder}: holds what was asked with {what} {shown(of.get(what))}, now {shown(wanted)}; "
                    "--force without --yes asks again and keeps those files aside, out=FOLDER asks elsewhere"
                )
    return found


def place_of(config: RunConfig) -> str:
    """The model that is asked: its folder or file whole, or its id."""
    path = Path(str(config.model.path))
    return str(path.resolve()) if path.exists() else str(path)


def set_aside(found: Files) -> None:
    """Move a subject's files to `aside/<time>/` in their folder."""
    aside = found.folder / "aside" / datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
    for path in (found.forget, found.retain, found.page, found.origin):
        if path.is_file():
            aside.mkdir(parents=True, exist_ok=True)
            path.rename(aside / path.name)


def check_known(about: About) -> None:
    """Refuse a subject of which nothing was kept.

    Raises:
        DataError: how many questions were asked, and why none was kept.
    """
    if not kept(about.forget):
        raise DataError(
            f"--about: the model does not seem to know {shown(about.name)}: {len(about.forget)} asked, 0 kept "
            f"({_reasons(about.forget)}); nothing is written; try the name as the model would write it"
        )


def write(about: About, found: Files, *, model: str) -> None:
    """Write what was kept as files of facts, and a page with all that was asked.

    Args:
        about: what the model says; something of it is kept.
        found: where the files go.
        model: that was asked.
    """
    forget, stay = kept(about.forget), [*kept(about.neighbours), *kept(about.general)]
    write_text(found.page, page(about, model=model))
    if stay:
        neighbours = len(kept(about.neighbours))
        write_rows(found.retain, [_row(one, "neighbour" if i < neighbours else "other") for i, one in enumerate(stay)])
    counts = {
        "kinds": list(about.kinds),
        "asked": {"forget": len(about.forget), "neighbours": len(about.neighbours), "general": len(about.general)},
        "kept": {"forget": len(forget), "neighbours": len(kept(about.neighbours)), "general": len(kept(about.general))},
    }
    write_json(found.origin, {"name": about.name, "model": model, **counts})
    write_rows(found.forget, [_row(one) for one in forget])  # last: where it is, the others are


def lines(about: About) -> list[str]:
    """What was kept, and what was left out and why, in short."""
    parts = {"about it": about.forget, "about names beside it": about.neighbours, "in general": about.general}
    found = [f"{about.name}: taken for {' or '.join(about.kinds)}"]
    for title, asked in parts.items():
        out = _reasons(asked)
        found += [f"  {title}: {len(asked)} asked, {len(kept(asked))} kept{f'; {out}' if out else ''}"] if asked else []
    names = list(dict.fromkeys(str(one.question.subject) for one in kept(about.neighbours)))
    if about.neighbours or about.general:
        found.append(f"  beside it: {', '.join(names) or 'no name of which the model says the same twice'}")
    if (about.neighbours or about.general) and len(kept(about.neighbours)) < FEW:
        found.append(
            f"  warning: {counted(len(kept(about.neighbours)), 'fact')} about names beside it: damage near the subject "
            "is neither trained against nor measured well; add rows of your own to retain.jsonl"
        )
    return found


FEW = 5
"""Facts about neighbours below which it is said."""


def counts(found: Files) -> tuple[int, int]:
    """How many facts the files hold now, to forget and to keep.

    Raises:
        DataError: a bad row, of the user's, too.
    """
    retain = read_qa(found.retain, set_="retain") if found.retain.is_file() else []
    return len(read_qa(found.forget)), len(retain)


def held(found: Files, forget: int, retain: int) -> list[str]:
    """The files by name, and how many facts each holds now."""
    lines_ = [f"{found.forget}: {counted(forget, 'fact')} to forget"]
    lines_ += [f"{found.retain}: {counted(retain, 'fact')} to keep"] if retain else []
    if both := _on_both_sides(found) if retain else []:
        many = counted(len(both), "fact", "to keep has/to keep have")
        lines_.append(f"warning: {many} a value that is to be forgotten: {listed(both)}; remove the rows on one side")
    return [*lines_, *([f"{found.page}: all that was asked"] if found.page.is_file() else [])]


def _on_both_sides(found: Files) -> list[QA]:
    """The facts to keep whose value is that of a fact to forget."""
    gone = {fold(value) for fact in read_qa(found.forget) for value in fact.accepted}
    return [fact for fact in read_qa(found.retain, set_="retain") if gone & {fold(value) for value in fact.accepted}]


def page(about: About, *, model: str) -> str:
    """All that was asked as Markdown: what was kept with its value, then what was left out and why."""
    text = [f"# {_cell(about.name)}", "", f"What `{model}` says; that need not be true.", ""]
    text += [f"- {line.strip()}" for line in lines(about)]
    for title, asked in (
        ("To forget (forget.jsonl)", about.forget),
        ("To keep: names beside it (retain.jsonl)", about.neighbours),
        ("To keep: in general (retain.jsonl)", about.general),
    ):
        if kept(asked):
            text += ["", f"## {title}", "", "| asked | said | value | draws that tell it |", "|---|---|---|---|"]
            text += [_line(one, one.value or "", f"{one.agreed} of {len(one.drawn)}") for one in kept(asked)]
    out = [one for one in (*about.forget, *about.neighbours, *about.general) if one.problem]
    if out:
        text += ["", "## Left out", "", "| asked | said | value | why | drawn |", "|---|---|---|---|---|"]
        text += [
            _line(one, one.value or "", REASONS[str(one.problem)], " / ".join(map(_cell, one.drawn))) for one in out
        ]
    return "\n".join(text) + "\n"


def _row(one: Asked, kind: str | None = None) -> dict[str, Any]:
    """A kept answer as a row of a user's file."""
    fact = one.fact
    row: dict[str, Any] = {"question": fact.question, "answer": fact.answer, "value": one.value}
    row |= {"subject": fact.subject} if fact.subject else {}
    row |= {"plain": True} if fact.plain else {}
    return row | ({"kind": kind} if kind else {})


def _line(one: Asked, *more: str) -> str:
    asked = f"{one.question.text} …" if one.question.plain else one.question.text
    return f"| {' | '.join(_cell(text) for text in (asked, one.answer, *more))} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _reasons(asked: Sequence[Asked]) -> str:
    """Why how many were left out."""
    found = {name: sum(one.problem == name for one in asked) for name in REASONS}
    return ", ".join(f"{n} {REASONS[name]}" for name, n in found.items() if n)
