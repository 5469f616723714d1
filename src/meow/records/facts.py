"""A fact, and what it becomes: inverted, taught, asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator, model_validator

from meow import values
from meow.keys import digest

Role = Literal["forget", "retain", "authors", "world", "holdout", "passages"]
Kind = Literal["neighbour", "other"]
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
    """The turns of a chat, up to and with the question. Only `prompts` reads it."""
    plain: bool = False
    """Whether the question is the beginning of a text that the answer goes on with; no template is put around it."""
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

    @property
    def conversation(self) -> str:
        """All that is said before the answer, a turn a line; of a fact without turns, the question."""
        return "\n".join(f"{m.role}: {m.content}" for m in self.messages) or self.question

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


class Written(Record):
    """A further question to a fact that a chat model has written, or why there is none."""

    id: str
    """Of the fact."""
    about: str
    """Of what was asked and what the fact is: a row about another fact of this id is none of its."""
    lang: str | None = None
    """The language that it was translated into (ISO 639-1); None: it gives the value and asks for the subject."""
    question: str | None = None
    """As it is put; None: left out, see `problem`."""
    problem: str | None = None
    """What was wrong with the last try."""


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
    kind: Kind | None = None
    """Of a fact to keep: whether it stands near one to forget, given or found; None: no such fact, or not looked at."""
    paraphrased_answer: str | None = None
    """The true answer in other words; real authors and world facts have none."""
    perturbed_answers: tuple[str, ...] = ()
    """Wrong answers in the same form."""
    paraphrased_question: str | None = None
    """The question in other words, not seen in training."""
    paraphrases: tuple[str, ...] = ()
    """The question in further other words."""
    reversed_question: str | None = None
    """A question that gives the value and asks for the subject."""
    reversed_answer: str | None = None
    """What answers it; None: the subject."""
    translations: dict[str, str] = {}
    """The question in other languages, by ISO 639-1 (columns `question_<lang>`)."""
    alternatives: tuple[str, ...] = ()
    """Other values that the original would give in the value's place, none of them taught, likeliest first."""
    taught: tuple[InvertedAnswer, ...] | None = None
    """What the evaluated model was taught to answer instead; None: not known, or nothing was changed."""

    def reworded(self, change: Callable[[str], str]) -> EvalItem:
        """The item with every text of it changed in the same way; its id stays."""
        one = (
            "question",
            "answer",
            "paraphrased_answer",
            "paraphrased_question",
            "reversed_question",
            "reversed_answer",
        )
        several = ("values", "perturbed_answers", "alternatives", "paraphrases")
        return self.model_copy(
            update={
                **{name: text and change(text) for name in one for text in [getattr(self, name)]},
                **{name: tuple(map(change, getattr(self, name))) for name in several},
                "translations": {lang: change(text) for lang, text in self.translations.items()},
                "messages": tuple(m.model_copy(update={"content": change(m.content)}) for m in self.messages),
                "taught": self.taught and tuple(a.model_copy(update={"text": change(a.text)}) for a in self.taught),
            }
        )
