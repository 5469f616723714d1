"""Notifications over a real connection: what is said, to whom, and that no address is written anywhere."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from meow.config import NotifySettings, dump, load
from meow.errors import ConfigError
from meow.notify import addresses
from tests.conftest import FORGET, RETAIN
from tests.forked import typed
from tests.web import Web, serve

QUICK = ["data.forget=forget.jsonl", "data.retain=retain.jsonl", "train.method=npo_grad_diff", "train.epochs=1",
         "eval.max_new_tokens=4", "eval.forms=[]", "threads=1"]  # fmt: skip
DOWN = "127.0.0.1:9"
"""Nobody listens there."""


@pytest.fixture
def web() -> Iterator[Web]:
    with serve(lambda _: (200, b'{"code": 0}')) as running:
        yield running


@pytest.fixture
def settings(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A working folder with facts, and what a quick run there needs."""
    monkeypatch.chdir(tmp_path)
    for name, pairs in (("forget", FORGET), ("retain", RETAIN)):
        lines = [json.dumps({"question": q, "answer": a}) + "\n" for q, a in pairs]
        (tmp_path / f"{name}.jsonl").write_text("".join(lines))
    return [f"model.path={tiny_model}", *QUICK]


def messages(web: Web) -> list[dict[str, Any]]:
    return [json.loads(request.body) for request in web.requests]


def words(pairs: list[tuple[str, str]]) -> list[str]:
    return [text for pair in pairs for text in pair]


def test_a_finished_run_tells_its_name_numbers_and_time_and_no_fact(
    meow: Callable[..., Any], settings: list[str], web: Web
) -> None:
    done = meow("run", "name=told", *settings, f"notify.urls=json://127.0.0.1:{web.port}/a")
    assert done.code == 0, done.err
    (message,) = messages(web)
    assert message["title"] == "meow told: finished"
    assert message["type"] == "success"
    assert message["message"].startswith("in ")  # neither number can be computed: no reference, no world facts
    assert not [text for text in [*words(FORGET), *words(RETAIN), "Mira"] if text in str(message)]


def test_the_two_headline_numbers_are_told_where_they_exist(tmp_path: Path, web: Web) -> None:
    from meow.files import write_json
    from meow.notify import tell_finished
    from meow.records import EvalLog, Value
    from meow.run import Run

    found = {"forget_quality": Value(value=0.2115, n=64, unit="p"), "model_utility_gm": Value(value=0.6824, n=176)}
    log = EvalLog(label="after", source="x", rows={"forget": 64}, metrics=found)
    write_json(tmp_path / "r/eval/after/log.json", log.model_dump(mode="json"))
    tell_finished(Run(tmp_path / "r"), [f"json://127.0.0.1:{web.port}"], 133.0)
    (message,) = messages(web)
    assert message["message"].split("\n") == [
        "forget quality 0.211 (n = 64)", "utility (GM) 0.682 (n = 176)", "in 2.2 min",
    ]  # fmt: skip


def test_each_stage_is_told_when_it_is_done_and_not_again_when_it_was(
    meow: Callable[..., Any], settings: list[str], web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a clock does not tell two times apart, so that both make the same entry in the manifest."""
    monkeypatch.setattr("meow.run._now", lambda: "2026-01-01T00:00:00+00:00")
    monkeypatch.setattr("meow.run.time", SimpleNamespace(perf_counter=lambda: 0.0))
    more = ["name=each", "notify.each_stage=true", f"notify.urls=[json://127.0.0.1:{web.port}]"]
    assert meow("run", *settings, *more).code == 0
    told = [message["title"].removeprefix("meow each: ") for message in messages(web)]
    stages = ["invert", "eval/before", "select", "forget", "eval/after", "report"]
    assert told == [*(f"{name} finished" for name in stages), "finished"]
    web.requests.clear()
    assert meow("run", *settings, *more).code == 0
    assert [message["title"] for message in messages(web)] == ["meow each: report finished", "meow each: finished"]


def test_a_failing_run_tells_the_stage_and_the_kind_of_error_alone(
    meow: Callable[..., Any], settings: list[str], web: Web
) -> None:
    done = meow("run", "name=broken", *settings, "train.max_length=3", f"notify.urls=json://127.0.0.1:{web.port}")
    assert done.code == 2
    (message,) = messages(web)
    assert message["title"] == "meow broken: forget failed"
    assert message["message"].startswith("DataError after ")
    assert message["type"] == "failure"
    assert not [text for text in words(FORGET) if text in str(message)]


@pytest.mark.parametrize(
    ("host", "module", "template"),
    [("feishu.cn", "Feishu", "http://127.0.0.1:{port}/hook/{{token}}/"),
     ("larksuite.com", "Lark", "http://127.0.0.1:{port}/hook/")],
)  # fmt: skip
def test_a_webhook_as_people_hold_it_is_told_in_its_own_form(
    meow: Callable[..., Any], settings: list[str], web: Web, monkeypatch: pytest.MonkeyPatch,
    host: str, module: str, template: str,
) -> None:  # fmt: skip
    import importlib

    plugin = getattr(importlib.import_module(f"apprise.plugins.{module.lower()}"), f"Notify{module}")
    monkeypatch.setattr(plugin, "notify_url", template.format(port=web.port))
    done = meow("run", "name=hook", *settings, f"notify.urls=https://open.{host}/open-apis/bot/v2/hook/0a1b-22cc")
    assert done.code == 0, done.err
    (request,) = web.requests
    assert request.path.strip("/") == "hook/0a1b-22cc"
    body = json.loads(request.body)
    assert body["msg_type"] == "text"
    assert body["content"]["text"].startswith("meow hook: finished")


def test_a_service_that_is_down_or_refuses_is_one_warning_and_no_address_is_written_or_printed(
    settings: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-S3CRET")
    monkeypatch.setenv("MEOW_NOTIFY_URLS", f"xml://{DOWN}/S3CRET-three,")
    with serve(lambda _: (500, b"{}")) as refusing:
        urls = f"[json://127.0.0.1:{refusing.port}/S3CRET-one, json://user:S3CRET-two@{DOWN}/x]"
        done = typed("run", "name=down", *settings, f"notify.urls={urls}")
        assert refusing.requests
    assert done.code == 0, done.err
    warnings = [line for line in done.err.splitlines() if "notification" in line]
    assert warnings == [
        "warning: no message to notification address 1 (json), 2 (json), 3 (xml): not reached, or refused"
    ]
    assert "S3CRET" not in done.out + done.err
    assert DOWN not in done.out + done.err
    files = [file for file in (tmp_path / "runs/down").rglob("*") if file.is_file()]
    assert len(files) > 10
    assert not [file for file in files if b"S3CRET" in file.read_bytes()]


def test_saved_settings_hold_no_address_and_load_again(tmp_path: Path) -> None:
    config = load(None, ["name=x", "notify.urls=feishu://S3CRET", "notify.each_stage=true"])
    assert config.notify.urls[0].get_secret_value() == "feishu://S3CRET"
    assert "S3CRET" not in repr(config) + str(config) + config.model_dump_json() + dump(config)
    (tmp_path / "x.yaml").write_text(dump(config))
    again = load(tmp_path / "x.yaml").notify
    assert (again.urls, again.each_stage) == ((), True)


@pytest.mark.parametrize(
    ("urls", "message"),
    [
        ("S3CRET", "notify.urls: address 1 (no scheme) is none that Apprise understands"),
        ("[json://127.0.0.1, nosuch://S3CRET]", "notify.urls: address 2 (nosuch) is none that Apprise understands"),
        ("https://open.feishu.cn/S3CRET", "notify.urls: address 1 (https) is none"),
        ("{a: feishu://S3CRET}", "notify.urls: address 1 (no scheme) is none that Apprise understands"),
        ("[feishu://S3CRET", "notify.urls=[feishu://***: cannot be read"),
    ],
)
def test_an_address_that_nobody_understands_is_refused_before_anything_is_made(
    meow: Callable[..., Any], settings: list[str], tmp_path: Path, urls: str, message: str
) -> None:
    done = meow("run", "name=never", *settings, f"notify.urls={urls}")
    assert done.code == 2
    assert message in done.err
    assert len(done.err.splitlines()) == 1
    assert "S3CRET" not in done.out + done.err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("argument", ["feishu://S3CRET", "json://host/S3CRET?a=b", "notify=feishu://S3CRET",
                                      "notify.url=feishu://S3CRET", "notify.each_stage=feishu://S3CRET"])  # fmt: skip
def test_a_misplaced_address_is_not_repeated(meow: Callable[..., Any], argument: str) -> None:
    done = meow("run", argument)
    assert done.code == 2
    assert "S3CRET" not in done.err


def test_addresses_come_from_settings_and_environment_split_at_spaces_and_commas(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    webhook = "https://open.larksuite.com/open-apis/bot/v2/hook/b-2/"
    monkeypatch.setenv("MEOW_NOTIFY_URLS", f"feishu://a,{webhook} json://host/?to=x,y\nfeishu://c")
    settings = NotifySettings.model_validate({"urls": "feishu://c, json://other"})
    assert addresses(settings) == [
        "feishu://c", "json://other", "feishu://a", "lark://b-2", "json://host/?to=x,y",
    ]  # fmt: skip
    monkeypatch.setenv("MEOW_NOTIFY_URLS", "feishu://a,oops://b")
    with pytest.raises(ConfigError, match=r"^MEOW_NOTIFY_URLS: address 2 \(oops\)"):
        addresses(NotifySettings())
