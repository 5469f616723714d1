"""Where MEMO, MA and EL cut a question and its answer: prompts, and what should follow them (SPEC section 2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from meow import values
from meow.config import MemoSettings
from meow.prompts import Encoded
from meow.records import InvertedFacts

if TYPE_CHECKING:
    from meow.lm import LM, RemoteLM


class Pair(NamedTuple):
    """One answer to one question, to be measured."""

    fact: InvertedFacts
    """Brings the question."""
    column: str
    """Name of the answer in the published format."""
    text: str
    """The answer."""


def cuts(
    lm: LM | RemoteLM, pairs: Sequence[Pair], mode: str, settings: MemoSettings
) -> list[list[tuple[Encoded, str]]]:
    """Prompt and label of every MEMO window of every pair, in order."""
    cut = _token_cuts if settings.cut == "tokens" else _char_cuts
    return [cut(lm, pair, mode, settings) for pair in pairs]


class ElCut(NamedTuple):
    """One place at which EL cuts."""

    prompt: Encoded
    """What is given."""
    room: int
    """Tokens that may follow."""
    truth: Sequence[int] | str
    """What n-grams are looked for in: tokens or text."""


def el_cuts(lm: LM | RemoteLM, pair: Pair, mode: str, settings: MemoSettings) -> list[ElCut]:
    """Every cut of EL; none where the text is too short."""
    if settings.ngram == "words":
        return _word_cuts(lm, pair, mode, settings)
    full = whole(lm, pair, mode, settings)
    first = full.start if mode == "suffix" else 0
    return [
        ElCut(Encoded(full.ids[:end], end, ""), min(len(full.ids) - end, int(settings.max_new_tokens)), full.ids[end:])
        for end in range(first + 1, len(full.ids) - settings.n + 1)
    ]


def _word_cuts(lm: LM | RemoteLM, pair: Pair, mode: str, settings: MemoSettings) -> list[ElCut]:
    question, answer = pair.fact.question, pair.text
    text = answer if mode == "suffix" else f"{question} {answer}"
    ids = lm.tokenizer(text, add_special_tokens=False)["input_ids"]
    found = []
    for end in range(1, len(ids) - settings.n):
        given = lm.tokenizer.decode(ids[:end], clean_up_tokenization_spaces=False)
        if mode == "prefix":
            prompt, truth = lm.prompter.raw(given), text.removeprefix(given)
        elif settings.template == "model":
            prompt, truth = lm.prompter.opened(pair.fact, given), answer
        else:
            prompt, truth = lm.prompter.raw(f"{question} {given}"), answer
        found.append(ElCut(prompt, int(settings.max_new_tokens), truth))
    return found


def measured(pair: Pair, settings: MemoSettings) -> tuple[int, int] | None:
    """Start and end of the characters that are cut in an answer: all of it, or its value; None: it has no value."""
    if settings.on == "answer":
        return 0, len(pair.text)
    fact = pair.fact
    return values.replaced(fact.accepted, fact.question, fact.answer, pair.text)


def _char_cuts(lm: LM | RemoteLM, pair: Pair, mode: str, settings: MemoSettings) -> list[tuple[Encoded, str]]:
    question, answer = pair.fact.question, pair.text
    if settings.on == "value":
        return _value_cuts(lm, pair, settings)
    cut = answer if mode == "suffix" else question
    found = []
    for s in range(1, len(cut), settings.stride):
        if mode == "suffix":
            label, prompt = answer[s:], _begun(lm, pair, answer[:s], settings)
        else:
            label = f"{question[s:]} {answer}"
            if settings.template == "model":
                prompt = lm.prompter.opened_question(pair.fact, s)
            else:
                prompt = lm.prompter.raw(question[:s])
        found.append((prompt, label))
    return found


def _value_cuts(lm: LM | RemoteLM, pair: Pair, settings: MemoSettings) -> list[tuple[Encoded, str]]:
    """The first cut stands before the value; a space before a cut is the model's to say."""
    start, end = measured(pair, settings) or (0, 0)
    begun = [
        (_begun(lm, pair, pair.text[:s].rstrip(" "), settings), pair.text[s:end])
        for s in range(start, end, settings.stride)
    ]
    return [(prompt, label) for prompt, label in begun if prompt.ids]  # of a document that begins with it: no prompt


def _begun(lm: LM | RemoteLM, pair: Pair, beginning: str, settings: MemoSettings) -> Encoded:
    """The question with the beginning of an answer, to be continued."""
    if settings.template == "model":
        return lm.prompter.opened(pair.fact, beginning)
    return lm.prompter.raw(_before(pair) + beginning if beginning else pair.fact.question)


def _token_cuts(lm: LM | RemoteLM, pair: Pair, mode: str, settings: MemoSettings) -> list[tuple[Encoded, str]]:
    full = whole(lm, pair, mode, settings)
    first = full.start if mode == "suffix" else 0
    decode = lm.tokenizer.decode
    return [
        (Encoded(full.ids[:end], end, ""), decode(full.ids[end:], clean_up_tokenization_spaces=False))
        for end in range(first + 1, len(full.ids))
    ]


def whole(lm: LM | RemoteLM, pair: Pair, mode: str, settings: MemoSettings) -> Encoded:
    """Question and answer as one sequence without EOS; it starts at the answer (suffix) or second token (prefix)."""
    if settings.template == "model":
        full = lm.prompter.opened(pair.fact, pair.text)
        start = len(lm.prompter.prompt(pair.fact).ids)
    else:
        full = lm.prompter.raw(_before(pair), pair.text)
        start = full.start
    return Encoded(full.ids, start if mode == "suffix" else 1, full.text)


def _before(pair: Pair) -> str:
    """What stands before the answer in raw text: what was asked, of a chat what the user said last."""
    return f"{pair.fact.question} " if pair.fact.question else ""
