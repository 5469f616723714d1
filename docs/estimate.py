"""Memory and time of training by the formulas of the dry run: the tables of docs/memory.md, written by generate.py.

Nothing here was measured on a GPU. GB are 2**30 bytes.
"""

from __future__ import annotations

from typing import NamedTuple

from meow.pipeline.costs.sizes import GB, MARGIN, OWN, Pass, Shape, Way, activations, embeddings, parameters, states

RANK = 8
"""Of the LoRA adapter."""
USABLE = 0.95
"""Share of a card's memory that is counted on."""
AT_ONCE = Pass(sequences=16, length=128, answer=80)
"""One forward pass (`train.batch_tokens` of an accelerator): tokens of a sequence (prompt, answer and padding), answer
tokens among them."""


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
    Way("full, float32 weights", 6, 4, 8, wide=MARGIN),
    Way(f"LoRA, rank {RANK}", 2, 0, 0, RANK, MARGIN),
    Way(f"LoRA, rank {RANK}, four bits", 0.52, 0, 0, RANK, MARGIN),
)
A100 = Card("A100, 80 GB", 80, 312e12, 0.4)
RTX4090 = Card("RTX 4090, 24 GB", 24, 165e12, 0.35)


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
        if shared + activations(shape, way, AT_ONCE, checkpointing=True) <= room:
            return n
    return None


def seconds(shape: Shape, way: Way, card: Card, tokens: int) -> float:
    """Of training on that many tokens with checkpointing, on one card."""
    per_parameter = 6 if way.rank else 8
    return per_parameter * parameters(shape) * tokens / (card.peak * card.used)


def memory_table() -> list[str]:
    """Parts and totals, in GB."""
    head = ["model", "training", "weights, gradients, AdamW", "activations", "with checkpointing", "in all, so"]
    lines = _head([*head, "24 GB cards", "80 GB cards"])
    for shape in SHAPES:
        for way in WAYS:
            held = states(shape, way) / GB
            every, some = (activations(shape, way, AT_ONCE, checkpointing=c) / GB for c in (False, True))
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
    runs = {"`meow`, k = 3": 200 * 3 * 10 * AT_ONCE.length, "`meow_contrast`, k = 1": 200 * 10 * 4 * AT_ONCE.length}
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
