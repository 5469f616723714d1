"""What a model has answered to the harness, kept as rows of our own: the harness would keep it as a pickle, and reading
one runs whatever it holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from meow.keys import digest
from meow.records import Record
from meow.run.rows import keeping

ASKED = ("loglikelihood", "loglikelihood_rolling", "generate_until")
"""The harness's ways of asking a model."""


class NluAnswer(Record):
    """What the model has said to one request."""

    key: str
    """Of the way of asking and the request."""
    answer: tuple[float, bool] | float | str
    """Log-likelihood and whether the option is the greedy one, log-likelihood alone, or a text."""


@contextmanager
def remembering(model: Any, path: Path) -> Iterator[None]:
    """A model of the harness that is not asked again what it has answered, now or before it was interrupted.

    Args:
        model: the harness's; it answers through the file from here on.
        path: JSON lines, which grow as answers come; of this very model.
    """
    with keeping(path, NluAnswer) as (rows, write):
        known = {key: row.answer for key, row in rows.items()}

        def keep(kind: str, request: Sequence[Any], answer: Any) -> None:
            key = digest([kind, *request])
            if key not in known:
                known[key] = answer
                write(NluAnswer(key=key, answer=answer))

        model.set_cache_hook(SimpleNamespace(add_partial=keep))
        for kind in ASKED:
            setattr(model, kind, partial(_answers, kind, getattr(model, kind), known, keep))
        yield


def _answers(
    kind: str,
    ask: Callable[[list[Any]], list[Any]],
    known: dict[str, Any],
    keep: Callable[..., None],
    requests: list[Any],
) -> list[Any]:
    """The answers to all requests; those that are not known are asked for. What is drawn is drawn each time."""
    if kind == "generate_until" and any(request.args[1].get("do_sample") for request in requests):
        return ask(requests)
    keys = [digest([kind, *request.args]) for request in requests]
    left = [request for request, key in zip(requests, keys, strict=True) if key not in known]
    for request, answer in zip(left, ask(left) if left else [], strict=True):
        keep(kind, request.args, answer)
    return [known[key] for key in keys]
