"""From a name to facts: what a model says of a subject, asked in many ways and kept where its answers agree.

In: a model and a name. Out: facts to forget, facts to keep (`find`), and what was left out with the reason; as files
for the user to read (`writing`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from meow.about.asking import DRAWS, Asked, Question, judged, once, said
from meow.about.asking import TOKENS as OF_ANSWER
from meow.about.kinds import kinds
from meow.about.questions import BEGINNINGS, GENERAL, KINDS, MADE
from meow.about.texts import beginnings, beside, names_it
from meow.terminal import progress

if TYPE_CHECKING:  # torch takes seconds, and files that are there are read without it
    from meow.lm import LM
    from meow.lm.model import Completion

TEXT_TOKENS = 80
"""New tokens of a text that the model goes on with."""
TEXT_DRAWS = 3
"""Texts that are drawn of each beginning, beside the greedy one."""
MOST_BEGINNINGS = 12
"""Beginnings that are asked of a subject, of those that its texts have."""
NEIGHBOURS = 8
"""Names that are asked about for the retain set."""
OF_NEIGHBOUR = 5
"""Questions about each of them."""


class About(NamedTuple):
    """What a model says of a subject."""

    name: str
    """The subject."""
    kinds: tuple[str, ...]
    """What the model takes it for, likeliest first."""
    forget: tuple[Asked, ...]
    """Every question about it, kept or left out."""
    neighbours: tuple[Asked, ...]
    """Every question about the names beside it."""
    general: tuple[Asked, ...]
    """Every question that has nothing to do with it."""


def kept(asked: Sequence[Asked]) -> list[Asked]:
    """Those that nothing is wrong with."""
    return [one for one in asked if one.problem is None]


def find(lm: LM, name: str, *, seed: int = 0) -> About:
    """Ask a model about a subject, about names that it puts beside it, and general questions.

    Each question is answered greedily and by draws; an answer is kept where each draw tells its value, the value does
    not stand in the question, and nothing before it says the same. What is asked of another name and answered with the
    subject is a fact about the subject.

    Args:
        lm: the model.
        name: of the subject, as one writes it in a sentence.
        seed: of what is drawn.
    """
    opened = [Question(text.format(name=name), name, plain=True) for text in BEGINNINGS]
    with progress(f"texts about {name}", 2 * len(opened)) as advance:
        went_on = said(lm, opened, TEXT_TOKENS, seed=seed, draws=TEXT_DRAWS, each=advance)
    texts = [f"{q.text} {one.text.lstrip()}" for q, row in zip(opened, went_on, strict=True) for one in row]
    found = kinds(lm, [name])[0]
    questions = [q for kind in found for q in _questions(name, kind)]
    questions += beginnings(name, texts)[:MOST_BEGINNINGS]
    answers = _answers(lm, questions, f"questions about {name}", seed)
    about = [judged(q, row) for q, row in zip(questions, answers, strict=True)]
    texts += [one.text for q, row in zip(questions, answers, strict=True) if not q.plain for one in row]
    names = beside(name, texts)[:NEIGHBOURS]
    kinds_of = list(zip(names, kinds(lm, names), strict=True))
    near = [q for other, of in kinds_of for q in _questions(other, of[0])[:OF_NEIGHBOUR]]
    made = [_put(MADE, other) for other, of in kinds_of if "person" in found and of[0] not in ("place", "work")]
    general = [Question(text, None, opening) for text, opening in GENERAL if not names_it(name, text)]
    title = f"questions about {len(names)} neighbours and in general"
    asked = _judged(lm, [near, made, general], title, seed)
    about = once([*about, *(_of(name, one) for part in asked for one in part if _gives(name, one))])
    near_said, _, in_general = ([_apart(name, one) for one in part if not _gives(name, one)] for part in asked)
    stay = once([*near_said, *in_general], kept(about))
    return About(name, found, tuple(about), tuple(stay[: len(near_said)]), tuple(stay[len(near_said) :]))


def _judged(lm: LM, parts: Sequence[Sequence[Question]], title: str, seed: int) -> list[list[Asked]]:
    """What is to be thought of the answers to several lists of questions, which are put at once."""
    questions = [question for part in parts for question in part]
    answers = _answers(lm, questions, title, seed)
    found = iter([judged(question, row) for question, row in zip(questions, answers, strict=True)])
    return [[next(found) for _ in part] for part in parts]


def _gives(name: str, one: Asked) -> bool:
    """Whether an answer gives the subject: "Who wrote Hamlet?" is about its author, too."""
    return one.problem is None and names_it(name, str(one.value)) and not names_it(name, one.question.text)


def _of(name: str, one: Asked) -> Asked:
    """What gives the subject, as a fact about it."""
    return one._replace(question=one.question._replace(subject=name))


def _apart(name: str, one: Asked) -> Asked:
    """An answer of the retain set, left out where it tells of the subject."""
    tells = names_it(name, one.answer) or names_it(name, one.question.text)
    return one._replace(problem="tells_of_it") if one.problem is None and tells else one


def _questions(name: str, kind: str) -> list[Question]:
    """What is asked of a subject of a kind."""
    return [_put(words, name) for words in KINDS[kind].questions]


def _put(words: tuple[str, str], name: str) -> Question:
    """A question about a name, and how its answer begins."""
    return Question(words[0].format(name=name), name, words[1].format(name=name))


def _answers(lm: LM, questions: Sequence[Question], title: str, seed: int) -> list[list[Completion]]:
    with progress(title, 2 * len(questions)) as advance:
        return said(lm, questions, OF_ANSWER, seed=seed, draws=DRAWS, each=advance)
