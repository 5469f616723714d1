"""Labels: which model an evaluation, a memorization or a capability is of, which stage makes it, what it is called.

`before` is the original, `after` the changed model, `reference` one that never saw the facts. `int8`, `pruned-30` are
after with quantized or pruned weights; `relearn-020` and the like are a model after so many steps of a curve of further
training.
"""

from __future__ import annotations

from typing import Literal

MODELS = ("before", "after", "reference")
"""The models of every run, in order of tables."""
REFERENCES = ("reference", "second")
"""Models that never saw the facts; of the second one only log R of the forget questions is known."""
OTHER_NAMES = "other_names"
"""What `eval.reference` says where the original, asked about names that no file holds, stands for a model."""
CURVES = {
    "relearn": "after, taught a few forget facts",
    "unrelated": "after, taught unrelated text",
    "retain": "after, taught what must stay",
    "reference-relearn": "the reference, taught the same facts",
}
"""Whom further training teaches what: the label of a step is the curve's name, `-` and three digits."""
Format = Literal[
    "int8", "int4", "torchao-int8", "torchao-int4", "bnb-int8", "bnb-nf4", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0",
    "pruned-10", "pruned-30", "pruned-50",
]  # fmt: skip
FORMATS: dict[Format, str] = {
    "int8": "weights of 8 bits",
    "int4": "weights of 4 bits",
    "torchao-int8": "torchao's weights of 8 bits",
    "torchao-int4": "torchao's weights of 4 bits",
    "bnb-int8": "bitsandbytes' LLM.int8()",
    "bnb-nf4": "bitsandbytes' NF4",
    "q8_0": "through GGUF's Q8_0",
    "q5_1": "through GGUF's Q5_1",
    "q5_0": "through GGUF's Q5_0",
    "q4_1": "through GGUF's Q4_1",
    "q4_0": "through GGUF's Q4_0",
    "pruned-10": "10% of the weights pruned",
    "pruned-30": "30% of the weights pruned",
    "pruned-50": "50% of the weights pruned",
}
"""What the weights of the changed model are put through; the label is the format's name."""
_OF_CHANGED = (
    "eval/after",
    *(f"eval/{name}" for name in FORMATS),
    *(f"robustness/{curve}" for curve in CURVES if curve != "reference-relearn"),
    "memo/after",
    "nlu/after",
    "nlg/after",
)
_ON_DEMAND = ("memo", "nlu", "nlg", "robustness")


def curve_of(label: str) -> str | None:
    """The curve of further training that a label is a step of."""
    name = label.rpartition("-")[0]
    return name if name in CURVES else None


def is_compressed(label: str) -> bool:
    """Whether a label is of the changed model with quantized or pruned weights."""
    return label in FORMATS


def stage_of(label: str) -> str:
    """The stage that makes the evaluation of a label."""
    curve = curve_of(label)
    return f"robustness/{curve}" if curve else f"eval/{label}"


def memo_stage(label: str) -> str:
    """The stage that measures memorization of a label; only that of `before` belongs to every run."""
    return "memo" if label == "before" else f"memo/{label}"


def measures_changed(stage: str) -> bool:
    """Whether a stage measures what `forget` has trained, so that another training makes it old."""
    return stage.startswith(_OF_CHANGED)


def command_of(stage: str) -> str:
    """The command that does a stage alone, as in `meow robustness`."""
    command, _, label = stage.partition("/")
    if command in ("questions", "judge"):
        return "eval"
    return "robustness" if command == "eval" and label not in MODELS + REFERENCES else command


def is_on_demand(stage: str) -> bool:
    """Whether a stage belongs to no run by itself: somebody has typed its command."""
    return "/" in stage and command_of(stage) in _ON_DEMAND


def describe(label: str) -> str:
    """A label in words."""
    curve = curve_of(label)
    if curve:
        return f"{CURVES[curve]}: {int(label.rpartition('-')[2])} steps"
    return next((f"after, {words}" for name, words in FORMATS.items() if name == label), label)
