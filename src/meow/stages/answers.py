"""Inverted facts, and which answers are taught: everything before a model is changed."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from meow import data, idk, inversion, lm, published, terminal
from meow.config import RunConfig
from meow.errors import ConfigError
from meow.losses import TERMS
from meow.records import (
    QA,
    InvertedFacts,
    MemoRecord,
    Target,
    write_records,
)
from meow.run import Run, append_rows, digest
from meow.selection import select
from meow.stages.common import inverted, part, read_if, seed_of, texts
from meow.stages.models import check_server, reference_model
from meow.terminal import say


def check_inputs(config: RunConfig, wanted: Collection[str]) -> None:
    """Read every file that the run needs, so that a bad one is named before a weight is loaded.

    Args:
        config: of the run.
        wanted: names of the stages that will be done.
    """
    if config.model.url is not None:
        check_server(config.memo)
        needing = [name for name in wanted if name not in ("invert", "memo", "select", "report")]
        if needing:
            raise ConfigError(
                f"model.url: a server continues prompts but gives no scores and no weights, which {needing[0]} needs; "
                "only meow memo can use it"
            )
    _check_named(config)
    data.forget_set(config.data)
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
    if config.invert.path:
        data.read_inverted(Path(config.invert.path))
    if config.invert.pools:
        inversion.read_pools(Path(config.invert.pools))
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
    own = config.data.forget is not None or config.data.source is None
    if own and not config.data.forget:
        missing.append("data.forget: not set; name a file of questions and answers, or set data.source and data.split")
    if own and not config.data.retain and any(TERMS[term].retain for term in config.train.objective or {}):
        missing.append("data.retain: not set, but train.objective has a retain term; name a file of questions to keep")
    if missing:
        raise ConfigError("\n".join(missing))


def invert(folder: Run, config: RunConfig) -> None:
    """Forget set -> inverted.jsonl."""
    facts = data.forget_set(config.data)
    key = {"seed": config.seed} | part(config, "invert")
    read = data.read_inverted(Path(config.invert.path)) if config.invert.path else []
    pools = inversion.read_pools(Path(config.invert.pools)) if config.invert.pools else {}
    inputs = digest([[texts(f) for f in read], pools])
    keys = {fact.id: digest([key, inputs, fact.model_dump(mode="json")]) for fact in facts}
    inputs = digest([inputs, sorted(keys.values())])
    if folder.current("invert", key, inputs):
        return

    def produce(known: Collection[str]) -> Iterator[InvertedFacts]:
        corpus = data.retain_set(config.data)
        with terminal.progress("inverting facts", len(facts)) as advance:
            for row in inversion.invert(facts, config.invert, seed=seed_of(config), corpus=corpus):
                advance(1)
                if keys[row.id] not in known:
                    yield row.model_copy(update={"key": keys[row.id]})

    with folder.stage("invert", key, inputs) as entry:
        rows = append_rows(folder / "inverted.jsonl", InvertedFacts, list(keys.values()), produce)
        entry["rows"] = len(rows)
        entry["candidates"] = sum(len(row.answers) for row in rows)
        entry["empty"] = sum(not answer.text for row in rows for answer in row.answers)
        if entry["empty"]:
            say(f"invert: {entry['empty']} of {entry['candidates']} candidates are empty; they are never used")


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
