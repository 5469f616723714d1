"""Every setting of a run, in groups."""

from __future__ import annotations

import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    SecretStr,
    model_validator,
)

from meow.config.bounds import (
    Device,
    FileName,
    Minutes,
    Positive,
    Price,
    Requests,
    Seconds,
    Seed,
    Temperature,
    Threads,
    Tries,
    Versions,
)
from meow.config.marks import UNSEEN, Place, Places, Settings
from meow.config.measuring import EvalSettings, MemoSettings, NlgSettings, NluSettings, RobustnessSettings
from meow.config.training import FinetuneSettings, Targets, TrainSettings
from meow.config.tuning import TuneSettings

TEMPLATE_DATE = datetime.date(2024, 7, 26)
"""Some chat templates print today's date; a fixed one keeps runs comparable (Llama 3.1's own default)."""


class ModelSettings(Settings):
    """The model to be changed: the original."""

    path: Place = None
    """Hub id or folder of a causal language model (safetensors), or a GGUF file, which is unpacked."""
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
    """Folder or hub id of a benchmark as it is published; default: `locuslab/TOFU`."""
    layout: str | None = None
    """Which benchmark that is: `tofu`, `lume`, `muse`, `rwku`, `wmdp`; default: by what is in the folder, or by the hub
    id."""
    split: str | None = None
    """TOFU: `forget01`, `forget05` or `forget10`; the retain split follows (`retain99`, ...). LUME: `task1` to `task3`,
    default all. MUSE: `scal/forget_1` to `4`, `sust/forget_1` to `4`, default its forget set. RWKU: whom to forget.
    WMDP: `bio` or `cyber`."""
    forget: Place = None
    """Your own questions and answers to forget: a JSON, JSON lines or CSV file; or documents: a `.txt`, rows with a
    `text`, or a folder of such files. Instead of `source` and `split`."""
    facts: Place = None
    """Documents in `forget`: your own questions and answers about them, which are asked and by MEOW's methods taught
    falsely; default: made of them, by the chat model of `invert` where one is named (`facts.jsonl` of the run)."""
    retain: Place = None
    """Your own questions and answers, or documents, to keep."""
    holdout: Place = None
    """Your own questions and answers of the same kind that no model was trained on: what membership inference compares
    the forget set with. TOFU's folder brings its own (`holdout05`, ...)."""
    names: Places = ()
    """`eval.reference: other_names`, `target_names`: names of people, or files with one a line; default: meow's own."""

    @property
    def names_facts(self) -> bool:
        """Whether anything says what to forget."""
        return bool(self.forget or self.source or self.split or self.layout)


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
    """Base address of the server of a chat model, as in http://localhost:8000/v1, which makes the false answers
    (`openai`, meant where no backend is set), and, whatever the backend, writes the reversed questions and translations
    that `eval.forms` asks for and the facts lack. Its key comes from MEOW_API_KEY or OPENAI_API_KEY."""
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

    @property
    def names_chat_model(self) -> bool:
        """Whether a chat model is named: on a server, or here to make false answers."""
        return self.backend in ("local", "openai") or self.url is not None

    @model_validator(mode="before")
    @classmethod
    def _places_mean_backends(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("path") and "backend" not in values:
            return {**values, "backend": "file"}
        if isinstance(values, dict) and values.get("url") and "backend" not in values:
            return {**values, "backend": "openai"}
        if isinstance(values, dict) and values.get("backend") == "self":
            return {"temperature": 0.0, **values}
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
    tune: TuneSettings = TuneSettings()

    @model_validator(mode="before")
    @classmethod
    def _a_model_inverts_its_own_facts(cls, values: Any) -> Any:
        """Where a model is named and nothing else says how, false answers are its own second choices."""
        tree = values if isinstance(values, dict) else {}
        model, invert = tree.get("model") or {}, tree.get("invert") or {}
        if not isinstance(model, dict) or not isinstance(invert, dict) or not model.get("path") or model.get("url"):
            return values
        if any(invert.get(name) for name in ("backend", "path", "pools", "url")):
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
    does: str = ""
    """In a line, without its name."""
    source: str
    """Paper, and the published name where it differs."""
