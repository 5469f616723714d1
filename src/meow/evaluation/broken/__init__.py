"""Broken text: which answers are no sentences any more, whatever they are about (SPEC section 13).

In: what a model said, and the original. Out: fields of the samples: why an answer is broken, and how likely the
original finds it where it does not repeat itself."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from meow import keys, values
from meow.evaluation.likelihoods import Said
from meow.records import BrokenBy, EvalItem, Role
from meow.text import repetition, scripts, tokenizer_of, words

if TYPE_CHECKING:
    from meow.lm import LM, Completion
    from meow.prompts import Encoded

PAIRS = 100
"""Clean sentences that the threshold is taken from, where there are so many."""
FEWEST = 50
"""With fewer there is no threshold."""
PERCENT = 1.0
"""The percentile of their log-probabilities that is the threshold."""
LONG = 200
"""New tokens within which any sentence ends."""
REPEATED = 0.3
"""Rep-3 above which a text repeats itself."""
SHORT = 6
"""Words, or characters of a script without spaces, below which Rep-3 says nothing."""
_RUN = re.compile(r"([^\W\d_])\1{5}")
"""A letter that stands six times running."""
SCORED: tuple[Role, ...] = ("forget", "retain")
"""The sets whose answers are put to the original."""


class Sound(NamedTuple):
    """What whole text is measured by."""

    clean: tuple[float, int] | None
    """The least mean log p per token (nats) of whole text under the original, and the number of clean sentences that it
    is taken from; None: not known."""
    answers: frozenset[str]
    """Of the files and taught: never broken."""
    limit: int
    """New tokens that an answer had at most."""


def sound(original: LM | None, items: Sequence[EvalItem], limit: int) -> Sound:
    """What whole text is measured by: the retain facts' answers, each put to another retain question.

    Args:
        original: None: what repeats, does not end or mixes scripts is found, and no more.
        items: of all sets.
        limit: new tokens that an answer may have.
    """
    answers = frozenset(text for item in items for text in _answers(item))
    if original is None or not original.gives_scores:
        return Sound(None, answers, limit)
    listed = pairs(items)
    mark = keys.digest([keys.of_model(original), *([a.id, b.id] for a, b in listed)])
    if mark not in _KNOWN:
        _KNOWN[mark] = _least(original, listed) if len(listed) >= FEWEST else None
    return Sound(_KNOWN[mark], answers, limit)


_KNOWN: dict[str, tuple[float, int] | None] = {}
"""`Sound.clean` by original and sentences: every evaluation of a run asks for the same."""


def _least(original: LM, listed: Sequence[tuple[EvalItem, EvalItem]]) -> tuple[float, int] | None:
    """`Sound.clean` of sentences, each put to a question."""
    encoded = original.prompter.encode_all([(asked, other.answer) for asked, other in listed])
    bare = [replace(e, ids=e.ids[: len(e.ids) - e.closing], closing=0) for e in encoded]
    likely = [mean_logp(e.ids[e.start :], s.logp) for e, s in zip(bare, original.score(bare), strict=True)]
    known = [x for x in likely if x is not None]
    return (float(np.percentile(known, PERCENT)), len(known)) if known else None


def _answers(item: EvalItem) -> Iterable[str]:
    taught = (answer.text for answer in item.taught or ())
    return filter(None, (item.answer, item.paraphrased_answer, *item.perturbed_answers, *taught))


def pairs(items: Sequence[EvalItem]) -> list[tuple[EvalItem, EvalItem]]:
    """A retain question, and another whose answer is put to it: always the same for the same facts, PAIRS at most."""
    kept = [item for item in items if item.role == "retain" and item.question]
    random.Random("clean sentences").shuffle(kept)
    shifted = ((item, kept[(i + by) % len(kept)]) for by in range(1, len(kept)) for i, item in enumerate(kept))
    apart = ((a, b) for a, b in shifted if values.fold(a.answer) != values.fold(b.answer))
    return [pair for pair, _ in zip(apart, range(PAIRS), strict=False)]


def judged(
    original: LM | None,
    items: Sequence[EvalItem],
    prompts: Sequence[Encoded],
    answers: Sequence[Completion],
    said: Sequence[Said] | None,
    measure: Sound,
) -> list[dict[str, Any]]:
    """Fields of the samples: `original_loss`, `fresh_logp`, `clean` and `broken`.

    Args:
        original: under which answers are scored; None: they are not.
        items: the questions.
        prompts: as tokens.
        answers: what was said.
        said: of the original, where it is the model that answered: what is the true answer is scored already.
        measure: what whole text is measured by.
    """
    found = []
    for item, answer, logp in zip(items, answers, _scores(original, items, prompts, answers, said), strict=True):
        fresh = None if logp is None else mean_logp(answer.ids or (), logp)
        why = broken_by(item, answer, fresh, measure)
        row: dict[str, Any] = {"broken": why, "fresh_logp": fresh, "clean": measure.clean}
        found.append(row | ({} if logp is None else {"original_loss": float(-logp.mean())}))
    return found


def _scores(
    original: LM | None,
    items: Sequence[EvalItem],
    prompts: Sequence[Encoded],
    answers: Sequence[Completion],
    said: Sequence[Said] | None,
) -> list[NDArray[np.float64] | None]:
    """log p of each token of each answer under the original, EOS left out; None for an empty answer and other sets."""
    found: list[NDArray[np.float64] | None] = [None for _ in items]
    sequences: dict[int, Encoded] = {}
    for i, (item, prompt, answer) in enumerate(zip(items, prompts, answers, strict=True)):
        if original is None or item.role not in SCORED or not answer.ids:
            continue
        ids = (*prompt.ids, *answer.ids)
        if said is not None and ids == said[i].answered:
            found[i] = said[i].logp
        else:
            sequences[i] = replace(prompt, ids=ids)
    if original is not None:
        for i, score in zip(sequences, original.score(list(sequences.values())), strict=True):
            found[i] = score.logp
    return found


def broken_by(item: EvalItem, answer: Completion, fresh: float | None, measure: Sound) -> BrokenBy:
    """Why an answer is broken; empty: it is whole.

    Args:
        item: the question.
        answer: what was said.
        fresh: its mean log p per token under the original, in nats, where it does not repeat itself; None: not known.
        measure: what whole text is measured by.
    """
    text = answer.text.strip()
    if not text:
        return "empty"
    why = _looks(item, text, answer, fresh, measure)
    return "" if why and values.fold(text) in _folded(measure.answers) else why


@lru_cache(maxsize=4)
def _folded(texts: frozenset[str]) -> frozenset[str]:
    """Folded, where an answer has to be compared: of most models few have."""
    return frozenset(map(values.fold, texts))


def _looks(item: EvalItem, text: str, answer: Completion, fresh: float | None, measure: Sound) -> BrokenBy:
    """Why a text looks broken; empty: it does not."""
    steps: Sequence[Any] = answer.ids or words(text, "unicode")
    if answer.finish == "length" and (measure.limit >= LONG or not all(firsts(steps)[-1:])):
        return "endless"
    found = words(text, tokenizer_of(text))
    if _RUN.search(text) or (len(found) >= SHORT and (repetition(" ".join(found)) or 0.0) > REPEATED):
        return "repeats"
    if measure.clean is not None and fresh is not None and fresh < measure.clean[0]:
        return "unlikely"
    written = [n for n in scripts(text).values() if n > 2]  # a letter or two are signs, as in 2π µm
    mixed = len(written) > 1 >= len(scripts(f"{item.conversation} {item.answer}"))
    return "mixed scripts" if mixed else ""


def firsts(steps: Sequence[Any]) -> list[bool]:
    """Whether the trigram that ends at each place stands there for the first time; the first two places have none."""
    seen: set[tuple[Any, ...]] = set()
    found = []
    for i in range(len(steps)):
        gram = tuple(steps[i - 2 : i + 1]) if i > 1 else (i,)
        found.append(gram not in seen)
        seen.add(gram)
    return found


def mean_logp(ids: Sequence[int], logp: NDArray[np.float64]) -> float | None:
    """Mean log p per token, in nats, over the places where a trigram is new; None: there is no token."""
    return float(logp[np.array(firsts(ids), dtype=bool)].mean()) if len(ids) else None
