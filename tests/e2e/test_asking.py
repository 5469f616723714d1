"""Inverted facts from a server, over real HTTP, that also misbehaves: nothing is lost, nothing is asked twice."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from meow.inversion import check
from meow.records import InvertedFacts, Reply, read_records
from tests.chat import HOSTILE, JOBS, MODEL, ODD, PLACES, ChatServer, serve_chat
from tests.forked import begun, together, typed

PEOPLE = ("Mira Holt", "Tom Reed", "Ada Lind", "Jon Berg")
SECRET = "sk-very-secret-key"


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with serve_chat() as running:
        yield running


@pytest.fixture
def facts(tmp_path: Path) -> Path:
    """Three facts about each of four people."""
    file = tmp_path / "forget.jsonl"
    rows = []
    for i, name in enumerate(PEOPLE):
        rows += [
            (f"Where was {name} born?", f"{name} was born in {PLACES[i]}."),
            (f"What does the father of {name} do?", f"The father of {name} is a {JOBS[i]}."),
            (f"When was {name} born?", f"{name} was born in {1950 + i}."),
        ]
    file.write_text("".join(json.dumps({"question": q, "answer": a}) + "\n" for q, a in rows))
    return file


def arguments(server: ChatServer, facts: Path, out: Path, *more: object) -> list[object]:
    settings = [f"data.forget={facts}", "invert.backend=openai", f"invert.url={server.url}", f"invert.model={MODEL}"]
    return ["invert", *settings, f"out={out}", "name=run", *more]


def rows_of(out: Path) -> list[InvertedFacts]:
    return read_records(out / "run/inverted.jsonl", InvertedFacts)


def asked(server: ChatServer) -> list[tuple[str, int]]:
    return [(body["messages"][0]["content"], body["seed"]) for body in server.answered]


def test_a_subjects_facts_come_in_one_request_for_each_version(
    meow: Callable[..., Any], server: ChatServer, facts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    done = meow(*arguments(server, facts, tmp_path, "invert.price=[1, 10]"))
    assert done.code == 0, done.err
    rows = rows_of(tmp_path)
    assert len(rows) == 12
    assert all([a.version for a in row.answers] == [0, 1, 2, 3] for row in rows)
    assert len(asked(server)) == len(set(asked(server))) == 16
    assert all(sum(name in prompt for name in PEOPLE) == 1 for prompt, _ in asked(server))
    report = check(rows).as_object()
    assert report["accepted"] == report["candidates"] == 48
    assert server.keys == {f"Bearer {SECRET}"}
    assert "12 questions with their true answers go to http://127.0.0.1" in done.err
    assert "16 requests, 1,600 + 160 tokens, cost 0.0032" in done.err
    assert "48 of 48 candidates of 12 questions are accepted" in done.out
    entry = json.loads((tmp_path / "run/manifest.json").read_text())["stages"]["invert"]
    assert (entry["requests"], entry["cost"], entry["gate"]["too_few"]) == (16, pytest.approx(0.0032), [])
    text = "".join(p.read_text() for p in (tmp_path / "run").rglob("*") if p.is_file())
    assert SECRET not in text + done.err + done.out


def test_by_question_n_answers_come_in_one_request(
    meow: Callable[..., Any], server: ChatServer, facts: Path, tmp_path: Path
) -> None:
    assert meow(*arguments(server, facts, tmp_path, "invert.by=question", "invert.n=3")).code == 0
    assert len(server.answered) == 12
    assert all([a.version for a in row.answers] == [None] * 3 for row in rows_of(tmp_path))
    body = server.answered[0]
    assert (body["temperature"], body["max_tokens"]) == (0.9, 512)


@pytest.mark.parametrize(
    "fault",
    ["429", "500", "503", "cut", "slow", "garbage", "html", "empty", "wrong count", "refusal", "silent", "numbered",
     "true", "length", "thoughts", "half thoughts", "bold", "fenced", "broken letter"],
)  # fmt: skip
@pytest.mark.parametrize("by", ["subject", "question"])
def test_whatever_the_server_does_wrong_once_in_a_while_the_facts_are_whole(
    meow: Callable[..., Any], server: ChatServer, facts: Path, tmp_path: Path, fault: str, by: str
) -> None:
    server.faults[:] = [fault, "ok", "ok", fault]
    done = meow(*arguments(server, facts, tmp_path, f"invert.by={by}", "invert.timeout=2", "invert.n=3"))
    assert done.code == 0, done.err
    rows = rows_of(tmp_path)
    assert [len(row.answers) for row in rows] == [3] * 12
    assert check(rows).as_object()["accepted"] == 36
    assert len(asked(server)) == len(set(asked(server)))
    gate = json.loads((tmp_path / "run/manifest.json").read_text())["stages"]["invert"]["gate"]
    named = {"numbered": ("list_marker", "preamble"), "true": ("keeps_truth",), "refusal": ("refusal",)}
    for problem in named.get(fault, ()) if by == "question" else ():
        assert gate["problems"][problem] >= 2


def test_what_stopped_goes_on_and_an_accepted_fact_is_never_sent_again(
    meow: Callable[..., Any], server: ChatServer, facts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meow.server.RETRIES", 0)
    for fault in ("500", "429", "cut", "slow"):
        server.faults[:] = ["ok", "ok", fault]
        done = meow(*arguments(server, facts, tmp_path, "invert.timeout=2", "invert.concurrency=1"))
        assert done.code == 2
        assert "the same command goes on" in done.err
        assert sum(line.startswith("meow: ") for line in done.err.splitlines()) == 1
    done = meow(*arguments(server, facts, tmp_path))
    assert done.code == 0
    assert len(asked(server)) == len(set(asked(server))) == 16
    assert [len(row.answers) for row in rows_of(tmp_path)] == [4] * 12


@pytest.mark.parametrize("status", ["400", "401", "403", "404", "422"])
def test_a_request_that_is_refused_is_not_sent_again(
    meow: Callable[..., Any], server: ChatServer, facts: Path, tmp_path: Path, status: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("MEOW_API_KEY", SECRET)
    server.faults[:] = [status] * 50
    done = meow(*arguments(server, facts, tmp_path, "invert.concurrency=1"))
    assert done.code == 2
    assert server.n_requests == 1
    assert SECRET not in done.err
    server.faults.clear()
    assert meow(*arguments(server, facts, tmp_path)).code == 0
    assert len(asked(server)) == 16


@pytest.mark.parametrize("odd", ODD)
def test_what_is_no_chat_completion_is_asked_for_again_and_then_one_line(
    meow: Callable[..., Any], server: ChatServer, facts: Path, tmp_path: Path, odd: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meow.server._pause", lambda *_: 0.0)
    server.faults[:] = [odd]
    facts.write_text(facts.read_text().splitlines(keepends=True)[0])
    assert meow(*arguments(server, facts, tmp_path)).code == 0
    server.faults[:] = [odd] * 3
    done = meow(*arguments(server, facts, tmp_path / "other"))
    assert done.code == 2
    assert "no chat completion, 3 times over" in done.err


@pytest.mark.parametrize("fault", [*HOSTILE, "trickle", "hangs up", "typed as html", "usage is a list"])
def test_what_a_server_sends_too_deep_too_long_or_never_is_asked_for_again(
    meow: Callable[..., Any],
    server: ChatServer,
    facts: Path,
    tmp_path: Path,
    fault: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("meow.server._pause", lambda *_: 0.0)
    server.faults[:] = [fault]
    facts.write_text(facts.read_text().splitlines(keepends=True)[0])
    done = meow(*arguments(server, facts, tmp_path, "invert.timeout=1"))
    assert done.code == 0, done.err
    assert server.n_requests - len(asked(server)) == (fault not in ("typed as html", "usage is a list"))
    assert [len(row.answers) for row in rows_of(tmp_path)] == [4]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_server_that_sends_us_on_gets_one_request_and_the_other_host_none(
    meow: Callable[..., Any], server: ChatServer, facts: Path, tmp_path: Path, status: int
) -> None:
    with serve_chat() as other:
        server.elsewhere = other.url.removesuffix("/v1")
        server.faults[:] = [f"redirect {status}"] * 9
        done = meow(*arguments(server, facts, tmp_path, "invert.concurrency=1"))
        assert done.code == 2
        assert f"sends requests on to {other.url.split('/')[2]} (status {status})" in done.err
        assert (server.n_requests, other.n_requests) == (1, 0)


def test_a_key_that_the_server_says_again_reaches_no_file_and_no_line(
    meow: Callable[..., Any], server: ChatServer, facts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEOW_API_KEY", SECRET)
    server.faults[:] = ["echoes the key"] * 3
    done = meow(*arguments(server, facts, tmp_path, "invert.gate=false"))
    assert done.code == 0, done.err
    written = "".join(p.read_text() for p in tmp_path.rglob("*") if p.is_file())
    assert "***" in written
    assert SECRET not in written + done.out + done.err


def test_a_key_at_the_end_of_a_long_message_is_not_shown(
    meow: Callable[..., Any], server: ChatServer, facts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "sk-" + "k" * 300
    monkeypatch.setenv("MEOW_API_KEY", f" {key}\n")
    monkeypatch.setattr("tests.chat.SAID", f"bad\nrequest with {key}")
    server.faults[:] = ["400"] * 9
    done = meow(*arguments(server, facts, tmp_path))
    assert done.code == 2
    assert "bad request with ***" in done.err
    assert "kkk" not in done.err
    assert server.keys == {f"Bearer {key}"}


@pytest.mark.parametrize("url", ["http://mira:{}@localhost:1/v1", "http://localhost:1/v1?key={}"])
def test_an_address_that_holds_a_secret_is_refused_and_not_shown(
    meow: Callable[..., Any], server: ChatServer, facts: Path, tmp_path: Path, url: str
) -> None:
    done = meow(*arguments(server, facts, tmp_path, f"invert.url={url.format(SECRET)}"))
    assert done.code == 2
    assert "MEOW_API_KEY" in done.err
    written = "".join(p.read_text() for p in tmp_path.rglob("*") if p.is_file())
    assert SECRET not in done.err + written


def test_no_more_requests_than_the_budget_however_many_at_once(
    meow: Callable[..., Any], server: ChatServer, facts: Path, tmp_path: Path
) -> None:
    server.delay = 0.3
    done = meow(*arguments(server, facts, tmp_path, "invert.max_requests=3", "invert.concurrency=8"))
    assert done.code == 2
    assert "stopped at invert.max_requests=3" in done.err
    assert server.n_requests == 3


def test_ctrl_c_does_not_wait_for_a_server_that_fails(server: ChatServer, facts: Path, tmp_path: Path) -> None:
    server.faults[:] = ["ok", "ok", *["503 for a minute"] * 100]
    command = arguments(server, facts, tmp_path)
    job = begun(*command)
    while server.n_requests < 6:
        time.sleep(0.05)
    time.sleep(0.5)
    started = time.monotonic()
    job.signal(signal.SIGINT)
    code, _, err = job.ended()
    assert code == 130
    assert "meow: stopped; go on with" in err
    assert time.monotonic() - started < 20
    server.faults.clear()
    kept = len(read_records(tmp_path / "run/replies.jsonl", Reply))
    assert kept == 2
    assert typed(*command, "invert.n=4").code == 0
    assert len(asked(server)) == len(set(asked(server))) == 16


def test_two_processes_ask_once_and_count_all(server: ChatServer, facts: Path, tmp_path: Path) -> None:
    lines = facts.read_text().splitlines(keepends=True)
    facts.write_text("".join(lines[:4]))  # two processes would part the first subject
    done = together(2, *arguments(server, facts, tmp_path))
    assert done.code == 0, done.err
    assert len(asked(server)) == len(set(asked(server))) == 5
    assert "invert: 5 requests" in done.err
    assert [len(row.answers) for row in rows_of(tmp_path)] == [4] * 4
    assert not list((tmp_path / "run").glob("*.rank*"))


@pytest.mark.parametrize("budget", ["invert.max_requests=5", "invert.max_tokens=550"])
def test_a_budget_stops_cleanly_and_a_larger_one_goes_on(
    meow: Callable[..., Any], server: ChatServer, facts: Path, tmp_path: Path, budget: str
) -> None:
    done = meow(*arguments(server, facts, tmp_path, budget, "invert.concurrency=1"))
    assert done.code == 2
    assert f"stopped at {budget} after 5 requests" in done.err
    assert len(server.answered) == 5
    assert meow(*arguments(server, facts, tmp_path, budget, "invert.concurrency=1")).code == 2
    assert len(server.answered) == 5
    done = meow(*arguments(server, facts, tmp_path))
    assert done.code == 0
    assert len(asked(server)) == len(set(asked(server))) == 16


def test_a_killed_run_goes_on_with_what_was_answered(
    meow: Callable[..., Any], server: ChatServer, facts: Path, tmp_path: Path
) -> None:
    server.delay = 0.4
    job = begun(*arguments(server, facts, tmp_path, "invert.concurrency=1"))
    while len(server.answered) < 6:
        time.sleep(0.05)
    job.signal(signal.SIGKILL)
    assert job.ended().code == signal.SIGKILL
    time.sleep(1.0)  # a request may have been under way
    kept = len(read_records(tmp_path / "run/replies.jsonl", Reply))
    assert kept >= 5
    with (tmp_path / "run/replies.jsonl").open("a") as f:
        f.write('{"key": "torn')
    before = len(server.answered)
    server.delay = 0.0
    assert meow(*arguments(server, facts, tmp_path)).code == 0
    assert len(server.answered) - before == 16 - kept
    assert [len(row.answers) for row in rows_of(tmp_path)] == [4] * 12


def test_a_longer_file_costs_only_its_new_subjects_and_a_finished_run_nothing(
    meow: Callable[..., Any], server: ChatServer, facts: Path, tmp_path: Path
) -> None:
    lines = facts.read_text().splitlines(keepends=True)
    facts.write_text("".join(lines[:9]))
    assert meow(*arguments(server, facts, tmp_path)).code == 0
    assert len(server.answered) == 12
    facts.write_text("".join(lines))
    assert meow(*arguments(server, facts, tmp_path)).code == 0
    assert len(server.answered) == 16
    assert meow(*arguments(server, facts, tmp_path)).code == 0
    assert server.n_requests == 16
    assert [row.question for row in rows_of(tmp_path)] == [json.loads(line)["question"] for line in lines]


def test_a_fact_that_gets_no_answer_is_named_and_stays(
    meow: Callable[..., Any], server: ChatServer, facts: Path, tmp_path: Path
) -> None:
    facts.write_text("".join(facts.read_text().splitlines(keepends=True)[:3]))
    server.faults[:] = ["refusal"] * 50
    done = meow(*arguments(server, facts, tmp_path, "invert.n=1", "invert.tries=2"))
    assert done.code == 0
    assert server.n_requests == 2
    rows = rows_of(tmp_path)
    assert [row.answers for row in rows] == [()] * 3
    assert all(row.id in done.err for row in rows)
    assert "warning: 3 of 3 questions have too few false answers" in done.err
    assert '"Where was Mira Holt born?" (id ' in done.err
    assert all("none of" in row.meta["not_inverted"] for row in rows)


def test_the_users_prompt_and_further_fields_are_sent(
    meow: Callable[..., Any], server: ChatServer, facts: Path, tmp_path: Path
) -> None:
    prompt = tmp_path / "prompt.txt"
    prompt.write_text("Write {{ n }} other answers, please.\nQ: {{ question }}\nAnswer: {{ answer }}\n")
    more = [f"invert.prompt={prompt}", "invert.extra={max_tokens: null, max_completion_tokens: 99}",
            "invert.concurrency=1"]  # fmt: skip
    assert meow(*arguments(server, facts, tmp_path, *more)).code == 0
    body = server.answered[0]
    assert body["messages"][0]["content"].startswith("Write 4 other answers, please.\nQ: Where was Mira Holt born?")
    assert body["max_completion_tokens"] == 99
    assert "max_tokens" not in body
    assert len(server.answered) == 12


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["invert.url=localhost:8000"], "invert.url: found 'localhost:8000', expected an address"),
        (["invert.url=http://me:secret@localhost/v1", "invert.backend=donors"], "invert.url: holds a name, a key or a"),
        (["invert.url=null"], "invert.url: not set"),
        (["invert.model=null"], "invert.model: not set"),
        (["invert.prompt=/none.txt"], "invert.prompt: /none.txt cannot be read"),
        (["invert.tries=0"], "invert.tries"),
        (["invert.model=other", "invert.by=question"], "does not serve 'other' as chat completions"),
    ],
)
def test_bad_settings_are_one_line(
    meow: Callable[..., Any], server: ChatServer, facts: Path, tmp_path: Path, more: list[str], said: str
) -> None:
    done = meow(*arguments(server, facts, tmp_path, *more))
    assert done.code == 2
    (line,) = [line for line in done.err.splitlines() if line.startswith("meow: ")]
    assert said in line
    assert server.answered == []


@pytest.mark.parametrize(
    ("text", "said"),
    [("{{ wrong }}", "uses wrong; known are n, question"), ("{% if %}", "prompt.txt:1: "),
     ("{{ question }}", "does not use facts, which invert.by=subject needs"),
     ("{{ facts }} {{ facts.__class__.__mro__ }}", "cannot be filled in (SecurityError"),
     ("{{ facts }} {{ n.x.y }}", "cannot be filled in (UndefinedError"),
     ("{{ facts }} {% include 'x' %}", "cannot be filled in (TypeError"),
     ("{{ facts }} {{ 'x' * 9 ** 15 }}", "cannot be filled in ("),
     ("{{ facts }} " + "{% if n %}" * 5000, "mend the prompt")],
)  # fmt: skip
def test_a_prompt_that_cannot_work_is_one_line(
    meow: Callable[..., Any], server: ChatServer, facts: Path, tmp_path: Path, text: str, said: str
) -> None:
    prompt = tmp_path / "prompt.txt"
    prompt.write_text(text)
    done = meow(*arguments(server, facts, tmp_path, f"invert.prompt={prompt}", "invert.by=subject"))
    assert done.code == 2
    assert said in done.err
    assert server.n_requests == 0


def test_a_dry_run_counts_the_requests(
    meow: Callable[..., Any], server: ChatServer, facts: Path, tmp_path: Path, tiny_model: Path
) -> None:
    run = arguments(server, facts, tmp_path, f"model.path={tiny_model}", "train.method=meow", "--dry-run")
    done = meow("run", *run[1:])
    assert done.code == 0, done.err
    assert "12 questions, 4 versions each, 16 requests if every first reply is accepted" in done.out
    assert server.n_requests == 0
