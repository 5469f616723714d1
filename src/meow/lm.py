"""A language model that scores and generates. Padding, batching, devices and number formats live here.

Results never depend on the batch: sequences are sorted by length, batched by a token budget and padded on the
right; masks and positions come from lengths, so any id can pad; logits exist at answer positions only.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from meow.config import FinetuneSettings, ModelSettings
from meow.data import check_hub
from meow.decode import decode
from meow.errors import ConfigError, DataError
from meow.prompts import Encoded, Prompter

LOGP_FLOOR = -1e4
"""Log-probabilities are clamped here, so that a degenerate model gives no infinity."""
_WEIGHTS = ("*.safetensors",)
_TEXT_FILES = ("config.json", "generation_config.json", "tokenizer*", "special_tokens_map.json", "chat_template*",
               "vocab*", "merges.txt", "adapter_config.json")  # fmt: skip


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

    def __init__(
        self, model: Any, tokenizer: Any, *, template: str = "auto", max_length: int | None = None,
        batch_tokens: int = 8192, path: str = "", weights: str = "",
    ) -> None:  # fmt: skip
        """Args:
            model: any `transformers` causal LM, already on its device.
            tokenizer: its fast tokenizer.
            template: see `Prompter`.
            max_length: longest sequence in tokens; default: the model's context.
            batch_tokens: tokens in one forward pass, padding included.
            path: as the user gave it, for logs.
            weights: hash of the weights, for keys.

        Raises:
            DataError: the model has no EOS id.
        """
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.batch_tokens = batch_tokens
        self.path = path
        self.weights = weights
        context = int(getattr(model.config, "max_position_embeddings", 0) or 2048)
        self.prompter = Prompter(
            tokenizer,
            template,
            max_length=min(max_length or context, context),
            eos_ids=_eos_ids(model, tokenizer),
        )

    @property
    def device(self) -> torch.device:
        """Where inputs must lie."""
        return torch.device(self.model.get_input_embeddings().weight.device)

    @torch.inference_mode()
    def score(self, sequences: Sequence[Encoded], *, stats: bool = False) -> list[TokenScores]:
        """Teacher-forced scores of the tokens from `start` on, in the order given.

        Args:
            sequences: prompt and answer, EOS included where it is scored.
            stats: also mean and deviation of log p over the vocabulary (Min-K++).

        Raises:
            DataError: the model gives NaN.
        """
        found: list[TokenScores | None] = [None] * len(sequences)
        for batch in batches([len(s.ids) for s in sequences], self.batch_tokens):
            chosen = [sequences[i] for i in batch]
            logits, labels = self._answer_logits(chosen)
            logp = widened(logits).log_softmax(-1)
            of_label = logp.gather(-1, labels[:, None])[:, 0].clamp(min=LOGP_FLOOR).double().cpu().numpy()
            if np.isnan(of_label).any():
                raise DataError(
                    f"{self.path or 'the model'}: gives NaN; its weights are broken, or model.dtype is too narrow"
                )
            hit = (logits.argmax(-1) == labels).cpu().numpy()
            mu = sigma = np.empty(0)
            if stats:
                clamped = logp.clamp(min=LOGP_FLOOR)
                p = logp.exp()
                mean = (p * clamped).sum(-1)
                mu = mean.double().cpu().numpy()
                sigma = ((p * clamped.square()).sum(-1) - mean.square()).clamp(min=1e-6).sqrt().double().cpu().numpy()
            at = 0
            for i, sequence in zip(batch, chosen, strict=True):
                cut = slice(at, at + len(sequence.ids) - sequence.start)
                at = cut.stop
                found[i] = TokenScores(of_label[cut], hit[cut], *((mu[cut], sigma[cut]) if stats else ()))
        return [scores for scores in found if scores is not None]

    def generate(
        self, prompts: Sequence[Encoded], max_new_tokens: int | Sequence[int], *, n: int = 1,
        temperature: float = 0.0, top_p: float = 1.0, seed: int = 0,
        progress: Callable[[int], None] | None = None,
    ) -> list[list[Completion]]:  # fmt: skip
        """Continue each prompt, greedily or by sampling, until EOS or `max_new_tokens`.

        Greedy is the argmax of the raw logits; penalties and sampling in a generation config on disk are ignored.
        A sample is drawn from a generator seeded by (seed, prompt, sample), so it does not depend on the batch.

        Args:
            prompts: tokens to continue.
            max_new_tokens: for all prompts, or one for each.
            n: completions per prompt; 1 where greedy.
            temperature: 0 is greedy.
            top_p: sample from the smallest set of tokens of at least this probability.
            seed: of the samples.
            progress: called with the number of prompts finished since the last call.

        Returns:
            `n` completions for each prompt, in the order given.
        """
        room = [max_new_tokens] * len(prompts) if isinstance(max_new_tokens, int) else list(max_new_tokens)
        context = int(getattr(self.model.config, "max_position_embeddings", 0) or 0)
        if context:
            room = [min(r, context - len(p.ids)) for r, p in zip(room, prompts, strict=True)]
        rows = decode(
            self.model, [p.ids for p in prompts], room, eos_ids=self.prompter.eos_ids, n=n, temperature=temperature,
            top_p=top_p, seed=seed, batch_tokens=self.batch_tokens, progress=progress,
        )  # fmt: skip
        return [[self._completion(ids) for ids in row] for row in rows]

    def save(self, folder: Path) -> None:
        """Write weights (safetensors), tokenizer and their configuration, as `load` reads them."""
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)

    def _completion(self, ids: Sequence[int]) -> Completion:
        ended = bool(ids) and ids[-1] in self.prompter.eos_ids
        kept = tuple(ids[:-1] if ended else ids)
        text = self.tokenizer.decode(kept, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return Completion(text, kept, "eos" if ended else "length")

    def _answer_logits(self, sequences: Sequence[Encoded]) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits (N, V) that predict the answer tokens of all sequences, row by row, and their labels (N,)."""
        ids, mask = pad([s.ids for s in sequences], self.device)
        keep = torch.zeros_like(mask, dtype=torch.bool)
        for row, s in enumerate(sequences):
            keep[row, s.start - 1 : len(s.ids) - 1] = True
        labels = torch.cat([torch.tensor(s.ids[s.start :]) for s in sequences]).to(self.device)
        return kept_logits(self.model, ids, mask, keep), labels


def pad(rows: Sequence[Sequence[int]], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids (B, T), padded on the right with 0, and the attention mask (B, T) that lengths give."""
    width = max(map(len, rows))
    ids = torch.zeros((len(rows), width), dtype=torch.long)
    mask = torch.zeros((len(rows), width), dtype=torch.long)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = torch.tensor(row)
        mask[i, : len(row)] = 1
    return ids.to(device), mask.to(device)


def kept_logits(model: Any, ids: torch.Tensor, mask: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
    """Logits (N, V) at the positions that `keep` (B, T) marks, row by row; the head runs on those alone."""
    logits: torch.Tensor = model(input_ids=ids, attention_mask=mask, use_cache=False, logits_to_keep=keep).logits
    if logits.shape[:2] == keep.shape:
        return logits[keep]
    return logits.reshape(-1, logits.shape[-1])


def widened(logits: torch.Tensor) -> torch.Tensor:
    """Logits in float32 at least: sums over a vocabulary need more than a half format holds."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def batches(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Indices sorted by length, longest first, in batches whose padded size stays within a token budget.

    Args:
        lengths: tokens of each sequence.
        budget: tokens of one batch, padding included; a longer sequence makes a batch of its own.
    """
    order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
    at = 0
    while at < len(order):
        size = max(1, budget // max(1, lengths[order[at]]))
        yield order[at : at + size]
        at += size


def load(settings: ModelSettings) -> LM:
    """Load a causal language model from a folder or the hub.

    Raises:
        ConfigError: no model named.
        DataError: no such model, no network, pickled weights only, no EOS id; says what to do.
    """
    if settings.path is None:
        raise ConfigError("model.path: not set; name a folder or a hub id, as in model.path=locuslab/tofu_ft_llama2-7b")
    from transformers import AutoModelForCausalLM, AutoTokenizer

    _bars(not Path(settings.path).is_dir())
    device = pick_device(settings.device)
    dtype: Any = settings.dtype if settings.dtype != "auto" else ("float32" if device.type == "cpu" else "auto")
    check_folder(settings.path, revision=settings.revision)
    common = {"revision": settings.revision, "trust_remote_code": settings.trust_remote_code}
    where = {"device_map": settings.device_map} if settings.device_map else {}
    try:
        tokenizer = AutoTokenizer.from_pretrained(settings.tokenizer or settings.path, **common)
        model = AutoModelForCausalLM.from_pretrained(
            settings.path, dtype=dtype, use_safetensors=True, **_attention(settings), **common, **where
        )
    except (OSError, ValueError, ImportError) as e:
        raise DataError(f"{settings.path}: {_why_not_loaded(str(e))}") from e
    if not settings.device_map:
        model = model.to(device)
    return LM(
        model, tokenizer, template=settings.template, max_length=settings.max_length,
        batch_tokens=settings.batch_tokens, path=settings.path, weights=weights_hash(settings, model),
    )  # fmt: skip


def pick_device(name: str) -> torch.device:
    """The device of that name; `auto` is the accelerator if there is one, else the CPU."""
    if name == "auto":
        return torch.accelerator.current_accelerator() or torch.device("cpu")
    try:
        return torch.device(name)
    except RuntimeError as e:
        raise ConfigError(f"model.device: found {name!r}, expected cpu, cuda, cuda:1, mps or auto") from e


def check_folder(path: str, *, revision: str | None = None) -> None:
    """Refuse a folder that holds no safetensors, or a hub that is not there, before anything is loaded.

    Raises:
        DataError: no config.json, or pickled weights only.
    """
    folder = Path(path)
    if not folder.is_dir():
        if path.startswith((".", "/", "~")) or path.count("/") > 1:
            raise DataError(f"{path}: no such folder; give a folder with a model, or a hub id")
        check_hub(path, "config.json", repo_type="model", revision=revision, otherwise="give a folder")
        return
    if not (folder / "config.json").is_file():
        raise DataError(f"{path}: holds no config.json; give the folder that save_pretrained wrote")
    if not any(folder.glob("*.safetensors")):
        pickled = sorted(folder.glob("*.bin")) + sorted(folder.glob("*.pt"))
        what = f"only pickled weights ({pickled[0].name})" if pickled else "no weights"
        raise DataError(f"{path}: holds {what}; meow reads safetensors alone: convert with save_pretrained")


def weights_hash(settings: ModelSettings, model: Any = None) -> str:
    """16 hex digits that change when weights, tokenizer or their configuration change.

    A folder is hashed file by file (sha256 of each shard, remembered by path, size and time of change); a hub
    model is named by its commit.
    """
    parts: list[Any] = [settings.revision, settings.dtype]
    for name in dict.fromkeys((settings.path, settings.tokenizer)):
        if name and Path(name).is_dir():
            files = sorted({f for pattern in (*_WEIGHTS, *_TEXT_FILES) for f in Path(name).glob(pattern)})
            parts += [(f.name, file_hash(f)) for f in files]
        elif name:
            parts += [name, getattr(getattr(model, "config", None), "_commit_hash", None)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def file_hash(path: Path) -> str:
    """sha256 of a file; files over 64 MiB are remembered by path, size and time of change."""
    stat = path.stat()
    mark = f"{path.resolve()}:{stat.st_size}:{stat.st_mtime_ns}"
    if stat.st_size < 1 << 26:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "meow"
    note = cache / hashlib.sha256(mark.encode()).hexdigest()
    if note.is_file():
        return note.read_text()
    with path.open("rb") as f:
        digest = hashlib.file_digest(f, "sha256").hexdigest()
    cache.mkdir(parents=True, exist_ok=True)
    note.write_text(digest)
    return digest


def make_tiny(texts: Sequence[str], settings: FinetuneSettings, *, seed: int) -> tuple[Any, Any]:
    """A new Llama with random weights and a byte-level BPE tokenizer trained on `texts`.

    Returns:
        (model, tokenizer); the tokenizer has BOS, EOS and an answer ends with EOS.
    """
    from tokenizers import ByteLevelBPETokenizer
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    _bars(False)
    bpe = ByteLevelBPETokenizer()
    bpe.train_from_iterator(
        texts,
        vocab_size=settings.vocab_size,
        min_frequency=2,
        special_tokens=["<s>", "</s>"],
        show_progress=False,
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe._tokenizer, bos_token="<s>", eos_token="</s>", model_max_length=settings.context
    )
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=settings.hidden_size, intermediate_size=3 * settings.hidden_size,
        num_hidden_layers=settings.layers, num_attention_heads=settings.heads,
        max_position_embeddings=settings.context, tie_word_embeddings=True, bos_token_id=0, eos_token_id=1,
    )  # fmt: skip
    torch.manual_seed(seed)
    return LlamaForCausalLM(config), tokenizer


def _bars(wanted: bool) -> None:
    """Whether transformers draws bars of its own: for a download it should, for every shard on a disk it need not."""
    from transformers.utils import logging

    (logging.enable_progress_bar if wanted else logging.disable_progress_bar)()


def _attention(settings: ModelSettings) -> dict[str, str]:
    return {} if settings.trust_remote_code else {"attn_implementation": "sdpa"}


def _eos_ids(model: Any, tokenizer: Any) -> tuple[int, ...]:
    """Every EOS id of the generation config, else the tokenizer's."""
    ids = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    if ids is None:
        ids = tokenizer.eos_token_id
    if ids is None:
        return ()
    return tuple(ids) if isinstance(ids, (list, tuple)) else (int(ids),)


def _why_not_loaded(message: str) -> str:
    first = " ".join(message.split())
    if any(mark in message for mark in ("offline", "couldn't connect", "Connection", "resolve", "LocalEntryNotFound")):
        return "not in the local cache and the hub cannot be reached; download it first, or give a folder"
    if "trust_remote_code" in message:
        return "needs code of its own; read it, then set model.trust_remote_code=true"
    return f"cannot be loaded ({first[:200]}); give a folder or hub id of a causal language model in safetensors"
