"""Speed of MEMO, MA and EL: `python -m benchmarks.memo`.

Input: tofu-mini `full`, the first 20 questions of forget05 with their true and four inverted answers. Baseline: one
`model.generate(ids, attention_mask, max_new_tokens=..., do_sample=False, use_cache=True)` a call under
`inference_mode`, model loaded, same number format and threads, on every 20th prompt in file order, scaled to all.
MEMO: at most 200 new tokens, every window; completions are compared with ours on that sample. `cut: tokens`: the same
over its own cuts. MA: `max_new_tokens=1` for every 20th token. EL: its own prompts (suffix, n = 10 tokens), at most
N - c new tokens.

Beside each ratio: `peak_memory_mb` of the process so far. `memo.linearity`: the largest over
the smallest of the seconds per question at 20, 40 and 80 questions. `memo.matmul_share`: the multiplications of the
model's matrices that MEMO asks for, per second, over what this machine does in one large product. `memo.scoring`:
seconds of the whole measure, ROUGE included, over those of its generations alone.

With `--model MODEL`, a real one: MEMO of six real facts and four false answers each in the model's template, at most 64
new tokens. `speedup`: against one `generate` a call, as above.
`batched`: against `generate` in batches of 32, sorted by length and padded on the left, all prompts, all completions
compared: `mismatches`, `near_ties` and the widest `gap` of the two highest logits where they part. `share_of_...`:
2 x parameters x tokens that go through the model, per second, over one large product of matrices in the same process.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import GenerationConfig

from benchmarks import MODEL, arguments, figure, in_turns, real
from meow.config import MemoSettings, ModelSettings
from meow.formats.inverted import read_inverted
from meow.lm import LM, load
from meow.memorization import measures, windows
from meow.memorization.windows import Pair
from meow.prompts import Encoded
from meow.run import peak_memory_mb

EVERY = 20
TIMES = 3
REAL = 6
"""Facts of the figures on a real model: ten minutes on two cores."""


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
    return float(top[0] - top[1]) < real.NEAR


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


def generations(lm: LM, name: str, prompts: Sequence[Encoded], room: Sequence[int]) -> float:
    """One figure over generations: ours on all prompts, the baseline on every 20th; returns our seconds."""
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
           mismatches=wrong, **machine(lm))  # fmt: skip
    return mine


def machine(lm: LM) -> dict[str, Any]:
    """What the numbers were measured on."""
    return {"threads": torch.get_num_threads(), "device": str(lm.device), "peak_memory_mb": peak_memory_mb()}


def memo_prompts(lm: LM, pairs: Sequence[Pair], settings: MemoSettings) -> list[Encoded]:
    """The prompt of every window."""
    return [prompt for per_pair in windows.cuts(lm, pairs, "suffix", settings) for prompt, _ in per_pair]


def linearity(lm: LM, pairs_of: Callable[[int], list[Pair]]) -> None:
    """Seconds per question at three sizes."""
    sizes = (20, 40, 80)
    prompts = [memo_prompts(lm, pairs_of(n), MemoSettings()) for n in sizes]
    seconds = in_turns(TIMES, *(partial(lm.generate, p, 200) for p in prompts))
    each = [s / n for s, n in zip(seconds, sizes, strict=True)]
    figure("memo.linearity", ours=min(each), baseline=max(each), unit="s per question",
           per_question={n: round(s, 4) for n, s in zip(sizes, each, strict=True)}, **machine(lm))  # fmt: skip


def matmul_share(lm: LM, seconds: float, tokens: int) -> None:
    """How much of the machine's matrix throughput MEMO uses."""
    throughput = real.peak(lm)
    weights = sum(m.weight.numel() for m in lm.model.modules() if isinstance(m, torch.nn.Linear))
    used = 2 * weights * tokens / seconds
    figure("memo.matmul_share", ours=throughput / 1e9, baseline=used / 1e9, unit="GFLOP/s",
           bound="the rest: reading keys and values of every row at every step (memory), and a fixed cost per step "
           "that a small model cannot hide", **machine(lm))  # fmt: skip


def of_real(lm: LM, folder: Path, limit: int) -> None:
    """The figures on a real model: against one prompt at a time, and against batches of 32."""
    facts = real.inverted(real.everyday(folder))[:limit]
    pairs = [Pair(f, c, text) for f in facts for c, text in measures.columns(f)]
    prompts = memo_prompts(lm, pairs, MemoSettings(template="model", max_new_tokens=real.LIMIT))
    picked = range(0, len(prompts), 2 * EVERY)
    kept: dict[str, list[list[int]]] = {}
    tokens: dict[str, int] = {}

    def swept() -> None:
        kept["ours"] = [list(rows[0].ids or ()) for rows in lm.generate(prompts, real.LIMIT)]

    def padded() -> None:
        kept["batched"] = real.batched(lm, prompts, real.LIMIT)

    mine, batched, single = in_turns(
        TIMES,
        lambda: tokens.update(ours=real.pushed(lm, swept)),
        lambda: tokens.update(baseline=real.pushed(lm, padded)),
        lambda: [one(lm, prompts[i].ids, real.LIMIT) for i in picked],
    )
    figure("memo.real.speedup", ours=mine, baseline=single * len(prompts) / len(picked), n=len(prompts),
           sample=len(picked), **machine(lm))  # fmt: skip
    figure("memo.real.batched", ours=mine, baseline=batched, n=len(prompts), facts=len(facts),
           **real.differing(lm, prompts, kept["batched"], kept["ours"]), tokens=tokens,
           **real.shares(lm, ours=(tokens["ours"], mine), baseline=(tokens["baseline"], batched)),
           **machine(lm))  # fmt: skip


def main() -> None:
    """Print every figure."""
    options = arguments(__doc__ or "", limit=20)
    torch.set_num_threads(options.threads)
    lm = load(ModelSettings(path=str(options.model)))
    if options.model != MODEL:
        of_real(lm, options.data, min(options.limit, REAL))
        return
    facts = read_inverted(options.data / "meow/generated_data/forget05_perturbed_generated.json")
    wanted = ("undesired_answer", "answer_0", "answer_1", "answer_2", "answer_3")

    def pairs_of(n: int) -> list[Pair]:
        return [Pair(f, c, text) for f in facts[:n] for c, text in measures.columns(f) if c in wanted]

    pairs = pairs_of(options.limit)
    true = [pair for pair in pairs if pair.column == "undesired_answer"]
    raw, template = MemoSettings(), MemoSettings(template="model")
    prompts = memo_prompts(lm, pairs, raw)
    seconds = generations(lm, "memo.speedup", prompts, [200] * len(prompts))
    whole = in_turns(TIMES, lambda: measures.memo(lm, pairs, "suffix", raw))[0]
    figure("memo.scoring", ours=seconds, baseline=whole, n=len(prompts), **machine(lm))
    for name, chosen, settings in (
        ("memo.template.speedup", pairs, template),
        ("memo.tokens.speedup", pairs, raw.model_copy(update={"cut": "tokens"})),
        ("memo.tokens.true_template.speedup", true, template.model_copy(update={"cut": "tokens"})),
    ):
        prompts = memo_prompts(lm, chosen, settings)
        generations(lm, name, prompts, [200] * len(prompts))
    el = MemoSettings(metric=("el",))
    cuts = [cut for pair in pairs for cut in windows.el_cuts(lm, pair, "suffix", el)]
    generations(lm, "el.speedup", [cut.prompt for cut in cuts], [cut.room for cut in cuts])
    wholes = [windows.whole(lm, pair, "suffix", raw) for pair in pairs]
    tokens = [s.ids[:end] for s in wholes for end in range(s.start + 1, len(s.ids))]
    picked = tokens[::EVERY]
    mine, plain = in_turns(
        TIMES,
        lambda: measures.ma(lm, pairs, "suffix", raw),
        lambda: [one(lm, ids, 1) for ids in picked],
    )
    figure("ma.speedup", ours=mine, baseline=plain * len(tokens) / len(picked), n=len(tokens), sample=len(picked),
           **machine(lm))  # fmt: skip
    linearity(lm, pairs_of)
    prompts = memo_prompts(lm, pairs, raw)
    matmul_share(lm, seconds, real.pushed(lm, lambda: lm.generate(prompts, [200] * len(prompts))))


if __name__ == "__main__":
    main()
