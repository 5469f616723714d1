"""Values that are no single one: a list, replaced part by part, and a yes or no, which has one opposite."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from meow import values
from meow.inversion.choices import Choices, Wanted, choices, likeliest, ranked
from meow.inversion.continuations import begun
from meow.inversion.judging import Place, closed, sentence_end

if TYPE_CHECKING:
    from meow.lm import LM

OPPOSITES = {
    "yes": "no", "yeah": "no", "yep": "no", "no": "yes", "nope": "yes", "oui": "non", "non": "oui", "si": "no",
    "sí": "no", "sì": "no", "sim": "não", "não": "sim", "ja": "nein", "nein": "ja", "nee": "ja", "да": "нет",
    "нет": "да", "是": "不是", "是的": "不是", "不": "是", "不是": "是", "はい": "いいえ", "いいえ": "はい",
    "نعم": "لا", "لا": "نعم",
}  # fmt: skip
"""The other answer to a question that wants a yes or a no."""


def is_list(place: Place) -> bool:
    """Whether the value has parts that all stand in the answer."""
    return len(part_places(place)) > 1


def part_places(place: Place) -> list[Place]:
    """The parts of a value, each with its place in the answer; none where one of them does not stand there."""
    parts, found, at = values.parts(place.true, place.question), list[Place](), place.start
    for part in parts:
        start = place.answer.find(part[0], at)
        if start < 0:
            return []
        at = start + len(part[0])
        others = tuple(form for other in parts for form in other if other is not part)
        found.append(place._replace(start=start, end=at, forms=part, others=others, is_part=True))
    return found


def other_lists(lm: LM, wanted: Wanted, n: int) -> Choices:
    """Up to `n` lists: another first part or the true one, then under it the likeliest other second ones, and so on.

    Each beginning gets as many next parts as make up `n` lists. A part for which there is none stays; a list that still
    tells more than half of the parts is rejected.
    """
    parts = part_places(wanted.place)
    rows, counts = [list[str]()], Counter[str]()
    for i, part in enumerate(parts):
        each = -(-n // len(rows))
        found = choices(lm, [wanted._replace(place=_shifted(parts, row)) for row in rows], enough=each + i)
        longer = []
        for row, (accepted, counted) in zip(rows, found, strict=True):
            counts += counted
            used = {values.fold(value) for value in row}
            free = [choice.value for choice in accepted if values.fold(choice.value) not in used]
            longer += [[*row, value] for value in [*free[:each], *([part.true] if i == 0 or not free else [])]]
        rows = longer
    texts, behind = list[str](), wanted.place.answer[parts[-1].end : wanted.place.end]
    for row in rows:
        last = _shifted(parts, row[:-1])
        text = last.answer[wanted.place.start : last.start] + row[-1] + behind
        told = sum(values.told(part.forms, text, question=wanted.place.question) for part in parts)
        counts["tells_value"] += told > len(parts) / 2
        texts += [text] if told <= len(parts) / 2 else []
    return likeliest(wanted, ranked(lm, [wanted], [list(dict.fromkeys(texts))])[0], counts, n)


def _shifted(parts: Sequence[Place], row: Sequence[str]) -> Place:
    """The place of the part behind those that are replaced, in the answer that holds the new ones."""
    answer, shift = parts[0].answer, 0
    for part, value in zip(parts, row, strict=False):
        answer = answer[: part.start + shift] + value + answer[part.end + shift :]
        shift += len(value) - (part.end - part.start)
    at = parts[len(row)]
    return at._replace(answer=answer, start=at.start + shift, end=at.end + shift)


def opposite(lm: LM, wanted: Wanted) -> str | None:
    """The answer with the other of yes and no, and the model's own sentence after it; None where it has no opposite."""
    place = wanted.place
    other = OPPOSITES.get(place.true.casefold())
    if other is None:
        return None
    beginning = place.before + (other.capitalize() if place.true[:1].isupper() else other)
    if not any(c.isalnum() for c in place.rest):
        return beginning + place.rest
    beginning += "," if place.rest.startswith(",") else ""
    encoded = lm.prompter.encode(wanted.fact, place.answer)
    said = begun(lm, wanted.fact, beginning, 2 * (len(encoded.ids) - encoded.start) + 8)
    end = sentence_end(said.text, is_ended=said.is_ended)
    return closed(beginning + said.text[:end]) if end else closed(beginning)
