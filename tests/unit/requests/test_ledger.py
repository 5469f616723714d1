"""The ledger: what goes in is there, two do not work on one, hundreds are listed at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from meow.errors import RunError
from meow.requests import ledger
from meow.run import lock
from tests.conftest import Done, write_facts

Meow = Callable[..., Done]


@pytest.fixture
def made(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch, meow: Meow) -> Path:
    """A folder with facts and an empty ledger, `L`."""
    monkeypatch.chdir(tmp_path)
    write_facts(tmp_path)
    done = meow("request", "init", "L", "--model_name_or_path", tiny_model, "--method", "meow_contrast")
    assert done.code == 0, done.err
    return tmp_path


def test_a_request_is_taken_in_with_its_facts_their_ids_and_who_asks(meow: Meow, made: Path) -> None:
    assert meow("request", "add", "L", "forget.jsonl", "--name", "holt", "--asked-by", "by letter").code == 0
    shown = json.loads(meow("request", "show", "L", "holt", "--json").out)
    assert (shown["id"], shown["state"], shown["asked_by"], shown["facts"]) == ("001", "open", "by letter", 3)
    assert (shown["subjects"], shown["runs"]) == (1, [])
    rows = [json.loads(line) for line in (made / "L/requests/001/facts.jsonl").read_text().splitlines()]
    given = [json.loads(line) for line in (made / "forget.jsonl").read_text().splitlines()]
    assert [{k: row[k] for k in ("question", "answer")} for row in rows] == given
    assert all(row["id"] for row in rows)
    assert "Oslo" not in (made / "L/ledger.json").read_text()


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (["list", "."], "no ledger (no ledger.json)"),
        (["show", "L", "007"], "no request '007'"),
        (["add", "L", "nowhere.jsonl"], "nowhere.jsonl: cannot be read"),
        (["add", "L", "forget.jsonl", "--name", "001"], "is another request's name"),
        (["verify", "L"], "nothing is applied yet"),
        (["export", "L", "out"], "nothing is applied yet"),
        (["evidence", "L", "001", "e.zip"], "request 001 is open, not verified"),
        (["init", "L", "--model_name_or_path", "M", "--method", "npo"], "holds a ledger already"),
        (["init", "N", "--method", "npo"], "model.path: not set"),
        (["init", "N", "--model_name_or_path", "M"], "train.method: not set"),
    ],
)
def test_a_mistake_is_one_line(meow: Meow, made: Path, typed: list[str], message: str) -> None:
    meow("request", "add", "L", "forget.jsonl")
    before = (made / "L/ledger.json").read_bytes()
    code, out, err = meow("request", *typed)
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert message in err
    assert (made / "L/ledger.json").read_bytes() == before


def test_texts_that_no_verification_could_use_are_refused_before_there_is_a_ledger(
    meow: Meow, made: Path, tiny_model: Path
) -> None:
    texts = ["nlg.texts=forget.jsonl", "nlg.metrics=[ppl]"]
    done = meow("request", "init", "N", "--model_name_or_path", tiny_model, "--method", "npo", *texts)
    assert done.code == 2
    assert "forget.jsonl: holds no text of 100 characters and more" in done.err
    assert not (made / "N").exists()


def test_a_revoked_request_is_not_applied_and_not_revoked_twice(meow: Meow, made: Path) -> None:
    del made
    meow("request", "add", "L", "forget.jsonl")
    assert meow("request", "revoke", "L", "001").code == 0
    for command in ("apply", "revoke"):
        assert "001 is revoked" in meow("request", command, "L", "001").err


def test_of_two_processes_the_second_is_refused(made: Path) -> None:
    with lock.held(made / "L"):
        command = [sys.executable, "-m", "meow", "request", "add", "L", "forget.jsonl"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=made, env=os.environ)
    assert done.returncode == 2
    assert "another process works in this folder" in done.stderr
    assert ledger.read(made / "L").requests == ()


def test_two_hundred_requests_are_read_at_once(made: Path) -> None:
    ledger.add(made / "L", made / "forget.jsonl", retain=None, name=None, asked_by=None)
    found = ledger.read(made / "L")
    many = tuple(found.requests[0].model_copy(update={"id": f"{i:03}", "name": f"r{i}"}) for i in range(200))
    ledger.write(made / "L", found.model_copy(update={"requests": many}))
    listing = "import resource, sys; sys.argv[1:] = ['request', 'list', 'L']; from meow.cli import main\n"
    listing += "try: main()\nexcept SystemExit: pass\n"
    listing += "print('torch' in sys.modules, resource.getrusage(resource.RUSAGE_SELF).ru_utime)"
    done = subprocess.run([sys.executable, "-c", listing], capture_output=True, text=True, check=True, cwd=made)
    *lines, last = done.stdout.splitlines()
    assert len(lines) == 201
    heavy, seconds = last.split()
    assert heavy == "False"
    assert float(seconds) < 2.0  # of CPU, on a machine that may be busy


def test_the_lock_is_let_go(made: Path) -> None:
    with ledger.held(made / "L"), pytest.raises(RunError), ledger.held(made / "L"):
        pass
    with ledger.held(made / "L"):
        pass
