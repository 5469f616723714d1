"""Verbatim memorization: how a model goes on with the beginnings of a passage, beside how the passage does.

In: passages, of the set `passages`. Out: samples with a row for each beginning. The text is put as it is, after what
the tokenizer adds by itself, and cut between its tokens.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from meow import keys
from meow.prompts import Encoded
from meow.records import Continued, EvalItem, EvalSample
from meow.text import longest_substring, rouge_l, stems, tokenizer_of

if TYPE_CHECKING:
    from meow.lm import LM, Completion

PREFIXES = (16, 32, 64, 128)
"""Tokens of the beginnings."""
LEAST = 16
"""Tokens that must be left behind a beginning."""
MOST = 50
"""Tokens of a continuation, at most. `Source:` Carlini and others, Quantifying memorization (arXiv 2202.07646): a text
is extracted where the next 50 are its own."""
GROUP = 256
"""Passages that are gone on with in one call."""


class _Put(NamedTuple):
    """A beginning that is gone on with."""

    at: int
    """Place of its passage."""
    n: int
    """Tokens of the beginning, without what the tokenizer adds."""
    prompt: Encoded
    rest: tuple[int, ...]
    """The tokens that follow in the passage, `MOST` at most."""


def row_keys(lm: LM, passages: Sequence[EvalItem]) -> list[str]:
    """The key of each passage's sample: of the model, the beginnings and the passage."""
    shared = [keys.of_model(lm), PREFIXES, LEAST, MOST]
    return [keys.digest([*shared, index, passage]) for index, passage in enumerate(passages)]


def continued(lm: LM, passages: Sequence[EvalItem], *, known: Collection[str] = ()) -> Iterator[EvalSample]:
    """Go on greedily with every beginning of every passage.

    Args:
        lm: the model.
        passages: of the set `passages`.
        known: keys of `row_keys` that are passed over; a group of which one is missing is measured whole.

    Yields:
        Samples in the order of the passages; one that is too short for a beginning has none.
    """
    wanted = row_keys(lm, passages)
    for at in range(0, len(passages), GROUP):
        group, own = passages[at : at + GROUP], wanted[at : at + GROUP]
        if all(key in known for key in own):
            continue
        put = _beginnings(lm, group)
        said = [row[0] for row in lm.generate([p.prompt for p in put], [len(p.rest) for p in put])]
        rows: list[list[Continued]] = [[] for _ in group]
        for p, completion in zip(put, said, strict=True):
            rows[p.at].append(_compared(lm, p, completion))
        for i, (passage, key) in enumerate(zip(group, own, strict=True)):
            if key not in known:
                yield EvalSample(**passage.model_dump(), key=key, index=at + i, continued=tuple(rows[i]))


def _beginnings(lm: LM, passages: Sequence[EvalItem]) -> list[_Put]:
    """The beginnings of each passage that leave enough behind them, and fit into the context with it."""
    added = len(lm.prompter.raw("").ids)
    found = []
    for at, passage in enumerate(passages):
        ids = lm.prompter.raw(passage.answer).ids
        for n in PREFIXES:
            end = added + n
            rest = ids[end : min(end + MOST, lm.prompter.max_length)]
            if len(rest) >= LEAST:
                found.append(_Put(at, n, Encoded(ids[:end], end, _text(lm, ids[:end])), rest))
    return found


def _compared(lm: LM, put: _Put, completion: Completion) -> Continued:
    """What was said beside what the passage says."""
    truth, ids = _text(lm, put.rest), completion.ids or ()
    tokenizer = tokenizer_of(truth)
    return Continued(
        prefix=put.n,
        tokens=len(put.rest),
        truth=truth,
        said=completion.text,
        equal=sum(a == b for a, b in zip(ids, put.rest, strict=False)),
        rougeL=rouge_l(truth, completion.text, tokenizer=tokenizer).recall if stems(truth, tokenizer) else None,
        lcs=longest_substring(truth, completion.text),
    )


def _text(lm: LM, ids: Sequence[int]) -> str:
    return str(lm.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))
