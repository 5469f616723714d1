"""Values that are no single one: a list, replaced part by part, and a yes or no, which has one opposite."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from meow import values
from meow.inversion.second_choice.choices import Choices, Wanted, choices, ranked
from meow.inversion.second_choice.judging import Place, closed, part_places, sentence_end

if TYPE_CHECKING:
    from meow.lm import LM


def others(lm: LM, wanted: Mapping[str, Wanted], enough: int) -> dict[str, Choices]:
    """So many other values of the model's own for each value that is none of yes and no."""
    whole = [id_ for id_, w in wanted.items() if w.how == "whole"]
    rows = dict(zip(whole, choices(lm, [wanted[id_] for id_ in whole], enough=enough), strict=True))
    return rows | {id_: _other_lists(lm, w, enough) for id_, w in wanted.items() if w.how == "parts"}


def _other_lists(lm: LM, wanted: Wanted, n: int) -> Choices:
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
        is_told = values.told_mostly((wanted.place.true,), text, question=wanted.place.question)
        counts["tells_value"] += is_told
        texts += [] if is_told else [text]
    return ranked(lm, wanted, texts, counts, n)


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
    if place.opposite is None:
        return None
    beginning = place.before + place.opposite
    if not any(c.isalnum() for c in place.rest):
        return beginning + place.rest
    beginning += "," if place.rest.startswith(",") else ""
    encoded = lm.prompter.encode(wanted.fact, place.answer)
    limit = 2 * (len(encoded.ids) - encoded.start) + 8
    (said,) = lm.generate([lm.prompter.opened(wanted.fact, beginning)], limit)[0]
    return closed(beginning + said.text[: sentence_end(said.text, is_ended=said.finish == "eos") or 0])
