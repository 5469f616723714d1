"""How a model may be used: tried once on a few tokens, fast ways before slow ones, against each sequence by itself.

transformers has some two hundred architectures. Some make a mask of their own, keep a state that padding spoils, or
have no cache; none of that stands in their configuration.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import transformers

from meow.errors import DataError
from meow.lm.batching import passes_over_rows, passes_over_trees
from meow.lm.decode import Way, runner, tree
from meow.lm.decode.sweep import Row
from meow.prompts import Encoded

EXACT, COARSE = 1e-3, 0.1
"""Difference of logits, as a share of their spread, that rounding explains: in float32, in a half format."""
STRAY = 0.1
"""Share of positions that may differ by more in a half format, where rounding can send a token to another expert."""
TRUNK = 6
"""Tokens with which three of the four sequences of the trial begin."""
BUDGET = 256
"""Tokens of one pass of the trial: room for all of it."""


@dataclass(frozen=True)
class Serving:
    """The fastest ways in which a model says what it says of one sequence at a time."""

    scores: Way
    decodes: Way
    longest: int | None
    """Tokens up to which the longest sequence of a batch changes nothing for the others; None: it never does."""

    @property
    def notes(self) -> list[str]:
        """What a user should know: what is slower, and why."""
        slow = {
            "padded": "its prompts go side by side through transformers' own generate, more slowly",
            "alone": "what it says changes in a batch, so its prompts go one at a time, slowly",
        }
        found = [slow[self.decodes]] if self.decodes in slow else []
        found += ["its scores change in a batch, so they are computed one at a time"] * (self.scores == "alone")
        if self.longest is not None:
            found.append(f"beyond {self.longest} tokens a batch changes what it says: there it runs one at a time")
        return found


@torch.inference_mode()
def serving(model: Any) -> Serving:
    """Try the ways to score and to decode, fastest first.

    Args:
        model: any model of `transformers` with a language modelling head, in eval mode.

    Raises:
        DataError: it cannot be run on text alone, or what it says of a token depends on what follows.
    """
    name = f"{type(model).__name__} of transformers {transformers.__version__}"
    try:
        asked = _trial(model.config.get_text_config().vocab_size)
        truth = [_plain(model, s) for s in asked]
        begun = [one[:TRUNK] for one in truth[:3]]
        next_said = [one[s.start - 1 : -1] for s, one in zip(asked, truth, strict=True)]
        ways: list[Way] = ["shared", "padded"] if tree.fits(model) else ["padded"]
        decodes = _fastest(ways, lambda way: alike(_decoded(model, asked, way), next_said, model.dtype))
        if decodes == "alone":
            _decoded(model, asked, "alone")
    except Exception as e:  # whatever an architecture that is made for something else may raise
        why = " ".join(f"{type(e).__name__}: {e}".split())[:160]
        raise DataError(f"{name}: cannot be asked and scored on text alone ({why}); choose another model") from e
    if not alike(begun[1:], begun[:1] * 2, model.dtype):
        raise DataError(f"{name}: what it says of a token depends on what follows; choose a causal language model")
    scores = _fastest(ways, lambda way: alike(_scored(model, asked, way), [one[:-1] for one in truth], model.dtype))
    return Serving(scores, decodes, _longest(model.config.get_text_config()))


def alike(found: Sequence[torch.Tensor], expected: Sequence[torch.Tensor], dtype: torch.dtype) -> bool:
    """Whether logits (T, V) of some sequences say the same but for rounding, which may shift all of a token's alike."""
    differ: list[bool] = []
    bound = EXACT if dtype in (torch.float32, torch.float64) else COARSE
    for pair in zip(found, expected, strict=True):
        ours, theirs = (logits - logits.mean(-1, keepdim=True) for logits in pair)
        differ += ((ours - theirs).norm(dim=-1) > bound * theirs.norm(dim=-1)).tolist()
    return sum(differ) <= (0 if bound == EXACT else STRAY * len(differ))


def _fastest(ways: Sequence[Way], is_right: Callable[[Way], bool]) -> Way:
    for way in ways:
        try:
            if is_right(way):
                return way
        except Exception:  # what fails does not serve
            continue
    return "alone"


def _trial(vocabulary: int) -> list[Encoded]:
    """Prompts of several lengths with what is to follow: three with one beginning, which end at different times."""
    draw = random.Random(0)
    trunk, *others = ([draw.randrange(3, vocabulary) for _ in range(n)] for n in (TRUNK, 4, 5, 9, 9))
    texts = [(trunk + others[0], 7), (trunk + others[1], 6), (trunk + others[2], 8), (others[3], 3)]
    return [Encoded(tuple(ids), start, "") for ids, start in texts]


def _plain(model: Any, sequence: Encoded) -> torch.Tensor:
    """Logits (T, V) of a sequence by itself, as anybody gets them."""
    ids = torch.tensor([sequence.ids], device=model.get_input_embeddings().weight.device)
    logits: torch.Tensor = model(input_ids=ids).logits[0].float().cpu()
    return logits


def _decoded(model: Any, asked: Sequence[Encoded], way: Way) -> list[torch.Tensor]:
    """Logits (T, V) from which each token after the prompt would be chosen."""
    heard: list[list[torch.Tensor]] = [[] for _ in asked]

    def told(logits: torch.Tensor, rows: Sequence[Row]) -> list[int]:
        for row, said in zip(rows, logits.float().cpu(), strict=True):
            heard[row.prompt].append(said)
        return [asked[row.prompt].ids[len(row.ids)] for row in rows]

    limits = [len(s.ids) - s.start for s in asked]
    rows = [
        Row(i, list(s.ids[: s.start]), s.start, n, np.zeros(n))
        for i, (s, n) in enumerate(zip(asked, limits, strict=True))
    ]
    run = runner(model, way, (), told, batch_tokens=BUDGET)
    while rows:
        for _ in run(rows):
            pass
        rows = [row for row in rows if not row.ended(())]
    return [torch.stack(said) for said in heard]


def _scored(model: Any, asked: Sequence[Encoded], way: Way) -> list[torch.Tensor]:
    """Logits (T, V) after each token but the last."""
    whole = [Encoded(s.ids, 1, "") for s in asked]
    if way == "shared":
        passes = passes_over_trees(model, whole, BUDGET)
    else:
        passes = passes_over_rows(model, whole, BUDGET)
    found = {i: logits[rows].float().cpu() for some, logits, at in passes for i, rows in zip(some, at, strict=True)}
    return [found[i] for i in range(len(whole))]


def _longest(config: Any) -> int | None:
    """Tokens up to which the longest sequence of a batch changes nothing for the others.

    Beyond them rotary positions may depend on it, and attention that chooses some tokens decides ties by it.
    """
    rope = getattr(config, "rope_parameters", None) or {}
    limits = [
        of_layers.get("original_max_position_embeddings") or config.max_position_embeddings
        for of_layers in (rope, *(v for v in rope.values() if isinstance(v, dict)))
        if of_layers.get("rope_type") in ("longrope", "dynamic")
    ]
    if getattr(config, "index_topk", None):
        limits.append(config.index_topk)
    if getattr(config, "index_topk_blocks", None):
        limits.append(config.index_topk_blocks * config.index_block_size)
    return min(limits, default=None)


def context_of(config: Any) -> int:
    """Tokens of the longest sequence of a model, by its configuration; 2048 where it sets no limit."""
    return int(getattr(config.get_text_config(), "max_position_embeddings", 0) or 2048)


def eos_ids(model: Any, tokenizer: Any) -> tuple[int, ...]:
    """Every EOS id of the generation config, and the tokenizer's, which closes an answer where no template does."""
    ids = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    named = list(ids) if isinstance(ids, (list, tuple)) else [ids]
    return tuple(dict.fromkeys(i for i in (*named, tokenizer.eos_token_id) if i is not None))
