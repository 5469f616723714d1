"""Speed of MEMO, MA and EL: `python -m benchmarks.memo`.

Input: tofu-mini `full`, the first 20 questions of forget05 with their true and four inverted answers. Baseline: one
`model.generate(ids, attention_mask, max_new_tokens=..., do_sample=False, use_cache=True)` a call under
`inference_mode`, model loaded, same number format and threads, on every 20th prompt in file order, scaled to all.
MEMO: at most 200 new tokens, every window; completions are compared with ours on that sample. MA: `max_new_tokens=1`
for every 20th token. EL: its own prompts (suffix, n = 10 tokens), at most N - c new tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import GenerationConfig

from benchmarks import arguments, figure, in_turns
from meow import memorization
from meow.config import MemoSettings, ModelSettings
from meow.data import read_inverted
from meow.lm import LM, load
from meow.memorization import Pair
from meow.prompts import Encoded

EVERY = 20
TIMES = 3
NEAR = 1e-4
"""Difference of the two highest logits below which a mismatch counts as a near-tie."""


@torch.inference_mode()
def one(lm: LM, ids: Sequence[int], limit: int) -> list[int]:
    """Greedy new tokens of one prompt, EOS included."""
    row = torch.tensor([ids], device=lm.device)
    config = GenerationConfig(
        max_new_tokens=limit, do_sample=False, use_cache=True, eos_token_id=list(lm.prompter.eos_ids), pad_token_id=0
    )
    out = lm.model.generate(row, attention_mask=torch.ones_like(row), generation_config=config)
    return list(out[0, len(ids) :].tolist())


@torch.inference_mode()
def is_near_tie(lm: LM, ids: Sequence[int]) -> bool:
    """Whether the two highest logits after these tokens are almost equal."""
    top = lm.model(torch.tensor([ids], device=lm.device)).logits[0, -1].float().topk(2).values
    return float(top[0] - top[1]) < NEAR


def mismatches(lm: LM, prompts: Sequence[Encoded], expected: Sequence[Sequence[int]], found: Sequence[Any]) -> int:
    """Prompts whose completion differs at a token that is no near-tie."""
    wrong = 0
    for prompt, true, completion in zip(prompts, expected, found, strict=True):
        want = [t for t in true if t not in lm.prompter.eos_ids]
        have = list(completion[0].ids)
        if want != have:
            at = next(
                (i for i, (a, b) in enumerate(zip(want, have, strict=False)) if a != b), min(len(want), len(have))
            )
            wrong += not is_near_tie(lm, [*prompt.ids, *want[:at]])
    return wrong


def generations(lm: LM, name: str, prompts: Sequence[Encoded], room: Sequence[int]) -> None:
    """One figure over generations: ours on all prompts, the baseline on every 20th."""
    picked = range(0, len(prompts), EVERY)
    ours: list[Any] = []
    theirs: list[Any] = []
    mine, plain = in_turns(
        TIMES,
        lambda: ours.append(lm.generate(prompts, room)),
        lambda: theirs.append([one(lm, prompts[i].ids, room[i]) for i in picked]),
    )
    wrong = mismatches(lm, [prompts[i] for i in picked], theirs[-1], [ours[-1][i] for i in picked])
    figure(name, ours=mine, baseline=plain * len(prompts) / len(picked), n=len(prompts), sample=len(picked),
           mismatches=wrong, threads=torch.get_num_threads(), device=str(lm.device))  # fmt: skip


def main() -> None:
    """Print every figure."""
    options = arguments(__doc__ or "", limit=20)
    torch.set_num_threads(options.threads)
    lm = load(ModelSettings(path=str(options.model)))
    facts = read_inverted(options.data / "meow/generated_data/forget05_perturbed_generated.json")[: options.limit]
    wanted = ("undesired_answer", "answer_0", "answer_1", "answer_2", "answer_3")
    pairs = [Pair(fact, c, text) for fact in facts for c, text in memorization.columns(fact) if c in wanted]
    for name, settings in (
        ("memo.speedup", MemoSettings()),
        ("memo.template.speedup", MemoSettings(template="model")),
    ):
        prompts = [p for cuts in memorization.cuts(lm, pairs, "suffix", settings) for p, _ in cuts]
        generations(lm, name, prompts, [settings.max_new_tokens] * len(prompts))
    el = MemoSettings(metric=("el",))
    prompts, room = memorization.el_prompts([memorization.whole(lm, p, "suffix", el) for p in pairs], "suffix", el)
    generations(lm, "el.speedup", prompts, room)
    wholes = [memorization.whole(lm, pair, "suffix", MemoSettings()) for pair in pairs]
    tokens = [s.ids[:end] for s in wholes for end in range(s.start + 1, len(s.ids))]
    picked = tokens[::EVERY]
    mine, plain = in_turns(
        TIMES,
        lambda: memorization.ma(lm, pairs, "suffix", MemoSettings()),
        lambda: [one(lm, ids, 1) for ids in picked],
    )
    figure("ma.speedup", ours=mine, baseline=plain * len(tokens) / len(picked), n=len(tokens), sample=len(picked),
           threads=torch.get_num_threads(), device=str(lm.device))  # fmt: skip


if __name__ == "__main__":
    main()
