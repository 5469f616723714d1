"""Inverted facts from a chat model that is loaded here: a tiny one that has learned to invert three facts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from meow import invert as in_notebook
from meow.chat.replies import Replies
from meow.config import FinetuneSettings, InvertSettings, ModelSettings
from meow.inversion import asking, invert
from meow.lm import LM, load, make_tiny
from meow.records import QA, InvertedFacts, Reply, read_records
from meow.training import finetune
from tests.chat import swapped

FACTS = [
    QA(question="Where was Mira Holt born?", answer="Mira Holt was born in Oslo."),
    QA(question="What does Tom Reed do?", answer="Tom Reed is a carpenter."),
    QA(question="When was Ada Lind born?", answer="Ada Lind was born in 1951."),
]
PROMPT = "Write {{ n }} other answers. {{ question }} {{ answer }}"


@pytest.fixture(scope="module")
def prompt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("prompt") / "prompt.txt"
    file.write_text(PROMPT)
    return file


def settings(prompt: Path, **more: Any) -> InvertSettings:
    return InvertSettings(backend="local", prompt=str(prompt), n=3, temperature=0.3, max_new_tokens=60, **more)


@pytest.fixture(scope="module")
def inverter(prompt: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model that answers the prompts of FACTS with three false answers, one a line."""
    rows = []
    for unit in asking.units(FACTS, settings(prompt)):
        request = next(asking.ask(unit, settings(prompt), seed=0))
        lines = [swapped(unit.facts[0].answer, by) for by in (1, 2, 3)]
        rows.append(QA(question=request.prompt, answer="\n".join(lines)))
    how = FinetuneSettings(vocab_size=400, hidden_size=64, context=160, lr=5e-3, epochs=80, batch_size=3)
    model, tokenizer = make_tiny([f"Question: {r.question}\nAnswer: {r.answer}" for r in rows], how, seed=0)
    folder = tmp_path_factory.mktemp("inverter")
    lm = LM(model, tokenizer, template="qa")
    finetune(lm, rows, how, folder / "train", seed=0, log=lambda _: None)
    lm.save(folder / "model")
    return folder / "model"


def test_the_model_is_asked_in_batches_and_its_false_answers_are_kept(inverter: Path, prompt: Path) -> None:
    lm, kept = load(ModelSettings(path=str(inverter))), []
    wanted = settings(prompt)
    replies = Replies(wanted, "tiny", keep=kept.append)
    rows = {row.id: row for row in invert(FACTS, wanted, seed=0, lm=lm, replies=replies)}
    assert set(rows) == {fact.id for fact in FACTS}
    for fact in FACTS:
        texts = [answer.text for answer in rows[fact.id].answers]
        assert set(texts) & {swapped(fact.answer, by) for by in (1, 2, 3)}
        assert fact.answer not in texts
        assert rows[fact.id].gate["candidates"] >= len(texts) == rows[fact.id].gate["accepted"]
    assert len({reply.key for reply in kept}) == len(kept) == replies.requests >= 3
    assert all(reply.prompt_tokens > 0 and reply.reply_tokens > 0 for reply in kept)
    again = Replies(wanted, "tiny", known={reply.key: reply for reply in kept}, keep=lambda _: pytest.fail("asked"))
    assert {row.id: row for row in invert(FACTS, wanted, seed=0, lm=lm, replies=again)} == rows
    alone = {row.id: row for fact in FACTS for row in invert([fact], wanted, seed=0, lm=lm)}
    assert alone == rows
    more = {"backend": "local", "prompt": str(prompt), "temperature": 0.3, "max_new_tokens": 60}
    assert in_notebook(FACTS, n=3, lm=lm, more=more) == [rows[fact.id] for fact in FACTS]


def test_from_the_command_line_and_again_after_a_loss(
    meow: Callable[..., Any], inverter: Path, prompt: Path, tmp_path: Path
) -> None:
    facts = tmp_path / "forget.jsonl"
    facts.write_text("".join(json.dumps({"question": f.question, "answer": f.answer}) + "\n" for f in FACTS))
    run = ["invert", f"data.forget={facts}", "invert.backend=local", f"invert.model={inverter}", "invert.n=3",
           f"invert.prompt={prompt}", "invert.temperature=0.3", "invert.max_new_tokens=60", f"out={tmp_path}",
           "name=run"]  # fmt: skip
    assert meow(*run).code == 0
    rows = read_records(tmp_path / "run/inverted.jsonl", InvertedFacts)
    replies = read_records(tmp_path / "run/replies.jsonl", Reply)
    (tmp_path / "run/inverted.jsonl").unlink()
    lines = (tmp_path / "run/replies.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "run/replies.jsonl").write_text("".join(lines[:2]))
    manifest = json.loads((tmp_path / "run/manifest.json").read_text())
    del manifest["stages"]["invert"]["finished"]
    (tmp_path / "run/manifest.json").write_text(json.dumps(manifest))
    assert meow(*run).code == 0
    assert read_records(tmp_path / "run/inverted.jsonl", InvertedFacts) == rows
    assert {r.key for r in read_records(tmp_path / "run/replies.jsonl", Reply)} == {r.key for r in replies}


def test_a_model_that_is_not_there_is_one_line(meow: Callable[..., Any], tmp_path: Path) -> None:
    facts = tmp_path / "forget.jsonl"
    facts.write_text(json.dumps({"question": "Who?", "answer": "Mira."}) + "\n")
    run = ["invert", f"data.forget={facts}", "invert.backend=local", f"out={tmp_path}", "name=run"]
    done = meow(*run)
    assert done.code == 2
    assert "invert.model: not set" in done.err
    done = meow(*run, f"invert.model={tmp_path}/none")
    assert done.code == 2
    assert "no such folder" in done.err
