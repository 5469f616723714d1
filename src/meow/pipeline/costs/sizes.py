"""Memory of training, computed from a model's shape: what the dry run says and docs/memory.md tabulates. No torch.

GB are 2**30 bytes. Of a model that is no Llama the feed-forward part may differ.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, NamedTuple

GB = 2**30
OWN = 1.0
"""GB that PyTorch and its libraries take for themselves, on a card or not."""
MARGIN = 1.2
"""Activations of LoRA and of autocast, beside those of plain weights."""


class Shape(NamedTuple):
    """A Llama by its dimensions."""

    name: str
    layers: int
    hidden: int
    inner: int
    """Width of the feed-forward part."""
    keys: int
    """Width of the keys, and of the values."""
    vocabulary: int
    tied: bool
    """One matrix for embedding and head."""


class Way(NamedTuple):
    """A way of training, in bytes per parameter."""

    name: str
    weights: float
    gradients: float
    optimizer: float
    """Both moments of AdamW."""
    rank: int = 0
    """Of the LoRA adapter; 0: none."""
    wide: float = 1.0
    """Bytes of activations, beside those of plain bfloat16."""


class Pass(NamedTuple):
    """What goes through the model at once."""

    sequences: int
    length: int
    """Tokens of each: prompt, answer and padding."""
    answer: int
    """Answer tokens among them."""


def parameters(shape: Shape) -> int:
    """Number of weights."""
    attention = 2 * shape.hidden * shape.hidden + 2 * shape.hidden * shape.keys
    layer = attention + 3 * shape.hidden * shape.inner + 2 * shape.hidden
    return shape.layers * layer + shape.hidden + embeddings(shape)


def embeddings(shape: Shape) -> int:
    """Number of weights in embedding and head."""
    return shape.vocabulary * shape.hidden * (1 if shape.tied else 2)


def adapter(shape: Shape, rank: int) -> int:
    """Number of weights of a LoRA adapter on every linear module but the head."""
    ends = 4 * shape.hidden + 2 * (shape.hidden + shape.keys) + 3 * (shape.hidden + shape.inner)
    return shape.layers * rank * ends


def kept_per_token(shape: Shape) -> int:
    """Bytes that one layer keeps of one token for the backward pass, in bfloat16."""
    return 2 * (10 * shape.hidden + 2 * shape.keys + 4 * shape.inner)


def states(shape: Shape, way: Way, *, counted: int | None = None) -> float:
    """Bytes of weights, gradients and optimizer.

    Args:
        shape: of the model.
        way: of training.
        counted: its weights, where they were counted; default: by the shape.
    """
    held = (counted or parameters(shape)) * (way.weights + way.gradients + way.optimizer)
    held += 16 * adapter(shape, way.rank)
    if way.weights < 1:  # embedding and head are not rounded, and peft holds them in float32
        held += embeddings(shape) * (4 - way.weights)
    return held


def activations(shape: Shape, way: Way, at_once: Pass, *, checkpointing: bool) -> float:
    """Bytes kept for the backward pass of one forward pass, logits included."""
    tokens = at_once.sequences * at_once.length
    layer = way.wide * kept_per_token(shape) * tokens
    layers = layer + 2 * shape.hidden * tokens * shape.layers if checkpointing else layer * shape.layers
    return layers + 16 * at_once.sequences * at_once.answer * shape.vocabulary


def shape_of(config: Any) -> Shape | None:
    """The shape of a model by its configuration; None where that names no width, layers and vocabulary.

    Args:
        config: of transformers, of the text part.
    """
    layers, hidden, vocabulary = (
        int(getattr(config, name, None) or 0) for name in ("num_hidden_layers", "hidden_size", "vocab_size")
    )
    if not layers or not hidden or not vocabulary:
        return None
    heads = int(getattr(config, "num_attention_heads", None) or 1)
    head = int(getattr(config, "head_dim", None) or hidden // heads)
    keys = head * int(getattr(config, "num_key_value_heads", None) or heads)
    inner = int(getattr(config, "intermediate_size", None) or 4 * hidden)
    tied = bool(getattr(config, "tie_word_embeddings", False))
    return Shape(getattr(config, "model_type", ""), layers, hidden, inner, keys, vocabulary, tied)


def counted(folder: Path) -> int | None:
    """Number of weights by the heads of a folder's safetensors; None where there are none.

    Source: the format, a length of eight bytes and JSON, https://github.com/huggingface/safetensors.
    """
    total = 0
    for file in folder.glob("*.safetensors"):
        with file.open("rb") as f:
            head = json.loads(f.read(int.from_bytes(f.read(8), "little")))
        total += sum(math.prod(tensor["shape"]) for name, tensor in head.items() if name != "__metadata__")
    return total or None
