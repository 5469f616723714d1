"""The model card and `meow push`: what is said, what is sent over a real connection, what is refused."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import ModelCard

from meow import card
from meow.files import read_json, write_json
from meow.records import EvalLog, Value
from meow.run import Run
from tests.conftest import FORGET, RETAIN, Done
from tests.forked import typed
from tests.web import Request, Web, serve

NAMES = ("README.md", "config.json", "generation_config.json", "model.safetensors", "tokenizer.json",
         "tokenizer_config.json")  # fmt: skip
SECRETS = [text for pair in FORGET + RETAIN for text in pair] + ["Mira", "Holt", "Tom Reed", "Oslo", "carpenter"]


@pytest.fixture(scope="module")
def finished(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds a finished run, `runs/whole`."""
    folder = tmp_path_factory.mktemp("finished")
    for name, pairs in (("forget", FORGET), ("retain", RETAIN)):
        lines = [json.dumps({"question": q, "answer": a, "subject": "Mira Holt"}) + "\n" for q, a in pairs]
        (folder / f"{name}.jsonl").write_text("".join(lines))
    shutil.copytree(tiny_model, folder / "original/model")
    done = typed(
        "-q", "run", "name=whole", f"model.path={folder}/original/model", "data.forget=forget.jsonl",
        "data.retain=retain.jsonl", "train.method=npo_grad_diff", "train.epochs=1", "eval.max_new_tokens=4",
        "threads=1", folder=folder,
    )  # fmt: skip
    assert done.code == 0, done.err
    return folder


@pytest.fixture
def run(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the finished run, in a working folder of its own, with no token."""
    shutil.copytree(finished / "runs/whole", tmp_path / "whole")
    monkeypatch.chdir(tmp_path)
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path / "hf/token"))
    return Path("whole")


def measured(run: Path, label: str, **values: Value) -> None:
    """Put values into an evaluation of the run."""
    file = run / f"eval/{label}/log.json"
    log = read_json(file)
    log["metrics"] |= {name: value.model_dump(mode="json") for name, value in values.items()}
    write_json(file, log)


def test_a_finished_run_leaves_a_card_in_the_hubs_form_without_a_fact_or_a_path(run: Path) -> None:
    text = (run / "model/README.md").read_text()
    rate = read_json(run / "manifest.json")["stages"]["forget"]["lr"]  # train.lr was auto
    head = ModelCard(text).data.to_dict()
    assert head["library_name"] == "transformers"
    assert {"machine-unlearning", "meow", "npo_grad_diff"} <= set(head["tags"])
    assert "base_model" not in head  # a folder of this machine is no id of the hub
    (index,) = head["model-index"]
    assert "facts_told" in {m["type"] for r in index["results"] for m in r["metrics"]}
    for wanted in ("| method | `npo_grad_diff` (NPO, arXiv 2404.05868) |", "| base model | original (weights `",
                   f"learning rate {rate:g}", "| seed | 0 |", "torch 2"):  # fmt: skip
        assert wanted in text
    assert "| forget quality | – | not computable |" in text
    assert "- forget quality: no reference; set eval.reference" in text
    assert "bring the facts back was not tested" in text
    assert not [secret for secret in [*SECRETS, "/tmp", "/home", "forget.jsonl"] if secret in text]


def test_the_card_shows_before_after_and_reference_with_n_floor_and_what_chose(run: Path) -> None:
    for label, told in (("before", 1.0), ("after", 0.25)):
        measured(
            run, label, facts_told=Value(value=told, n=64, unit="share"),
            forget_quality=Value(value=0.212, n=64, unit="p"), ks_d=Value(value=0.1875, n=64),
            forget_quality_floor=Value(value=8.35e-38, n=64, unit="p"),
            forget_quality_tuning=Value(value=0.9, selected_on="the training step"),
        )  # fmt: skip
    relearned = EvalLog(label="relearn-020", source="x", rows={}, metrics={"facts_told": Value(value=0.75, n=60)})
    write_json(run / "eval/relearn-020/log.json", relearned.model_dump(mode="json"))
    text = card.card(Run(run))
    assert "| facts told | 1.000 | 0.250 |  | 64 |" in text
    assert "| floor of forget quality | 8.35e-38 | 8.35e-38 |  | 64 |" in text
    assert "with n = 64 only D of 0.250 and more is significant" in text
    assert "Chosen with some of the questions: the training step." in text
    assert "0.750 (relearn-020)" in text
    assert "forget_quality_tuning" not in text


@pytest.mark.parametrize("source", [{"source": "locuslab/TOFU"}, {}])
def test_the_card_of_a_model_of_the_hub_names_it_and_its_data(run: Path, source: dict[str, str]) -> None:
    settings = yaml.safe_load((run / "config.yaml").read_text())
    settings["model"]["path"] = "locuslab/tofu_ft_llama2-7b"
    settings["data"] = source | {"split": "forget05"}
    (run / "config.yaml").write_text(yaml.safe_dump(settings))
    text = card.card(Run(run))
    head = ModelCard(text).data.to_dict()
    assert head["base_model"] == "locuslab/tofu_ft_llama2-7b"
    assert head["datasets"] == ["locuslab/TOFU"]
    assert "the split `forget05` of locuslab/TOFU" in text


def test_what_is_not_evaluated_yet_is_said(run: Path) -> None:
    shutil.rmtree(run / "eval")
    card.write(Run(run))
    text = (run / "model/README.md").read_text()
    assert "Not evaluated yet." in text
    assert "model-index" not in text


def test_a_dry_run_lists_what_would_be_sent_and_needs_no_token(meow: Callable[..., Done], run: Path) -> None:
    (run / "model/README.md").unlink()
    code, out, err = meow("push", run, "me/forgotten", "--dry-run")
    assert (code, err) == (0, "")
    *listed, total = [line.split(" MB  ") for line in out.splitlines()]
    assert tuple(name for _, name in listed) == NAMES
    sizes = [(run / "model" / name).stat().st_size / 1e6 for name in NAMES]
    assert [float(size) for size, _ in listed] == pytest.approx(sizes, abs=6e-4)
    assert total[1] == "would go to me/forgotten"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda run: shutil.rmtree(run / "model"), "holds no finished model; give a run folder in which meow forget"),
        (lambda run: (run / "manifest.json").unlink(), "holds no finished model"),
        (lambda run: (run / "model/pytorch_model.bin").write_bytes(b"x"), "pytorch_model.bin: is no file of a model"),
        (lambda run: shutil.copy(run / "targets.jsonl", run / "model"), "targets.jsonl: is no file of a model"),
        (lambda run: (run / "model/facts.json").write_text("{}"), "facts.json: is no file of a model"),
        (lambda run: (run / "model/run.py").write_text(""), "run.py: is no file of a model"),
        (lambda run: (run / "model/vocab.txt").symlink_to("../targets.jsonl"), "vocab.txt: is a link"),
        (lambda run: (run / "model/adapter_config.json").write_text('{"base_model_name_or_path": "/home/me/base"}'),
         "names a folder of this machine as the base"),
        (lambda _: None, "no token for the hub; set HF_TOKEN, or log in with `hf auth login`"),
    ],
    ids=["no model", "no manifest", "pickle", "facts", "json", "code", "link", "adapter", "token"],
)  # fmt: skip
def test_what_cannot_be_sent_is_refused_in_one_line(run: Path, spoil: Callable[[Path], None], message: str) -> None:
    spoil(run)
    done = push(run, "http://127.0.0.1:9", token=None)
    assert done.code == 2
    assert message in done.err
    assert len(done.err.splitlines()) == 1


def push(run: Path, endpoint: str, *more: str, repo: str = "me/forgotten", token: str | None = "hf_S3CRET") -> Done:
    """`meow push` in a process of its own, since the hub's address is read at import."""
    environment = os.environ | {"HF_ENDPOINT": endpoint, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"}
    environment |= {"HF_TOKEN": token} if token else {}
    command = [sys.executable, "-m", "meow", "push", str(run), repo, *more]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=60)
    assert "S3CRET" not in done.stdout + done.stderr
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def hub(request: pytest.FixtureRequest) -> Iterator[Web]:
    """The hub's API, as far as an upload needs it; every file goes into the commit itself."""
    private: bool = getattr(request, "param", True)

    def answer(asked: Request) -> tuple[int, bytes]:
        found: dict[str, Any] = {"id": "me/forgotten", "private": private, "sha": "0" * 40, "siblings": [], "tags": []}
        if asked.headers.get("authorization") != "Bearer hf_S3CRET":
            return 401, b'{"error": "Invalid username or password."}'
        if asked.path == "/api/repos/create":
            found = {"url": "http://127.0.0.1/me/forgotten"}
        elif asked.path == "/api/validate-yaml":
            found = {"errors": [], "warnings": []}
        elif "/preupload/" in asked.path:
            files = [file["path"] for file in json.loads(asked.body)["files"]]
            found = {"files": [{"path": path, "uploadMode": "regular", "shouldIgnore": False} for path in files]}
        elif "/commit/" in asked.path:
            found = {"commitUrl": "http://127.0.0.1/me/forgotten/commit/abc", "commitOid": "abc", "success": True}
        return 200, json.dumps(found).encode()

    with serve(answer) as running:
        yield running


def test_the_model_and_its_card_and_nothing_else_are_sent_to_a_private_repository(run: Path, hub: Web) -> None:
    done = push(run, f"http://127.0.0.1:{hub.port}")
    assert done.code == 0, done.err
    assert done.out.strip() == "http://127.0.0.1/me/forgotten/commit/abc"
    created = next(json.loads(r.body) for r in hub.requests if r.path == "/api/repos/create")
    assert (created["organization"], created["name"], created["visibility"]) == ("me", "forgotten", "private")
    commit = next(r.body for r in hub.requests if "/commit/" in r.path)
    rows = [json.loads(line) for line in commit.splitlines()]
    sent = {row["value"]["path"]: base64.b64decode(row["value"]["content"]) for row in rows if row["key"] == "file"}
    assert sent == {name: (run / "model" / name).read_bytes() for name in NAMES}
    everything = b"".join(r.body for r in hub.requests) + sent["README.md"]
    assert not [secret for secret in SECRETS if secret.encode() in everything]


@pytest.mark.parametrize("hub", [False], indirect=True)
def test_a_public_repository_gets_nothing_unless_public_is_said(run: Path, hub: Web) -> None:
    done = push(run, f"http://127.0.0.1:{hub.port}")
    assert done.code == 2
    assert done.err == "meow: me/forgotten: is there and public; push with --public, or take another name\n"
    assert not [r for r in hub.requests if "/preupload/" in r.path or "/commit/" in r.path]
    assert push(run, f"http://127.0.0.1:{hub.port}", "--public").code == 0


def test_a_refused_token_a_malformed_id_and_a_hub_that_is_away_are_one_line_each(run: Path, hub: Web) -> None:
    for endpoint, repo, token, message in (
        (f"http://127.0.0.1:{hub.port}", "me/forgotten", "hf_other", "the hub refuses the token (status 401)"),
        (f"http://127.0.0.1:{hub.port}", "me/for/gotten", "hf_S3CRET", "no id of a repository on the hub"),
        ("http://127.0.0.1:9", "me/forgotten", "hf_S3CRET", "the hub cannot be reached (ConnectError)"),
    ):
        done = push(run, endpoint, repo=repo, token=token)
        assert done.code == 2
        assert message in done.err
        assert len(done.err.splitlines()) == 1
