"""A language model behind an OpenAI-compatible server (vLLM and others): it continues prompts, and gives no scores."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from datetime import date
from typing import Any, Never

from meow import server
from meow.config import TEMPLATE_DATE, ModelSettings
from meow.errors import ConfigError
from meow.lm.loading import load_tokenizer, weights_hash
from meow.lm.model import Completion
from meow.prompts import Encoded, Prompter
from meow.records import Reply


class RemoteLM:
    """A model on a server, with its tokenizer and template here."""

    gives_scores = False
    """Whether `score` can be asked; a server has none."""

    def __init__(
        self,
        url: str,
        name: str,
        tokenizer: Any,
        *,
        template: str = "auto",
        template_args: Mapping[str, Any] | None = None,
        template_date: date = TEMPLATE_DATE,
        max_length: int | None = None,
        concurrency: int = 16,
        weights: str = "",
    ) -> None:
        """Args:
            url: the server's base address, as in http://localhost:8000/v1.
            name: of the model there.
            tokenizer: the model's fast tokenizer; prompts are cut here and sent as text.
            template: as in `LM`; so are `template_args` and `template_date`.
            max_length: longest prompt in tokens.
            concurrency: requests under way at once.
            weights: stands for the weights in keys: a server does not tell them.

        Raises:
            ConfigError: the address is none.
            DataError: the tokenizer has no EOS.
        """
        client = server.connect(url, setting="model.url")
        self.service = server.Service(client, url, name, "completions", "model.path", server.TIMEOUT)
        self.path, self.tokenizer, self.weights = url, tokenizer, weights
        self.device = url
        self.concurrency = concurrency
        eos = () if tokenizer.eos_token_id is None else (int(tokenizer.eos_token_id),)
        self.prompter = Prompter(
            tokenizer, template, max_length=max_length or 1 << 20, eos_ids=eos, args=template_args, date=template_date
        )
        adds_bos = tokenizer.bos_token_id in tokenizer("")["input_ids"]
        self._added = str(tokenizer.bos_token) if adds_bos else ""
        self._lock = threading.Lock()
        self._known: MutableMapping[str, Reply] = {}
        self._keep: Callable[[Reply], None] = lambda _: None

    def remember(self, known: Mapping[str, Reply], keep: Callable[[Reply], None]) -> None:
        """Ask nothing again that was answered: greedy completions, each kept as soon as it is there.

        Args:
            known: answers of an earlier call, by key.
            keep: writes a new one where it outlives this process.
        """
        self._known, self._keep = dict(known), keep

    def score(self, sequences: Sequence[Encoded], *, stats: bool = False) -> Never:
        """Not to be had from a server.

        Raises:
            ConfigError: always.
        """
        del sequences, stats
        raise ConfigError(
            f"model.url: {self.path} continues prompts but gives no scores; load the weights (model.path)"
        )

    def generate(
        self,
        prompts: Sequence[Encoded],
        max_new_tokens: int | Sequence[int],
        *,
        n: int = 1,
        temperature: float = 0.0,
        top_p: float = 1.0,
        seed: int = 0,
        known: Sequence[Sequence[int]] = (),  # noqa: ARG002 - a server decodes by itself
        each: Callable[[int, list[Completion]], None] | None = None,
    ) -> list[list[Completion]]:
        """Continue each prompt, as `LM.generate` does, `known` aside; equal requests are sent once.

        Raises:
            ConfigError: the server refuses a request.
            RunError: no server, or it keeps failing.
        """
        room = [max_new_tokens] * len(prompts) if isinstance(max_new_tokens, int) else list(max_new_tokens)
        places: dict[tuple[str, int], list[int]] = {}
        for i, (prompt, limit) in enumerate(zip(prompts, room, strict=True)):
            if not prompt.text:
                raise ConfigError(
                    "model.url: a server takes text; what cuts between tokens (EL, memo.cut=tokens) "
                    "needs the weights (model.path)"
                )
            text = prompt.text.removeprefix(self._added) if self._added else prompt.text  # the server adds it
            places.setdefault((text, limit), []).append(i)
        found: dict[int, list[Completion]] = {}

        def ask(text: str, limit: int) -> None:
            got = self._ask(text, limit, n=n, temperature=temperature, top_p=top_p, seed=seed)
            for i in places[text, limit]:
                found[i] = got
                if each:
                    each(i, got)

        with ThreadPoolExecutor(self.concurrency) as pool:
            jobs = [pool.submit(ask, *request) for request in places]
            failed = [job for job in wait(jobs, return_when=FIRST_EXCEPTION).done if job.exception()]
            if failed:
                pool.shutdown(cancel_futures=True)
            for job in failed:
                job.result()
        return [found[i] for i in range(len(prompts))]

    def _ask(self, text: str, limit: int, *, n: int, temperature: float, top_p: float, seed: int) -> list[Completion]:
        key = json.dumps([self.weights, text, limit])
        if key in self._known:
            return [_completion(self._known[key])]

        def read(answer: Any) -> list[Reply]:
            choices = sorted(answer["choices"], key=lambda c: c.get("index") or 0)
            if len(choices) != n:
                raise ValueError(f"{len(choices)} completions, expected {n}")
            return [Reply(key=key, text=c["text"], is_cut=c.get("finish_reason") == "length") for c in choices]

        create = self.service.client.completions.with_streaming_response.create
        found, _ = server.ask(
            self.service,
            lambda: create(
                model=self.service.name,
                prompt=text,
                max_tokens=limit,
                n=n,
                temperature=temperature,
                top_p=top_p,
                seed=seed,
            ),
            read,
        )
        if n == 1 and temperature == 0:
            with self._lock:
                self._known[key] = found[0]
                self._keep(found[0])
        return [_completion(reply) for reply in found]


def _completion(reply: Reply) -> Completion:
    return Completion(reply.text, None, "length" if reply.is_cut else "eos")


def connect(settings: ModelSettings) -> RemoteLM:
    """The model that a server offers, by `model.url` and `model.path`, its name there.

    Raises:
        ConfigError: no name, or no address.
        DataError: no tokenizer to be had.
    """
    if settings.path is None or settings.url is None:
        raise ConfigError("model.path: not set; with model.url it is the model's name on the server")
    server.check(settings.url, "model.url")
    return RemoteLM(
        settings.url,
        settings.path,
        load_tokenizer(settings),
        template=settings.template,
        template_args=settings.template_args,
        template_date=settings.template_date,
        max_length=settings.max_length,
        concurrency=settings.concurrency,
        weights=weights_hash(settings),
    )
