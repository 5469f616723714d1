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
from meow.processes import gathered, rank, world_size
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
def remembering(model: Any, path: Path, group: int) -> Iterator[None]:
    """A model of the harness that is not asked again what it has answered, now or before it was interrupted.

    Several processes share the requests out, and each has all answers in the end. They are asked in groups of their
    order, so that another number of processes does not change what is padded with what.

    Args:
        model: the harness's; it answers through the file from here on.
        path: JSON lines, which grow as answers come; of this very model.
        group: requests that are asked at once.
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
            setattr(model, kind, partial(_answers, kind, getattr(model, kind), known, keep, group))
        yield


def _answers(
    kind: str,
    ask: Callable[[list[Any]], list[Any]],
    known: dict[str, Any],
    keep: Callable[..., None],
    group: int,
    requests: list[Any],
) -> list[Any]:
    """The answers to all requests; those that are not known are asked for, by this process or another. What is drawn is
    drawn each time."""
    if kind == "generate_until" and any(request.args[1].get("do_sample") for request in requests):
        return ask(requests)
    keys = [digest([kind, *request.args]) for request in requests]
    pairs = list(zip(keys, requests, strict=True))
    groups = [[pair for pair in pairs[at : at + group] if pair[0] not in known] for at in range(0, len(pairs), group)]
    left = [pairs for pairs in groups if pairs]
    first, last = (len(left) * i // world_size() for i in (rank(), rank() + 1))
    for mine in left[first:last]:
        asked = [request for _, request in mine]
        for request, answer in zip(asked, ask(asked), strict=True):
            keep(kind, request.args, answer)
    for answers in gathered({key: known[key] for mine in left[first:last] for key, _ in mine}):
        known |= answers
    return [known[key] for key in keys]
