"""How strongly a model remembers an answer: MEMO, MA and EL (SPEC section 2).

All values lie between 0 and 1, higher: better remembered; they compare answers within one model, never models.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

from meow.config import MemoSettings
from meow.keys import ABOUT, content, digest, of_model
from meow.memorization.windows import Pair, cuts, el_cuts, measured, whole
from meow.prompts import room
from meow.records import TRUE_COLUMN, InvertedFacts, MemoRecord
from meow.text import Rouge, rouge_l, rouge_n, stems, words

if TYPE_CHECKING:
    from meow.lm import LM, Completion, RemoteLM

GROUP = 16
"""Facts measured at once: enough to fill batches, few enough that rows reach the disk regularly."""


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


class Kind(NamedTuple):
    """What a row measures."""

    metric: str
    """A row of METRICS."""
    mode: str
    """`suffix` or `prefix`."""
    rouge: str | None
    """MEMO's comparison, as in `rouge1.precision`."""


def kinds(settings: MemoSettings) -> list[Kind]:
    """What is measured of each answer, in order."""
    return [
        Kind(metric, mode, rouge)
        for metric in settings.metric
        for mode in settings.mode
        for rouge in (settings.rouge if metric == "memo" else (None,))
    ]


def settled(lm: LM | RemoteLM, facts: Sequence[InvertedFacts], settings: MemoSettings) -> MemoSettings:
    """The settings with a number of new tokens: by all answers of these facts where it is `auto`."""
    if settings.max_new_tokens != "auto":
        return settings
    found = room(lm.tokenizer, (text for fact in facts for _, text in columns(fact)))
    return settings.model_copy(update={"max_new_tokens": found})


def row_keys(lm: LM | RemoteLM, fact: InvertedFacts, settings: MemoSettings) -> list[str]:
    """The keys of all rows of a fact, in the order in which `memorize` yields them."""
    return [
        _key(lm, Pair(fact, column, text), kind, settings) for column, text in columns(fact) for kind in kinds(settings)
    ]


def memorize(
    lm: LM | RemoteLM, facts: Sequence[InvertedFacts], settings: MemoSettings, *, known: Collection[str] = ()
) -> Iterator[MemoRecord]:
    """Measure every answer of every fact, by every metric, mode and ROUGE asked for, in that order.

    Args:
        lm: the model; MEMO and EL need `generate`, MA `score`.
        facts: questions with their true and inverted answers.
        settings: what to measure and how.
        known: keys of rows that need not be measured.
    """
    for at in range(0, len(facts), GROUP):
        pairs = [Pair(fact, column, text) for fact in facts[at : at + GROUP] for column, text in columns(fact)]
        found: dict[str, MemoRecord] = {}
        for metric, mode in dict.fromkeys((kind.metric, kind.mode) for kind in kinds(settings)):
            mine = [kind for kind in kinds(settings) if kind[:2] == (metric, mode)]
            wanted = {}
            for pair in pairs:
                keys = [_key(lm, pair, kind, settings) for kind in mine]
                if not all(key in known for key in keys):
                    wanted[pair.fact.id, pair.column] = pair, keys
            listed = [pair for pair, _ in wanted.values()]
            measured = METRICS[metric](lm, listed, mode, settings) if listed else []
            for (pair, keys), measures in zip(wanted.values(), measured, strict=True):
                for key, kind, measure in zip(keys, mine, measures, strict=True):
                    found[key] = MemoRecord(
                        key=key,
                        id=pair.fact.id,
                        column=pair.column,
                        text=pair.text,
                        metric=metric,
                        mode=mode,
                        cut="tokens" if metric != "memo" else settings.cut,
                        on=settings.on,
                        rouge=kind.rouge,
                        value=measure.value,
                        n=measure.n,
                        reason=measure.reason,
                    )
        for fact in facts[at : at + GROUP]:
            yield from (found[k] for k in row_keys(lm, fact, settings) if k in found and k not in known)


def memo(lm: LM | RemoteLM, pairs: Sequence[Pair], mode: str, settings: MemoSettings) -> list[list[Measure]]:
    """MEMO: cut the answer (`suffix`) or the question (`prefix`) at many places, let the model continue greedily, and
    average the ROUGE of the continuations against what was cut off; one measure for each of `settings.rouge`.

    `on: value`: the answer is given up to its value, and the value alone is cut; the first cut stands before it (s = 0,
    L, 2L, ...), since what the model says there is what is asked. Of a continuation, which goes on with the rest of the
    sentence, as many words count as were cut off; it gets twice the tokens of those, and eight at least.

    Source: MEOW, arXiv 2409.11844. Differs: the published code keeps special tokens, which ROUGE counts as words, and
    measures whole answers alone.
    """
    windows = cuts(lm, pairs, mode, settings)
    prompts = [prompt for per_pair in windows for prompt, _ in per_pair]
    labels = [label for per_pair in windows for _, label in per_pair]
    scorers = [_rouge(name, settings.words) for name in settings.rouge]

    def score(i: int, completions: list[Completion]) -> list[float]:
        said = completions[0].text
        if settings.on == "value":
            said = " ".join(words(said, settings.words)[: len(words(labels[i], settings.words))])
        return [scorer(labels[i], said) for scorer in scorers]

    with ThreadPoolExecutor(1) as pool:  # ROUGE is computed while the model works
        jobs: dict[int, Future[list[float]]] = {}

        def done(i: int, completions: list[Completion]) -> None:
            jobs[i] = pool.submit(score, i, completions)

        lm.generate(prompts, _room(lm, labels, settings), each=done)
    scores = iter([jobs[i].result() for i in range(len(prompts))])
    found = []
    for pair, per_pair in zip(pairs, windows, strict=True):
        of_pair = list(zip(*(next(scores) for _ in per_pair), strict=True))
        if not per_pair:
            reason = "too short to be cut" if measured(pair, settings) else "no value stands in it"
            found.append([Measure(None, 0, reason)] * len(scorers))
        elif not any(stems(label, settings.words) for _, label in per_pair):
            reason = "no label holds a ROUGE token" + (" ([a-z0-9])" if settings.words == "ascii" else "")
            found.append([Measure(None, len(per_pair), reason)] * len(scorers))
        else:
            found.append([Measure(sum(values) / len(values), len(values)) for values in of_pair])
    return found


def ma(lm: LM | RemoteLM, pairs: Sequence[Pair], mode: str, settings: MemoSettings) -> list[list[Measure]]:
    """MA: share of positions from the second on at which the argmax, given the true tokens before, is the token.

    Source: Jang et al., arXiv 2210.01504. suffix: the answer's tokens given the question; prefix: those of both.
    """
    sequences = [whole(lm, pair, mode, settings) for pair in pairs]
    found = []
    skipped = 1 if mode == "suffix" else 0  # prefix sequences start at their second token already
    for scores in lm.score(sequences):
        hits = scores.hit[skipped:]
        found.append([Measure(float(hits.mean()), len(hits)) if len(hits) else Measure(None, 0, "a single token")])
    return found


def el(lm: LM | RemoteLM, pairs: Sequence[Pair], mode: str, settings: MemoSettings) -> list[list[Measure]]:
    """EL_n: mean over cuts of the share of the continuation's n-grams that stand in the text to be extracted.

    `ngram: tokens`: n-grams of tokens, repeats counted, in what the cut leaves; as many tokens as that holds.
    `ngram: words`: distinct n-grams of words as blanks part them, `max_new_tokens` tokens, one cut less; suffix: in the
    whole answer, which is cut between tokens of its own; prefix: in what the cut leaves.

    Source: Jang et al., arXiv 2210.01504 (`tokens`); MEOW's code, arXiv 2409.11844 (`words`, with n = 1). Differs: from
    MEOW's code, which keeps special tokens (a last word reads `Oslo.</s>`), joins the words of an n-gram, so that some
    collide, and divides by zero where nothing is said, which is 0 here.
    """
    places = [el_cuts(lm, pair, mode, settings) for pair in pairs]
    flat = [cut for of_pair in places for cut in of_pair]
    said = iter(lm.generate([cut.prompt for cut in flat], [cut.room for cut in flat]))
    found = []
    for of_pair in places:
        shares = [_overlap(lm, next(said)[0].ids or (), cut.truth, settings) for cut in of_pair]
        reason = f"too few tokens: no longer than n = {settings.n}"
        found.append([Measure(sum(shares) / len(shares), len(shares)) if shares else Measure(None, 0, reason)])
    return found


METRICS: dict[str, Callable[[LM | RemoteLM, Sequence[Pair], str, MemoSettings], list[list[Measure]]]] = {
    "memo": memo,
    "ma": ma,
    "el": el,
}
"""The measures by name; each gives the measures of every pair, one for each `Kind` of that metric and mode."""


def _room(lm: LM | RemoteLM, labels: Sequence[str], settings: MemoSettings) -> list[int]:
    """Tokens that a continuation may have: of a whole answer all that the settings give, of a value what it needs."""
    if settings.on == "answer":
        return [int(settings.max_new_tokens)] * len(labels)
    lengths = [len(lm.tokenizer(label, add_special_tokens=False)["input_ids"]) for label in labels]
    return [min(max(2 * n, 8), int(settings.max_new_tokens)) for n in lengths]


def _overlap(lm: LM | RemoteLM, completion: Sequence[int], truth: Sequence[int] | str, settings: MemoSettings) -> float:
    wanted = set(_grams(truth.split() if isinstance(truth, str) else truth, settings.n))
    if settings.ngram == "words":
        distinct = set(_grams(lm.tokenizer.decode(completion, skip_special_tokens=True).split(), settings.n))
        return len(distinct & wanted) / len(distinct) if distinct else 0.0
    grams = _grams(completion, settings.n)
    return sum(gram in wanted for gram in grams) / len(grams) if grams else 0.0


def _grams(tokens: Sequence[object], n: int) -> list[tuple[object, ...]]:
    return list(zip(*(tokens[i:] for i in range(n)), strict=False))


def _rouge(name: str, tokenizer: str) -> Callable[[str, str], float]:
    """`rouge1.precision` and the like, as a function of label and completion."""
    kind, _, part = name.partition(".")

    def score(label: str, completion: str) -> float:
        rouge: Rouge = (
            rouge_l(label, completion, tokenizer=tokenizer)
            if kind == "rougeL"
            else rouge_n(label, completion, int(kind[-1]), tokenizer=tokenizer)
        )
        return float(getattr(rouge, part))

    return score


_OTHER = (*ABOUT, "answer", "answers", "others", "gate")
"""What a fact holds beside the question that is asked; the measured answer is in the key by itself."""


def _key(lm: LM | RemoteLM, pair: Pair, kind: Kind, settings: MemoSettings) -> str:
    names = {"memo": ("cut", "stride", "words", "max_new_tokens"), "ma": (), "el": ("n", "ngram", "max_new_tokens")}
    how = [settings.template, *(getattr(settings, name) for name in names[kind.metric])]
    how += ["value", measured(pair, settings)] if settings.on == "value" else []
    return digest([of_model(lm), kind, how, content(pair.fact, without=_OTHER), pair.column, pair.text])
