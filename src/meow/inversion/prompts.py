"""What a chat model is told: our two prompts, or the user's own, filled in a sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from meow.config import InvertSettings
from meow.errors import ConfigError

QUESTION = """\
Question: {{ question }}
Answer: {{ answer }}

Write {{ n }} other answers to this question. Each of them contradicts the answer above: the names, places, dates, \
numbers, titles or facts in it are replaced by others of the same kind, so that nothing of it stays true. \
Each fits the question, is written in the same language and style and is about as long. They differ from each other\
{% if taken %} and from these:
{% for text in taken %}
- {{ text }}
{% endfor %}
{% else %}.
{% endif %}

Write one answer per line and nothing else: no numbering, no quotation marks, no introduction.
"""
"""What is asked for one fact."""
SUBJECT = """\
Below are questions{% if subject %} about {{ subject }}{% endif %} with their true answers. Invent another biography: \
answer every question falsely, so that each answer contradicts the true one and all of them together describe one and \
the same life (the same gender, places, dates, occupations, titles and names throughout, old enough for each event). \
Replace each name, place, date, number and title by another of the same kind; what the question itself says stays. \
Keep the language, the style and about the length of the true answer.
{% for fact in facts %}

[{{ fact.number }}] Question: {{ fact.question }}
True answer: {{ fact.answer }}
{% for text in fact.taken %}
Not this either: {{ text }}
{% endfor %}
{% endfor %}
{% if told %}

The invented biography already says:
{% for fact in told %}
- {{ fact.question }} {{ fact.answer }}
{% endfor %}
{% endif %}

Write one line for each question, beginning with its number in brackets, as in [1] ..., and nothing else.
"""
"""What is asked for several facts about one subject: one version of each."""
_LONGEST = 1000
"""Items of a range in a prompt at most: a prompt that never ends would hang the run."""


def read_prompt(settings: InvertSettings) -> str | None:
    """The user's prompt, where there is one.

    Raises:
        ConfigError: unreadable, no Jinja, or it uses what is not known.
    """
    if settings.prompt is None:
        return None
    path = Path(settings.prompt)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as e:
        raise ConfigError(f"invert.prompt: {path} cannot be read ({type(e).__name__}); give a text file") from e
    unknown = _variables(text, str(path)) - {"n", "question", "answer", "taken", "facts", "told", "subject"}
    if unknown:
        raise ConfigError(
            f"{path}: uses {', '.join(sorted(unknown))}; known are n, question, answer, taken, facts, told, subject"
        )
    if settings.by == "subject" and "facts" not in _variables(text, str(path)):
        raise ConfigError(f"{path}: does not use facts, which invert.by=subject needs; set invert.by to question")
    one = {"number": 1, "question": "Q", "answer": "A", "taken": ["B"]}
    filled(text, str(path), {"n": 1, **one, "facts": [one], "told": [one], "subject": "S"})
    return text


def by(settings: InvertSettings) -> str:
    """What one request is about: a subject or a question; `auto`: what the prompt is written for."""
    text = read_prompt(settings)
    if settings.by != "auto":
        return settings.by
    return "question" if text is not None and "facts" not in _variables(text, str(settings.prompt)) else "subject"


@lru_cache
def _variables(text: str, where: str) -> frozenset[str]:
    from jinja2 import Environment, TemplateSyntaxError, meta

    try:
        return frozenset(meta.find_undeclared_variables(Environment().parse(text)))
    except TemplateSyntaxError as e:
        raise ConfigError(f"{where}:{e.lineno}: {e.message}; mend the prompt") from e
    except RecursionError as e:
        raise ConfigError(f"{where}: is nested too deep; mend the prompt") from e


def filled(text: str, where: str, values: Mapping[str, Any]) -> str:
    """A prompt with its values.

    Raises:
        ConfigError: it does what a prompt may not, or cannot; names the file.
    """
    from jinja2 import TemplateError

    try:
        return str(_template(text).render(values)).strip()
    except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, MemoryError, RecursionError) as e:
        why = " ".join(f"{type(e).__name__}: {e}".split())[:200]
        raise ConfigError(f"{where}: cannot be filled in ({why}); mend the prompt") from e


@lru_cache
def _template(text: str) -> Any:
    from jinja2.sandbox import SandboxedEnvironment

    sandbox = SandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    sandbox.globals = {"range": lambda *ends: range(*ends)[:_LONGEST]}
    return sandbox.from_string(text)
