"""Memory and time of training, computed from a model's shape: the tables of docs/memory.md, written by generate.py.

Nothing here was measured on a GPU. GB are 2**30 bytes.
"""

from __future__ import annotations

from typing import NamedTuple

GB = 2**30
SEQUENCES, LENGTH, ANSWER = 16, 128, 80
"""Sequences of one forward pass (`train.batch_tokens` of an accelerator), tokens of each (prompt, answer and padding),
answer tokens among them."""
RANK = 8
"""Of the LoRA adapter."""
OWN = 1.0
"""GB that CUDA and its libraries take for themselves."""
MARGIN = 1.2
"""Activations of LoRA and of float32 weights, beside those of plain bfloat16."""
USABLE = 0.95
"""Share of a card's memory that is counted on."""


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


class Card(NamedTuple):
    """A GPU."""

    name: str
    memory: int
    """GB."""
    peak: float
    """FLOP/s of dense bfloat16 with float32 sums, by the vendor's data sheet."""
    used: float
    """Share of the peak that training is taken to reach."""


SHAPES = (
    Shape("1B", 16, 2048, 8192, 512, 128256, True),
    Shape("7B", 32, 4096, 11008, 4096, 32000, False),
    Shape("13B", 40, 5120, 13824, 5120, 32000, False),
)
FULL = Way("full, bfloat16", 2, 2, 4)
WAYS = (
    FULL,
    Way("full, float32 weights", 6, 4, 8),
    Way(f"LoRA, rank {RANK}", 2, 0, 0),
    Way(f"LoRA, rank {RANK}, four bits", 0.52, 0, 0),
)
A100 = Card("A100, 80 GB", 80, 312e12, 0.4)
RTX4090 = Card("RTX 4090, 24 GB", 24, 165e12, 0.35)


def parameters(shape: Shape) -> int:
    """Number of weights."""
    attention = 2 * shape.hidden * shape.hidden + 2 * shape.hidden * shape.keys
    layer = attention + 3 * shape.hidden * shape.inner + 2 * shape.hidden
    return shape.layers * layer + shape.hidden + embeddings(shape)


def embeddings(shape: Shape) -> int:
    """Number of weights in embedding and head."""
    return shape.vocabulary * shape.hidden * (1 if shape.tied else 2)


def adapter(shape: Shape, rank: int = RANK) -> int:
    """Number of weights of a LoRA adapter on every linear module but the head."""
    ends = 4 * shape.hidden + 2 * (shape.hidden + shape.keys) + 3 * (shape.hidden + shape.inner)
    return shape.layers * rank * ends


def kept_per_token(shape: Shape) -> int:
    """Bytes that one layer keeps of one token for the backward pass, in bfloat16."""
    return 2 * (10 * shape.hidden + 2 * shape.keys + 4 * shape.inner)


def states(shape: Shape, way: Way) -> float:
    """Bytes of weights, gradients and optimizer."""
    n = parameters(shape)
    held = n * (way.weights + way.gradients + way.optimizer)
    if way.name.startswith("LoRA"):
        held += 16 * adapter(shape)
    if way.weights < 1:  # embedding and head are not rounded, and peft holds them in float32
        held += embeddings(shape) * (4 - way.weights)
    return held


def activations(shape: Shape, way: Way, *, checkpointing: bool) -> float:
    """Bytes kept for the backward pass of one forward pass, logits included."""
    tokens, wide = SEQUENCES * LENGTH, 1.0 if way is FULL else MARGIN
    layer = wide * kept_per_token(shape) * tokens
    layers = layer + 2 * shape.hidden * tokens * shape.layers if checkpointing else layer * shape.layers
    return layers + 16 * SEQUENCES * ANSWER * shape.vocabulary


def cards(shape: Shape, way: Way, card: Card) -> int | None:
    """Cards that hold it, with checkpointing, states shared out evenly; None: more than eight, or the weights alone
    do not fit on one, where every process loads them first.
    """
    n_weights, room = parameters(shape), USABLE * card.memory * GB - OWN * GB
    if n_weights * min(way.weights, way.optimizer / 2 or way.weights) > room:
        return None
    gathered = 2 * (n_weights - embeddings(shape)) / shape.layers + 2 * embeddings(shape)
    for n in (1, 2, 4, 8):
        shared = states(shape, way) / n + (gathered if n > 1 else 0)
        if shared + activations(shape, way, checkpointing=True) <= room:
            return n
    return None


def seconds(shape: Shape, way: Way, card: Card, tokens: int) -> float:
    """Of training on that many tokens with checkpointing, on one card."""
    per_parameter = 6 if way.name.startswith("LoRA") else 8
    return per_parameter * parameters(shape) * tokens / (card.peak * card.used)


def memory_table() -> list[str]:
    """Parts and totals, in GB."""
    head = ["model", "training", "weights, gradients, AdamW", "activations", "with checkpointing", "in all, so"]
    lines = _head([*head, "24 GB cards", "80 GB cards"])
    for shape in SHAPES:
        for way in WAYS:
            held = states(shape, way) / GB
            every, some = (activations(shape, way, checkpointing=c) / GB for c in (False, True))
            sizes = (f"{size:.1f}" for size in (held, every, some, held + some + OWN))
            lines.append(_row([shape.name, way.name, *sizes, *(cards(shape, way, c) or "-" for c in (RTX4090, A100))]))
    return lines


def decoding_table(batch_tokens: int) -> list[str]:
    """Measuring and evaluating, in GB."""
    lines = _head(["model", "weights", f"keys and values of {batch_tokens:,} tokens", "in all"])
    for shape in SHAPES:
        weights = 2 * parameters(shape) / GB
        cache = batch_tokens * shape.layers * 2 * shape.keys * 2 / GB
        lines.append(_row([shape.name, f"{weights:.1f}", f"{cache:.1f}", f"{weights + cache + OWN:.1f}"]))
    return lines


def time_table() -> list[str]:
    """Minutes of training on forget05."""
    runs = {"`meow`, k = 3": 200 * 3 * 10 * LENGTH, "`meow_contrast`, k = 1": 200 * 10 * 4 * LENGTH}
    lines = _head(["model", "training", *(f"{name}, {card.name}" for name in runs for card in (A100, RTX4090))])
    for shape in SHAPES:
        for way in (FULL, WAYS[2]):
            cells = []
            for tokens in runs.values():
                for card in (A100, RTX4090):
                    n = cards(shape, way, card)
                    minutes = seconds(shape, way, card, tokens) / 60
                    cells.append("-" if n is None else f"{minutes / n:.1f}" + (f" on {n} cards" if n > 1 else ""))
            lines.append(_row([shape.name, way.name, *cells]))
    return lines


def _head(names: list[str]) -> list[str]:
    return [_row(names), "|" + "---|" * len(names)]


def _row(cells: list[object]) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


TABLES = {"memory": memory_table, "decoding": lambda: decoding_table(8192), "time": time_table}
"""By their names in docs/memory.md."""


def filled(page: str) -> str:
    """The page with every table between its markers made anew."""
    for name, make in TABLES.items():
        before, rest = page.split(f"<!-- {name}: made by docs/estimate.py -->\n")
        _, after = rest.split("<!-- end -->", 1)
        page = "\n".join([f"{before}<!-- {name}: made by docs/estimate.py -->\n", *make(), "", "<!-- end -->" + after])
    return page
