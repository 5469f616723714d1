"""Reversed questions and translations by a chat model over real HTTP: what is asked, kept, left out and put."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from meow.config import FinetuneSettings, InvertSettings
from meow.evaluation.asking import writing
from meow.evaluation.asking.writing import Wanted
from meow.lm import LM, make_tiny
from meow.records import QA, EvalItem, EvalSample, read_records
from meow.training import finetune
from tests.chat import MODEL, ChatServer, serve_chat
from tests.conftest import FORGET, Done, write_facts

SECRET = "sk-very-secret-key"
REVERSED = {"Oslo": "Who was born in Oslo, Norway?", "1961": "Whose birthday is May 3, 1961?",
            "carpenter": "Is the father of Mira Holt a carpenter?"}  # fmt: skip
"""What the model writes for each fact; the last names its subject."""
GERMAN = {"Where": "Wo wurde Mira Holt geboren?", "When": "Wann wurde Mira Holt geboren?",
          "What": "Ist der Vater von Mira Holt carpenter?"}  # fmt: skip
"""The last tells the value."""


def says(prompt: str, kind: str | None) -> str:
    del kind
    if "Translate" in prompt:
        return GERMAN[prompt.split()[0]] if '"de"' in prompt else f"Quoi ? {prompt.split()[0]}"
    return next(text for value, text in REVERSED.items() if value in prompt)


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with serve_chat(says) as running:
        yield running


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_facts(tmp_path)
    return tmp_path


def arguments(server: ChatServer, model: Path, *more: str) -> list[str]:
    return [
        f"model.path={model}", "data.forget=forget.jsonl", "data.retain=retain.jsonl", "name=run", "threads=1",
        f"invert.url={server.url}", f"invert.model={MODEL}", "eval.max_new_tokens=2", "eval.languages=de",
        "eval.forms=[reversed,language]", *more,
    ]  # fmt: skip


def asked(server: ChatServer) -> list[tuple[str, int]]:
    """What was asked, with its seed."""
    return [(body["messages"][0]["content"], body["seed"]) for body in server.answered]


def put(folder: Path) -> dict[str, dict[str, list[str]]]:
    """By the first word of each fact's question, what was put in each way."""
    rows = read_records(folder / "eval/before/samples.jsonl", EvalSample)
    forget = [s for s in rows if s.role == "forget"]
    assert not any(s.asked for s in rows if s.role != "forget")
    return {
        s.question.split()[0]: {
            form: [a.prompt for a in s.asked if a.form == form] for form in ("reversed", "language")
        }
        for s in forget
    }


def test_what_the_facts_lack_is_written_once_gated_counted_and_put(
    meow: Callable[..., Done], server: ChatServer, files: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two of three questions of each kind are good at once; the third is asked for three times and left out."""
    monkeypatch.setenv("MEOW_API_KEY", SECRET)
    done = meow("eval", *arguments(server, tiny_model))
    assert done.code == 0, done.err
    assert f"questions: 3 questions with true answers, and 3 to be translated, go to {server.url}" in done.err
    assert "questions: 4 of 6 are asked, 1 left out: names the subject, 1 left out: tells the value" in done.err
    assert len(asked(server)) == len(set(asked(server))) == 4 + 2 * 3
    for text, _ in asked(server):
        assert ("Translate" in text) != bool(re.search("Oslo|1961|carpenter", text))  # no answer to be translated
    assert put(files / "runs/run") == {
        "Where": {"reversed": [REVERSED["Oslo"]], "language": [GERMAN["Where"]]},
        "When": {"reversed": [REVERSED["1961"]], "language": [GERMAN["When"]]},
        "What": {"reversed": [], "language": []},
    }
    log = json.loads((files / "runs/run/eval/before/log.json").read_text())
    assert [log["forms"][form]["told"]["n"] for form in ("reversed", "language")] == [2, 2]
    entry = json.loads((files / "runs/run/manifest.json").read_text())["stages"]["questions"]
    assert (entry["rows"], entry["requests"]) == (6, 10)
    assert entry["left_out"] == {"names the subject": 1, "tells the value": 1}
    assert SECRET not in "".join(p.read_text() for p in files.rglob("*") if p.is_file()) + done.out + done.err
    samples = (files / "runs/run/eval/before/samples.jsonl").read_bytes()
    assert meow("eval", "runs/run").code == 0  # nothing is asked again, of nobody
    assert (len(asked(server)), (files / "runs/run/eval/before/samples.jsonl").read_bytes()) == (10, samples)
    assert meow("eval", "runs/run", "eval.languages=[de,fr]").code == 0
    assert len(asked(server)) == len(set(asked(server))) == 13
    assert put(files / "runs/run")["What"] == {"reversed": [], "language": ["Quoi ? What"]}
    other = meow("eval", "runs/run", "eval.languages=[de,fr]", "invert.model=another")  # whose questions these are not
    assert (other.code, "invert.model" in other.err) == (2, True)  # the server does not have it


def test_an_audit_and_a_budget_that_stops_it_and_goes_on(
    meow: Callable[..., Done], server: ChatServer, files: Path, tiny_model: Path
) -> None:
    rows = [json.loads(line) for line in (files / "forget.jsonl").read_text().splitlines()]
    rows[0] |= {"reversed_question": "Which of them is from Oslo, Norway?", "question_de": "Wo?"}
    (files / "forget.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = ["audit", "forget.jsonl", *arguments(server, tiny_model, "invert.concurrency=1")]
    done = meow(*command, "invert.max_requests=3")
    assert (done.code, len(asked(server))) == (2, 3)
    assert "stopped at invert.max_requests=3" in done.err
    assert not (files / "runs/run/eval").exists()
    done = meow(*command)
    assert done.code == 0, done.err
    assert len(asked(server)) == len(set(asked(server))) == 2 + 2 * 3
    assert put(files / "runs/run")["Where"] == {
        "reversed": ["Which of them is from Oslo, Norway?"], "language": ["Wo?"],
    }  # fmt: skip
    assert (files / "runs/run/report.html").is_file()


def test_a_run_plans_it_whoever_makes_the_false_answers(
    meow: Callable[..., Done], server: ChatServer, files: Path, tiny_model: Path
) -> None:
    more = ["invert.backend=self", "train.method=meow_contrast"]
    done = meow("run", *arguments(server, tiny_model, *more, "--dry-run"))
    assert done.code == 0, done.err
    assert re.search(r"questions +to do +6 requests if every first reply is accepted", done.out)
    none = meow("run", *arguments(server, tiny_model, *more, "eval.forms=[prefix]", "--dry-run"))
    assert not re.search(r"^ +questions ", none.out, re.M)
    assert (server.n_requests, (files / "runs").exists()) == (0, False)
    alone = meow("eval", *arguments(server, tiny_model, "invert.model=null"))
    assert (alone.code, "invert.model: not set" in alone.err) == (2, True)


def test_a_model_here_writes_them_too(
    meow: Callable[..., Done], server: ChatServer, files: Path, tiny_model: Path
) -> None:
    """A tiny model that has learned to reverse the first of two facts."""
    facts = [EvalItem(question=q, answer=a, role="forget", subject="Mira Holt") for q, a in FORGET[:2]]
    (files / "forget.jsonl").write_text("".join(
        json.dumps({"question": f.question, "answer": f.answer, "subject": f.subject}) + "\n" for f in facts
    ))  # fmt: skip
    prompts = [writing.first(Wanted(fact, None), InvertSettings()).prompt for fact in facts]
    how = FinetuneSettings(vocab_size=400, hidden_size=64, context=400, lr=1e-2, epochs=20, batch_size=1)
    made, tokenizer = make_tiny([f"Question: {prompts[0]}\nAnswer: {REVERSED['Oslo']}"], how, seed=0)
    writer = LM(made, tokenizer, template="qa")
    finetune(
        writer, [QA(question=prompts[0], answer=REVERSED["Oslo"])], how, files / "train", seed=0, log=lambda _: None
    )
    writer.save(files / "writer")
    more = ["invert.backend=local", "invert.url=null", f"invert.model={files}/writer", "invert.temperature=0",
            "invert.max_new_tokens=30", "eval.languages=[]"]  # fmt: skip
    done = meow("eval", *arguments(server, tiny_model, *more))
    assert done.code == 0, done.err
    assert "questions: 1 of 2 are asked, 1 left out: does not hold the value; 4 requests" in done.err
    assert put(files / "runs/run")["Where"]["reversed"] == [REVERSED["Oslo"]]
    assert server.n_requests == 0
