"""What a benchmark asks by its own words, and what a model did with it."""

from __future__ import annotations

from pydantic import Field

from meow.records.facts import Count, Record


class Probe(Record):
    """One prompt of a benchmark, as its own script puts it."""

    layout: str
    """The benchmark: a name of LAYOUTS."""
    id: str
    """As the benchmark has it, else its place; with `group` its own."""
    group: str
    """What it is counted under, as in `forget/task1/completion`."""
    prompt: str
    """What is put, or the text that is scored."""
    plain: bool = True
    """Whether it is put as it stands; else as what a user says, in the model's own template."""
    begun: str = ""
    """What the assistant's turn is begun with; of a plain prompt, nothing."""
    max_new_tokens: Count = 0
    """Tokens of the answer at most; 0: nothing is generated, the prompt's own likelihood is measured."""
    expected: str = ""
    """What the answer is compared with."""
    expected_tokens: Count | None = None
    """Of `expected`, the first tokens (special ones counted) that are compared; None: all of it."""
    stops: tuple[str, ...] = ()
    """Texts before which an answer is cut, one after the other."""
    stop_tokens: tuple[str, ...] = ()
    """Tokens, as the tokenizer's vocabulary has them, that end an answer."""
    lowest: float = Field(default=0.4, gt=0, le=1)
    """Share of the scored tokens that Min-K and Min-K++ are means of."""


class Probed(Probe):
    """A probe with what a model made of it."""

    key: str
    """Of weights, tokenizer and probe."""
    said: str | None = None
    """The greedy answer, cut; None: nothing was generated, or the prompt left no room."""
    n_tokens: Count = 0
    """Tokens that were scored: all of the prompt that something stands before."""
    loss: float | None = None
    """Mean negative log-likelihood of those in nats; lower: likelier."""
    min_k: float | None = None
    """Minus the mean of the lowest log-probabilities; None: too few tokens."""
    min_k_plus_plus: float | None = None
    """The same of (log p - mu) / sigma, by the model's own distribution at each place."""
