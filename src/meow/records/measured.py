"""What models say, and what follows from it: memorization, evaluated questions, capability, numbers."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any, Literal, NamedTuple

from pydantic import Field

from meow.config import Further
from meow.records.facts import Count, EvalItem, Record


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


class Likelihood(Record):
    """How likely a model finds one answer."""

    avg_loss: float = Field(ge=-1e-3)
    """Mean negative log-likelihood per answer token in nats, final EOS included; lower: more likely. Below 0 by
    rounding alone."""
    n_tokens: int | None = Field(default=None, ge=0)
    """Tokens scored; None: the source does not hold it."""


FormName = Literal["direct", "draws"] | Further
"""Ways to ask for a fact (SPEC section 10): its question, answered greedily or drawn, and those of `eval.forms`."""

RateName = FormName | Literal["yes_no"]
"""What a rate is of: a way of asking; `yes_no`: how often a yes or no is told rightly, over all ways."""


BrokenBy = Literal["", "empty", "endless", "repeats", "unlikely", "mixed scripts"]
"""Why a text is broken: nothing is said, it does not end, it repeats itself, the original finds it less likely than
sentences that are no answers at all, or it mixes scripts; empty: it is whole (SPEC section 13)."""


class Asked(Record):
    """What a model said when a fact was asked for in one further way."""

    form: FormName
    """The way."""
    prompt: str
    """What was put, as people read it; no template."""
    said: str
    """How the model went on; of a choice, the option whose letter is likeliest in the mean of all rotations."""
    forms: tuple[str, ...] = ()
    """Accepted forms that it is judged by; empty: those of the fact's own value."""
    question: str | None = None
    """The question that decides what these forms tell; None: the fact's own."""


class Continued(Record):
    """How a model goes on with the beginning of a passage, and how the passage does; both as many tokens at most."""

    prefix: Count
    """Tokens of the beginning."""
    tokens: int = Field(gt=0)
    """Tokens that are compared."""
    truth: str
    """How the passage goes on."""
    said: str
    """How the model does, greedily."""
    equal: Count
    """Tokens that are the passage's own at their places."""
    rougeL: float | None = Field(ge=0, le=1)  # noqa: N815 - as everywhere
    """ROUGE-L recall, 0 to 1; None: the passage goes on without a word."""
    lcs: Count
    """Characters of the longest common substring."""


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
    value_logp: float | None = None
    """log p(value): of the true value's tokens in its place in the answer; None: it has none."""
    alternative_logps: tuple[float, ...] = ()
    """The same of each alternative in that place."""
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
    asked: tuple[Asked, ...] = ()
    """What was said when the fact was asked for in further ways (`eval.forms`)."""
    not_asked: tuple[FormName, ...] = ()
    """Ways of which every prompt would have told the value itself, or left no room for an answer."""
    elsewhere: tuple[Asked, ...] = ()
    """The control: the same ways with another name in the subject's place, judged by the true value; `direct` too."""
    judged: tuple[bool | None, ...] = ()
    """Whether a judge finds the value told in each of `metrics.items.texts_of`, in that order; None: it said neither
    yes nor no. Empty: no judge was asked."""
    continued: tuple[Continued, ...] = ()
    """Of a passage: how the model goes on with its beginnings."""
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
    fresh_logp: float | None = None
    """Mean log p per token (nats, EOS left out) of the generation under the original, where it repeats nothing."""
    clean: tuple[float, int] | None = None
    """The least such value of whole text, and the number of clean sentences that it is taken from; None: not known."""
    broken: BrokenBy | None = None
    """Why the greedy answer is broken text; empty: it is whole; None: not judged."""
    truncated: int | None = None
    """Answers cut to fit the context before they were scored; None: not known."""
    unfinished: bool | None = None
    """Whether the greedy answer was stopped by its length limit; None: not known."""


KEPT = 0.9
"""Share of the original's retain probability that a chosen step should keep."""


class Look(NamedTuple):
    """What a step is chosen by."""

    quality: float
    """Of the tuning half: forget quality (p), or, without a reference, the share of the facts that are not told."""
    kept: float
    """Retain probability there, as a share of the original's; without a reference that of the values."""

    def rank(self) -> tuple[bool, float]:
        """Higher: better. Quality counts among steps that keep enough; below that, what is kept."""
        enough = self.kept >= KEPT
        return enough, self.quality if enough else self.kept


def chosen_step(looks: Mapping[int, Look]) -> int:
    """The first of the best steps."""
    return max(looks, key=lambda step: (looks[step].rank(), -step))


class Disagreement(Record):
    """An answer of which the judge does not say what the rule of values says."""

    id: str
    """Of the fact."""
    form: str
    """How the fact was asked."""
    question: str
    """Of the fact."""
    value: str
    """What the answer is to tell."""
    said: str
    """The answer."""
    told: bool
    """Whether it tells the value by the rule, which numbers go by."""
    judged: bool | None
    """Whether it does by the judge; None: it said neither yes nor no."""


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
        ends = "" if self.high is None else f"at most {self.high:.3f}, "
        ends = ends if self.low is None else f"{self.low:.3f} to {self.high:.3f}, "
        unit = self.unit if self.unit not in ("share", "answers") else ""
        return f"{self.value:.3g} {unit}".strip() + f" ({ends}n = {self.n})"


class FormRates(Record):
    """How often facts are told when they are asked for in one way."""

    told: Value
    """Share of the facts that were asked so."""
    control: Value
    """The same of the reference, or of the original about other names; `reason` says which."""
    chance: Value
    """How often the same texts tell the value of another fact of the same kind."""


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
    benchmark: str = ""
    """Whose own numbers `scores` are: a name of LAYOUTS; empty: of none."""
    scores: dict[str, Value] = {}
    """The benchmark's own numbers, by name of its layout's scores."""
    forms: dict[RateName, FormRates] = {}
    """By way of asking, and of facts that are a yes or no."""
    farthest: dict[str, float] = {}
    """Ids of the ten forget questions farthest from the reference: log R minus the reference's, in nats."""
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
