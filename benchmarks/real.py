"""What the benchmarks of decoding have in common on a real model: facts, transformers' batched `generate`, the peak.

Facts: `facts/everyday.jsonl` of the data folder. False answers: values of the next facts in the value's place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import GenerationConfig

from benchmarks import in_turns
from meow import values
from meow.formats.sources import read_qa
from meow.lm import LM
from meow.prompts import Encoded
from meow.records import QA, Fact, InvertedAnswer, InvertedFacts

BATCH, LIMIT = 32, 64
"""Prompts of one `generate`, and new tokens at most: what `memo.max_new_tokens=auto` is for answers of a sentence."""
NEAR = 1e-4
"""Difference of the two highest logits below which a mismatch counts as a near-tie."""


def everyday(folder: Path) -> list[QA]:
    """Real facts."""
    return read_qa(folder / "facts/everyday.jsonl")


def false_answers(facts: Sequence[Fact], n: int) -> list[list[str]]:
    """For each fact its answer with `n` values of the next facts instead; none where no value stands in it."""
    found = []
    for i, fact in enumerate(facts):
        place = values.place(fact.accepted, fact.question, fact.answer)
        others = dict.fromkeys(other.accepted[0] for other in [*facts[i + 1 :], *facts[:i]] if other.accepted)
        begin, end = place or (0, 0)
        kept = [other for other in others if place and not values.told(fact.accepted, other)][:n]
        found.append([fact.answer[:begin] + other + fact.answer[end:] for other in kept])
    return found


def inverted(facts: Sequence[QA]) -> list[InvertedFacts]:
    """The facts with four false answers each."""
    made = [tuple(InvertedAnswer(text=text) for text in texts) for texts in false_answers(facts, 4)]
    return [InvertedFacts(question=f.question, answer=f.answer, answers=a) for f, a in zip(facts, made, strict=True)]


def by_length(prompts: Sequence[Encoded]) -> list[list[int]]:
    """Places of the prompts, longest first, in batches of 32."""
    order = sorted(range(len(prompts)), key=lambda i: -len(prompts[i].ids))
    return [order[at : at + BATCH] for at in range(0, len(order), BATCH)]


@torch.inference_mode()
def batched(lm: LM, prompts: Sequence[Encoded], limit: int) -> list[list[int]]:
    """Greedy new tokens by transformers' `generate`, sorted, padded on the left, EOS left out."""
    ends = set(lm.prompter.eos_ids)
    config = GenerationConfig(
        max_new_tokens=limit, do_sample=False, use_cache=True, eos_token_id=list(ends), pad_token_id=lm.prompter.eos
    )
    found: list[list[int]] = [[] for _ in prompts]
    for some in by_length(prompts):
        width = max(len(prompts[i].ids) for i in some)
        ids = torch.full((len(some), width), lm.prompter.eos, device=lm.device)
        mask = torch.zeros_like(ids)
        for row, i in enumerate(some):
            begin = width - len(prompts[i].ids)
            ids[row, begin:], mask[row, begin:] = torch.tensor(prompts[i].ids), 1
        new = lm.model.generate(ids, attention_mask=mask, generation_config=config)[:, width:].tolist()
        for i, tokens in zip(some, new, strict=True):
            end = next((k for k, token in enumerate(tokens) if token in ends), len(tokens))
            found[i] = tokens[:end]
    return found


@torch.inference_mode()
def differing(
    lm: LM, prompts: Sequence[Encoded], expected: Sequence[Sequence[int]], found: Sequence[Sequence[int]]
) -> dict[str, Any]:
    """How many completions differ at a token that is no near-tie, how many at one, and the widest gap of logits."""
    gaps = []
    for prompt, want, have in zip(prompts, expected, found, strict=True):
        if [*want] != [*have]:
            at = next(
                (i for i, (a, b) in enumerate(zip(want, have, strict=False)) if a != b), min(map(len, (want, have)))
            )
            row = torch.tensor([[*prompt.ids, *want[:at]]], device=lm.device)
            top = lm.model(row).logits[0, -1].float().topk(2).values
            gaps.append(float(top[0] - top[1]))
    ties = [gap for gap in gaps if gap < NEAR]
    return {"mismatches": len(gaps) - len(ties), "near_ties": len(ties), "gap": float(f"{max(gaps, default=0):.2g}")}


def pushed(lm: LM, work: Callable[[], object]) -> int:
    """Tokens that go through the model meanwhile, padding included."""
    seen = 0

    def note(_model: Any, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        nonlocal seen
        seen += (named["input_ids"] if "input_ids" in named else given[0]).numel()

    hook = lm.model.register_forward_pre_hook(note, with_kwargs=True)
    try:
        work()
    finally:
        hook.remove()
    return seen


def peak(lm: LM) -> float:
    """FLOP/s of one large product of matrices in the model's number format."""
    a = torch.randn(2048, 2048, device=lm.device, dtype=lm.model.dtype)
    clock = in_turns(5, lambda: [(a @ a)[0, 0].item() for _ in range(4)])[0]
    return 4 * 2 * 2048**3 / clock


def shares(lm: LM, **did: tuple[int, float]) -> dict[str, Any]:
    """2 x parameters x tokens that went through the model, per second, as a share of the peak, by name."""
    flop, of = 2 * sum(p.numel() for p in lm.model.parameters()), peak(lm)
    found = {f"share_of_{name}": round(flop * tokens / seconds / of, 3) for name, (tokens, seconds) in did.items()}
    return {"peak_gflops": round(of / 1e9)} | found
