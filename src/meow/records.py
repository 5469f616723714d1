"""The rows that pass between stages, and reading and writing them as JSON lines.

Every record is frozen and refuses unknown fields. `id` names the fact and travels through all stages.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator, model_validator

from meow import values
from meow.errors import DataError, shown
from meow.files import json_lines, read_json, write_text
from meow.keys import digest

Role = Literal["forget", "retain", "authors", "world", "holdout"]
Count = Annotated[int, Field(ge=0, lt=2**31)]
TRUE_COLUMN = "undesired_answer"


class Record(BaseModel):
    """A frozen, validated row."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


class Message(Record):
    """One turn of a chat."""

    role: Literal["system", "user", "assistant"]
    """Who speaks."""
    content: str
    """What is said."""


_CHAT = TypeAdapter(tuple[Message, ...])


def fact_id(set_: str, question: str, answer: str, messages: Sequence[Message] = ()) -> str:
    """16 hex digits of sha256 over set, question, messages and answer: the id of a fact that brings none."""
    return digest([set_, question, *([m.role, m.content] for m in messages), answer])


class Fact(Record):
    """What every row about one fact carries."""

    id: str = ""
    """Given, else `fact_id` of what the row says."""
    question: str
    """What is asked; of a chat, what its user says last. Empty: the answer is a document, and there is no chat."""
    answer: str = Field(min_length=1)
    """The true answer."""
    values: tuple[str, ...] = ()
    """Accepted forms of the value that the answer carries, the first as it stands there; empty: found in the answer
    (SPEC section 8)."""
    messages: tuple[Message, ...] = ()
    """The turns of a chat, up to and with the question. Only prompts.py reads it."""
    subject: str | None = None
    """Whom or what the fact is about."""
    set: str = "forget"
    """Name of the set that the fact belongs to; several forget sets are several values."""
    lang: str | None = None
    """Language of the fact (ISO 639-1)."""
    meta: dict[str, Any] = {}
    """Kept, never interpreted."""

    @field_validator("messages")
    @classmethod
    def _ends_with_the_question(cls, messages: tuple[Message, ...]) -> tuple[Message, ...]:
        if messages and (messages[-1].role != "user" or not messages[-1].content.strip()):
            raise ValueError("the last turn is not what the user asks; the answer stands in `answer` alone")
        return messages

    @field_validator("values")
    @classmethod
    def _can_be_told(cls, forms: tuple[str, ...]) -> tuple[str, ...]:
        return values.given(forms) if forms else forms

    @property
    def accepted(self) -> tuple[str, ...]:
        """The accepted forms of the value: given, else found; () where the answer has no word."""
        return self.values or values.find(self.question, self.answer)

    @model_validator(mode="before")
    @classmethod
    def _filled(cls, values: Any) -> Any:
        """The question of a chat, and the id of a row without one; what is malformed is left to its own field."""
        if not isinstance(values, dict):
            return values
        try:
            messages = _CHAT.validate_python(values.get("messages") or ())
        except ValidationError:
            return values
        question, answer, set_ = values.get("question"), values.get("answer"), values.get("set", "forget")
        if messages:
            if question and question != messages[-1].content:
                raise ValueError("the question is not what the chat's user says last; leave one of the two out")
            question = messages[-1].content
            values = {**values, "question": question}
        if not values.get("id") and isinstance(question, str) and isinstance(answer, str):
            values = {**values, "id": fact_id(set_, question, answer, messages)}
        return values


class QA(Fact):
    """A question and its true answer."""


class InvertedAnswer(Record):
    """A false answer."""

    text: str
    """May be empty in files that users bring: then it is counted, never measured nor selected."""
    version: Count | None = None
    """Answers of one version about one subject form one coherent false biography; None: not known."""


class InvertedFacts(Fact):
    """A fact with the false answers that may be taught instead."""

    answers: tuple[InvertedAnswer, ...] = ()
    """In order of the file: position i is column `answer_i` of the published format."""
    key: str = ""
    """Of the settings and the fact; a row with a known key is not inverted again. Empty in files from elsewhere."""
    others: dict[str, str] = {}
    """Further text columns of a user's file (`reversed_answer`, ...): measured, never selected."""
    teaching: tuple[str, ...] = ()
    """Values of false answers that may be taught, likeliest first; empty where none were ranked."""
    evaluation: tuple[str, ...] = ()
    """Other false values, never taught: the alternatives when a model is evaluated, likeliest first."""
    gate: dict[str, Count] = {}
    """How many candidates there were, how many were accepted, and how many had each problem; empty: not looked at."""


class Reply(Record):
    """What a model said when it was asked for inverted facts."""

    key: str
    """Of the model, the prompt and everything that its sampling depends on; the same is not asked twice."""
    text: str
    """As it came."""
    is_cut: bool
    """Whether it ended because there was no more room."""
    prompt_tokens: int = 0
    """Tokens of the prompt, as the model counts."""
    reply_tokens: int = 0
    """Tokens of the reply."""
    requests: int = 1
    """Times that it was sent until a reply came."""


class MemoRecord(Record):
    """How strongly a model remembers one answer, by one metric, mode and cut."""

    key: str
    """Of weights, tokenizer, settings and the measured texts; a row with a known key is not measured again."""
    id: str
    """Of the fact."""
    column: str
    """`undesired_answer` (the true answer), `answer_0`, `answer_1`, ... or another text column."""
    text: str
    """The measured answer."""
    metric: Literal["memo", "ma", "el"]
    """SPEC section 2."""
    mode: Literal["suffix", "prefix"]
    """Whether the answer or the question is cut."""
    cut: Literal["chars", "tokens"]
    """What the cuts count."""
    on: Literal["answer", "value"] = "answer"
    """What is cut in suffix mode: the whole answer, or its value."""
    rouge: str | None = None
    """MEMO: how completions were compared, as in `rouge1.precision`; None for MA and EL."""
    value: float | None = Field(ge=0, le=1)
    """0 to 1, higher: better remembered; None: not computable, see `reason`."""
    n: Count
    """Number of cuts (MEMO, EL) or positions (MA) behind the value."""
    reason: str | None = None
    """Why there is no value."""


class Target(Fact):
    """One training row: a question and the answer to teach for it."""

    target: str | None = Field(default=None, min_length=1)
    """The answer to teach; None for methods that teach none."""
    version: Count | None = None
    """Version of the inverted answer; None where it has none."""
    value: float | None = None
    """The memorization by which it was selected; None: not selected by a measurement."""


class EvalItem(Fact):
    """A question to evaluate on."""

    role: Role
    """Which of the sets of the evaluation it belongs to."""
    paraphrased_answer: str | None = None
    """The true answer in other words; real authors and world facts have none."""
    perturbed_answers: tuple[str, ...] = ()
    """Wrong answers in the same form."""
    paraphrased_question: str | None = None
    """The question in other words, not seen in training."""
    taught: tuple[InvertedAnswer, ...] | None = None
    """What the evaluated model was taught to answer instead; None: not known, or nothing was changed."""


class Likelihood(Record):
    """How likely a model finds one answer."""

    avg_loss: float = Field(ge=-1e-3)
    """Mean negative log-likelihood per answer token in nats, final EOS included; lower: more likely. Below 0 by
    rounding alone."""
    n_tokens: int | None = Field(default=None, ge=0)
    """Tokens scored; None: the source does not hold it."""


class EvalSample(EvalItem):
    """One evaluated question: everything that metrics need, so that they can be computed again without a model."""

    key: str
    """Of weights, tokenizer, settings and the item."""
    index: int = Field(ge=0, lt=2**31)
    """Position of the item in its set, from 0."""
    question: str = ""
    """Empty: a document, or a source that holds no texts."""
    answer: str = ""
    """Empty: the source holds no texts."""
    true: Likelihood | None = None
    """Of `answer`; None: the source holds none."""
    paraphrased: Likelihood | None = None
    """Of `paraphrased_answer`."""
    perturbed: tuple[Likelihood, ...] = ()
    """Of `perturbed_answers`."""
    log_truth_ratio: float | None = None
    """log R (geometric mean) of a source that holds the ratio alone; else it follows from the likelihoods."""
    generation: str | None = None
    """The greedy answer; None: not generated."""
    rougeL_recall: float | None = Field(default=None, ge=0, le=1)  # noqa: N815 - its name in every published file
    """ROUGE-L recall of the generation against `answer`, 0 to 1."""
    paraphrase_generation: str | None = None
    """The greedy answer to `paraphrased_question`."""
    prefix: str | None = None
    """The true answer up to its value; None: it begins with it, or holds none."""
    prefix_generation: str | None = None
    """How the answer goes on greedily after `prefix`."""
    drawn: tuple[str, ...] = ()
    """Answers to the question drawn at `eval.temperature`."""
    exact_memorization: float | None = Field(default=None, ge=0, le=1)
    """Share of the true answer's tokens (EOS left out) that are the argmax given all before them, 0 to 1."""
    extraction_strength: float | None = Field(default=None, ge=0, le=1)
    """1 - k / N, k the first of the true answer's N tokens (EOS left out) from which on all are the argmax; 0: none."""
    min_k: float | None = None
    """Minus the mean of the lowest 40% of the true answer's log-probabilities (EOS left out)."""
    min_k_plus_plus: float | None = None
    """The same of (log p - mu) / sigma, by the model's own distribution at each position."""
    grad_norm: float | None = None
    """Mean over parameter tensors of the L2 norm of the gradient of the true answer's mean loss (EOS left out)."""
    original_loss: float | None = None
    """Mean NLL per token (nats, EOS left out) of the generation under the original; None: no original at hand."""
    truncated: int | None = None
    """Answers cut to fit the context before they were scored; None: not known."""
    unfinished: bool | None = None
    """Whether the greedy answer was stopped by its length limit; None: not known."""


class NluSample(Record):
    """One item of a harness task."""

    task: str
    """As the harness calls it."""
    index: int
    """The item's number in the task."""
    right: dict[str, float]
    """By metric: 1 where the model was right, else 0."""


class NlgSample(Record):
    """One continued text."""

    key: str
    """Of weights and text."""
    prompt: str
    """The text's beginning."""
    continuation: str
    """How the text goes on."""
    generation: str
    """How the model goes on, greedily."""
    nll: float
    """Total negative log-likelihood of the continuation's tokens in nats."""
    n_tokens: int
    """Tokens of the continuation."""


class Value(Record):
    """A number with what it takes to read it, or the reason why there is none."""

    value: float | None
    """None: not computable, see `reason`."""
    n: int = 0
    """Items behind it."""
    low: float | None = None
    """Lower end of the 95% interval; None: not computed."""
    high: float | None = None
    """Upper end of the 95% interval."""
    extremes: tuple[float, float, float, float] | None = None
    """Of a mean: the smallest of the scores behind it, their 5th and 95th percentile, and the largest."""
    unit: str = ""
    """`share`, `p`, `nats`, ...; empty: a plain number."""
    reason: str | None = None
    """Why there is no value, or what limits it."""
    method: str | None = None
    """How a p-value was computed: `exact` or `asymp`."""
    selected_on: str | None = None
    """What this number was used to choose, if anything; such a number is no headline."""

    def __repr__(self) -> str:
        """The number with its interval and n, or why there is none."""
        if self.value is None:
            return f"not computable: {self.reason or 'not measured'}"
        ends = f"{self.low:.3f} to {self.high:.3f}, " if self.low is not None and self.high is not None else ""
        unit = self.unit if self.unit not in ("share", "answers") else ""
        return f"{self.value:.3g} {unit}".strip() + f" ({ends}n = {self.n})"


class EvalLog(Record):
    """One evaluation: where it comes from and every metric. Its samples lie beside it in `samples.jsonl`."""

    version: int = 1
    """Of this format."""
    label: str
    """`before`, `after`, `reference`, ..."""
    model: dict[str, str] = {}
    """`path` as given and `hash` of the weights."""
    source: str
    """What was evaluated on: folder or hub id, split, rows."""
    rows: dict[str, int]
    """Items per role."""
    reference: dict[str, str] = {}
    """`path` of the reference and, where the questions could not be compared, `questions: not verifiable`."""
    metrics: dict[str, Value]
    """By name of METRICS."""
    settings: dict[str, Any] = {}
    """The settings that the numbers depend on."""

    def __repr__(self) -> str:
        """Label, rows and the first numbers, on one line."""
        rows = ", ".join(f"{n} {role}" for role, n in self.rows.items())
        shown = [f"{name} {v.value:.3g}" for name, v in self.metrics.items() if v.value is not None][:6]
        return f"EvalLog({self.label}: {rows}; {', '.join(shown) or 'nothing computable'})"

    def _repr_html_(self) -> str:
        """A table of what could be computed, for notebooks."""
        found = {name: value for name, value in self.metrics.items() if value.value is not None}
        rows = "".join(
            f"<tr><td>{escape(name)}</td><td>{escape(repr(value))}</td></tr>" for name, value in found.items()
        )
        left = len(self.metrics) - len(found)
        note = f"<p>{left} metrics are not computable here; their reasons are in .metrics.</p>" if left else ""
        return f"<table><caption>{escape(self.label)}</caption>{rows}</table>{note}"


class CapabilityLog(Record):
    """NLU or NLG of one model."""

    version: int = 1
    """Of this format."""
    label: str
    """`before`, `after`, `reference`."""
    kind: Literal["nlu", "nlg"]
    """What was measured."""
    model: dict[str, str] = {}
    """`path` as given and `hash` of the weights."""
    source: str
    """Where tasks or texts come from."""
    tasks: dict[str, dict[str, Any]] = {}
    """NLU: split, shots and n of each task."""
    metrics: dict[str, Value] = {}
    """By `task metric` (NLU) or metric (NLG)."""
    skipped: int = 0
    """NLG: texts that were too short to be continued."""
    settings: dict[str, Any] = {}
    """The settings that the numbers depend on."""


R = TypeVar("R", bound=Record)


def first_problem(error: ValidationError) -> str:
    """The first problem of a validation as `field: what was expected, found ...`, on one line."""
    problem = error.errors()[0]
    where = shown(".".join(map(str, problem["loc"])))[1:-1] or "row"
    if problem["type"] == "value_error":  # said by a validator of ours
        return f"{where}: {problem['ctx']['error']}"
    return f"{where}: {problem['msg'][0].lower()}{problem['msg'][1:]}, found {shown(problem.get('input'))}"


def read_record(path: Path, kind: type[R]) -> R:
    """A JSON file that holds one record and nothing else.

    Raises:
        DataError: unreadable, malformed, or no `kind`; names the file.
    """
    try:
        return kind.model_validate(read_json(path))
    except ValidationError as e:
        raise DataError(f"{path}: not a file of {kind.__name__} ({first_problem(e)})") from e


def read_records(path: Path, kind: type[R]) -> list[R]:
    """All rows of a file of JSON lines that meow wrote.

    Raises:
        DataError: unreadable, malformed, or a row that is no `kind`; names the line.
    """
    rows = []
    for number, value in json_lines(path):
        try:
            rows.append(kind.model_validate(value))
        except ValidationError as e:
            raise DataError(f"{path}:{number}: not a row of {kind.__name__} ({first_problem(e)})") from e
    return rows


def read_if(path: Path, kind: type[R]) -> list[R]:
    """The same; none where the file is not there.

    Raises:
        DataError: see `read_records`.
    """
    return read_records(path, kind) if path.is_file() else []


def dump_line(record: Record) -> str:
    """A record as one line of JSON, fields at their defaults left out, NaN refused."""
    return json.dumps(record.model_dump(mode="json", exclude_defaults=True), ensure_ascii=False, allow_nan=False) + "\n"


def write_records(path: Path, rows: Iterable[Record]) -> None:
    """Write rows as JSON lines, aside first and then renamed, so that a reader never sees half a file."""
    write_text(path, "".join(dump_line(row) for row in rows))
