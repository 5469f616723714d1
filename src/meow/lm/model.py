"""A language model that scores and generates. Padding, batching, devices and number formats live here.

Results never depend on the batch: sequences are sorted by length, batched by a token budget and padded on the
right; masks and positions come from lengths, so any id can pad; logits exist at answer positions only.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property, partial
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch
from numpy.typing import NDArray

from meow.config import TEMPLATE_DATE, ModelSettings
from meow.errors import ConfigError, DataError, shown
from meow.lm.batching import Pass, in_pieces, kept_logits, log_total, passes, spread, widened
from meow.lm.decode import Sampling, decode
from meow.lm.decode.sweep import best
from meow.lm.serving import Serving, context_of, eos_ids, serving
from meow.prompts import Encoded, Prompter
from meow.records import Fact
from meow.terminal import without_bars

LOGP_FLOOR = -1e4
"""Log-probabilities are clamped here, so that a degenerate model gives no infinity."""


@dataclass(frozen=True)
class TokenScores:
    """Scores of the answer tokens of one sequence, in order."""

    logp: NDArray[np.float64]
    """(N,) natural log-probability of each token given all before it, at least LOGP_FLOOR."""
    hit: NDArray[np.bool_]
    """(N,) whether the token is the argmax."""
    mu: NDArray[np.float64] | None = None
    """(N,) mean of log p under the model's own distribution at that position."""
    sigma: NDArray[np.float64] | None = None
    """(N,) standard deviation of the same."""


@dataclass(frozen=True)
class Completion:
    """One generated answer."""

    text: str
    """Decoded new tokens, special tokens dropped."""
    ids: tuple[int, ...] | None
    """New tokens, EOS left out; None from a server."""
    finish: str
    """`eos` or `length`."""


class LM:
    """A causal language model with its tokenizer and template."""

    gives_scores = True
    """Whether `score` can be asked; a server has none."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        template: str = "auto",
        template_args: Mapping[str, Any] | None = None,
        template_date: date = TEMPLATE_DATE,
        max_length: int | None = None,
        batch_tokens: int = 8192,
        path: str = "",
        weights: str = "",
    ) -> None:
        """Args:
            model: any `transformers` causal LM, already on its device.
            tokenizer: its fast tokenizer.
            template: how a question is put: `qa`, `llama2-chat`, `chat`; `auto`: as the tokenizer has it.
            template_args: handed to a chat template, as in `{"enable_thinking": False}`.
            template_date: what a chat template takes for today.
            max_length: longest sequence in tokens; default: the model's context.
            batch_tokens: tokens in one forward pass, padding included.
            path: as the user gave it, for logs.
            weights: hash of the weights, for keys.

        Raises:
            DataError: the model has no EOS id, or the chat template does not render a plain question.
        """
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.batch_tokens = batch_tokens
        self.path = path
        self.weights = weights
        context = context_of(model.config)
        self.prompter = Prompter(
            tokenizer,
            template,
            max_length=min(max_length or context, context),
            eos_ids=eos_ids(model, tokenizer),
            args=template_args,
            date=template_date,
        )

    @classmethod
    def load(cls, path: str | Path, *, template: str = "auto", dtype: str = "auto", device: str = "auto") -> LM:
        """A causal language model from a folder or the hub.

        Args:
            path: folder, a run's `model/`, or hub id.
            template: how a question is put: `qa`, `llama2-chat`, `chat`; `auto`: as the tokenizer has it.
            dtype: number format of the weights.
            device: `cpu`, `cuda`, ...; `auto`: the accelerator if there is one.

        Raises:
            DataError: no such model, or pickled weights only; says what to do.
        """
        from meow.lm.loading import load

        return load(
            ModelSettings.model_validate({"path": str(path), "template": template, "dtype": dtype, "device": device})
        )

    def __repr__(self) -> str:
        n = sum(p.numel() for p in self.model.parameters())
        size = f"{n / 1e9:.1f}B" if n >= 1e9 else f"{n / 1e6:.1f}M" if n >= 1e6 else f"{n / 1e3:.0f}K"
        return f"LM({self.path or 'new'}, {size} parameters, template {self.prompter.template}, {self.device})"

    @property
    def device(self) -> torch.device:
        """Where inputs must lie."""
        return torch.device(self.model.get_input_embeddings().weight.device)

    @cached_property
    def serving(self) -> Serving:
        """The ways in which this model is right, tried once.

        Raises:
            DataError: it cannot be asked or scored at all.
        """
        return serving(self.model)

    def passes(self, sequences: Sequence[Encoded]) -> Iterator[Pass]:
        """Forward passes over all sequences, in the way that is right for the model, in any order.

        Yields:
            Which sequences, logits (N, V) in the number format of the model, and of each the rows that predict what is
            scored.
        """
        return passes(self.model, sequences, self.serving.scores, self.serving.longest, self.batch_tokens)

    def score(self, sequences: Sequence[Encoded], *, stats: bool | Sequence[bool] = False) -> list[TokenScores]:
        """Teacher-forced scores of the tokens from `start` on, in the order given.

        Args:
            sequences: prompt and answer, EOS included where it is scored.
            stats: also mean and deviation of log p over the vocabulary (Min-K++), for all sequences, or for those
                that are marked.

        Raises:
            DataError: the model gives NaN.
        """
        marked = [stats] * len(sequences) if isinstance(stats, bool) else stats
        two_at_once = self.serving.scores == "shared" and self.serving.longest is None
        return in_pieces(self.model, sequences, partial(self._score, sequences, marked), two_at_once=two_at_once)

    @torch.inference_mode()
    def _score(self, every: Sequence[Encoded], marks: Sequence[bool], some: Sequence[int]) -> list[TokenScores]:
        """`score` of those that are named."""
        sequences, marked = [every[i] for i in some], [marks[i] for i in some]
        found: list[TokenScores | None] = [None] * len(sequences)
        for chosen, logits, at in self.passes(sequences):
            rows = torch.tensor([row for rows in at for row in rows], device=logits.device)
            labels = torch.tensor([t for i in chosen for t in sequences[i].ids[sequences[i].start :]]).to(logits.device)
            wide = widened(logits)
            total = log_total(wide)
            scores = [(wide[rows, labels] - total[rows]).clamp(min=LOGP_FLOOR), best(logits)[rows] == labels]
            asked = sorted({row for i, of_row in zip(chosen, at, strict=True) if marked[i] for row in of_row})
            if asked:
                places = torch.tensor(asked, device=total.device)
                scores += [
                    torch.full_like(total, torch.nan).index_put((places,), column)[rows]
                    for column in spread(wide[asked] - total[asked, None], LOGP_FLOOR)
                ]
            columns = [(c if c.dtype == torch.bool else c.double()).cpu().numpy() for c in scores]
            if np.isnan(columns[0]).any():
                raise DataError(
                    f"{self.path or 'the model'}: gives NaN; its weights are broken, or model.dtype is too narrow"
                )
            end = 0
            for i, of_row in zip(chosen, at, strict=True):
                begin, end = end, end + len(of_row)
                found[i] = TokenScores(*(column[begin:end] for column in columns[: 4 if marked[i] else 2]))
        return [scores for scores in found if scores is not None]

    def grad_norms(self, sequences: Sequence[Encoded]) -> list[float]:
        """How much each sequence would change the model: mean over parameter tensors of the L2 norm of the gradient of
        the mean loss of the tokens from `start` on. One sequence at a time, in eval mode.

        `Differs:` OpenUnlearning uses train mode.

        Raises:
            ConfigError: no weight takes a gradient (a quantised model).
        """
        weights = [p for p in self.model.parameters() if p.is_floating_point()]
        if not weights or getattr(self.model, "is_loaded_in_4bit", False):
            raise ConfigError("eval.grad_norm: quantised weights take no gradient; leave it off")
        wanted = [p.requires_grad for p in weights]
        found = []
        try:
            self.model.requires_grad_(True)
            for s in sequences:
                ids = torch.tensor([s.ids], device=self.device)
                keep = torch.zeros_like(ids, dtype=torch.bool)
                keep[0, s.start - 1 : len(s.ids) - 1] = True
                logits = widened(kept_logits(self.model, ids, torch.ones_like(ids), keep))
                loss = torch.nn.functional.cross_entropy(logits, torch.tensor(s.ids[s.start :], device=logits.device))
                norms = torch._foreach_norm(list(torch.autograd.grad(loss, weights)))
                found.append(float(torch.stack([n.double().cpu() for n in norms]).mean()))
        finally:
            for weight, was in zip(weights, wanted, strict=True):
                weight.requires_grad_(was)
        return found

    def generate(
        self,
        prompts: Sequence[Encoded],
        max_new_tokens: int | Sequence[int],
        *,
        n: int = 1,
        temperature: float = 0.0,
        top_p: float = 1.0,
        seed: int = 0,
        known: Sequence[Sequence[int]] = (),
        ends: Collection[int] = (),
        each: Callable[[int, list[Completion]], None] | None = None,
    ) -> list[list[Completion]]:
        """Continue each prompt, greedily or by sampling, until EOS or `max_new_tokens`.

        A generation config on disk is ignored. A sample depends on seed, prompt and its number, not on the batch.

        Args:
            prompts: tokens to continue.
            max_new_tokens: for all prompts, or one for each.
            n: completions of each prompt.
            temperature: 0: greedy.
            top_p: share of the probability that is drawn from.
            seed: of what is drawn.
            known: greedy: the tokens that are known to come next, by prompt; decoding starts after them.
            ends: further tokens after which nothing is decoded; they belong to the completion.
            each: called as soon as a prompt is finished, with its place and its completions.

        Returns:
            `n` completions for each prompt, in the order given.
        """
        room = self._room(prompts, max_new_tokens)
        heads = self._heads(prompts, room, known or [()] * len(prompts))
        found: dict[int, list[Completion]] = {}

        def finished(i: int, rows: list[list[int]]) -> None:
            found[i] = [self._completion([*heads[i], *ids]) for ids in rows]
            if each:
                each(i, found[i])

        self._decode(prompts, heads, room, Sampling(n, temperature, top_p, seed), ends, finished)
        return [found[i] for i in range(len(prompts))]

    def _decode(
        self,
        prompts: Sequence[Encoded],
        heads: Sequence[Sequence[int]],
        room: Sequence[int],
        sampling: Sampling,
        ends: Collection[int],
        finished: Callable[[int, list[list[int]]], None],
    ) -> None:
        """Decode what comes after prompts and heads, and hand over the new ids of each prompt."""
        eos = {*self.prompter.eos_ids, *ends}
        left = [i for i, h in enumerate(heads) if not h or (h[-1] not in eos and len(h) < room[i])]
        for i in {*range(len(prompts))} - {*left}:
            finished(i, [[]])
        decode(
            self.model,
            [(*prompts[i].ids, *heads[i]) for i in left],
            [room[i] - len(heads[i]) for i in left],
            eos_ids=eos,
            way=self.serving.decodes,
            longest=self.serving.longest,
            sampling=sampling,
            batch_tokens=self.batch_tokens,
            each=lambda at, rows: finished(left[at], rows),
        )

    def _room(self, prompts: Sequence[Encoded], max_new_tokens: int | Sequence[int]) -> list[int]:
        """How many tokens each prompt may be continued by: as many as are asked for and the context holds."""
        room = [max_new_tokens] * len(prompts) if isinstance(max_new_tokens, int) else list(max_new_tokens)
        context = int(getattr(self.model.config.get_text_config(), "max_position_embeddings", 0) or 0)
        return [min(r, context - len(p.ids)) if context else r for r, p in zip(room, prompts, strict=True)]

    def _heads(
        self, prompts: Sequence[Encoded], room: Sequence[int], known: Sequence[Sequence[int]]
    ) -> list[list[int]]:
        """The tokens behind each prompt that are known; none where a cached step need not be what scores show."""
        longest = self.serving.longest
        return [
            list(k[: max(r, 0)]) if longest is None or len(p.ids) + r <= longest else []
            for p, k, r in zip(prompts, known, room, strict=True)
        ]

    @overload
    def answer(self, question: str | Fact, *, max_new_tokens: int = 200) -> str: ...  # type: ignore[overload-overlap]
    @overload
    def answer(self, question: Iterable[str | Fact], *, max_new_tokens: int = 200) -> list[str]: ...
    def answer(self, question: str | Fact | Iterable[str | Fact], *, max_new_tokens: int = 200) -> str | list[str]:
        """The greedy answer to a question, put in the model's template; to several, all answers at once.

        Args:
            question: as text, or a fact whose question it is; or several: a list, a column of a table.
            max_new_tokens: tokens of each answer at most.

        Raises:
            DataError: something that is no question, or one that leaves no room for an answer.
        """
        ask, is_one = self.prompter, isinstance(question, str | Fact)
        prompts = []
        for i, one in enumerate([question] if is_one else question):
            if not isinstance(one, str | Fact):
                raise DataError(f"question {i}: found {type(one).__name__} {shown(one)}, expected a text or a fact")
            prompts.append(ask.asked(one) if isinstance(one, str) else ask.prompt(one))
        texts = [row[0].text.strip() for row in self.generate(prompts, max_new_tokens)]
        return texts[0] if is_one else texts

    def save(self, folder: str | Path) -> None:
        """Write weights (safetensors), tokenizer and their configuration, as `load` reads them."""
        with without_bars():
            self.model.save_pretrained(folder)
            self.tokenizer.save_pretrained(folder)

    def _completion(self, ids: Sequence[int]) -> Completion:
        ended = bool(ids) and ids[-1] in self.prompter.eos_ids
        kept = tuple(ids[:-1] if ended else ids)
        text = self.tokenizer.decode(kept, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return Completion(text, kept, "eos" if ended else "length")
