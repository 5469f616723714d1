"""Settings of training: what makes a model forget, and what makes an original or a reference."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    Field,
    model_validator,
)

from meow.config.bounds import (
    Auto,
    Decay,
    Epochs,
    Layers,
    Minutes,
    Positive,
    Rank,
    Rate,
    RowsBeside,
    Scale,
    Shards,
    Vocabulary,
    WarmUp,
    Width,
)
from meow.config.marks import UNSEEN, Place, Places, Settings

Targets = Literal["selected", "all", "idk", "reversed", "file", "none"]


class Optimization(Settings):
    """What every training shares: AdamW and its schedule."""

    lr: Rate | Auto = "auto"
    """Peak learning rate of AdamW; `auto`: the largest of a ladder at which p(value) of every second retain fact,
    while the others are trained on, stays above 0.9 of the original's for six steps; the weights are put back."""
    epochs: Epochs | Auto = "auto"
    """Passes over the training rows; each ends with a step, of the rows that are left. `auto`: five, or as many as make
    20 steps."""
    batch_size: Positive | Auto = "auto"
    """Rows of one process that are taken at a time; `auto`: about a quarter of the rows, 4 to 16."""
    accumulate: Positive = 1
    """How many times before an optimizer step. Changes memory, not the result."""
    batch_tokens: Positive | None = None
    """Tokens that go through the model at once in training: rows beyond wait their turn, one row may hold more. Changes
    memory, not the result. Default: 512 on a CPU, 2,048 on an accelerator."""
    weight_decay: Decay = 0.01
    """Of AdamW."""
    warmup: WarmUp = 0.1
    """Share of the steps (below 1) or number of steps (1 and above) of linear warm-up, whose first step has rate 0; so
    a warm-up of a single step is none."""
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    """What follows the warm-up."""
    max_grad_norm: Annotated[float, Field(gt=0)] = 1.0
    """Gradients are clipped to this L2 norm."""
    max_length: Positive | None = None
    """Longest training sequence in tokens; longer answers are cut and counted. Default: the model's context."""
    mixed_precision: Literal["no", "bf16", "fp16"] = "no"
    """Autocast of the forward pass."""
    gradient_checkpointing: Annotated[bool, UNSEEN] = False
    """Recompute activations: less memory, about a third more time."""
    save_steps: Annotated[Positive, UNSEEN] = 50
    """Steps between two resumable checkpoints, which are removed at the end."""
    max_minutes: Annotated[Minutes | None, UNSEEN] = None
    """Stop cleanly after this time; the same command goes on."""
    report_to: Annotated[tuple[Literal["tensorboard", "wandb", "trackio"], ...], UNSEEN] = ()
    """Trackers that get every term, the gradient norm and the learning rate of each step, beside `log.jsonl`; numbers
    only."""


class TrainSettings(Optimization):
    """How the model is made to forget (SPEC section 4)."""

    method: str | None = None
    """A row of METHODS: fills `targets`, `objective` and, where not set, the method's own defaults."""
    targets: Targets | None = None
    """Which answers are taught: the `selected` inverted ones, `all` inverted ones, `idk` ("I don't know" in one of many
    ways), the true ones with their words `reversed`, those of a `file`, or `none`; instead of `method`."""
    targets_path: Place = None
    """The file of `targets: file`: questions and the answers to teach, in any form of questions and answers."""
    objective: dict[str, float] | None = None
    """Weights of the terms, as in `{target_nll: 1, retain_nll: 1}`; instead of `method`."""
    on: Literal["answer", "value"] = "answer"
    """Which tokens of the true answers are forgotten: all, or those of the value alone, while the rest of the answer is
    kept (`keep_nll`, weight 1 where the objective gives none). A fact whose value has no place in its answer, or is a
    yes or no, is forgotten whole, and counted."""
    names: Positive = 20
    """People of other names about whom the original is asked, where what it says of them is taught (`target_names`);
    from `data.names`."""
    surgery: Literal["pcgrad"] | None = None
    """`pcgrad`: the gradient of what must go loses its part against the gradient of what must stay; for an objective
    with terms of both."""
    constraint: dict[str, float] | None = None
    """Bounds of terms of what must stay, as in `{retain_nll: 0.05}`; their weights then follow: each begins at the
    objective's, or 1, and rises after every step by `constraint_rate` times what the term was above its bound."""
    constraint_rate: Scale = 1.0
    """How fast the weight of a term under a constraint rises and falls."""
    quantised: Literal["int4", "int8"] | None = None
    """Train with weights that are rounded in the forward pass, so that the loss is that of a model in as many bits; the
    gradient goes straight through, and the model is saved unrounded. Not with an adapter."""
    lora_rank: Rank = 0
    """Rank of a LoRA adapter (peft); 0: all weights are trained."""
    lora_alpha: Scale | None = None
    """The adapter's scale times its rank; default: twice the rank."""
    lora_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the adapter's inputs that are dropped in training."""
    lora_modules: tuple[str, ...] = ()
    """Names of the modules that get an adapter, as in [q_proj, v_proj]; default: every linear one but the head."""
    lora_merge: bool = True
    """Save the model with the adapter merged into it; false: save the adapter alone, to be loaded on its base."""
    evaluate_every: Positive | None = None
    """Steps between two looks at the tuning half (even-numbered forget questions, up to 60 even-numbered retain ones).
    The step kept is that of the highest forget quality, or, without `eval.reference`, the one that tells least, among
    those with 0.9 of the original's retain probability, or else the one that keeps most; results then come from the
    other questions alone."""
    patience: Positive = 5
    """Looks without a better one before training stops."""
    retain_rows: RowsBeside = 1
    """Retain rows beside each training row, where a term reads them."""
    beta: Scale | None = None
    """Inverse temperature and the like of all terms that have one; default: each term's own (`docs/metrics.md`)."""

    @property
    def terms(self) -> tuple[str, ...]:
        """Every term that is named."""
        return tuple({**(self.objective or {}), **(self.constraint or {})})


class FinetuneSettings(Optimization):
    """How `meow finetune` makes an original or a reference model; the defaults are TOFU's recipe (for Llama-2)."""

    data: Places = ()
    """Files of questions and answers to learn."""
    repeat: dict[str, Positive] = {}
    """Times per epoch for a file of `data`, by its name; default 1."""
    shards: Shards = 0
    """Train this many LoRA adapters in the place of all weights, each alone on the base with the facts about its own
    subjects; an answer is the mean of their log-probabilities. What one was given can then be taken out exactly
    (`meow request`). 0: all weights are trained."""
    shard_rank: Rank = 8
    """In shards: rank of each adapter."""
    scratch: bool = False
    """Start from a new tiny Llama with its own tokenizer instead of `model.path`."""
    tokenizer_data: Places = ()
    """From scratch: files whose text the tokenizer is trained on; default: `data`."""
    vocab_size: Vocabulary = 768
    """From scratch: size of the byte-level BPE vocabulary."""
    hidden_size: Width = 128
    """From scratch: width of the model."""
    layers: Layers = 2
    """From scratch: transformer blocks."""
    heads: Width = 4
    """From scratch: attention heads."""
    context: Vocabulary = 512
    """From scratch: longest sequence in tokens."""
    lr: Rate = 1e-5
    """Peak learning rate of AdamW."""
    epochs: Epochs = 5
    """Passes over the data, repeats included."""
    batch_size: Positive = 32
    """Rows of one process that are taken at a time."""
    warmup: WarmUp = 0.2
    """Share of the steps (below 1) or number of steps (1 and above) of linear warm-up, whose first step has rate 0; so
    a warm-up of a single step is none."""

    @model_validator(mode="after")
    def _shards_have_a_base(self) -> FinetuneSettings:
        if self.shards and (self.scratch or not self.shard_rank):
            raise ValueError(
                "shards: each is an adapter over a base; leave scratch out, and give shard_rank a number above 0"
            )
        return self

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> FinetuneSettings:
        if self.hidden_size % (2 * self.heads):
            raise ValueError(
                f"hidden_size={self.hidden_size} with heads={self.heads}: expected a width that the heads share out in "
                f"even parts, as in hidden_size={2 * self.heads * max(1, round(self.hidden_size / 2 / self.heads))}"
            )
        return self
