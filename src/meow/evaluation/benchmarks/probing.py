"""A benchmark asked in its own words: every prompt gone on with, every text scored, in batches."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from meow import keys
from meow.prompts.tokens import cut
from meow.records import QA, Probe, Probed

if TYPE_CHECKING:
    from meow.lm import LM, Completion, TokenScores
    from meow.prompts import Encoded

GROUP = 256
"""Probes asked at once: enough to fill batches, few enough that rows reach the disk regularly."""


def row_keys(lm: LM, probes: Sequence[Probe]) -> list[str]:
    """The key of each probe's row: of the model and the probe."""
    shared = keys.of_model(lm)
    return [keys.digest([shared, probe]) for probe in probes]


def ask(lm: LM, probes: Sequence[Probe], *, known: Collection[str] = ()) -> Iterator[Probed]:
    """Let a model go on with every prompt, greedily, and score the texts that are only to be scored.

    A group of which a row is missing is asked whole, so that a resumed evaluation batches, and rounds, as an
    uninterrupted one.

    Args:
        lm: the model.
        probes: of one benchmark.
        known: keys of `row_keys` that are passed over.

    Yields:
        In the order of the probes, in groups.
    """
    rows = list(zip(probes, row_keys(lm, probes), strict=True))
    for at in range(0, len(rows), GROUP):
        group = rows[at : at + GROUP]
        if all(key in known for _, key in group):
            continue
        said = _said(lm, [probe for probe, _ in group])
        scored = _scored(lm, [probe for probe, _ in group])
        for i, (probe, key) in enumerate(group):
            if key not in known:
                more: dict[str, Any] = {"expected": _expected(lm, probe), **said.get(i, {}), **scored.get(i, {})}
                yield Probed(**{**probe.model_dump(), **more, "key": key})


def _said(lm: LM, probes: Sequence[Probe]) -> dict[int, dict[str, Any]]:
    """What is said, by place; nothing of a prompt that leaves no room for an answer."""
    asked = {i: _prompt(lm, probe) for i, probe in enumerate(probes) if probe.max_new_tokens}
    fitting = {i: prompt for i, prompt in asked.items() if prompt and len(prompt.ids) < lm.prompter.max_length}
    found = lm.generate([*fitting.values()], [probes[i].max_new_tokens for i in fitting])
    return {i: {"said": _text(lm, probes[i], row[0])} for i, row in zip(fitting, found, strict=True)}


def _prompt(lm: LM, probe: Probe) -> Encoded | None:
    """The tokens to go on with: plain, or a user's turn with the beginning of the answer; None: it leaves no room."""
    if probe.plain:
        return lm.prompter.raw(probe.prompt)
    fact = QA(question=probe.prompt, answer=probe.begun or "-")
    return lm.prompter.opened(fact, probe.begun) if probe.begun else lm.prompter.fitting(fact)


def _text(lm: LM, probe: Probe, completion: Completion) -> str:
    """An answer as benchmarks decode it, ended by a token or cut before a text."""
    ids = list(completion.ids or ())
    ends = {lm.tokenizer.convert_tokens_to_ids(token) for token in probe.stop_tokens}
    ids = ids[: next((i for i, token in enumerate(ids) if token in ends), len(ids))]
    text = str(lm.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=True))
    for stop in probe.stops:
        text = text.split(stop)[0]
    return text


def _expected(lm: LM, probe: Probe) -> str:
    """What the answer is compared with: as many tokens of it as are asked for."""
    if probe.expected_tokens is None:
        return probe.expected
    ids = lm.tokenizer(probe.expected)["input_ids"][: probe.expected_tokens]
    return str(lm.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=True))


def _scored(lm: LM, probes: Sequence[Probe]) -> dict[int, dict[str, Any]]:
    """How likely the texts are that are only to be scored, by place; cut to what the context holds."""
    wanted = [i for i, probe in enumerate(probes) if not probe.max_new_tokens]
    texts = [cut(lm.prompter.raw("", probes[i].prompt), lm.prompter.max_length) for i in wanted]
    long = [(i, text) for i, text in zip(wanted, texts, strict=True) if len(text.ids) > text.start]
    found = lm.score([text for _, text in long], stats=True)
    return {i: _summary(scores, probes[i].lowest) for (i, _), scores in zip(long, found, strict=True)}


def _summary(scores: TokenScores, lowest: float) -> dict[str, Any]:
    n = len(scores.logp)
    k = int(n * lowest)
    found: dict[str, Any] = {"n_tokens": n, "loss": -float(scores.logp.mean())}
    if k and scores.mu is not None and scores.sigma is not None:
        found["min_k"] = -float(np.sort(scores.logp)[:k].mean())
        found["min_k_plus_plus"] = -float(np.sort((scores.logp - scores.mu) / scores.sigma)[:k].mean())
    return found
