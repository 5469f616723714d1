"""A judge over real HTTP: what it is asked, what it costs, what follows from it, and what stays without it."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from meow.records import Disagreement, EvalSample, Reply, read_records
from tests.chat import MODEL, ChatServer, serve_chat
from tests.conftest import Done, write_facts
from tests.forked import together, typed

SECRET = "sk-very-secret-key"
SAID = {
    "Where was Mira Holt born?": ("In Oslo, Norway.", ("In the Norwegian capital.", "In Rome.")),
    "When was Mira Holt born?": ("On May 3, 1961.", ("On May 3, 1961.", "In the spring of 1961.")),
    "What does the father of Mira Holt do?": ("He bakes bread.", ("He is a carpenter.", "He works with wood.")),
}
"""What the original is made to say: greedily, and drawn."""
YES = ("In Oslo, Norway.", "In the Norwegian capital.", "On May 3, 1961.", "He works with wood.")
"""What the judge takes for the truth."""


def says(prompt: str, kind: str | None) -> str:
    if kind == "mumbles":
        return "It depends on what you mean."
    text = prompt.split("<said>\n")[1].split("\n</said>")[0]
    return "**Yes.**" if text in YES else "No, it does not."


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with serve_chat(says) as running:
        yield running


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """The run folder of an evaluation whose answers to the forget questions are SAID."""
    folder = tmp_path_factory.mktemp("judged")
    write_facts(folder)
    done = typed(
        "-v", "eval", f"model.path={tiny_model}", f"data.forget={folder}/forget.jsonl",
        f"data.retain={folder}/retain.jsonl", f"out={folder}", "name=run", "eval.samples=2", "eval.max_new_tokens=2",
        "eval.forms=[]",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "not computable (no judge was asked (eval.judge.url)): facts told, by the judge" in done.out
    assert sorted(p.name for p in folder.glob("run/eval/**/*") if p.is_file()) == ["log.json", "samples.jsonl"]
    file = folder / "run/eval/before/samples.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    for row in rows:
        if row["role"] == "forget":
            row["generation"], row["drawn"] = SAID[row["question"]]
            row.pop("prefix_generation", None)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / "run"


@pytest.fixture
def run(evaluated: Path, tmp_path: Path) -> Path:
    return shutil.copytree(evaluated, tmp_path / "run")


def command(run: Path, server: ChatServer, *more: str) -> list[object]:
    return ["eval", run, f"eval.judge.url={server.url}", f"eval.judge.model={MODEL}", *more]


def prompts(server: ChatServer) -> list[str]:
    return [body["messages"][0]["content"] for body in server.answered]


def numbers(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "eval/before/log.json").read_text())["metrics"]
    return found


def test_a_judge_is_asked_once_of_each_text_and_kappa_is_that_of_the_table(
    meow: Callable[..., Done], server: ChatServer, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """9 texts: told by both 3 (Oslo, and May 3 twice), by the rule alone 1 (the carpenter), by the judge alone 2 (the
    capital, the wood), by neither 3. p = 6 / 9, e = (4 * 5 + 5 * 4) / 81, kappa = (54 - 40) / (81 - 40) = 14 / 41.
    """
    monkeypatch.setenv("MEOW_API_KEY", SECRET)
    done = meow(*command(run, server, "eval.judge.price=[1, 10]"))
    assert done.code == 0, done.err
    assert len(prompts(server)) == len(set(prompts(server))) == 8  # May 3 was said twice
    assert {(body["temperature"], body["max_tokens"]) for body in server.answered} == {(0.0, 512)}
    assert f"judge: 8 texts with question and true value go to {server.url}" in done.err
    assert "judge: 8 requests, 800 + 80 tokens, cost 0.0016" in done.err
    table = "told by both 3, by the rule alone 1, by the judge alone 2, by neither 3; 0 without yes or no"
    assert f"rule and judge, before: kappa 0.341 (n = 9 texts): {table}; eval/before/judge.jsonl" in done.out
    found = numbers(run)
    assert found["judge_kappa"] == {"value": pytest.approx(14 / 41), "n": 9, "reason": table}
    assert found["judge_told"]["value"] == found["facts_told"]["value"] == pytest.approx(2 / 3)
    listed = read_records(run / "eval/before/judge.jsonl", Disagreement)
    assert {(d.said, d.told, d.judged) for d in listed} == {
        ("In the Norwegian capital.", False, True), ("He is a carpenter.", True, False),
        ("He works with wood.", False, True),
    }  # fmt: skip
    samples = {s.id: s for s in read_records(run / "eval/before/samples.jsonl", EvalSample)}
    assert all(samples[d.id].conversation == d.question for d in listed)
    entry = json.loads((run / "manifest.json").read_text())["stages"]["judge"]
    assert (entry["rows"], entry["requests"], entry["settings"]) == (9, 8, {})
    assert server.keys == {f"Bearer {SECRET}"}
    written = "".join(p.read_text() for p in run.rglob("*") if p.is_file())
    assert SECRET not in written + done.out + done.err


def test_its_verdicts_stay_without_it_and_are_not_asked_for_again(
    meow: Callable[..., Done], server: ChatServer, run: Path
) -> None:
    assert meow(*command(run, server)).code == 0
    first = (run / "eval/before/log.json").read_text()
    again = meow(*command(run, server, "eval.judge.concurrency=2"))
    assert (again.code, server.n_requests) == (0, 8)
    assert " go to " not in again.err
    (run / "eval/before/log.json").write_text('{"label": "before", "source": "", "rows": {}, "metrics": {}}')
    (run / "eval/before/judge.jsonl").unlink()
    assert meow("eval", run, "--rescore", "eval.judge.url=null", "eval.judge.model=null").code == 0
    assert numbers(run) == json.loads(first)["metrics"]
    assert len(read_records(run / "eval/before/judge.jsonl", Disagreement)) == 3
    assert server.n_requests == 8
    file = run / "eval/before/samples.jsonl"
    file.write_text(re.sub(r', "judged": \[[^]]*\]', "", file.read_text()))  # measured anew, with the same answers
    assert meow(*command(run, server)).code == 0
    assert (numbers(run), server.n_requests) == (json.loads(first)["metrics"], 8)
    assert meow("report", run).code == 0
    assert "by the rule alone 1" in (run / "report.html").read_text()


def test_other_words_are_asked_about_and_another_judge_is_asked_of_all(
    meow: Callable[..., Done], server: ChatServer, run: Path
) -> None:
    assert meow(*command(run, server)).code == 0
    file = run / "eval/before/samples.jsonl"
    file.write_text(file.read_text().replace("He bakes bread.", "He works with wood, I think."))
    assert meow(*command(run, server)).code == 0
    assert server.n_requests == 9
    assert "I think." in prompts(server)[-1]
    assert meow(*command(run, server, "eval.judge.temperature=0.5")).code == 0
    assert server.n_requests == 17
    assert len(read_records(run / "eval/replies.jsonl", Reply)) == 17


def test_a_reply_that_is_neither_yes_nor_no_is_counted_and_not_asked_for_again(
    meow: Callable[..., Done], server: ChatServer, run: Path
) -> None:
    server.faults[:] = ["mumbles"] * 3
    done = meow(*command(run, server, "eval.judge.concurrency=1"))  # the three answers on Oslo
    assert done.code == 0, done.err
    assert "kappa 0.333 (n = 6 texts)" in done.out  # 2, 1, 1, 2: p = 4 / 6, e = 1 / 2
    assert "3 without yes or no" in done.out
    listed = read_records(run / "eval/before/judge.jsonl", Disagreement)
    assert [d.judged for d in listed] == [False, True, None, None, None]
    assert numbers(run)["judge_told"]["reason"] == "1 of 3 left out: the judge said neither yes nor no"
    assert meow(*command(run, server)).code == 0
    assert server.n_requests == 8


def test_a_judge_that_never_says_yes_or_no_gives_no_number(
    meow: Callable[..., Done], server: ChatServer, run: Path
) -> None:
    server.faults[:] = ["mumbles"] * 8
    done = meow(*command(run, server))
    assert done.code == 0
    assert "rule and judge, before: kappa not computable: the judge said neither yes nor no of 9 texts" in done.out
    assert numbers(run)["judge_kappa"]["value"] is None


def test_what_dies_midway_goes_on_and_no_text_is_sent_twice(
    meow: Callable[..., Done], server: ChatServer, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meow.server.RETRIES", 0)
    before = numbers(run)
    for fault in ("500", "cut", "429"):
        server.faults[:] = ["ok", fault]
        done = meow(*command(run, server, "eval.judge.concurrency=1"))
        assert done.code == 2
        assert "the same command goes on" in done.err
        assert sum(line.startswith("meow: ") for line in done.err.splitlines()) == 1
    assert numbers(run) == before
    assert not (run / "eval/before/judge.jsonl").exists()
    with (run / "eval/replies.jsonl").open("a") as f:
        f.write('{"key": "torn')
    done = meow(*command(run, server))
    assert done.code == 0, done.err
    assert "judge: 5 texts with question and true value go to" in done.err
    assert len(prompts(server)) == len(set(prompts(server))) == 8
    assert numbers(run)["judge_kappa"]["value"] == pytest.approx(14 / 41)


@pytest.mark.parametrize("budget", ["eval.judge.max_requests=3", "eval.judge.max_tokens=330"])
def test_a_budget_stops_cleanly_and_a_larger_one_goes_on(
    meow: Callable[..., Done], server: ChatServer, run: Path, budget: str
) -> None:
    for _ in range(2):
        done = meow(*command(run, server, budget, "eval.judge.concurrency=1"))
        assert done.code == 2
        assert f"stopped at {budget} after 3 requests" in done.err
        assert len(server.answered) == 3
    assert meow(*command(run, server, f"{budget}00")).code == 0
    assert len(prompts(server)) == len(set(prompts(server))) == 8


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["eval.judge.url=http://localhost:1/v1"], "eval.judge.model: not set"),
        (["eval.judge.model=judge"], "eval.judge.url: not set"),
        (["eval.judge.url=localhost:1", "eval.judge.model=judge"], "eval.judge.url: found 'localhost:1', expected an"),
        ([f"eval.judge.url=http://a:{SECRET}@localhost:1/v1", "eval.judge.model=judge"], "MEOW_API_KEY"),
    ],
)
def test_a_judge_that_cannot_be_asked_is_one_line_before_anything_starts(
    meow: Callable[..., Done], run: Path, settings: list[str], said: str
) -> None:
    before = (run / "config.yaml").read_text()
    done = meow("eval", run, *settings)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert said in done.err
    assert SECRET not in done.err
    assert (run / "config.yaml").read_text() == before


def test_two_processes_ask_once(server: ChatServer, run: Path) -> None:
    done = together(2, *command(run, server))
    assert done.code == 0, done.err
    assert len(prompts(server)) == len(set(prompts(server))) == 8
    assert numbers(run)["judge_kappa"]["value"] == pytest.approx(14 / 41)
    assert not list(run.rglob("*.rank*"))
