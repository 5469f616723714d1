"""Conversations with a chat model: one that is loaded here, in batches, or one behind a server, several at once."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any, TypeVar

from meow import server
from meow.chat.replies import Replies, Request, section
from meow.config import InvertSettings, JudgeSettings
from meow.errors import ConfigError, DataError, MeowError, RunError
from meow.records import Reply

if TYPE_CHECKING:
    from meow.lm import LM, Completion

WAVE = 256
"""Conversations with a model here that go on side by side."""
T = TypeVar("T")


def conversations(
    asking: Iterable[Generator[Request, Reply, T]], replies: Replies, lm: LM | None = None
) -> Iterator[T]:
    """What each conversation with a chat model comes to, in order.

    Args:
        asking: each yields what is asked next and is sent the reply.
        replies: who is asked, and how; what is known, and what may be spent.
        lm: a model here; None: a server is asked, in `concurrency` conversations at once.

    Raises:
        ConfigError: the server refuses the key, the model or the request.
        DataError: a prompt is longer than the context of a model here.
        RunError: the budget is used up, or the server keeps failing; what was answered is kept.
    """
    return _on_server(asking, replies) if lm is None else _here(lm, iter(asking), replies)


def check(settings: InvertSettings | JudgeSettings) -> None:
    """Refuse a server that cannot be asked, where one is needed or named.

    Raises:
        ConfigError: no address, one that holds a key, or no name of a model there.
    """
    is_needed = settings.backend == "openai" if isinstance(settings, InvertSettings) else settings.model is not None
    if settings.url is None and not is_needed:
        return
    place = section(settings)
    if settings.url is None or settings.model is None:
        missing = "url" if settings.url is None else "model"
        raise ConfigError(
            f"{place}.{missing}: not set; a chat model on a server needs the address and the model's name there, as in "
            f"{place}.url=http://localhost:8000/v1 {place}.model=NAME"
        )
    server.check(settings.url, f"{place}.url")


def _here(lm: LM, asking: Iterator[Generator[Request, Reply, T]], replies: Replies) -> Iterator[T]:
    """Conversations with a model here: what all of a wave ask next is one call."""
    while wave := dict(enumerate(islice(asking, WAVE))):
        said: dict[int, Reply] = {}
        ended: dict[int, T] = {}
        at = 0
        while wave:
            wanted: dict[int, Request] = {}
            for i, one in list(wave.items()):
                try:
                    wanted[i] = _next(one, said.get(i))
                except StopIteration as end:
                    del wave[i]
                    ended[i] = end.value
            while at in ended:
                yield ended.pop(at)
                at += 1
            said = _answered(lm, wanted, replies)


def _on_server(asking: Iterable[Generator[Request, Reply, T]], replies: Replies) -> Iterator[T]:
    """Conversations with a server, each in a thread."""
    settings, place = replies.settings, section(replies.settings)
    url, name = str(settings.url), str(settings.model)
    client = server.connect(url, setting=f"{place}.url", timeout=settings.timeout)
    service = server.Service(client, url, name, "chat completions", f"{place}.model", settings.timeout)

    def converse(one: Generator[Request, Reply, T]) -> T:
        reply = None
        try:
            while True:
                request = _next(one, reply)
                reply = replies.known(request)
                if reply is None:
                    replies.start()
                    reply = replies.add(_sent(service, request, replies))
        except StopIteration as end:
            found: T = end.value
            return found
        except MeowError as e:
            replies.stop(e)
            raise

    with ThreadPoolExecutor(settings.concurrency) as pool:
        jobs = [pool.submit(converse, one) for one in asking]
        try:
            for job in jobs:
                yield job.result()
        finally:
            replies.stop(RunError("stopped; the same command goes on"))
            pool.shutdown(cancel_futures=True)


def _sent(service: server.Service, request: Request, replies: Replies) -> Reply:
    """The server's reply to one request."""
    settings = replies.settings
    sampling = {"max_tokens": request.max_tokens, "temperature": settings.temperature, "seed": request.seed}
    body = {field: value for field, value in (sampling | settings.extra).items() if value is not None}
    create = service.client.chat.completions.with_streaming_response.create
    messages = [{"role": "user", "content": request.prompt}]
    reply, sent = server.ask(
        service,
        lambda: create(model=service.name, messages=messages, extra_body=body),
        lambda answer: _reply(answer, replies.key(request)),
        wait=replies.wait,
    )
    return reply.model_copy(update={"requests": sent})


def _reply(answer: Any, key: str) -> Reply:
    """A chat completion as a record."""
    choice = answer["choices"][0]
    said = choice["message"].get("content") or choice["message"].get("refusal") or ""
    if isinstance(said, list):  # parts, as some servers have it
        said = "".join(part.get("text", "") for part in said)
    usage = answer.get("usage")
    return Reply(
        key=key,
        text=said.encode(errors="ignore").decode(),
        is_cut=choice.get("finish_reason") == "length",
        prompt_tokens=_count(usage, "prompt_tokens"),
        reply_tokens=_count(usage, "completion_tokens"),
    )


def _count(usage: Any, field: str) -> int:
    """Tokens as the server counts them; what is no count is left out: the reply stands without it."""
    found = usage.get(field) if isinstance(usage, dict) else None
    return found if isinstance(found, int) and 0 <= found < 1 << 40 else 0


def _next(one: Generator[Request, Reply, T], reply: Reply | None) -> Request:
    return next(one) if reply is None else one.send(reply)


def _answered(lm: LM, requests: Mapping[int, Request], replies: Replies) -> dict[int, Reply]:
    """The replies to requests: those that are known, and the others from the model, in one call for each seed."""
    new = sorted((r for r in set(requests.values()) if replies.known(r) is None), key=lambda r: (r.seed, r))
    for _, group in groupby(new, key=lambda r: r.seed):
        replies.check_budget()
        _generate(lm, list(group), replies)
    return {i: found for i, request in requests.items() if (found := replies.known(request)) is not None}


def _generate(lm: LM, requests: Sequence[Request], replies: Replies) -> None:
    """One call for requests of one seed; each reply is kept as soon as it is there."""
    try:
        prompts = [lm.prompter.asked(request.prompt) for request in requests]
    except DataError as e:
        raise DataError(
            f"{lm.path}: a prompt does not fit into its context; name another, or set invert.by to question ({e})"
        ) from e

    left = len(requests)

    def keep(at: int, completions: Sequence[Completion]) -> None:
        nonlocal left
        (found,) = completions
        replies.add(
            Reply(
                key=replies.key(requests[at]),
                text=found.text,
                is_cut=found.finish == "length",
                prompt_tokens=len(prompts[at].ids),
                reply_tokens=len(found.ids or ()),
            )
        )
        left -= 1
        if left:
            replies.check_budget()

    room = [request.max_tokens for request in requests]
    lm.generate(prompts, room, temperature=replies.settings.temperature, seed=requests[0].seed, each=keep)
