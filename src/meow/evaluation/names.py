"""The same question about somebody whom nobody knows: the name of its subject replaced in every text by another one.

What a model says of a name that no file holds, it says without having learned it. Asked so, the original itself stands
for a model that never saw the facts, where there is no such model (SPEC section 11).
"""

from __future__ import annotations

import random
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from meow import keys
from meow.errors import ConfigError
from meow.evaluation.likelihoods import likelihoods
from meow.metrics import items as scores
from meow.records import EvalItem, EvalSample
from meow.subjects import subjects
from meow.text import STOP_WORDS, words

if TYPE_CHECKING:
    from meow.lm import LM

K = 8
"""Names that each question is asked about."""
NAMES = tuple(Path(__file__).with_suffix(".txt").read_text(encoding="utf-8").splitlines())
"""Our own."""
GROUP = 32
"""Questions asked at once under all names."""
_APOSTROPHES = "'’"
_OPENING = re.compile(r"(?:^|[\s(])['‘]\w")


def renamed(item: EvalItem, name: str) -> EvalItem | None:
    """The item about somebody else: question, answers, chat and values with another name in the subject's place.

    The full name becomes the full name, what is given or family name alone the same of the new one; possessives follow.
    A name is replaced as a whole word alone.

    Args:
        item: its subject is `subject`, else the name in its question.
        name: given name first, family name last.

    Returns:
        None where the question does not name its subject.
    """
    about = "".join(subjects([item])[0].names[:1])
    forms = _forms(about)
    if forms is None or not forms.search(item.conversation):
        return None
    found = item.reworded(lambda text: forms.sub(lambda form: _instead(form, about, name), text))
    return found.model_copy(update={"subject": name})


class Swap(NamedTuple):
    """A name in a text and what stands there instead, by their characters in both texts."""

    start: int
    end: int
    new_start: int
    new_end: int


def swaps(text: str, about: str, name: str) -> list[Swap]:
    """Where `renamed` has replaced the name of a subject, in order; a possessive that stays is no part of it."""
    forms, found, shift = _forms(about), list[Swap](), 0
    for form in forms.finditer(text) if forms else ():
        said = _instead(form, about, name)
        kept = len(form["of"]) if form["of"] and said.endswith(form["of"]) else 0
        (start, end), grown = form.span(), len(said) - len(form[0])
        found.append(Swap(start, end - kept, start + shift, end - kept + shift + grown))
        shift += grown
    return found


_PERSON = re.compile(
    r"\b(?:s?he|his|hers?|him|who|whose|born|author|writer|father|mother|husband|wife|married)\b", re.I
)


def is_of_a_person(item: EvalItem) -> bool:
    """Whether an item's subject has a name of several words and is spoken of as a person: by a pronoun, or by what only
    people are."""
    is_name = item.subject is not None and len(item.subject.split()) > 1
    return is_name and bool(_PERSON.search(f"{item.conversation} {item.answer}"))


@lru_cache(maxsize=4096)
def _forms(about: str) -> re.Pattern[str] | None:
    """What finds a full name or parts of it as whole words, a possessive with it; None: it is no name."""
    tokens = about.split()
    if not tokens or not any(map(_is_name, tokens)):
        return None
    n = len(tokens)
    runs = [tokens[i:j] for i in range(n) for j in range(i + 1, n + 1)] + [[tokens[0], tokens[-1]]]
    parts = {" ".join(run) for run in runs if _is_name(run[-1]) and (len(run) > 1 or len(run[0].strip(".")) > 1)}
    listed = "|".join(re.escape(part) for part in sorted({*parts, about}, key=lambda part: (-len(part), part)))
    return re.compile(
        rf"(?<![\w-])(?<!\w[{_APOSTROPHES}])(?P<name>{listed})(?P<of>[{_APOSTROPHES}](?:s\b|(?!\w)))?"
        rf"(?![\w]|-\w|[{_APOSTROPHES}]\w)"
    )


def _is_name(word: str) -> bool:
    """Whether a word of a name stands for it: `Holt`, not `de` nor `Will`."""
    return word[:1].isupper() and word.lower() not in STOP_WORDS


def _instead(found: re.Match[str], about: str, name: str) -> str:
    """What stands where a form of the old name was found."""
    given, family = about.split()[0], about.split()[-1]
    form, of, new = found["name"], found["of"] or "", name.split()
    if given == family or (form.startswith(given) and form.endswith(family)):
        said = name
    else:
        said = new[0] if form.startswith(given) else new[-1]
    if len(of) == 1 and (form[-1] != "s" or _OPENING.search(found.string[: found.start() + 1])):
        return said + of  # the end of a quotation
    return said + (of[0] + "s" if of else "")


def read(given: Sequence[str]) -> list[str]:
    """Names of `data.names`, of files with one a line among them; our own where none are given."""
    found: list[str] = []
    for name in given or NAMES:
        is_file = bool(given) and Path(name).is_file()
        found += Path(name).read_text(encoding="utf-8").splitlines() if is_file else [name]
    return list(dict.fromkeys(name.strip() for name in found if name.strip()))


def draw(names: Sequence[str], texts: Iterable[str], k: int = K, *, seed: int) -> tuple[str, ...]:
    """k names of which no word stands in any of the texts, nor in another of them.

    Args:
        names: to choose from.
        texts: of all files.
        k: how many.
        seed: of the draw.

    Raises:
        ConfigError: there are fewer.
    """
    seen = {word for text in texts for word in words(text, "unicode")}
    found: list[str] = []
    for name in random.Random(f"names:{seed}").sample(list(names), len(names)):
        mine = set(words(name, "unicode"))
        if mine and not mine & seen and len(found) < k:
            found.append(name)
            seen |= mine
    if len(found) < k:
        raise ConfigError(
            f"data.names: {len(found)} of {len(names)} names have no word of a file, expected {k}; give more, "
            "as in data.names=[names.txt]"
        )
    return tuple(found)


def texts_of(items: Iterable[EvalItem]) -> Iterator[str]:
    """Every text of items that a model may have learned from, or is scored on."""
    for item in items:
        yield from (item.conversation, item.answer, item.paraphrased_answer or "", item.paraphrased_question or "")
        yield from (*item.perturbed_answers, item.subject or "")


def scored_keys(lm: LM, items: Sequence[EvalItem], names: Sequence[str] = ()) -> list[str]:
    """The key of each sample of `scored`."""
    return [keys.digest([keys.of_model(lm), "scored", list(names), i, item]) for i, item in enumerate(items)]


def scored(
    lm: LM, items: Sequence[EvalItem], names: Sequence[str] = (), *, known: Collection[str] = ()
) -> Iterator[EvalSample]:
    """Questions whose answers are scored, while nothing is generated, as samples.

    Args:
        lm: the model.
        items: of one set; each with its subject, where there are names.
        names: ask about these instead: the samples hold log R alone, its mean over them, and none where the question
            names nobody. None: ask as it is; the samples hold all likelihoods.
        known: keys of `scored_keys` that are passed over; a group of which one is missing is measured whole.

    Yields:
        Samples in the order of the items.
    """
    wanted = scored_keys(lm, items, names)
    for at in range(0, len(items), GROUP):
        group = items[at : at + GROUP]
        marks = [{"key": key, "index": at + i} for i, key in enumerate(wanted[at : at + GROUP])]
        if not {*wanted[at : at + GROUP]} <= {*known}:
            found = _likely(lm, group, marks) if not names else _mean(lm, group, marks, names)
            yield from (sample for sample in found if sample.key not in known)


def _likely(lm: LM, items: Sequence[EvalItem], marks: Sequence[dict[str, Any]]) -> list[EvalSample]:
    rows = zip(items, marks, likelihoods(lm, items)[0], strict=True)
    return [EvalSample(**item.model_dump(), **mark, **row) for item, mark, row in rows]


def _mean(
    lm: LM, items: Sequence[EvalItem], marks: Sequence[dict[str, Any]], names: Sequence[str]
) -> Iterator[EvalSample]:
    """The items with the mean log R of what they are under each name."""
    renaming = [[renamed(item, name) for name in names] for item in items]
    others = [[other for other in row if other and lm.prompter.fitting(other)] for row in renaming]
    bare = [other.model_copy(update={"alternatives": ()}) for row in others for other in row]
    samples = iter(_likely(lm, bare, [{"key": "", "index": i} for i in range(len(bare))]))
    for item, row, mark in zip(items, others, marks, strict=True):
        logs = [log for _ in row if (log := scores.log_truth_ratio(next(samples))) is not None]
        yield EvalSample(**item.model_dump(), **mark, log_truth_ratio=sum(logs) / len(logs) if logs else None)
