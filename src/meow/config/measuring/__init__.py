"""Settings of what is measured: memorization, answers, robustness, capability.

In: what the user sets. Out: a section each, and in `judging` who gives a second opinion."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import (
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from meow.config.bounds import (
    Drawn,
    Positive,
    Rate,
    Room,
    Share,
    Steps,
    TaskName,
    Temperature,
)
from meow.config.marks import PLACE, UNSEEN, Place, Settings
from meow.config.measuring.judging import JudgeSettings
from meow.labels import Format

RougeName = Literal[
    "rouge1.precision",
    "rouge1.recall",
    "rouge1.fmeasure",
    "rouge2.precision",
    "rouge2.recall",
    "rouge2.fmeasure",
    "rougeL.precision",
    "rougeL.recall",
    "rougeL.fmeasure",
]

Further = Literal[
    "paraphrase",
    "completion",
    "format",
    "fill_in",
    "choice",
    "reversed",
    "prefix",
    "few_shot",
    "persona",
    "two_turns",
    "language",
]
"""Ways to ask for a fact beside its question (SPEC section 10)."""


class MemoSettings(Settings):
    """How memorization is measured (SPEC section 2)."""

    path: Place = None
    """Memorization measured elsewhere for this very model, in the published form; instead of measuring."""
    metric: Annotated[tuple[Literal["memo", "ma", "el"], ...], Field(min_length=1)] = ("memo",)
    """Which measures; a single name or a list."""
    mode: Annotated[tuple[Literal["suffix", "prefix"], ...], Field(min_length=1)] = ("suffix",)
    """What is cut: the answer (`suffix`) or the question (`prefix`); a single name or a list."""
    cut: Literal["chars", "tokens"] = "chars"
    """MEMO's cuts: every `stride` characters (published), or after every token of the answer."""
    on: Literal["answer", "value"] = "answer"
    """MEMO in suffix mode, cut between characters: on the whole answer (published), or on its value alone, begun with
    what stands before it."""
    stride: Positive = 5
    """Characters between two cuts of `cut: chars`."""
    rouge: Annotated[tuple[RougeName, ...], Field(min_length=1)] = ("rouge1.precision",)
    """How a completion is compared with the label: a single name or a list, `rouge1`, `rouge2` or `rougeL`, then
    `.precision`, `.recall` or `.fmeasure`. The first one ranks."""
    words: Literal["ascii", "unicode"] = "ascii"
    """What ROUGE compares: runs of [a-z0-9], as published, or words of any script (characters where it has no
    spaces)."""
    template: Literal["raw", "model"] = "raw"
    """`raw`: plain text, as published; `model`: in the model's own template, as it is really asked."""
    max_new_tokens: Room = 200
    """Tokens of one completion at most; `auto`: twice those of the longest answer, at least 64."""
    n: Positive = 10
    """EL: length of the n-grams."""
    ngram: Literal["tokens", "words"] = "tokens"
    """EL: n-grams of tokens (Jang et al.), or, as in MEOW's code with `n: 1`, distinct ones of words."""

    @field_validator("on")
    @classmethod
    def _a_value_is_cut_between_characters(cls, on: str, info: ValidationInfo) -> str:
        wanted = {"metric": ("memo",), "mode": ("suffix",), "cut": "chars"}
        if on == "value" and any(info.data.get(name, known) != known for name, known in wanted.items()):
            raise ValueError(
                "value is measured with memo.metric=memo, memo.mode=suffix and memo.cut=chars alone; "
                "measure the others with memo.on=answer"
            )
        return on

    @model_validator(mode="before")
    @classmethod
    def _one_is_a_list(cls, values: Any) -> Any:
        if isinstance(values, dict):
            return {
                k: (v,) if k in ("metric", "mode", "rouge") and isinstance(v, str) else v for k, v in values.items()
            }
        return values


class EvalSettings(Settings):
    """How a model is evaluated (SPEC section 5)."""

    reference: Place = None
    """The model that never saw the forget set: a run folder, a TOFU log, an OpenUnlearning file, or a model.
    `other_names`: the original itself, asked the same about names that no file holds (`data.names`)."""
    second_reference: Place = None
    """Another such model, of the same kinds: how far two of them lie apart (forget distance)."""
    rows: Positive | None = None
    """Rows per set; default: all (TOFU's published logs use the first 300)."""
    max_new_tokens: Room = 200
    """Tokens of one answer at most; `auto`: twice those of the longest true answer, at least 64."""
    forms: tuple[Further, ...] = get_args(Further)
    """Further ways in which the facts to forget are asked for, a single name or a list; `[]`: the question, its
    paraphrase and the beginning of its answer alone."""
    languages: tuple[Annotated[str, Field(pattern="^[a-z]{2}$")], ...] = ()
    """Languages (two letters, ISO 639-1) into which a chat model, where one is named (`invert.url`), translates each
    question that has no column `question_<language>`; a single one or a list."""
    samples: Drawn = 0
    """Answers drawn for each forget question, to see what greedy decoding hides (leak@k; 16 gives k = 1, 4, 16)."""
    temperature: Annotated[Temperature, Field(gt=0)] = 1.0
    """Of the drawn answers."""
    grad_norm: bool = False
    """Also tell members by the norm of their gradient; needs memory for one gradient of all weights."""
    difference: Annotated[Share, UNSEEN] = 0.2
    """The distance D between the forget set's truth ratios and the reference's that matters to you; the run warns where
    it has too few questions to see it."""
    judge: JudgeSettings = JudgeSettings()
    """A second opinion on what is told."""

    @field_validator("forms", "languages", mode="before")
    @classmethod
    def _one_is_a_list(cls, names: Any) -> Any:
        return (names,) if isinstance(names, str) else names


class RobustnessSettings(Settings):
    """How `meow robustness` tries to bring forgotten facts back."""

    formats: tuple[Format, ...] = ("int8", "int4")
    """What the weights are put through: rounded (`int8`, `int4`), by a library (`torchao-...`, `bnb-...`), to
    GGUF and back (`q8_0`, ...), or without the smallest 10, 30 or 50% of each layer (`pruned-30`)."""
    facts: Positive = 10
    """Forget facts that are taught again, drawn by the seed (at most half of them); the others are asked."""
    unrelated: Place = None
    """Questions and answers that have nothing to do with the forget set; default: TOFU's world facts."""
    steps: Annotated[tuple[Steps, ...], Field(min_length=1)] = (5, 10, 20, 40)
    """Steps of training after which the facts are asked."""
    batch_size: Positive = 10
    """Rows of one step."""
    lr: Rate | None = None
    """Constant learning rate of AdamW; default: `train.lr`."""

    @model_validator(mode="before")
    @classmethod
    def _formats_have_names(cls, values: Any) -> Any:
        if isinstance(values, dict) and {"bits", "backend"} & values.keys():
            raise ValueError("bits and backend are robustness.formats now, as in [int8, int4] or [torchao-int8]")
        return values


class NluSettings(Settings):
    """What `meow nlu` asks (SPEC section 6)."""

    tasks: Annotated[tuple[TaskName, ...], Field(min_length=1)] = ("piqa", "arc_challenge", "arc_easy")
    """Tasks of lm-evaluation-harness by name; `people`: the embedded set of `meow demo`."""
    form: Literal["loglikelihood", "generate"] = "loglikelihood"
    """The harness's own form, or MEOW's: the model names a label (PIQA and ARC alone)."""
    data: Place = None
    """Folder with `TASK/train.jsonl`, `validation.jsonl`, `test.jsonl` instead of the hub."""
    shots: Annotated[int, Field(ge=0)] | None = None
    """Solved examples before each question; default: the task's own."""
    limit: Positive | None = None
    """First items of each task; default: all."""
    batch_size: Annotated[Room, UNSEEN] = "auto"
    """Requests of one forward pass, as the harness's argument; `auto`: up to 64, as many as fit on an accelerator, on a
    CPU as `model.batch_tokens` holds."""


class NlgSettings(Settings):
    """What `meow nlg` has the model continue (SPEC section 6)."""

    texts: Annotated[str, PLACE] = "wikitext"
    """`wikitext` (WikiText-103) or `ccnews` (CC-News) from the hub, or a file: one text a line, or rows with a field
    `text` or `answer`."""
    n: Positive = 5000
    """Texts at most, drawn by the seed."""
    metrics: Annotated[tuple[Literal["mauve", "bleu", "rep3", "ppl"], ...], Field(min_length=1)] = (
        "mauve",
        "bleu",
        "rep3",
        "ppl",
    )
    """What is computed of the continuations."""
    scope: Literal["continuation", "full"] = "continuation"
    """What is compared: the continuations, or, as published, whole texts with the prompt on both sides."""
    featurizer: Annotated[str, PLACE] = "gpt2-large"
    """MAUVE: hub id or folder of the model whose features are compared; `self`: the original itself."""
