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
    twice = [form for i, form in enumerate(listed) if form in listed[:i]]
    if twice:
        raise DataError(f"value: found {_shown(twice[0])} twice among value and aliases, expected it once")
    return tuple(listed)


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
    return stripped


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
