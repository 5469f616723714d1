"""MEMO through an OpenAI-compatible server: the same numbers, over a real connection to a server that also fails."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from meow import server as server_module
from meow.config import MemoSettings, ModelSettings
from meow.errors import ConfigError, RunError
from meow.formats.inverted import read_inverted
from meow.lm import connect, load
from meow.memorization.measures import memorize
from meow.records import InvertedFacts
from tests.completions import Server, serve

SETTINGS = {"stride": 15, "max_new_tokens": 40}


@pytest.fixture(scope="module")
def facts(shared: Path) -> list[InvertedFacts]:
    found = read_inverted(shared / "data/meow/generated_data/forget01_perturbed_generated.json")[:5]
    return [f.model_copy(update={"answers": f.answers[:1], "others": {}}) for f in found]


@pytest.fixture(scope="module")
def server(shared: Path) -> Iterator[Server]:
    with serve(load(ModelSettings(path=str(shared / "models/tofu-mini/full")))) as running:
        yield running


def model(shared: Path, server: Server, name: str = "tofu-mini") -> ModelSettings:
    tokenizer = str(shared / "models/tofu-mini/full")
    return ModelSettings(url=server.url, path=name, tokenizer=tokenizer, concurrency=4)


@pytest.mark.parametrize("form", ["raw", "model"])
def test_memo_through_a_server_equals_memo_here(
    shared: Path, server: Server, facts: list[InvertedFacts], form: str
) -> None:
    settings = MemoSettings.model_validate(SETTINGS | {"template": form})
    here = list(memorize(load(ModelSettings(path=str(shared / "models/tofu-mini/full"))), facts, settings))
    server.requests.clear()
    there = list(memorize(connect(model(shared, server)), facts, settings))
    assert [(r.id, r.column, r.n) for r in here] == [(r.id, r.column, r.n) for r in there]
    assert [r.value for r in here] == pytest.approx([r.value for r in there], abs=1e-6)
    asked = [(body["prompt"], body["max_tokens"]) for body in server.requests]
    assert len(asked) == len(set(asked))


def test_the_server_is_asked_again_after_429_and_500_and_order_is_kept(
    shared: Path, server: Server, facts: list[InvertedFacts]
) -> None:
    lm = connect(model(shared, server))
    prompts = [lm.prompter.raw(f.question[: 10 + i]) for i, f in enumerate(facts)]
    expected = [c[0].text for c in server.lm.generate(prompts, 12)]
    server.failures[:] = [429, 500, 503]
    seen: dict[int, str] = {}
    found = lm.generate(prompts, 12, each=lambda i, completions: seen.update({i: completions[0].text}))
    assert [c[0].text for c in found] == expected == [seen[i] for i in range(len(prompts))]
    assert server.failures == []


def test_a_server_that_keeps_failing_stops_the_run_in_one_line(
    shared: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "RETRIES", 1)
    lm = connect(model(shared, server))
    server.failures[:] = [500] * 2
    with pytest.raises(RunError, match="gave no answer after 2 tries"):
        lm.generate([lm.prompter.raw("Who")], 5)
    assert server.failures == []
    gone = connect(ModelSettings(url="http://127.0.0.1:9/v1", path="x", tokenizer=str(lm.tokenizer.name_or_path)))
    with pytest.raises(RunError, match="same command goes on"):
        gone.generate([lm.prompter.raw("Who")], 5)


def test_an_answer_that_holds_no_completion_is_one_line(shared: Path, server: Server) -> None:
    lm = connect(model(shared, server))
    server.failures[:] = [200] * 3
    with pytest.raises(RunError, match="no completion, 3 times over"):
        lm.generate([lm.prompter.raw("Who")], 5)


ODD_CHOICES = {
    "a text": "Oslo", "null": [{"index": 0, "text": None}], "a number": [{"index": 0, "text": 7}], "none": [],
    "no text": [{"index": 0, "finish_reason": "stop"}], "two": [{"text": "a"}, {"text": "b"}],
}  # fmt: skip


@pytest.mark.parametrize("choices", ODD_CHOICES.values(), ids=ODD_CHOICES)
def test_choices_that_are_none_are_asked_for_again(shared: Path, server: Server, choices: Any) -> None:
    lm = connect(model(shared, server))
    prompts = [lm.prompter.raw("Who")]
    expected = server.lm.generate(prompts, 5)[0][0].text
    server.odd[:] = [{"choices": choices}] * 2
    assert lm.generate(prompts, 5)[0][0].text == expected
    assert server.odd == []


@pytest.mark.parametrize("status", [400, 401, 404, 500])
def test_what_a_server_answered_is_not_asked_again_after_it_failed(
    shared: Path, server: Server, facts: list[InvertedFacts], tmp_path: Path, meow: Callable[..., Any], status: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(server_module, "RETRIES", 0)
    source = tmp_path / "facts.jsonl"
    source.write_text("".join(f.model_dump_json() + "\n" for f in facts[:1]))
    command = (
        "memo", f"model.url={server.url}", "model.path=tofu-mini", f"model.tokenizer={shared}/models/tofu-mini/full",
        "model.concurrency=1", "memo.stride=30", "memo.max_new_tokens=5", "--data_path", source,
        "--save_path", tmp_path / "out.jsonl",
    )  # fmt: skip
    server.requests.clear()
    server.failures_after, server.failures[:] = 3, [status]
    assert meow(*command).code == 2
    assert len(server.requests) >= 3
    assert meow(*command).code == 0
    asked = [(body["prompt"], body["max_tokens"]) for body in server.requests]
    assert len(asked) == len(set(asked)) > 3
    assert sorted(p.name for p in tmp_path.iterdir()) == ["facts.jsonl", "out.jsonl"]


def test_what_a_server_cannot_do_is_refused_before_anything_starts(
    shared: Path, server: Server, tmp_path: Path, meow: Callable[..., Any]
) -> None:
    lm = connect(model(shared, server, "other"))
    with pytest.raises(ConfigError, match="does not serve 'other'"):
        lm.generate([lm.prompter.raw("Who")], 5)
    with pytest.raises(ConfigError, match="found 'localhost:8000', expected an address"):
        connect(ModelSettings(url="localhost:8000", path="x"))
    with pytest.raises(ConfigError, match="gives no scores"):
        connect(model(shared, server)).score([])
    place = [f"model.url={server.url}", "model.path=tofu-mini", f"model.tokenizer={shared}/models/tofu-mini/full"]
    server.requests.clear()
    facts = shared / "data/meow/generated_data/forget01_perturbed_generated.json"
    for extra in ("memo.metric=ma", "memo.metric=el", "memo.cut=tokens"):
        done = meow("memo", *place, extra, "--data_path", facts, "--save_path", tmp_path / "x.jsonl")
        assert done.code == 2
        assert "load the weights instead" in done.err
    done = meow("run", *place, f"data.source={shared}/data/tofu", "data.split=forget01", f"out={tmp_path}", "name=r",
                "train.method=meow")  # fmt: skip
    assert done.code == 2
    assert "no weights, which eval/before needs" in done.err
    assert not (tmp_path / "r").exists()
    assert server.requests == []


def test_the_key_comes_from_the_environment_and_reaches_no_file(
    shared: Path, server: Server, facts: list[InvertedFacts], tmp_path: Path, meow: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("MEOW_API_KEY", "sk-secret-123")
    source = tmp_path / "facts.jsonl"
    source.write_text("".join(f.model_dump_json() + "\n" for f in facts[:1]))
    done = meow(
        "memo", f"model.url={server.url}", "model.path=tofu-mini", f"model.tokenizer={shared}/models/tofu-mini/full",
        "memo.stride=60", "memo.max_new_tokens=5", "--data_path", source, "--save_path", tmp_path / "out.jsonl",
    )  # fmt: skip
    assert done.code == 0
    assert "Bearer sk-secret-123" in server.keys
    assert "sk-secret" not in done.out + done.err
    assert all("sk-secret" not in file.read_text() for file in tmp_path.rglob("*") if file.is_file())
    assert [json.loads(line)["id"] for line in (tmp_path / "out.jsonl").read_text().splitlines()] == [facts[0].id] * 2
