"""How strongly a model remembers an answer: MEMO, MA and EL (SPEC section 2).

All values lie between 0 and 1, higher: better remembered; they compare answers within one model, never models.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from meow.config import MemoSettings
from meow.prompts import Encoded
from meow.records import TRUE_COLUMN, InvertedFacts, MemoRecord
from meow.text import Rouge, rouge_l, rouge_n, stems, words

if TYPE_CHECKING:
    from meow.lm import LM

GROUP = 16
"""Facts measured at once: enough to fill batches, few enough that rows reach the disk regularly."""


class Pair(NamedTuple):
    """One answer to one question, to be measured."""

    fact: InvertedFacts
    """Brings the question."""
    column: str
    """Name of the answer in the published format."""
    text: str
    """The answer."""


class Measure(NamedTuple):
    """A measured value, or why there is none."""

    value: float | None
    """0 to 1; None: not computable."""
    n: int
    """Cuts or positions behind it."""
    reason: str | None = None
    """Why there is no value."""


def columns(fact: InvertedFacts) -> list[tuple[str, str]]:
    """Every answer of a fact to measure, by its column in the published format; empty ones left out."""
    inverted = [(f"answer_{i}", answer.text) for i, answer in enumerate(fact.answers)]
    return [(name, text) for name, text in [(TRUE_COLUMN, fact.answer), *inverted, *fact.others.items()] if text]


def row_keys(weights: str, fact: InvertedFacts, settings: MemoSettings) -> list[str]:
    """The keys of all rows of a fact, in the order in which `memorize` yields them."""
    return [
        _key(weights, Pair(fact, column, text), metric, mode, settings)
        for column, text in columns(fact)
        for metric in settings.metric
        for mode in settings.mode
    ]


def memorize(
    lm: LM, facts: Sequence[InvertedFacts], settings: MemoSettings, *, known: Collection[str] = ()
) -> Iterator[MemoRecord]:
    """Measure every answer of every fact, by every metric and mode asked for, in that order.

    Args:
        lm: the model; MEMO and EL need `generate`, MA `score`.
        facts: questions with their true and inverted answers.
        settings: what to measure and how.
        known: keys of rows that need not be measured.
    """
    for at in range(0, len(facts), GROUP):
        pairs = [Pair(fact, column, text) for fact in facts[at : at + GROUP] for column, text in columns(fact)]
        found: dict[str, MemoRecord] = {}
        for metric in settings.metric:
            for mode in settings.mode:
                keys = {_key(lm.weights, pair, metric, mode, settings): pair for pair in pairs}
                wanted = {key: pair for key, pair in keys.items() if key not in known}
                measures = METRICS[metric](lm, list(wanted.values()), mode, settings) if wanted else []
                for (key, pair), measure in zip(wanted.items(), measures, strict=True):
                    found[key] = MemoRecord(
                        key=key, id=pair.fact.id, column=pair.column, text=pair.text, metric=metric, mode=mode,
                        cut="tokens" if metric != "memo" else settings.cut, value=measure.value, n=measure.n,
                        reason=measure.reason,
                    )  # fmt: skip
        for fact in facts[at : at + GROUP]:
            yield from (found[key] for key in row_keys(lm.weights, fact, settings) if key in found)


def memo(lm: LM, pairs: Sequence[Pair], mode: str, settings: MemoSettings) -> list[Measure]:
    """MEMO: cut the answer (`suffix`) or the question (`prefix`) at many places, let the model continue greedily, and
    average the ROUGE of the continuations against what was cut off.

    Source: MEOW, arXiv 2409.11844. Differs: the published code keeps special tokens, which ROUGE counts as words.
    """
    windows = cuts(lm, pairs, mode, settings)
    prompts = [prompt for per_pair in windows for prompt, _ in per_pair]
    completions = iter(lm.generate(prompts, settings.max_new_tokens))
    scorer = _rouge(settings.rouge)
    found = []
    for per_pair in windows:
        scored = [(label, next(completions)[0].text) for _, label in per_pair]
        if not scored:
            found.append(Measure(None, 0, "too short to be cut"))
        elif not any(stems(label) for label, _ in scored):
            found.append(Measure(None, len(scored), "no label holds a ROUGE token ([a-z0-9])"))
        else:
            found.append(Measure(sum(scorer(label, text) for label, text in scored) / len(scored), len(scored)))
    return found


def ma(lm: LM, pairs: Sequence[Pair], mode: str, settings: MemoSettings) -> list[Measure]:
    """MA: share of positions from the second on at which the argmax, given the true tokens before, is the token.

    Source: Jang et al., arXiv 2210.01504. suffix: the answer's tokens given the question; prefix: those of both.
    """
    sequences = [whole(lm, pair, mode, settings) for pair in pairs]
    found = []
    skipped = 1 if mode == "suffix" else 0  # prefix sequences start at their second token already
    for scores in lm.score(sequences):
        hits = scores.hit[skipped:]
        found.append(Measure(float(hits.mean()), len(hits)) if len(hits) else Measure(None, 0, "a single token"))
    return found


def el(lm: LM, pairs: Sequence[Pair], mode: str, settings: MemoSettings) -> list[Measure]:
    """EL_n: mean over cuts of the share of the continuation's n-grams that stand in the rest of the text.

    Source: Jang et al., arXiv 2210.01504 (token n-grams, repeats counted); `ngram: words` counts distinct ones, as
    published for MEOW.
    """
    sequences = [whole(lm, pair, mode, settings) for pair in pairs]
    completions = iter(lm.generate(*el_prompts(sequences, mode, settings)))
    found = []
    for sequence in sequences:
        first = sequence.start if mode == "suffix" else 0
        shares = [
            _overlap(lm, next(completions)[0].ids or (), sequence.ids[end:], settings)
            for end in range(first + 1, len(sequence.ids) - settings.n + 1)
        ]
        reason = f"{len(sequence.ids) - first} tokens, no longer than n = {settings.n}"
        found.append(Measure(sum(shares) / len(shares), len(shares)) if shares else Measure(None, 0, reason))
    return found


METRICS: dict[str, Callable[[LM, Sequence[Pair], str, MemoSettings], list[Measure]]] = {
    "memo": memo,
    "ma": ma,
    "el": el,
}
"""The measures by name."""


def cuts(lm: LM, pairs: Sequence[Pair], mode: str, settings: MemoSettings) -> list[list[tuple[Encoded, str]]]:
    """Prompt and label of every MEMO window of every pair, in order."""
    cut = _token_cuts if settings.cut == "tokens" else _char_cuts
    return [cut(lm, pair, mode, settings) for pair in pairs]


def el_prompts(
    sequences: Sequence[Encoded], mode: str, settings: MemoSettings
) -> tuple[list[Encoded], list[int]]:  # fmt: skip
    """The prompts of EL over all cuts of all sequences, and how many tokens may follow each."""
    prompts: list[Encoded] = []
    room: list[int] = []
    for sequence in sequences:
        first = sequence.start if mode == "suffix" else 0
        for end in range(first + 1, len(sequence.ids) - settings.n + 1):
            prompts.append(Encoded(sequence.ids[:end], end, ""))
            room.append(min(len(sequence.ids) - end, settings.max_new_tokens))
    return prompts, room


def _char_cuts(lm: LM, pair: Pair, mode: str, settings: MemoSettings) -> list[tuple[Encoded, str]]:
    question, answer = pair.fact.question, pair.text
    cut = answer if mode == "suffix" else question
    found = []
    for s in range(1, len(cut), settings.stride):
        if mode == "suffix":
            label = answer[s:]
            if settings.template == "model":
                prompt = lm.prompter.opened(pair.fact, answer[:s])
            else:
                prompt = lm.prompter.raw(f"{question} {answer[:s]}")
        else:
            label = f"{question[s:]} {answer}"
            if settings.template == "model":
                prompt = lm.prompter.opened_question(pair.fact, s)
            else:
                prompt = lm.prompter.raw(question[:s])
        found.append((prompt, label))
    return found


def _token_cuts(lm: LM, pair: Pair, mode: str, settings: MemoSettings) -> list[tuple[Encoded, str]]:
    full = whole(lm, pair, mode, settings)
    first = full.start if mode == "suffix" else 0
    decode = lm.tokenizer.decode
    return [
        (Encoded(full.ids[:end], end, ""), decode(full.ids[end:], clean_up_tokenization_spaces=False))
        for end in range(first + 1, len(full.ids))
    ]


def whole(lm: LM, pair: Pair, mode: str, settings: MemoSettings) -> Encoded:
    """Question and answer as one sequence without EOS; it starts at the answer (suffix) or second token (prefix)."""
    if settings.template == "model":
        full = lm.prompter.opened(pair.fact, pair.text)
        start = lm.prompter.encode(pair.fact, pair.text).start
    else:
        full = lm.prompter.raw(f"{pair.fact.question} {pair.text}")
        start = lm.prompter.raw_start(f"{pair.fact.question} ", pair.text)
    return Encoded(full.ids, start if mode == "suffix" else 1, full.text)


def _overlap(lm: LM, completion: Sequence[int], truth: Sequence[int], settings: MemoSettings) -> float:
    if settings.ngram == "words":
        text = [words(lm.tokenizer.decode(ids, skip_special_tokens=True)) for ids in (completion, truth)]
        said, true = (set(_grams(t, settings.n)) for t in text)
        return len(said & true) / len(said) if said else 0.0
    grams = _grams(completion, settings.n)
    wanted = set(_grams(truth, settings.n))
    return sum(gram in wanted for gram in grams) / len(grams) if grams else 0.0


def _grams(tokens: Sequence[object], n: int) -> list[tuple[object, ...]]:
    return list(zip(*(tokens[i:] for i in range(n)), strict=False))


def _rouge(name: str) -> Callable[[str, str], float]:
    """`rouge1.precision` and the like, as a function of label and completion."""
    kind, _, part = name.partition(".")

    def score(label: str, completion: str) -> float:
        rouge: Rouge = rouge_l(label, completion) if kind == "rougeL" else rouge_n(label, completion, int(kind[-1]))
        return float(getattr(rouge, part))

    return score


def _key(weights: str, pair: Pair, metric: str, mode: str, settings: MemoSettings) -> str:
    names = {"memo": ("cut", "stride", "rouge", "max_new_tokens"), "ma": (), "el": ("n", "ngram", "max_new_tokens")}
    parts = [
        weights, metric, mode, settings.template, [getattr(settings, name) for name in names[metric]], pair.fact.id,
        pair.fact.question, [m.content for m in pair.fact.messages], pair.column, pair.text,
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
