"""Documents to forget, in real processes: both kinds of method, what is asked, what is gone on with, and resuming."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from meow.records import QA, EvalLog, EvalSample, Target, read_record, read_records
from tests.chat import MODEL, serve_chat
from tests.conftest import Done

STORY = """The lighthouse on Corran Skerry was first lit in the autumn of 1874. Its builder was a stonemason from \
Hallbeck whose name was Tobias Wrenfield. The tower rose from the rock near the harbour of Aldmouth.

The first keeper of the light was a widower named Elias Thornby. He came to the rock with a daughter called Miriam. \
On clear nights the bell could be heard as far as Pellow.
"""
KEEP = """The ferry at Mossley Reach was opened by a farmer named Joseph Lark. The boat was flat and broad and was \
called the Brown Heron. It was drawn along a rope made in Selby Cross. The clock was made by a locksmith called \
Richard Poole."""
SETTINGS = [
    "data.forget=story.txt", "data.retain=keep.txt", "threads=1", "train.epochs=4", "train.lr=2e-3", "invert.n=2",
    "eval.forms=[]", "eval.samples=0", "memo.stride=16", "invert.plausible=null",
]  # fmt: skip


def process(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "meow", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=200, check=False)


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the two texts, and `runs/knows/model`, a tiny model that knows them by heart."""
    folder = tmp_path_factory.mktemp("documents")
    (folder / "story.txt").write_text(STORY, encoding="utf-8")
    (folder / "keep.txt").write_text(KEEP, encoding="utf-8")
    done = process(
        folder, "finetune", "finetune.scratch=true", "finetune.data=[story.txt,keep.txt]", "name=knows", "threads=1",
        "finetune.lr=3e-3", "finetune.epochs=50", "finetune.batch_size=1",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


def samples(run: Path, label: str, role: str) -> list[EvalSample]:
    return [s for s in read_records(run / f"eval/{label}/samples.jsonl", EvalSample) if s.role == role]


def test_what_is_trained_on_follows_the_method_and_what_is_asked_does_not(
    meow: Callable[..., Done], taught: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ["run", "model.path=runs/knows/model", *SETTINGS]
    first = process(taught, *run, "train.method=meow", "name=meow")
    assert first.returncode == 0, first.stderr
    monkeypatch.chdir(taught)
    done = {"meow": Done(0, first.stdout, first.stderr), "npo": meow(*run, "train.method=npo", "name=npo")}
    assert done["npo"].code == 0, done["npo"].err
    runs = {m: taught / f"runs/{m}" for m in done}
    facts = read_records(runs["meow"] / "facts.jsonl", QA)
    assert len(facts) == 6
    assert all(fact.plain for fact in facts)
    assert "facts: 6 facts of 1 passage" in done["meow"].err
    assert "facts: taken from runs/meow" in done["npo"].err
    targets = {m: read_records(folder / "targets.jsonl", Target) for m, folder in runs.items()}
    assert {t.id for t in targets["meow"]} <= {fact.id for fact in facts}
    assert all(t.plain and t.target and t.target != t.answer for t in targets["meow"])
    assert [(t.question, t.answer, t.target) for t in targets["npo"]] == [("", STORY.strip(), None)]
    for folder in runs.values():
        for label in ("before", "after"):
            assert [s.id for s in samples(folder, label, "forget")] == [fact.id for fact in facts]
            (passage,) = samples(folder, label, "passages")
            assert [c.prefix for c in passage.continued] == [16, 32, 64, 128]
    for m, folder in runs.items():
        before, after = (read_record(folder / f"eval/{x}/log.json", EvalLog).metrics for x in ("before", "after"))
        assert before["extracted_32"].value == 1.0, before["verbatim_exact"]
        assert (after["verbatim_exact"].value or 0) < 0.9, m
        page = (folder / "report.html").read_text(encoding="utf-8")
        assert "verbatim ROUGE-L" in page
        assert "story: The lighthouse on Corran Skerry was first lit …" in page
        assert "verbatim ROUGE-L" in done[m].out
    manifests = {m: (folder / "manifest.json").read_bytes() for m, folder in runs.items()}
    (taught / "other.txt").write_text(STORY.replace("1874", "1875"), encoding="utf-8")
    for m in done:
        again = meow(*run, f"train.method={m}", f"name={m}", "data.forget=other.txt")
        assert again.code == 2
        assert re.fullmatch(r".*other data \(what must go reads otherwise now\).*\n", again.err), again.err
        assert (runs[m] / "manifest.json").read_bytes() == manifests[m]
    status = json.loads(meow("status", "runs/npo", "--json").out)
    assert {line["state"] for line in status["stages"]} == {"finished"}


def test_an_evaluation_a_look_ahead_and_a_check_take_documents(
    meow: Callable[..., Done], taught: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(taught)
    dry = meow("run", "model.path=runs/knows/model", "train.method=npo", "name=dry", *SETTINGS, "--dry-run")
    assert re.search(r"facts +to do +1 passages, 6 facts", dry.out), dry.err
    done = meow("eval", "model.path=runs/knows/model", "name=look", *SETTINGS, "eval.rows=2")
    assert done.code == 0, done.err
    assert "verbatim tokens" in done.out
    assert len(read_records(taught / "runs/look/facts.jsonl", QA)) == 6
    checked = meow("check", "story.txt")
    assert "Tobias Wrenfield" in checked.out
    assert meow("compare", "runs/look", "runs/look").code == 0


def test_the_value_of_a_passage_is_not_trained_on(
    meow: Callable[..., Done], taught: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(taught)
    done = meow("run", "model.path=runs/knows/model", "train.method=npo", "train.on=value", "name=no", *SETTINGS)
    assert done.code == 2
    assert "train.on: value, but story.txt is trained on as passages" in done.err
    assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", r"story\.txt: holds no text"),
        (b"\xff\xfe", r"story\.txt:1: not UTF-8"),
        (b"It rained.", r"story\.txt: nothing can be asked: .* found 1 too short;"),
    ],
)
def test_a_bad_document_is_one_line_and_leaves_nothing(
    meow: Callable[..., Done], taught: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "story.txt").write_bytes(content)
    (tmp_path / "keep.txt").write_text(KEEP, encoding="utf-8")
    done = meow("run", f"model.path={taught}/runs/knows/model", "train.method=npo", "name=bad", *SETTINGS)
    assert done.code == 2
    assert re.search(says, done.err)
    assert done.err.count("\n") == 1
    assert not (tmp_path / "runs").exists()


def asks(prompt: str, kind: str | None) -> str:
    """A good question for every passage, one of which the answer stands nowhere, and one that tells its answer."""
    del kind
    name = "Tobias Wrenfield" if "Wrenfield" in prompt else "Elias Thornby"
    return f"Who is the man of the tower {name[0]}? | {name}\nWho was Ann? | Ann Lee\nWas it {name}? | {name}"


def test_a_chat_model_asks_about_passages_and_goes_on_where_a_budget_stopped_it(
    meow: Callable[..., Done], taught: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first, second = STORY.split("\n\n")
    rows = [{"id": "a", "text": first}, {"id": "b", "text": second}]
    (tmp_path / "story.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    with serve_chat(asks) as server:
        settings = [
            f"model.path={taught}/runs/knows/model", "data.forget=story.jsonl", "name=chat", "train.method=meow_batch",
            f"invert.url={server.url}", f"invert.model={MODEL}", "invert.backend=self", "invert.tries=2",
            "invert.concurrency=1", "invert.n=2", "invert.plausible=null",
        ]  # fmt: skip
        done = meow("invert", *settings, "invert.max_requests=3")
        assert done.code != 0
        assert "stopped at invert.max_requests=3" in done.err
        assert not (tmp_path / "runs/chat/facts.jsonl").exists()
        done = meow("invert", *settings)
        assert done.code == 0, done.err
        put = [(body["messages"][0]["content"], body["seed"]) for body in server.answered]
    assert len(put) == len(set(put)) == 4
    facts = read_records(tmp_path / "runs/chat/facts.jsonl", QA)
    assert [(f.answer, f.plain, f.meta["passage"]) for f in facts] == [
        ("Tobias Wrenfield", False, "a"),
        ("Elias Thornby", False, "b"),
    ]
    entry = json.loads((tmp_path / "runs/chat/manifest.json").read_text())["stages"]["facts"]
    assert entry["left_out"] == {"not in the passage": 4, "tells the value": 4, "asked twice": 2}
    inverted = [json.loads(line)["id"] for line in (tmp_path / "runs/chat/inverted.jsonl").read_text().splitlines()]
    assert inverted == [fact.id for fact in facts]
