"""Memorization of the true and inverted answers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from meow import keys, terminal
from meow.config import MemoSettings, RunConfig
from meow.errors import DataError, named
from meow.formats.inverted import read_memo
from meow.labels import memo_stage
from meow.lm import LM, RemoteLM
from meow.memorization import measures
from meow.pipeline.stages.common import done, inverted
from meow.pipeline.stages.models import measurer, model_of, weights
from meow.processes import rank
from meow.records import InvertedFacts, MemoRecord, Reply, write_records
from meow.run import Run
from meow.run.rows import append_rows, keeping
from meow.terminal import say
from meow.text import UNSEEN, unseen


def memo(folder: Run, config: RunConfig, *, label: str = "before") -> None:
    """inverted.jsonl -> memo/<label>.jsonl, by the original, the changed model or the reference."""
    facts = inverted(folder)
    settings = model_of(folder, config, label)
    stage, name = memo_stage(label), f"memo/{label}.jsonl"
    file = Path(config.memo.path) if config.memo.path and label == "before" else None
    known = _published_memo(facts, file) if file else None
    read = [keys.content(fact, without=(*keys.ABOUT, "gate")) for fact in facts]
    key = keys.of_stage("memo", config, {"weights": weights(settings)}, [read, known])
    if done(folder, stage, key, [name]):
        return
    if known is not None:
        with folder.stage(stage, *key) as entry:
            write_records(folder / name, known)
            entry["rows"] = len(known)
        return
    with folder.stage(stage, *key) as entry:
        model = measurer(settings)
        rows = measure(model, facts, config.memo, folder / name)
        entry |= {"rows": len(rows), "device": str(model.device)}


def measure(
    model: LM | RemoteLM, facts: Sequence[InvertedFacts], settings: MemoSettings, path: Path
) -> list[MemoRecord]:
    """Bring a file of memorization up to date for these facts; rows with a known key are not measured again."""
    settings = measures.settled(model, facts, settings)
    wanted = [key for fact in facts for key in measures.row_keys(model, fact, settings)]
    left_out = unseen(text for fact in facts for _, text in measures.columns(fact))
    if left_out > UNSEEN and settings.words == "ascii" and "memo" in settings.metric:
        share = f"{left_out:.0%} of these answers"
        say(f"warning: ROUGE sees only [a-z0-9], which leaves out {share}; set memo.words=unicode")

    def produce(known: Collection[str]) -> Iterator[MemoRecord]:
        with terminal.progress("measuring memorization", len(wanted) - len(set(known) & set(wanted))) as advance:
            for row in measures.memorize(model, facts, settings, known=known):
                advance(1)
                yield row

    if not isinstance(model, RemoteLM):
        return append_rows(path, MemoRecord, wanted, produce)
    answers = path.with_name(f"{path.stem}.replies.jsonl")
    with keeping(answers, Reply) as (there, keep):
        model.remember(there, keep)
        rows = append_rows(path, MemoRecord, wanted, produce)
    if rank() == 0:
        answers.unlink(missing_ok=True)  # the rows say it all
    return rows


def _published_memo(facts: Sequence[InvertedFacts], path: Path) -> list[MemoRecord]:
    texts = {(f.id, f"answer_{i}"): a.text for f in facts for i, a in enumerate(f.answers)}
    rows = [m for m in read_memo(path) if m.column == "undesired_answer" or texts.get((m.id, m.column)) == m.text]
    missing = set(texts) - {(m.id, m.column) for m in rows} - {k for k, text in texts.items() if not text}
    if missing:
        id_, column = min(missing)
        first = named(next(fact for fact in facts if fact.id == id_))
        raise DataError(
            f"{path}: {len(missing)} inverted answers have no value, the first is {column} of {first}; "
            "set invert.path to the same file, or measure with meow memo"
        )
    return rows
