"""What one does with a finished run: ask it, see its state, and clean it of what must be forgotten."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from meow.files import write_json
from tests.conftest import FORGET, RETAIN
from tests.forked import typed


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """A user's folder: two files of facts and a finished run of a model that knows nothing."""
    path = tmp_path_factory.mktemp("own")
    for name, rows in (("forget", FORGET), ("retain", RETAIN)):
        (path / f"{name}.jsonl").write_text("".join(json.dumps({"question": q, "answer": a}) + "\n" for q, a in rows))
    others = (("Rome, Italy", "May 4, 1950", "nurse"), ("Bern, Switzerland", "June 5, 1952", "pilot"),
              ("Lima, Peru", "July 6, 1954", "tailor"))  # fmt: skip
    false = [
        {"question": q, "undesired_answer": a}
        | {f"answer_{i}": f"{a.rsplit(of, 1)[0]}{of}{other[at]}." for i, other in enumerate(others)}
        for at, ((q, a), of) in enumerate(zip(FORGET, (" in ", " on ", " a "), strict=True))
    ]
    (path / "false.json").write_text(json.dumps(false))
    settings = [
        f"model.path={tiny_model}", "data.forget=forget.jsonl", "data.retain=retain.jsonl", "train.epochs=1",
        "invert.path=false.json", "invert.plausible=null", "train.method=meow_contrast",
        "memo.max_new_tokens=4", "eval.max_new_tokens=8", "threads=1",
    ]  # fmt: skip
    done = typed("-q", "run", "name=secret", *settings, folder=path)
    assert done.code == 0, done.err
    return path


@pytest.fixture
def own(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it to work in."""
    shutil.copytree(made, tmp_path / "own")
    monkeypatch.chdir(tmp_path / "own")
    return tmp_path / "own"


def answers(run: Path, label: str) -> dict[str, str]:
    lines = (run / f"eval/{label}/samples.jsonl").read_text().splitlines()
    return {row["question"]: row.get("generation", "") for row in map(json.loads, lines)}


def test_each_model_answers_as_it_did_when_it_was_evaluated_beside_what_is_true_and_taught(
    meow: Callable[..., object], own: Path
) -> None:
    run = own / "runs/secret"
    code, out, _ = meow("ask", "runs/secret", "--json", *(q for q, _ in FORGET + RETAIN))
    assert code == 0
    replies = [json.loads(line) for line in out.splitlines()]
    for reply, (question, answer) in zip(replies, FORGET + RETAIN, strict=True):
        assert reply["true"] == [answer]
        assert reply["answers"] == {label: answers(run, label)[question] for label in ("before", "after")}
    taught = [json.loads(line) for line in (run / "targets.jsonl").read_text().splitlines()]
    assert replies[0]["taught"] == [row["target"] for row in taught if row["question"] == FORGET[0][0]]
    assert "taught" not in replies[-1]
    code, out, _ = meow("ask", "runs/secret", FORGET[0][0].upper())
    assert code == 0
    assert f"true       {FORGET[0][1]}" in out
    assert [line.split()[0] for line in out.splitlines()[1:-1] if "taught" not in line] == ["true", "before", "after"]


def test_questions_come_from_a_pipe_one_a_line_until_it_ends(own: Path) -> None:
    del own
    done = typed("-q", "ask", "runs/secret", "--json", said="Who?\n\nWhere was Mira Holt born?\n")
    assert (done.code, done.err) == (0, "")
    replies = [json.loads(line) for line in done.out.splitlines()]
    assert [r["question"] for r in replies] == ["Who?", "Where was Mira Holt born?"]
    assert "true" not in replies[0]


def test_a_model_that_is_not_there_is_named_and_the_others_answer(meow: Callable[..., object], own: Path) -> None:
    config = own / "runs/secret/config.yaml"
    gone = [
        f"{line.split('path:')[0]}path: gone/model" if "path:" in line else line
        for line in config.read_text().split("\n")
    ]
    config.write_text("\n".join(gone))
    code, out, _ = meow("ask", "runs/secret", "Who?", "--json")
    assert code == 0
    reply = json.loads(out)
    assert set(reply["answers"]) == {"after"}
    assert "gone/model" in reply["missing"]["before"]
    assert meow("ask", "runs/secret", "Who?", "--label", "before").code == 2
    code, _, err = meow("ask", "runs/secret", "Who?", "--label", "later")
    assert code == 2
    assert "expected one of before, after, reference" in err
    shutil.rmtree(own / "runs/secret/model")
    code, _, err = meow("ask", "runs/secret", "Who?")
    assert (code, err.count("\n")) == (2, 1)
    assert "nothing is trained yet" in err


def test_a_model_is_asked_directly(meow: Callable[..., object], own: Path, tiny_model: Path) -> None:
    said = answers(own / "runs/secret", "before")
    code, out, err = meow("ask", tiny_model, "--json", *(q for q, _ in FORGET))
    assert code == 0, err
    replies = [json.loads(line) for line in out.splitlines()]
    assert [list(reply) for reply in replies] == [["question", "answers"]] * len(FORGET)
    for reply, (question, _) in zip(replies, FORGET, strict=True):
        assert reply["answers"]["model"].startswith(said[question])  # that was of eight tokens
    code, out, _ = meow("ask", "runs/secret/model", "Who?")
    assert code == 0
    assert out.splitlines()[1].startswith("  model      ")
    code, _, err = meow("ask", tiny_model, "Who?", "--label", "after")
    assert (code, err.count("\n")) == (2, 1)
    code, _, err = meow("ask", "runs/nobody", "Who?")
    assert (code, err.count("\n")) == (2, 1)
    assert "runs/nobody: no run folder" in err


def test_a_chat_is_known_by_what_its_user_says_last_and_asked_whole(
    meow: Callable[..., object], own: Path, tiny_model: Path
) -> None:
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Where was Mira Holt born?"}]
    (own / "forget.jsonl").write_text(json.dumps({"messages": turns, "answer": FORGET[0][1]}) + "\n")
    shutil.copytree(tiny_model, own / "chat")
    (own / "chat/chat_template.jinja").write_text(
        "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant: "
    )
    settings = [
        "model.path=chat", "data.forget=forget.jsonl", "data.retain=retain.jsonl", "train.method=npo_grad_diff",
        "train.epochs=1", "eval.max_new_tokens=8", "threads=1", "name=chat",
    ]  # fmt: skip
    assert meow("run", *settings).code == 0
    code, out, err = meow("ask", "runs/chat", "--json", "Where was Mira Holt born?")
    assert code == 0, err
    reply = json.loads(out)
    assert reply["true"] == [FORGET[0][1]]
    said = json.loads((own / "runs/chat/eval/before/samples.jsonl").read_text().splitlines()[0])["generation"]
    assert reply["answers"]["before"] == said
    page = (own / "runs/chat/report.html").read_text()
    assert "(a document)" not in page
    assert "Where was Mira Holt born?" in page
    assert "Where was Mira Holt born?" in (own / "runs/chat/eval/facts.csv").read_text()


def test_an_adapter_is_asked_on_its_base_and_others_warnings_are_not_shown(own: Path) -> None:
    config = yaml.safe_load((own / "runs/secret/config.yaml").read_text())
    settings = [
        f"model.path={config['model']['path']}", "data.forget=forget.jsonl", "data.retain=retain.jsonl", "name=lora",
        "train.method=npo_grad_diff", "train.epochs=1", "train.lora_rank=2", "train.lora_merge=false", "threads=1",
        "eval.max_new_tokens=8",
    ]  # fmt: skip
    question = FORGET[0][0]
    for words in (["forget", *settings], ["eval", "runs/lora"], ["ask", "runs/lora", "--json", question]):
        done = typed("-q", *words)
        assert (done.code, done.err) == (0, ""), words
    assert (own / "runs/lora/model/adapter_model.safetensors").is_file()
    said = {label: answers(own / "runs/lora", label)[question] for label in ("before", "after")}
    assert json.loads(done.out)["answers"] == said


def texts(run: Path) -> set[str]:
    """Every question and answer that a run folder holds anywhere, true, false or said."""

    def strings(value: object) -> Iterator[str]:
        if isinstance(value, dict):
            yield from (s for k, v in value.items() if k not in ("id", "key", "set", "role") for s in strings(v))
        elif isinstance(value, list):
            yield from (s for v in value for s in strings(v))
        elif isinstance(value, str):
            yield value

    files = [f for f in run.rglob("*.jsonl") if f.name != "log.jsonl"]
    found = {s for f in files for line in f.read_text().splitlines() for s in strings(json.loads(line))}
    return {s for s in found if " " in s.strip()} | {text for fact in FORGET + RETAIN for text in fact}


def holding(run: Path, wanted: set[str]) -> list[str]:
    """Files that hold one of these texts."""
    contents = {f: f.read_bytes().decode("utf-8", "replace") for f in run.rglob("*") if f.is_file()}
    return [str(f.relative_to(run)) for f, content in contents.items() if any(text in content for text in wanted)]


def test_after_cleaning_no_question_and_no_answer_is_left_and_the_rest_works(
    meow: Callable[..., object], own: Path
) -> None:
    run = own / "runs/secret"
    (run / "aside/20260101").mkdir(parents=True)
    shutil.copy(run / "inverted.jsonl", run / "aside/20260101")
    (run / "asked.jsonl").write_text(json.dumps({"question": FORGET[0][0]}) + "\n")
    for label, right in (("before", 1.0), ("after", 0.5)):
        measured = {
            "label": label,
            "kind": "nlu",
            "source": "here",
            "metrics": {"people acc": {"value": right, "n": 2}},
        }
        write_json(run / f"capability/{label}/nlu.json", measured)
        rows = [{"task": "people", "index": i, "right": {"acc": i < 2 * right}} for i in range(2)]
        (run / f"capability/{label}/nlu.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    secrets = texts(run)
    assert len(secrets) > 20
    assert {"inverted.jsonl", "eval/facts.csv", "report.html"} <= set(holding(run, secrets))
    numbers = json.loads((run / "eval/after/log.json").read_text())["metrics"]
    weights = (run / "model/model.safetensors").read_bytes()

    asked = typed("clean", "runs/secret", said="n\n")
    assert asked.code == 1
    assert "targets.jsonl" in asked.out
    assert "kB" in asked.out
    assert (run / "targets.jsonl").is_file()

    code, out, err = meow("clean", "runs/secret", "--yes")
    assert (code, err) == (0, "")
    assert "asked.jsonl" in out
    assert "eval/facts.csv" in out
    assert holding(run, secrets) == []
    assert (run / "model/model.safetensors").read_bytes() == weights
    assert {f.name for f in run.iterdir()} == {
        "config.yaml", "manifest.json", "log.jsonl", "report.html", ".lock", ".worker", "model", "eval", "capability"
    }  # fmt: skip
    page = (run / "report.html").read_text()
    assert page.count("<small>forget") == len(FORGET)

    code, out, _ = meow("status", "runs/secret")
    assert code == 0
    assert "clean" in out
    code, out, _ = meow("compare", "runs/secret", "--json")
    assert code == 0
    assert json.loads(out)["metrics"]["retain_rougeL"]["value"] == numbers["retain_rougeL"]["value"]
    code, out, _ = meow("compare", "runs/secret")
    assert code == 0
    assert "-0.5" in out
    code, out, err = meow("report", "runs/secret")
    assert code == 0
    assert "kept as it is" in err
    assert (run / "report.html").read_text() == page
    assert meow("report", "runs/secret", "--out", "other.html").code == 0
    code, _, err = meow("run", "runs/secret")
    assert code == 2
    assert "was cleaned" in err
    assert "name=secret-again" in err
    assert meow("clean", "runs/secret").code == 0


def test_a_folder_that_is_no_run_is_not_cleaned(meow: Callable[..., object], tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    code, _, err = meow("clean", tmp_path, "--yes")
    assert code == 2
    assert "no run folder" in err
    assert (tmp_path / "mine.txt").is_file()
