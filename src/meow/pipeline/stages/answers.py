"""Inverted facts, and which answers are taught: everything before a model is changed."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from meow import inversion, keys, lm, terminal
from meow.chat.replies import Replies
from meow.config import InvertSettings, RunConfig
from meow.errors import listed
from meow.formats import sources
from meow.formats.documents.facts import trains_on_passages
from meow.formats.inverted import read_inverted
from meow.memorization import idk
from meow.memorization.selection import select
from meow.pipeline import inputs
from meow.pipeline.inputs.models import ASKS_HERE, inverter, judge
from meow.pipeline.stages import asking
from meow.pipeline.stages.common import done, inverted, seed_of
from meow.pipeline.stages.evaluation import references
from meow.pipeline.stages.models import lm_for, weights
from meow.pipeline.stages.plausible import settled
from meow.pipeline.stages.rows import check_rows, evaluated_files, inverted_files, say_remarks
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
from meow.run import Run
from meow.run.rows import append_rows, keeping
from meow.terminal import say
from meow.text import counted

LEAST = 3
"""Accepted answers that a question should have."""
_MORE = "; a model (model.path), a longer retain file or lists of your own values (invert.pools) may find some"


def check_inputs(config: RunConfig, wanted: Collection[str]) -> None:
    """Read every file and look at every model that the run needs, before a weight is loaded.

    Args:
        config: of the run.
        wanted: names of the stages that will be done.
    """
    inputs.check(config, wanted)
    say_remarks(sources.forget_set(config.data), config.data)
    if config.invert.backend in ASKS_HERE:
        lm.check_model(inverter(config))
    if model := judge(config):
        lm.check_model(model)
    if set(wanted) == {"invert"}:
        return
    if config.model.url is None:
        lm.check_model(config.model)
    references.check(config)
    if config.memo.template == "model" or set(wanted) - {"invert", "memo", "select"}:
        taught = [Path(config.train.targets_path)] if config.train.targets_path else []
        more = [*inverted_files(config.invert.path), *((path, sources.read_qa(path)) for path in taught)]
        check_rows(config.model, [*evaluated_files(config.data), *more])


def invert(folder: Run, config: RunConfig) -> None:
    """Forget set -> inverted.jsonl."""
    facts = sources.forget_set(config.data)
    wanted, backend = config.invert, config.invert.backend
    key, rows = _invert_keys(config, facts)
    if done(folder, "invert", key, ["inverted.jsonl"]):
        return
    with folder.stage("invert", *key) as entry:
        if backend in inversion.ASKED:
            with keeping(folder / "replies.jsonl", Reply) as (known, keep):
                source = asking.source(config)
                replies = Replies(wanted, source, known=known, keep=keep)
                asked = wanted.url if backend == "openai" else inverter(config).path
                say(f"invert: {counted(len(facts), 'question')} with their true answers go to {asked}")
                found = _produce(folder, config, facts, rows, entry, replies)
            if world_size() > 1:  # what the other processes have asked counts, too
                said = {reply.key: reply for reply in read_records(folder / "replies.jsonl", Reply)}
                replies = Replies(wanted, source, known=said)
            entry |= replies.as_object()
            say(f"invert: {replies.said()}")
        else:
            found = _produce(folder, config, facts, rows, entry)
        entry["rows"] = len(found)
        entry["gate"] = inversion.totals(found, least=min(LEAST, wanted.n))
        _tell(entry["gate"], found, wanted)


def _invert_keys(config: RunConfig, facts: Sequence[QA]) -> tuple[keys.Key, dict[str, str]]:
    """The key of the stage, and by id that of each row, which holds all facts that are inverted together with it."""
    wanted = config.invert
    asked = wanted.backend == "openai"
    kind, content = (
        "invert",
        {"invert.url": wanted.url, "invert.model": wanted.model} if asked else {"invert.url": None},
    )
    if wanted.backend in ASKS_HERE:
        kind, content = "invert by a model here", {"weights": weights(inverter(config)), "invert.url": None}
    if original := judge(config):
        kind, content = "invert by a model here", content | {"weights of the original": weights(original)}
    read = [
        read_inverted(Path(wanted.path)) if wanted.path else [],
        inversion.read_pools(Path(wanted.pools)) if wanted.pools else {},
        inversion.read_prompt(wanted),
        sources.retain_set(config.data, facts=True) if wanted.backend == "donors" else [],
    ]
    source = keys.of_stage(kind, config, content, read)
    of = {fact.id: fact for fact in facts}
    together = inversion.together(facts, wanted)
    units = {id(ids): ids for ids in together.values()}  # facts of one unit share its list
    beside = {unit: keys.digest([of[other] for other in ids]) for unit, ids in units.items()}
    rows = {id_: keys.digest([source, of[id_], beside[id(together[id_])]]) for id_ in of}
    return keys.of_stage(kind, config, content, [read, list(rows.values())]), rows


def _produce(
    folder: Run,
    config: RunConfig,
    facts: Sequence[QA],
    keyed: Mapping[str, str],
    entry: dict[str, Any],
    replies: Replies | None = None,
) -> list[InvertedFacts]:
    """Bring inverted.jsonl up to date; its rows in order of the facts. What was measured goes into the entry."""
    count = replies.said if replies else None

    def produce(known: Collection[str]) -> Iterator[InvertedFacts]:
        corpus = sources.retain_set(config.data, facts=True)
        model = lm_for(inverter(config)) if config.invert.backend in ASKS_HERE else None
        wanted, named = config.invert, judge(config)
        original = lm_for(named) if named else None
        if judging := original or (model if wanted.backend == "self" else None):
            wanted = settled(judging, facts, wanted, entry, seed=seed_of(config))
        there = {fact.id for fact in facts if keyed[fact.id] in known}
        with terminal.progress("inverting facts", len(facts), note=count) as advance:
            for row in inversion.invert(
                facts,
                wanted,
                seed=seed_of(config),
                corpus=corpus,
                lm=model,
                replies=replies,
                known=there,
                original=original,
            ):
                advance(1)
                if row.id not in there:
                    yield row.model_copy(update={"key": keyed[row.id]})

    alone = config.invert.backend == "openai"
    wanted = list(keyed.values())
    return append_rows(folder / "inverted.jsonl", InvertedFacts, wanted, produce, exact=True, alone=alone)


def _tell(gate: Mapping[str, Any], rows: Sequence[InvertedFacts], settings: InvertSettings) -> None:
    """One line on what the gate found, one on questions with too few answers."""
    problems = ", ".join(f"{count} {name}" for name, count in gate["problems"].items() if count) or "no problem"
    verb = "accepted" if settings.gate else "pass the gate, which is off (invert.gate=false): all are kept"
    say(f"invert: {gate['accepted']} of {gate['candidates']} candidates {verb} ({problems})")
    few = [row for row in rows if row.id in set(gate["too_few"])]
    if few:
        say(
            f"warning: {len(few)} of {gate['questions']} questions have too few false answers: {listed(few)}"
            f"{_MORE if settings.backend == 'donors' and settings.pools is None else ''}"
        )


def choose(folder: Run, config: RunConfig) -> None:
    """inverted.jsonl and memo/before.jsonl -> targets.jsonl."""
    kind, seed = config.train.targets, seed_of(config)
    ranks = kind == "selected"
    facts = inverted(folder) if kind in ("selected", "all") else []
    measured = read_if(folder / "memo/before.jsonl", MemoRecord) if ranks else []
    forget = sources.passages(config.data) if trains_on_passages(config) else sources.forget_set(config.data)
    taught = sources.taught(Path(str(config.train.targets_path)), forget) if kind == "file" else {}
    read = [facts or forget, measured, taught]
    key = keys.of_stage("select" if ranks else "select without ranks", config, {}, read)
    if folder.current("select", *key):
        return
    with folder.stage("select", *key) as entry:
        if facts:
            rule = config.select if ranks else config.select.model_copy(update={"rule": "all", "by": "question"})
            chosen = select(facts, measured, rule, seed=seed)
            targets = chosen.targets
            entry |= {"by": chosen.by, "short": len(chosen.short), "untaught": chosen.untaught}
            if chosen.short:
                short = counted(len(chosen.short), "question", "has/have")
                say(f"select: {short} fewer than k={config.select.k} answers; all are taught")
            if chosen.untaught:
                say(
                    f"warning: {len(chosen.untaught)} of {len(facts)} questions have no inverted answer and are not "
                    f"taught: {listed([fact for fact in facts if fact.id in set(chosen.untaught)])}"
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
