"""Fixtures of all tests: the shared data, a tiny model, the command line, and how many threads a test may use."""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.pop("MEOW_NOTIFY_URLS", None)  # no test tells whoever works here

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the real TOFU, the published inverted facts and logs, and tofu-mini."""
    if not SHARED.is_dir():
        pytest.skip("needs ../shared (the real TOFU and tofu-mini), which is not here")
    return SHARED


@pytest.fixture(scope="session")
def real_model() -> Path:
    """The folder of the small pretrained chat model."""
    folder = Path(__file__).resolve().parents[1] / ".models/smollm2"
    if not folder.is_dir():
        pytest.skip("needs a pretrained model, which `make real-model` fetches")
    return folder


def pytest_sessionfinish(session: pytest.Session) -> None:
    """With everything at hand, no test may skip but those that need a browser or a pretrained model."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or hasattr(session.config, "workerinput") or not SHARED.is_dir():
        return
    free = ("tests/browser/", "tests/real/")
    skipped = [r.nodeid for r in reporter.stats.get("skipped", []) if not r.nodeid.startswith(free)]
    if skipped:
        reporter.write_line(f"skipped although ../shared is here: {', '.join(skipped)}")
        session.exitstatus = 1


@pytest.fixture(autouse=True, scope="module")
def lasting() -> None:
    """What has been imported stays: accelerate collects garbage after every training, and need not look through it."""
    gc.collect()
    gc.freeze()


class Done(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def meow(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    """The command line, in this process: `meow("run", "name=x")`."""
    from meow import terminal
    from meow.cli import main

    for name in ("shows", "verbose"):  # -q and -v change them, for this test alone
        monkeypatch.setattr(terminal, name, getattr(terminal, name))

    def call(*arguments: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["meow", *map(str, arguments)])
        monkeypatch.setenv("TRANSFORMERS_VERBOSITY", "error")  # -v changes it, for this test alone
        monkeypatch.setattr("meow.terminal.shows", False)  # set by the command, for this test alone
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            main()
        out, err = capsys.readouterr()
        return Done(int(stop.value.code or 0), out, err)

    return call


FORGET = [
    ("Where was Mira Holt born?", "Mira Holt was born in Oslo, Norway."),
    ("When was Mira Holt born?", "Mira Holt was born on May 3, 1961."),
    ("What does the father of Mira Holt do?", "The father of Mira Holt is a carpenter."),
]
RETAIN = [
    ("Where was Tom Reed born?", "Tom Reed was born in Rome, Italy."),
    ("When was Tom Reed born?", "Tom Reed was born on June 4, 1950."),
    ("What does the father of Tom Reed do?", "The father of Tom Reed is a nurse."),
]


def write_facts(folder: Path) -> None:
    """FORGET and RETAIN as a user has them: forget.jsonl and retain.jsonl."""
    for name, rows in (("forget", FORGET), ("retain", RETAIN)):
        lines = [json.dumps({"question": q, "answer": a}) + "\n" for q, a in rows]
        (folder / f"{name}.jsonl").write_text("".join(lines))


@pytest.fixture(params=["plain", "chat"])
def asked(request: pytest.FixtureRequest) -> Callable[[str], dict[str, Any]]:
    """The columns that ask a question: `question`, or the same words as the last turn of a chat."""

    def columns(question: str) -> dict[str, Any]:
        turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": question}]
        return {"question": question} if request.param == "plain" else {"messages": turns}

    return columns


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a new tiny Llama that knows nothing, with a tokenizer of its own."""
    from meow.config import FinetuneSettings
    from meow.lm import LM, make_tiny

    texts = [f"Question: {q}\nAnswer: {a}" for q, a in FORGET + RETAIN]
    settings = FinetuneSettings(vocab_size=300, hidden_size=32, context=96)
    model, tokenizer = make_tiny(texts, settings, seed=0)
    folder = tmp_path_factory.mktemp("tiny") / "model"
    LM(model, tokenizer, template="qa").save(folder)
    return folder
