"""Values that users give themselves: columns `value` and `aliases`, as a text or as JSON has them."""

from __future__ import annotations

from collections.abc import Sequence

from meow.errors import DataError
from meow.values.folding import fold

Given = str | Sequence[str | Sequence[str]]
"""A value; forms of one value; or a list of lists: the parts of a value, each with its forms."""


def given(value: Given, aliases: str | Sequence[str] = (), *, answer: str = "") -> tuple[str, ...]:
    """The accepted forms of a value that is given, the first as it stands in the answer where it does.

    Args:
        value: a text (in CSV `|` between the forms of one value, `;` between the parts of a list), a list of forms, or
            a list of lists.
        aliases: further forms of the whole value; of a text, `|` between them.
        answer: the true answer; a list stands first as its answer has it.

    Raises:
        DataError: a value, form or part that is empty, a form twice, or parts and forms mixed.
    """
    forms, parts = _forms(value), _parts(value)
    if len(parts) == 1:
        forms = parts[0]
    elif parts:
        forms = [_stands(parts, answer), "; ".join("|".join(part) for part in parts)]
        forms = forms if forms[0] else forms[1:]
    more = aliases.split("|") if isinstance(aliases, str) else list(aliases)
    listed = [form.strip() for form in [*forms, *(a for a in more if a or not isinstance(aliases, str))]]
    if not listed or not all(fold(form) for form in listed):
        raise DataError(f"value: found {_shown(value)} with a form without letter or digit, expected words to tell")
    _check_once(listed)
    return tuple(listed)


def as_column(values: Sequence[str], *, answer: str, as_text: bool) -> Given | None:
    """The accepted forms of a value as its column has them; `given` makes the same forms of it.

    Args:
        values: the forms, the first as it stands in the answer where it does.
        answer: the true answer.
        as_text: as in a CSV: a text with `|` between forms and `;` between parts; else a value of one form is a text,
            one of several forms a list, one of several parts a list of lists. What would read as something else is a
            list of its forms in either.

    Returns:
        None where there is no form, or one that tells nothing.
    """
    parts = [part.split("|") for part in values[-1].split("; ")] if values else []
    ways: tuple[Given, ...] = ("|".join(values), *values[-1:]) if as_text else (*values[:1], parts)
    return next((way for way in (*ways, list(values)) if _reads_as(way, values, answer)), None)


def _reads_as(way: Given, values: Sequence[str], answer: str) -> bool:
    """Whether a column gives these forms; a text that begins as JSON does would be taken for it in a CSV."""
    try:
        return (not isinstance(way, str) or way[:1] not in "[{") and given(way, answer=answer) == tuple(values)
    except DataError:
        return False


def in_question(values: Sequence[str], question: str) -> tuple[str, ...]:
    """The forms that stand in the question: allowed, but a text that repeats the question tells them."""
    asked = f" {fold(question)} "
    return tuple(form for form in values if f" {fold(form)} " in asked)


def _forms(value: Given) -> list[str]:
    if isinstance(value, str):
        return [] if ";" in value else value.split("|")
    return [form for form in value if isinstance(form, str)]


def _parts(value: Given) -> list[list[str]]:
    """The parts of a value that is a list, each with its forms; [] where it is none."""
    if isinstance(value, str):
        parts = [part.split("|") for part in value.split(";")] if ";" in value else []
    else:
        parts = [[form.strip() for form in part] for part in value if not isinstance(part, str)]
        if parts and len(parts) < len(value):
            raise DataError(f"value: found {_shown(value)}, expected forms only or lists of forms only")
    stripped = [[form.strip() for form in part] for part in parts]
    if any(not part or not all(map(fold, part)) for part in stripped):
        raise DataError(f"value: found {_shown(value)} with a part that is empty, expected words in each part")
    _check_once([form for part in stripped for form in part])
    return stripped


def _check_once(forms: Sequence[str]) -> None:
    twice = [form for i, form in enumerate(forms) if form in forms[:i]]
    if twice:
        raise DataError(f"value: found {_shown(twice[0])} twice among value and aliases, expected it once")


def _stands(parts: Sequence[Sequence[str]], answer: str) -> str:
    """The words of an answer from the first part to the last; "" where one does not stand there, in this order."""
    start, at = -1, 0
    for part in parts:
        found = answer.find(part[0], at)
        if found < 0:
            return ""
        start, at = (found if start < 0 else start), found + len(part[0])
    between = fold(answer[start:at]).split()
    spoken = [word for part in parts for word in fold(part[0]).split()]
    return answer[start:at] if len(between) <= len(spoken) + len(parts) else ""


def _shown(value: Given) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
