"""Settings: one YAML and `key=value` overrides, merged first and validated once, before any weight is loaded.

Every problem is reported in one go, with file, key, what was found and what is allowed.
"""

from __future__ import annotations

import datetime
import difflib
import typing
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from meow import yamls
from meow.bounds import (
    NOT_IN_NAMES,
    Decay,
    Device,
    Drawn,
    Epochs,
    FileName,
    Layers,
    Minutes,
    Positive,
    Price,
    Rank,
    Rate,
    Requests,
    RowsBeside,
    Scale,
    Seconds,
    Seed,
    Share,
    Steps,
    TaskName,
    Temperature,
    Threads,
    Tries,
    Versions,
    Vocabulary,
    WarmUp,
    Width,
)
from meow.errors import ConfigError, shown
from meow.marks import PLACE, UNSEEN, Place, Places, typed

TEMPLATE_DATE = datetime.date(2024, 7, 26)
"""Some chat templates print today's date; a fixed one keeps runs comparable (Llama 3.1's own default)."""
Targets = Literal["selected", "all", "idk", "reversed", "file", "none"]
RougeName = Literal[
    "rouge1.precision", "rouge1.recall", "rouge1.fmeasure", "rouge2.precision", "rouge2.recall", "rouge2.fmeasure",
    "rougeL.precision", "rougeL.recall", "rougeL.fmeasure",
]  # fmt: skip


class Settings(BaseModel):
    """A frozen group of settings; unknown keys are refused. UNSEEN and PLACE mark those that keys leave out."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        protected_namespaces=(),
        allow_inf_nan=False,
    )

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_truth(cls, value: Any, info: ValidationInfo) -> Any:
        """True is no number, though Python takes it for 1."""
        if isinstance(value, bool) and "bool" not in str(cls.model_fields[str(info.field_name)].annotation):
            raise ValueError("input should be a number or a text, not true or false")
        return value


class ModelSettings(Settings):
    """The model to be changed: the original."""

    path: Place = None
    """Hub id or folder of a causal language model (safetensors)."""
    tokenizer: Place = None
    """Hub id or folder of the tokenizer; default: the model's."""
    revision: str | None = None
    """Commit, branch or tag on the hub."""
    template: Literal["auto", "qa", "phi", "llama2-chat", "chat"] = "auto"
    """How a question is put: `qa` (= `phi`), `llama2-chat`, the tokenizer's own `chat` template; `auto`: `chat` if
    the tokenizer has a template, else `qa`."""
    template_args: dict[str, Any] = {}
    """Handed to the chat template, as in {enable_thinking: false}."""
    template_date: datetime.date = TEMPLATE_DATE
    """What a chat template takes for today."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Number format of the weights; `auto`: as stored, float32 on a CPU."""
    device: Annotated[Device, UNSEEN] = "auto"
    """`cpu`, `cuda`, `cuda:1`, `mps`; `auto`: the accelerator if there is one."""
    device_map: Annotated[str | None, UNSEEN] = None
    """Passed to transformers (`auto` spreads a large model over several devices); sharded weights are fine."""
    max_length: Positive | None = None
    """Longest sequence in tokens, prompt and answer; default: the model's context."""
    load_in_4bit: bool = False
    """QLoRA: hold the weights in four bits (bitsandbytes, needs CUDA); train with `train.lora_rank`."""
    trust_remote_code: bool = False
    """Run code that comes with the model, once you have read it. It counts where it is typed with the command; a file
    alone does not turn it on."""
    batch_tokens: Annotated[Positive, UNSEEN] = 8192
    """Tokens in one forward pass, padding included. Changes speed and memory, never a result."""
    url: str | None = None
    """Base address of an OpenAI-compatible server, as in http://localhost:8000/v1, that holds the model; `path` is its
    name there. It serves `meow memo` with `memo.cut=chars`; what needs scores or weights needs the model here. Its key
    comes from MEOW_API_KEY or OPENAI_API_KEY."""
    concurrency: Annotated[Requests, UNSEEN] = 16
    """Requests under way at once at `url`."""

    def __hash__(self) -> int:
        """Equal settings have one: loaded models are looked up by them."""
        return hash(self.model_dump_json())


class DataSettings(Settings):
    """What to forget, what to keep, what to evaluate on."""

    source: Place = None
    """Folder or hub id in TOFU's layout; default: `locuslab/TOFU`."""
    split: str | None = None
    """TOFU's forget split: `forget01`, `forget05` or `forget10`; the retain split follows (`retain99`, ...)."""
    forget: Place = None
    """Your own questions and answers to forget: a JSON, JSON lines or CSV file; instead of `source` and `split`."""
    retain: Place = None
    """Your own questions and answers to keep."""
    holdout: Place = None
    """Your own questions and answers of the same kind that no model was trained on: what membership inference compares
    the forget set with. TOFU's folder brings its own (`holdout05`, ...)."""


class InvertSettings(Settings):
    """How inverted facts are made."""

    backend: Literal["self", "donors", "local", "openai", "file"] = "donors"
    """`self`: what the model that is to forget would say next if it did not tell the truth, the default where one is
    named; `donors`: a value of the same kind from your own files in the value's place, without a model; `local`: ask a
    chat model that is loaded here; `openai`: ask an OpenAI-compatible server, which then sees the facts; `file`: read
    `path`."""
    path: Place = None
    """Inverted facts to read: the published JSON or CSV form, or our JSON lines. Setting it means `file`."""
    gate: bool = True
    """Reject what the gate does not accept (`meow check` names the problems), and ask a model again; false: take the
    answers as they are, and only count."""
    n: Versions = 4
    """Inverted answers (versions) per question."""
    pools: Place = None
    """Your own lists of values: a JSON file `{"city": ["Oslo", ...], ...}`; where an answer holds one of a list, it is
    swapped for another of the same list. `{"city": {"find": [...], "replace": [...]}}` keeps the two apart."""

    model: Place = None
    """`local`: hub id or folder of the model that is asked, default: the original; `openai`: its name on the server."""
    url: str | None = None
    """`openai`: the server's base address, as in http://localhost:8000/v1. Its key comes from MEOW_API_KEY or
    OPENAI_API_KEY."""
    by: Literal["auto", "question", "subject"] = "auto"
    """`local`, `openai`: what one request asks for: `n` answers to one question, or one version of all facts about a
    subject, as many as fit; `auto`: `subject`, but `question` for a prompt of yours that does not use `facts`."""
    prompt: Place = None
    """`local`, `openai`: your own prompt, a text file in Jinja's form with `n`, `question`, `answer`, `taken` (answers
    that are there already) or `facts`, `told`, `subject`; default: our own."""
    temperature: Temperature = 0.9
    """`self`, `local`, `openai`: 0 is greedy, the default of `self`."""
    plausible: float | Literal["auto"] | None = "auto"
    """Nats per token by which a false value of any backend may be less likely to the model that is to forget than its
    own eight best, in the answer and as another option beside the true value together, as in -4; `auto`: the 5th
    percentile of its own second choices; null: the model is not asked."""
    max_new_tokens: Positive = 512
    """`local`, `openai`: tokens of one reply at most."""
    tries: Tries = 3
    """`local`, `openai`: times that answers are asked for until the gate accepts enough."""
    concurrency: Annotated[Requests, UNSEEN] = 8
    """`openai`: requests under way at once."""
    timeout: Annotated[Seconds, UNSEEN] = 60.0
    """`openai`: seconds to wait for one reply before it is asked for again."""
    max_requests: Annotated[Positive | None, UNSEEN] = None
    """`local`, `openai`: stop after this many requests of the run, repeated ones included; the same command with a
    larger budget goes on."""
    max_tokens: Annotated[Positive | None, UNSEEN] = None
    """`local`, `openai`: send nothing more once the run's requests and replies hold this many tokens."""
    max_minutes: Annotated[Minutes | None, UNSEEN] = None
    """`local`, `openai`: send nothing more after this time; the same command goes on."""
    price: Annotated[tuple[Price, Price] | None, UNSEEN] = None
    """`openai`: cost of a million tokens, sent and received, in the currency of your choice, to count the cost."""
    extra: dict[str, Any] = {}
    """`openai`: further fields of each request, as in {reasoning_effort: low}; null leaves one out, as in
    {max_tokens: null, max_completion_tokens: 512}."""

    @model_validator(mode="before")
    @classmethod
    def _path_means_file(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("path") and "backend" not in values:
            return {**values, "backend": "file"}
        if isinstance(values, dict) and values.get("backend") == "self":
            return {"temperature": 0.0, **values}
        return values


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
    max_new_tokens: Positive = 200
    """Tokens of one completion at most."""
    n: Positive = 10
    """EL: length of the n-grams."""
    ngram: Literal["tokens", "words"] = "tokens"
    """EL: n-grams of tokens (Jang et al.), or, as in MEOW's code with `n: 1`, distinct ones of words."""

    @field_validator("on")
    @classmethod
    def _a_value_is_cut_between_characters(cls, on: str, info: ValidationInfo) -> str:
        wanted = {"metric": ("memo",), "mode": ("suffix",), "cut": "chars"}
        if on == "value" and any(info.data.get(name, known) != known for name, known in wanted.items()):
            raise ValueError("value is measured with memo.metric=memo, memo.mode=suffix and memo.cut=chars alone; "
                             "measure the others with memo.on=answer")  # fmt: skip
        return on

    @model_validator(mode="before")
    @classmethod
    def _one_is_a_list(cls, values: Any) -> Any:
        if isinstance(values, dict):
            return {
                k: (v,) if k in ("metric", "mode", "rouge") and isinstance(v, str) else v for k, v in values.items()
            }
        return values


class SelectSettings(Settings):
    """Which inverted facts to teach (SPEC section 3)."""

    rule: Literal["highest", "lowest", "random", "all"] = "highest"
    """By memorization under the original; `highest` is the paper's."""
    k: Versions = 3
    """Inverted answers per question."""
    by: Literal["auto", "question", "subject"] = "auto"
    """Each question's own best, or the versions best over all facts of a subject; `auto`: `subject` where every
    inverted answer has a version."""
    metric: Literal["memo", "ma", "el"] = "memo"
    """Which measure ranks."""
    mode: Literal["suffix", "prefix"] = "suffix"
    """Which mode of it."""


class Optimization(Settings):
    """What every training shares: AdamW and its schedule."""

    lr: Rate = 1e-5
    """Peak learning rate of AdamW."""
    epochs: Epochs = 10
    """Passes over the training rows; each ends with a step, of the rows that are left."""
    batch_size: Positive = 16
    """Rows in one forward pass of one process."""
    accumulate: Positive = 1
    """Forward passes before an optimizer step. Changes memory, not the result."""
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
    The step kept is that of the highest forget quality among those with 0.9 of the original's retain probability, or
    else the one that keeps most; results then come from the other questions alone. Needs `eval.reference`."""
    patience: Positive = 5
    """Looks without a better one before training stops."""
    retain_rows: RowsBeside = 1
    """Retain rows beside each training row, where a term reads them."""
    beta: Scale | None = None
    """Inverse temperature and the like of all terms that have one; default: each term's own (`docs/metrics.md`)."""


class EvalSettings(Settings):
    """How a model is evaluated (SPEC section 5)."""

    reference: Place = None
    """The model that never saw the forget set: a run folder, a TOFU log, an OpenUnlearning file, or a model."""
    rows: Positive | None = None
    """Rows per set; default: all (TOFU's published logs use the first 300)."""
    max_new_tokens: Positive = 200
    """Tokens of one answer at most."""
    samples: Drawn = 0
    """Answers drawn for each forget question, to see what greedy decoding hides (leak@k; 16 gives k = 1, 4, 16)."""
    temperature: Annotated[Temperature, Field(gt=0)] = 1.0
    """Of the drawn answers."""
    grad_norm: bool = False
    """Also tell members by the norm of their gradient; needs memory for one gradient of all weights."""
    difference: Annotated[Share, UNSEEN] = 0.2
    """The distance D between the forget set's truth ratios and the reference's that matters to you; the run warns where
    it has too few questions to see it."""


class RobustnessSettings(Settings):
    """How `meow robustness` tries to bring forgotten facts back."""

    bits: tuple[Literal[8, 4], ...] = (8, 4)
    """Bits that the weights are rounded to."""
    backend: Literal["simulated", "torchao"] = "simulated"
    """`simulated`: rounded numbers in the model's own format; `torchao`: its weight-only integers."""
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


class NlgSettings(Settings):
    """What `meow nlg` has the model continue (SPEC section 6)."""

    texts: Annotated[str, PLACE] = "wikitext"
    """`wikitext` (WikiText-103) or `ccnews` (CC-News) from the hub, or a file: one text a line, or rows with a field
    `text` or `answer`."""
    n: Positive = 5000
    """Texts at most, drawn by the seed."""
    metrics: Annotated[tuple[Literal["mauve", "bleu", "rep3", "ppl"], ...], Field(min_length=1)] = (
        "mauve", "bleu", "rep3", "ppl",
    )  # fmt: skip
    """What is computed of the continuations."""
    scope: Literal["continuation", "full"] = "continuation"
    """What is compared: the continuations, or, as published, whole texts with the prompt on both sides."""
    featurizer: Annotated[str, PLACE] = "gpt2-large"
    """MAUVE: hub id or folder of the model whose features are compared; `self`: the original itself."""


class FinetuneSettings(Optimization):
    """How `meow finetune` makes an original or a reference model; the defaults are TOFU's recipe (for Llama-2)."""

    data: Places = ()
    """Files of questions and answers to learn."""
    repeat: dict[str, Positive] = {}
    """Times per epoch for a file of `data`, by its name; default 1."""
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
    epochs: Epochs = 5
    """Passes over the data, repeats included."""
    batch_size: Positive = 32
    """Rows in one forward pass of one process."""
    warmup: WarmUp = 0.2
    """Share of the steps (below 1) or number of steps (1 and above) of linear warm-up, whose first step has rate 0; so
    a warm-up of a single step is none."""

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> FinetuneSettings:
        if self.hidden_size % (2 * self.heads):
            raise ValueError(
                f"hidden_size={self.hidden_size} with heads={self.heads}: expected a width that the heads share out in "
                f"even parts, as in hidden_size={2 * self.heads * max(1, round(self.hidden_size / 2 / self.heads))}"
            )
        return self


class NotifySettings(Settings):
    """Who is told when a run is finished or fails."""

    urls: Annotated[tuple[SecretStr, ...], Field(exclude=True)] = ()
    """Addresses as Apprise has them (`feishu://TOKEN`, `lark://TOKEN`, `mailto://...`), or a Feishu or Lark webhook as
    it is; a single one or a list. More come from MEOW_NOTIFY_URLS. Secrets: they are saved nowhere, not in config.yaml
    either, so a resumed run takes them from the environment or the command line again."""
    each_stage: bool = False
    """Also tell when a stage is finished, not only the run."""

    @model_validator(mode="before")
    @classmethod
    def _one_is_a_list(cls, values: Any) -> Any:
        if isinstance(values, dict) and isinstance(values.get("urls"), str):
            return {**values, "urls": (values["urls"],)}
        return values


class RunConfig(Settings):
    """Everything that one run needs."""

    name: FileName | None = None
    """Name of the run, which is that of its folder; default: the name of the YAML file."""
    out: str = "runs"
    """Folder that holds the run folders."""
    group: FileName | None = None
    """Runs that differ in nothing but the seed share a group; filled where `seed` is a list."""
    seed: Seed | Annotated[tuple[Seed, ...], Field(min_length=1)] = 0
    """Of everything that is drawn. A list makes one run per seed."""
    threads: Threads | None = None
    """CPU threads; default: all cores. Byte-equal weights need the same number."""
    model: ModelSettings = ModelSettings()
    data: DataSettings = DataSettings()
    invert: InvertSettings = InvertSettings()
    memo: MemoSettings = MemoSettings()
    select: SelectSettings = SelectSettings()
    train: TrainSettings = TrainSettings()
    eval: EvalSettings = EvalSettings()
    robustness: RobustnessSettings = RobustnessSettings()
    nlu: NluSettings = NluSettings()
    nlg: NlgSettings = NlgSettings()
    finetune: FinetuneSettings = FinetuneSettings()
    notify: NotifySettings = NotifySettings()

    @model_validator(mode="before")
    @classmethod
    def _a_model_inverts_its_own_facts(cls, values: Any) -> Any:
        """Where a model is named and nothing else says how, false answers are its own second choices."""
        tree = values if isinstance(values, dict) else {}
        model, invert = tree.get("model") or {}, tree.get("invert") or {}
        if not isinstance(model, dict) or not isinstance(invert, dict) or not model.get("path") or model.get("url"):
            return values
        if any(invert.get(name) for name in ("backend", "path", "pools")):
            return values
        return {**values, "invert": {**invert, "backend": "self"}}


class Method(Settings):
    """A row of METHODS in losses.py: which answers are taught, and a weighted sum of terms."""

    targets: Targets
    """As in `train.targets`."""
    objective: dict[str, float]
    """As in `train.objective`."""
    defaults: dict[str, Any] = {}
    """Settings, by dotted key, that hold where the user sets none."""
    source: str
    """Paper, and the published name where it differs."""


def load(
    path: Path | None, overrides: typing.Sequence[str] = (), *, methods: typing.Mapping[str, Method] | None = None,
    terms: typing.Collection[str] = (), aliases: typing.Mapping[str, str] = MappingProxyType({}),
) -> RunConfig:  # fmt: skip
    """Read, merge and validate the settings of a run.

    Args:
        path: the YAML, or None for defaults alone.
        overrides: `key=value` each, as in `train.lr=3e-5`; values are YAML, but a text is taken as it stands; later
            ones win.
        methods: METHODS, to resolve `train.method`; None leaves it as it is.
        terms: names that `train.objective` may hold.
        aliases: published names of methods.

    Raises:
        ConfigError: every problem found, one a line: where, key, what was found, what is allowed.
    """
    tree = read_tree(path) if path else {}
    before = _get(tree, "train.method")
    typed_keys, problems = _override(tree, overrides)
    if methods is not None:
        _leave_method(tree, methods.get(aliases.get(str(before), str(before))), kept=typed_keys)
        problems += _apply_method(tree, methods, terms, aliases)
    config = None
    try:
        config = RunConfig.model_validate(tree)
    except ValidationError as e:
        for problem in _once(e.errors()):
            key = _dotted(problem["loc"])
            is_typed = any(f"{key}.".startswith(f"{k}.") or k.startswith(f"{key}.") for k in typed_keys)
            where = "command line" if is_typed else path or "settings"
            problems.append(f"{where}: {_cut(key)}: {_explain(problem)}")
    if problems or config is None:
        raise ConfigError("\n".join(problems))
    if config.name is None:
        config = config.model_copy(update={"name": NOT_IN_NAMES.sub("_", path.stem) if path else "run"})
    return config


def dump(config: RunConfig) -> str:
    """The settings as YAML that `load` reads to the same settings; only what differs from the defaults."""
    tree = config.model_dump(mode="json", exclude_defaults=True)
    if config.model.path and config.invert.backend == "donors":  # beside a model it is no default
        tree["invert"] = {"backend": "donors"} | tree.get("invert", {})
    return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True, width=110)


def leaves(model: type[Settings] = RunConfig, prefix: str = "") -> dict[str, Any]:
    """Every setting by dotted key, with its pydantic field; used for messages, generated docs and YAMLs."""
    found: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Settings):
            found |= leaves(kind, f"{prefix}{name}.")
        else:
            found[prefix + name] = field
    return found


def read_tree(path: Path) -> dict[str, Any]:
    """The settings that a YAML names, as they stand there.

    Raises:
        ConfigError: unreadable, malformed (names the line), or no settings.
    """
    try:
        tree = yamls.read(path.read_text(encoding="utf-8"))
    except OSError as e:
        raise ConfigError(f"{path}: cannot be read ({e.strerror}); give an existing YAML file") from e
    except UnicodeDecodeError as e:
        raise ConfigError(f"{path}: not UTF-8 at byte {e.start}; save the file as UTF-8") from e
    except yaml.YAMLError as e:
        mark = getattr(e, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ConfigError(f"{where}: malformed YAML ({_words(e)}); mend the line") from e
    if not isinstance(tree or {}, dict):
        raise ConfigError(f"{path}: found {type(tree).__name__}, expected settings as `key: value`")
    return {key: value for key, value in (tree or {}).items() if value is not None}  # a section of comments alone


def _words(error: yaml.YAMLError) -> str:
    """What is wrong with a YAML, on one line."""
    return " ".join(str(getattr(error, "problem", None) or error).split())[:160]


def _override(tree: dict[str, Any], overrides: typing.Sequence[str]) -> tuple[set[str], list[str]]:
    """Put what was typed into the settings; returns its keys, and the problems found."""
    known, keys, problems = leaves(), set(), []
    for override in overrides:
        key, equals, value = override.partition("=")
        key = key.strip()
        if not equals or not key or "://" in key:
            problems.append(f"{_shown(override)}: not of the form key=value; write for example train.lr=3e-5")
            continue
        try:
            _put(tree, key, typed(known[key].annotation if key in known else None, value))
            keys.add(key)
        except (yaml.YAMLError, TypeError) as e:
            problems.append(f"{_shown(override)}: cannot be read ({str(e).splitlines()[0][:160]})")
    return keys, problems


def _put(tree: dict[str, Any], dotted: str, value: Any) -> None:
    *groups, last = dotted.split(".")
    for group in groups:
        if tree.get(group) is None:
            tree[group] = {}
        tree = tree[group]
        if not isinstance(tree, dict):
            raise TypeError(f"{group} is no group of settings")
    tree[last] = value


def _get(tree: Any, dotted: str) -> Any:
    for part in dotted.split("."):
        tree = tree.get(part) if isinstance(tree, dict) else None
    return tree


def _leave_method(tree: dict[str, Any], method: Method | None, *, kept: typing.Collection[str]) -> None:
    """Take out what a file's own method has filled, so that the one that was typed can fill it; `kept` was typed."""
    if method is None or not isinstance(_get(tree, "train.method"), str):
        return
    filled = {"train.targets": method.targets, "train.objective": method.objective} | method.defaults
    for key, value in filled.items():
        group, _, name = key.rpartition(".")
        if key not in kept and _get(tree, key) == value:
            del _get(tree, group)[name]


def _apply_method(
    tree: dict[str, Any], methods: typing.Mapping[str, Method], terms: typing.Collection[str],
    aliases: typing.Mapping[str, str],
) -> list[str]:  # fmt: skip
    """Fill targets, objective and defaults of `train.method`; returns the problems found."""
    train = tree.get("train")
    if not isinstance(train, dict):
        return []
    problems = [
        f"train.objective: unknown term {_cut(str(term))!r}{_suggest(term, terms)}"
        for term in (train.get("objective") or {} if isinstance(train.get("objective"), dict) else {})
        if term not in terms
    ]
    name = train.get("method")
    if not isinstance(name, str):
        return problems
    name = train["method"] = aliases.get(name, name)
    if name not in methods:
        return [*problems, f"train.method: unknown method {_cut(name)!r}{_suggest(name, methods)}"]
    method = methods[name]
    for key, value in (("targets", method.targets), ("objective", method.objective)):
        if train.get(key) not in (None, value):
            problems.append(f"train.{key}: set beside train.method={name}, which sets it; remove one of the two")
        train[key] = value
    for key, value in method.defaults.items():
        if _get(tree, key) is None:
            _put(tree, key, value)
    return problems


def _once(problems: typing.Sequence[Any]) -> list[Any]:
    """The problems without what pydantic says beside them: that a list without its bad values is empty, and that one
    value is no list."""
    bad = {_dotted(p["loc"]) for p in problems if p["type"] not in ("tuple_type", "too_short", "int_type")}
    bad |= {key.rpartition(".")[0] for key in bad}
    beside = {"tuple_type": int, "int_type": list, "too_short": tuple | list}
    return [
        p for p in problems
        if not (_dotted(p["loc"]) in bad and isinstance(p["input"], beside.get(p["type"], ())))
    ]  # fmt: skip


def _dotted(loc: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in loc if not str(part).startswith(("function-", "constrained", "tuple[")))


def _suggest(name: str, known: typing.Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else f"; allowed: {', '.join(sorted(known))}"


def _shown(override: str) -> str:
    """An override without what may be a secret in an address, cut where it is long."""
    before, mark, _ = override.partition("://")
    return f"{_cut(before)}{mark}***" if mark else _cut(before)


def _cut(text: str) -> str:
    """A name as a message shows it."""
    return text if len(text) <= 80 else text[:79] + "…"


def _explain(problem: Any) -> str:
    found = shown(problem.get("input"))
    if problem["loc"][:1] == ("notify",) and (problem["loc"][-1] != "each_stage" or "://" in found):
        found = "***"  # it may hold an address
    if problem["type"] == "extra_forbidden":
        loc = problem["loc"]
        keys = leaves()
        siblings = {k.rsplit(".", 1)[-1]: k for k in keys}
        group = ".".join(map(str, loc[:-1]))
        inside = [
            k[len(group) + 1 if group else 0 :].split(".")[0] for k in keys if not group or k.startswith(group + ".")
        ]
        near = difflib.get_close_matches(str(loc[-1]), inside, n=1, cutoff=0.6)
        if near:
            return f"unknown setting; did you mean {'.'.join([*map(str, loc[:-1]), near[0]])}?"
        elsewhere = difflib.get_close_matches(str(loc[-1]), list(siblings), n=1, cutoff=0.7)
        hint = (
            f"did you mean {siblings[elsewhere[0]]}?" if elsewhere else f"allowed: {', '.join(dict.fromkeys(inside))}"
        )
        return f"unknown setting; {hint}"
    message = problem["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    return f"found {found}; {message}"
