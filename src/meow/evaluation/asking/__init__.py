"""Asking for facts in further ways: the prompts of all forms at once, and what was said.

In: facts, and what the model has answered to their questions. Out: a row for each prompt (`forms` makes them)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from meow.config import EvalSettings, Further
from meow.evaluation import names
from meow.evaluation.asking import forms
from meow.prompts import reworded, room
from meow.records import Asked, EvalItem, FormName

if TYPE_CHECKING:
    from meow.evaluation.asking.forms import Question
    from meow.lm import LM
    from meow.prompts import Encoded


class Ways(NamedTuple):
    """How the facts of an evaluation are asked for."""

    forms: tuple[Further, ...]
    """The forms."""
    room: forms.Room
    """What they are made with."""
    limit: int
    """Tokens of one answer at most, twice those of the longest true one."""
    most: int
    """The same of answers to a paraphrase and to the beginning of an answer, as `eval.max_new_tokens` says."""
    name: str | None
    """Stands in the place of people's names, for a control; None: no control."""


def ways(lm: LM, items: Sequence[EvalItem], settings: EvalSettings, name: str | None = None) -> Ways:
    """The ways that settings name.

    An answer is as long as twice the longest true one, if `max_new_tokens` allows: what comes later answers nothing.

    Args:
        lm: the model.
        items: of all sets.
        settings: `forms` and `max_new_tokens`, a number.
        name: see `Ways`.
    """
    enough = room(lm.tokenizer, (item.answer for item in items if item.role == "forget"))
    listed = tuple(form for form in settings.forms if form != "choice" or lm.gives_scores)
    most = int(settings.max_new_tokens)
    return Ways(listed, forms.room_of(lm.prompter, items), min(most, enough), most, name)


class _Put(NamedTuple):
    """A prompt that is put."""

    at: int
    """Place of its fact."""
    form: FormName
    question: Question
    prompt: Encoded


def asked(
    lm: LM, facts: Sequence[EvalItem], said: Sequence[str], known: Sequence[Iterable[Encoded]], how: Ways
) -> list[dict[str, Any]]:
    """Fields of samples: what is said in every way, and, where there is a name for it, in the control.

    Args: as in `further`.
    """
    found = further(lm, facts, said, known, how)
    control = elsewhere(lm, facts, how) if how.name else [()] * len(facts)
    return [fields | {"elsewhere": rows} for fields, rows in zip(found, control, strict=True)]


def further(
    lm: LM,
    facts: Sequence[EvalItem],
    said: Sequence[str],
    known: Sequence[Iterable[Encoded]],
    how: Ways,
) -> list[dict[str, Any]]:
    """Fields `asked` and `not_asked` of samples: what was said when the facts were asked for in every way.

    Args:
        lm: the model.
        facts: those to be asked for.
        said: the greedy answer to each one's question.
        known: prompts of each that were put already.
        how: of `ways`.
    """
    put: list[_Put] = []
    left_out: list[list[FormName]] = [[] for _ in facts]
    for at, (fact, answer, done) in enumerate(zip(facts, said, known, strict=True)):
        seen = {prompt.ids for prompt in done}
        for form in how.forms:
            made, some_left = forms.questions(how.room._replace(said=answer), fact, form)
            if some_left and not made:
                left_out[at].append(form)
            for question in made:
                if question.prompt and question.prompt.ids not in seen:
                    seen.add(question.prompt.ids)
                    put.append(_Put(at, form, question, question.prompt))
    rows: list[list[Asked]] = [[] for _ in facts]
    for p, text in [*_generated(lm, [p for p in put if not p.question.options], how), *_chosen(lm, facts, put)]:
        q = p.question
        rows[p.at].append(Asked(form=p.form, prompt=q.text, said=text, forms=q.forms, question=q.question))
    order: dict[FormName, int] = {form: i for i, form in enumerate(how.forms)}
    return [
        {"asked": sorted(found, key=lambda row: order[row.form]), "not_asked": left}
        for found, left in zip(rows, left_out, strict=True)
    ]


def elsewhere(lm: LM, facts: Sequence[EvalItem], how: Ways) -> list[tuple[Asked, ...]]:
    """The control: what is said of facts about people when another name stands in theirs, asked in the same ways.

    What is said is judged by the true value: a model tells it so by chance, or since it answers whatever the name. Not
    reversed, which asks for the name itself.

    Args:
        lm: the model.
        facts: those to be asked for.
        how: of `ways`, with a name.

    Returns:
        The direct answer first; nothing of a fact that is about nobody, or does not name its subject in the question.
    """
    about = {fact.subject for fact in facts if names.is_of_a_person(fact)}
    places = {
        i: other.model_copy(update={"values": fact.accepted})
        for i, fact in enumerate(facts)
        if how.name and fact.subject in about and (other := names.renamed(fact, how.name)) is not None
        if lm.prompter.fitting(other)  # the new name may be the longer one
    }
    others = list(places.values())
    prompts = [lm.prompter.prompt(other) for other in others]
    said = [row[0].text.strip() for row in lm.generate(prompts, how.most)]
    listed: dict[Further, None] = dict.fromkeys(("paraphrase", "completion", *how.forms))
    same = how._replace(forms=tuple(form for form in listed if form != "reversed"))
    rows = further(lm, others, said, [[prompt] for prompt in prompts], same)
    found: list[tuple[Asked, ...]] = [() for _ in facts]
    for i, text, fields in zip(places, said, rows, strict=True):
        direct = Asked(form="direct", prompt=places[i].question, said=text)
        found[i] = (direct, *fields["asked"])
    return found


def _generated(lm: LM, put: Sequence[_Put], how: Ways) -> list[tuple[_Put, str]]:
    """How each prompt is gone on with, greedily."""
    room = [how.most if p.form in ("paraphrase", "completion") else how.limit for p in put]
    rows = lm.generate([p.prompt for p in put], room)
    return [(p, row[0].text.strip()) for p, row in zip(put, rows, strict=True)]


def _chosen(lm: LM, facts: Sequence[EvalItem], put: Sequence[_Put]) -> list[tuple[_Put, str]]:
    """The first rotation of each choice, and the option whose letter is likeliest in the mean of all of them."""
    choices = [p for p in put if p.question.options]
    if not choices:
        return []
    asked = [(p, letter) for p in choices for letter in forms.LETTERS[: len(p.question.options)]]
    encoded = [_letter(lm, facts[p.at], p.question, letter) for p, letter in asked]
    likely: defaultdict[int, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
    first: dict[int, _Put] = {}
    for (p, letter), scores in zip(asked, lm.score(encoded), strict=True):
        first.setdefault(p.at, p)
        likely[p.at][p.question.options[forms.LETTERS.index(letter)]] += float(np.exp(scores.logp.sum()))
    return [(first[at], max(options, key=lambda text: options[text])) for at, options in likely.items()]


def _letter(lm: LM, fact: EvalItem, question: Question, letter: str) -> Encoded:
    """A choice with the beginning of one answer: its letter, and nothing that closes it."""
    full = lm.prompter.encode(reworded(fact, question.text), letter)
    return replace(full, ids=full.ids[: len(full.ids) - full.closing], closing=0)
