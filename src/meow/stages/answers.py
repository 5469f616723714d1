"""Inverted facts, and which answers are taught: everything before a model is changed."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from meow import data, idk, inversion, lm, published, server, terminal
from meow.config import InvertSettings, ModelSettings, RunConfig
from meow.errors import ConfigError
from meow.losses import TERMS
from meow.processes import world_size
from meow.records import (
    QA,
    InvertedFacts,
    MemoRecord,
    Reply,
    Target,
    read_if,
    read_records,
    write_records,
)
from meow.run import Run, append_rows, digest, keeping
from meow.selection import select
from meow.stages.common import inverted, part, seed_of, texts
from meow.stages.models import check_server, lm_for, reference_model, weights
from meow.terminal import say

LEAST = 3
"""Accepted answers that a question should have."""
_MORE = "; lists of your own values (invert.pools) or a model (invert.backend=local, openai) may find some"
_UNSEEN = ("concurrency", "timeout", "max_requests", "max_tokens", "max_minutes", "price")
"""Settings that change no answer."""


def check_inputs(config: RunConfig, wanted: Collection[str]) -> None:
    """Read every file that the run needs, so that a bad one is named before a weight is loaded.

    Args:
        config: of the run.
        wanted: names of the stages that will be done.
    """
    for setting, url in (("model.url", config.model.url), ("invert.url", config.invert.url)):
        if url is not None:
            server.check(url, setting)
    if config.model.url is not None:
        check_server(config.memo)
        needing = [name for name in wanted if name not in ("invert", "memo", "select", "report")]
        if needing:
            raise ConfigError(
                f"model.url: a server continues prompts but gives no scores and no weights, which {needing[0]} needs; "
                "only meow memo can use it"
            )
    if set(wanted) != {"invert"}:
        _check_named(config)
    data.forget_set(config.data)
    _check_invert(config)
    if set(wanted) == {"invert"}:
        return
    data.retain_set(config.data)
    if config.train.evaluate_every is not None and config.eval.reference is None:
        raise ConfigError(
            "train.evaluate_every: a step is chosen by forget quality, which needs a model that never saw the forget "
            "set; set eval.reference"
        )
    if config.train.targets == "file":
        if config.train.targets_path is None:
            raise ConfigError("train.targets_path: not set, but train.targets is file; name the answers to teach")
        data.taught(Path(config.train.targets_path), data.forget_set(config.data))
    data.eval_items(config.data)
    if config.memo.path:
        data.read_memo(Path(config.memo.path))
    if config.model.url is None:
        lm.check_folder(str(config.model.path))
    if config.eval.reference:
        reference_model(config) or published.read(Path(config.eval.reference))


def _check_named(config: RunConfig) -> None:
    """Refuse a run that lacks a model or files, all that is missing at once."""
    missing = []
    if config.model.path is None:
        missing.append("model.path: not set; name a folder or a hub id, as in model.path=locuslab/tofu_ft_llama2-7b")
    own = config.data.forget is not None or (config.data.source is None and config.data.split is None)
    if own and not config.data.forget:
        missing.append("data.forget: not set; name a file of questions and answers, or set data.source and data.split")
    if own and not config.data.retain and any(TERMS[term].retain for term in config.train.objective or {}):
        missing.append("data.retain: not set, but train.objective has a retain term; name a file of questions to keep")
    if missing:
        raise ConfigError("\n".join(missing))


def _check_invert(config: RunConfig) -> None:
    """Read what inversion needs."""
    if config.invert.backend == "openai":
        inversion.check_server(config.invert)
    if config.invert.backend == "local":
        lm.check_folder(str(inverter(config).path))
    inversion.read_prompt(config.invert)
    if config.invert.path:
        data.read_inverted(Path(config.invert.path))
    if config.invert.pools:
        inversion.read_pools(Path(config.invert.pools))


def inverter(config: RunConfig) -> ModelSettings:
    """The model that `invert.backend=local` asks.

    Raises:
        ConfigError: neither `invert.model` nor `model.path`.
    """
    if config.invert.model is None and (config.model.path is None or config.model.url is not None):
        raise ConfigError("invert.model: not set; invert.backend=local needs a chat model, as in invert.model=FOLDER")
    other = {"path": config.invert.model, "tokenizer": None, "revision": None, "template": "auto", "url": None}
    return config.model if config.invert.model is None else config.model.model_copy(update=other)


def invert(folder: Run, config: RunConfig) -> None:
    """Forget set -> inverted.jsonl."""
    facts = data.forget_set(config.data)
    wanted, backend = config.invert, config.invert.backend
    key: dict[str, Any] = {"seed": config.seed}
    key |= {k: v for k, v in part(config, "invert").items() if k.split(".")[1] not in _UNSEEN}
    if backend == "local":
        key["weights"] = weights(inverter(config))
    read = data.read_inverted(Path(wanted.path)) if wanted.path else []
    pools = inversion.read_pools(Path(wanted.pools)) if wanted.pools else {}
    inputs = digest([[texts(f) for f in read], pools, inversion.read_prompt(wanted)])
    rows = {fact.id: fact.model_dump(mode="json") for fact in facts}
    keys = {
        id_: digest([key, inputs, rows[id_], together])
        for ids in inversion.units(facts, wanted)
        for together in [digest([rows[other] for other in ids])]
        for id_ in ids
    }
    keys = {id_: keys[id_] for id_ in rows}
    inputs = digest([inputs, sorted(keys.values())])
    if folder.current("invert", key, inputs):
        return
    with folder.stage("invert", key, inputs) as entry:
        if backend in inversion.ASKED:
            with keeping(folder / "replies.jsonl", Reply) as (known, keep):
                source = str(key.get("weights", [wanted.url, wanted.model]))
                replies = inversion.Replies(wanted, source, known=known, keep=keep)
                asked = wanted.url if backend == "openai" else inverter(config).path
                say(f"invert: {len(facts)} questions with their true answers go to {asked}")
                found = _produce(folder, config, facts, keys, replies)
            if world_size() > 1:  # what the other processes have asked counts, too
                said = {reply.key: reply for reply in read_records(folder / "replies.jsonl", Reply)}
                replies = inversion.Replies(wanted, source, known=said)
            entry |= replies.as_object()
            say(f"invert: {replies.said()}")
        else:
            found = _produce(folder, config, facts, keys, None)
        entry["rows"] = len(found)
        entry["gate"] = inversion.totals(found, least=min(LEAST, wanted.n))
        _tell(entry["gate"], wanted)


def _produce(
    folder: Run, config: RunConfig, facts: Sequence[QA], keys: Mapping[str, str], replies: inversion.Replies | None
) -> list[InvertedFacts]:
    """Bring inverted.jsonl up to date; its rows in order of the facts."""
    count = replies.said if replies else None

    def produce(known: Collection[str]) -> Iterator[InvertedFacts]:
        corpus = data.retain_set(config.data)
        model = lm_for(inverter(config)) if config.invert.backend == "local" else None
        there = {fact.id for fact in facts if keys[fact.id] in known}
        with terminal.progress("inverting facts", len(facts), note=count) as advance:
            for row in inversion.invert(
                facts, config.invert, seed=seed_of(config), corpus=corpus, lm=model, replies=replies, known=there
            ):
                advance(1)
                if row.id not in there:
                    yield row.model_copy(update={"key": keys[row.id]})

    alone = config.invert.backend == "openai"
    return append_rows(folder / "inverted.jsonl", InvertedFacts, list(keys.values()), produce, alone=alone)


def _tell(gate: Mapping[str, Any], settings: InvertSettings) -> None:
    """One line on what the gate found, one on questions with too few answers."""
    problems = ", ".join(f"{count} {name}" for name, count in gate["problems"].items() if count) or "no problem"
    verb = "accepted" if settings.gate else "pass the gate, which is off (invert.gate=false): all are kept"
    say(f"invert: {gate['accepted']} of {gate['candidates']} candidates {verb} ({problems})")
    few = gate["too_few"]
    if few:
        say(
            f"warning: {len(few)} of {gate['questions']} questions have too few false answers: "
            f"{', '.join(few[:20])}{' ...' if len(few) > 20 else ''}"
            f"{_MORE if settings.backend == 'donors' and settings.pools is None else ''}"
        )


def choose(folder: Run, config: RunConfig) -> None:
    """inverted.jsonl and memo/before.jsonl -> targets.jsonl."""
    kind, seed = config.train.targets, seed_of(config)
    ranks = kind == "selected"
    facts = inverted(folder) if kind in ("selected", "all") else []
    measured = read_if(folder / "memo/before.jsonl", MemoRecord) if ranks else []
    forget = data.forget_set(config.data)
    taught = data.taught(Path(str(config.train.targets_path)), forget) if kind == "file" else {}
    key = {"seed": config.seed, "train.targets": kind} | (part(config, "select") if ranks else {})
    inputs = digest([[texts(f) for f in facts or forget], [[m.key, m.value] for m in measured], taught])
    if folder.current("select", key, inputs):
        return
    with folder.stage("select", key, inputs) as entry:
        if facts:
            rule = config.select if ranks else config.select.model_copy(update={"rule": "all", "by": "question"})
            chosen = select(facts, measured, rule, seed=seed)
            targets = chosen.targets
            entry |= {"by": chosen.by, "short": len(chosen.short), "untaught": chosen.untaught}
            if chosen.short:
                say(
                    f"select: {len(chosen.short)} questions have fewer than k={config.select.k} answers; all are taught"
                )
            if chosen.untaught:
                say(
                    f"warning: {len(chosen.untaught)} of {len(facts)} questions have no inverted answer and are not "
                    f"taught: {', '.join(chosen.untaught[:20])}{' ...' if len(chosen.untaught) > 20 else ''}"
                )
        else:
            targets = [
                Target(**fact.model_dump(), target=text)
                for fact in forget
                for text in instead(fact, kind, taught, seed)
            ]
        write_records(folder / "targets.jsonl", targets)
        entry["rows"] = len(targets)


def instead(fact: QA, kind: str | None, taught: Mapping[str, list[str]], seed: int) -> Sequence[str | None]:
    """What to teach for a fact where it is no inverted answer; None: nothing."""
    if kind == "idk":
        return [idk.draw(fact.id, seed)]
    if kind == "reversed":
        return [" ".join(reversed(fact.answer.split()))]
    return taught[fact.id] if kind == "file" else [None]
