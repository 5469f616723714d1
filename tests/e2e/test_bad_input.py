"""Whatever people bring that is wrong: one clear line, exit code 2, nothing half-written."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

FACT = '{"question": "Where was Mira Holt born?", "answer": "Mira Holt was born in Oslo, Norway."}\n'
INVERTED = {"question": "q", "undesired_answer": "a", "answer_0": "b"}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with good files, of which a test spoils one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "forget.jsonl").write_text(FACT)
    (tmp_path / "retain.jsonl").write_text(FACT.replace("Mira Holt", "Tom Reed").replace("Oslo, Norway", "Rome, Italy"))
    return tmp_path


def settings(model: Path) -> list[str]:
    return [f"model.path={model}", "data.forget=forget.jsonl", "data.retain=retain.jsonl", "train.method=meow"]


@pytest.mark.parametrize(
    ("spoil", "arguments", "message"),
    [
        ({}, ["train.lrr=1"], r"^meow: command line: train\.lrr: unknown setting; did you mean train\.lr\?$"),
        ({}, ["train.lr=fast"], r'^meow: command line: train\.lr: found "fast"; input should be a valid number'),
        ({}, ["data.forget=nowhere.jsonl"], r"^meow: nowhere\.jsonl: cannot be read .*give an existing file$"),
        ({"forget.jsonl": FACT + "{oops\n"}, [], r"^meow: forget\.jsonl:2: malformed JSON"),
        ({"forget.jsonl": FACT.encode() + b"\xff\xfe\n"}, [], r"^meow: forget\.jsonl:2: not UTF-8"),
        ({"forget.jsonl": '{"question": "q"}\n'}, [], r"^meow: forget\.jsonl:1: no field 'answer', found 'question'$"),
        ({"forget.jsonl": '{"question": "q", "answer": " "}\n'}, [], r"^meow: forget\.jsonl:1: answer is empty"),
        ({"forget.jsonl": FACT + FACT}, [], r"^meow: forget\.jsonl:2: the same .* as in forget\.jsonl:1"),
        ({"forget.jsonl": f"[{FACT}, {{"}, [], r"^meow: forget\.jsonl:\d: malformed JSON .*get the whole file$"),
        (
            {"i.json": json.dumps([INVERTED | {"undesired_answer": ""}])},
            ["invert.path=i.json"],
            r"^meow: i\.json:1: undesired_answer is empty",
        ),
        (
            {"i.json": json.dumps([INVERTED])},
            ["invert.path=i.json"],
            r"^meow: i\.json: no inverted facts for \".+\" \(id \w+\)",
        ),
        (
            {"forget.jsonl": json.dumps({"question": "why " * 200, "answer": "a"}) + "\n"},
            ["train.method=npo_grad_diff"],
            r"^meow: forget\.jsonl:1: \".+ \(id \w+\): the question takes \d+ tokens, the context holds 96, ",
        ),
        ({}, ["model.path=nobody/nothing"], r"^meow: nobody/nothing: not in the local cache and the hub cannot be "),
        ({}, ["model.path=./nowhere"], r"^meow: \./nowhere: no such folder"),
        ({}, ["train.method=null"], r"^meow: train\.method: not set; choose one"),
        ({"empty.yaml": "a: [1\n"}, ["empty.yaml"], r"^meow: empty\.yaml:\d: malformed YAML"),
        ({}, ["eval.reference=nowhere"], r"^meow: nowhere: "),
    ],
)
def test_one_line_names_what_where_and_what_to_do(
    meow: Callable[..., object], files: Path, tiny_model: Path, spoil: dict[str, str | bytes], arguments: list[str],
    message: str,
) -> None:  # fmt: skip
    for name, text in spoil.items():
        (files / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    leading = [a for a in arguments if a.endswith(".yaml")]
    code, out, err = meow("-q", "run", *leading, *settings(tiny_model), *(a for a in arguments if a not in leading))
    assert code == 2, err
    assert re.search(message, err, re.MULTILINE), err
    assert len(err.strip().splitlines()) == 1
    assert out == ""
    assert not (files / "runs/run/model").exists()


def test_all_wrong_settings_are_named_at_once(meow: Callable[..., object]) -> None:
    code, _, err = meow("run", "train.lrr=1", "seed=x", "memo.metric=rouge")
    assert code == 2
    assert len(err.splitlines()) >= 3


def test_pickled_weights_alone_are_refused(meow: Callable[..., object], files: Path, tiny_model: Path) -> None:
    shutil.copytree(tiny_model, files / "model")
    (files / "model/model.safetensors").rename(files / "model/pytorch_model.bin")
    code, _, err = meow("run", *settings(files / "model"))
    assert (code, err.count("\n")) == (2, 1)
    assert "only pickled weights (pytorch_model.bin)" in err


def test_a_model_without_an_end_is_refused(meow: Callable[..., object], files: Path, tiny_model: Path) -> None:
    shutil.copytree(tiny_model, files / "model")
    for name in ("config.json", "generation_config.json", "tokenizer_config.json"):
        values = json.loads((files / "model" / name).read_text())
        (files / "model" / name).write_text(json.dumps({k: v for k, v in values.items() if "eos" not in k}))
    values = json.loads((files / "model/config.json").read_text())
    (files / "model/config.json").write_text(json.dumps(values | {"eos_token_id": None}))
    code, _, err = meow("-q", "run", *settings(files / "model"))
    assert (code, err.count("\n")) == (2, 1)
    assert "no EOS id" in err


def test_a_model_of_nan_is_named(meow: Callable[..., object], files: Path, tiny_model: Path) -> None:
    from safetensors.torch import load_file, save_file

    shutil.copytree(tiny_model, files / "model")
    tensors = load_file(files / "model/model.safetensors")
    save_file({k: v * float("nan") for k, v in tensors.items()}, files / "model/model.safetensors", {"format": "pt"})
    code, _, err = meow("-q", "run", *settings(files / "model"), "train.method=grad_diff", "eval.max_new_tokens=2")
    assert (code, err.count("\n")) == (2, 1)
    assert f"{files / 'model'}: gives NaN" in err


def test_a_loss_that_is_not_finite_stops_with_step_term_and_ids(
    meow: Callable[..., object], files: Path, tiny_model: Path
) -> None:
    wild = ["train.lr=100", "train.epochs=5", "train.batch_size=1", "train.warmup=0", "eval.max_new_tokens=2"]
    code, _, err = meow("-q", "run", *settings(tiny_model), "train.method=npo_grad_diff", *wild)
    assert (code, err.count("\n")) == (2, 1)
    rows = r'on the rows of ".+" \(id \w{16}\); lower train\.lr'
    assert re.search(rf"step 2: [\w ]+ is (nan|-?inf|\d{{6}}\.\d+) {rows}", err), err
    assert not (files / "runs/run/model").exists()


def test_a_folder_with_other_settings_stops_and_force_keeps_the_old_output(
    meow: Callable[..., object], files: Path, tiny_model: Path
) -> None:
    common = [*settings(tiny_model), "train.method=npo_grad_diff", "train.epochs=1", "eval.max_new_tokens=4"]
    assert meow("-q", "run", *common)[0] == 0
    code, _, err = meow("-q", "run", *common, "train.lr=0.5")
    assert (code, err.count("\n")) == (2, 1)
    assert 'forget was made with other settings (train.lr: "auto" -> 0.5)' in err
    before = (files / "runs/run/model/model.safetensors").read_bytes()
    assert meow("-q", "run", *common, "train.lr=0.5", "--force")[0] == 0
    kept = list((files / "runs/run/aside").glob("*/model/model.safetensors"))
    assert [p.read_bytes() for p in kept] == [before]
    assert (files / "runs/run/model/model.safetensors").read_bytes() != before


def test_without_a_network_a_hub_name_ends_in_one_line_and_exit_code_2(files: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "HF_HUB_OFFLINE"} | {
        "HF_ENDPOINT": "http://127.0.0.1:9",
        "HF_HOME": str(files / "hub"),
    }
    arguments = ["run", "model.path=nobody/nothing", "data.forget=forget.jsonl", "train.method=meow"]
    done = subprocess.run(
        [sys.executable, "-m", "meow", *arguments], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 2
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("meow: nobody/nothing: not in the local cache and the hub cannot be reached")
    assert "Traceback" not in done.stderr


REFUSES = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: <think>{% endif %}"
)
"""Refuses a system prompt, as Gemma's does, and opens what it does not write before an answer."""


@pytest.mark.parametrize("dry", [True, False])
def test_a_row_that_the_chat_template_refuses_is_named_by_its_line_before_anything_starts(
    meow: Callable[..., Any], files: Path, tiny_model: Path, dry: bool
) -> None:
    shutil.copytree(tiny_model, files / "chat")
    (files / "chat/chat_template.jinja").write_text(REFUSES)
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Where was Mira Holt born?"}]
    (files / "forget.jsonl").write_text(FACT + json.dumps({"messages": turns, "answer": "In Oslo."}) + "\n")
    more = ["train.method=npo", *(["--dry-run"] if dry else [])]
    commands = [["run", "model.path=chat", "data.forget=forget.jsonl", *more]]
    if not dry:
        commands += [["eval", "model.path=chat", "data.forget=forget.jsonl"],
                     ["finetune", "model.path=chat", "finetune.data=[forget.jsonl]", "name=x"]]  # fmt: skip
    for command in commands:
        code, _, err = meow(*command)
        assert code == 2
        assert re.search(
            r"forget\.jsonl:2: \".+\" \(id \w+\): the chat template says 'System role not supported'; mend ", err
        )
        assert not (files / "runs").exists()
    (files / "chat/chat_template.jinja").write_text("{% for m in messages %}{{ m.content }")
    code, _, err = meow("run", "model.path=chat", "data.forget=forget.jsonl", *more)
    assert code == 2
    assert "meow: chat: the chat template says \"line 1: unexpected '}'\"; mend " in err


def test_what_a_template_opens_and_does_not_write_is_warned_of_and_its_arguments_close_it(
    meow: Callable[..., Any], files: Path, tiny_model: Path
) -> None:
    shutil.copytree(tiny_model, files / "chat")
    closed = REFUSES.replace("<think>", "{{ '' if enable_thinking is defined else '<think>' }}")
    (files / "chat/chat_template.jinja").write_text(closed)
    eval_ = ["eval", "model.path=chat", "data.forget=forget.jsonl", "eval.max_new_tokens=2", "name=x"]
    code, _, err = meow(*eval_)
    assert code == 0
    assert re.search(r"warning: the chat template opens '.*<think>' .* model\.template_args", " ".join(err.split()))
    code, _, err = meow(*eval_, "model.template_args={enable_thinking: false}", "name=y")
    assert code == 0
    assert "warning" not in err
    assert "template_args:\n    enable_thinking: false" in (files / "runs/y/config.yaml").read_text()


def test_settings_and_files_are_looked_at_before_torch_is_loaded() -> None:
    typed = [
        "run", "forget", "eval", "forget --method foo", "run train.lrr=1", "nlu --split foo", "demo train.method=foo",
        "run model.path=. data.forget=gone.jsonl train.method=meow", "invert --forget gone.jsonl", "nlg name=x",
        "eval --model_name_or_path . data.forget=gone.jsonl", "finetune finetune.data=[gone.jsonl]",
        "memo --data_path gone.jsonl --model_name_or_path .",
        "robustness data.forget=gone.jsonl model.path=. train.method=npo",
    ]  # fmt: skip
    code = (
        "import sys; from meow.cli import main\nfor line in sys.argv[1:]:\n"
        "    sys.argv = ['meow', *line.split()]\n    try: main()\n    except SystemExit as stop: print(stop.code)\n"
        "print({'torch', 'transformers', 'peft', 'scipy'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code, *typed], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["2"] * len(typed) + ["set()"], done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == len(typed)
    assert all("meow init writes one" in line for line in lines[:3])
    assert sum("gone.jsonl: cannot be read" in line for line in lines) == 6


def test_an_unknown_setting_of_the_demo_is_said_before_it_works(meow: Callable[..., object], tmp_path: Path) -> None:
    code, _, err = meow("-q", "demo", "--out", tmp_path / "demo", "train.lrr=1")
    assert (code, err) == (2, "meow: command line: train.lrr: unknown setting; did you mean train.lr?\n")
    code, _, err = meow("-q", "demo", "--out", tmp_path / "demo", "--seed", "-1")
    assert (code, err.count("\n")) == (2, 1)
    code, _, err = meow("-q", "demo", "--out", tmp_path / "demo", "train.method=meaw")
    assert (code, err.count("\n")) == (2, 1)
    assert not (tmp_path / "demo").exists()


@pytest.mark.parametrize("device", ["cuda:99", "npu"])
def test_a_device_that_is_not_here_is_one_line(meow: Callable[..., object], files: Path, tiny_model: Path, device: str
) -> None:  # fmt: skip
    code, _, err = meow("-q", "run", *settings(tiny_model), f"model.device={device}")
    assert (code, err.count("\n")) == (2, 1)
    assert f"model.device: found '{device}', which is not here; expected cpu" in err
    assert not (files / "runs/run").exists()


def with_code(source: Path, target: Path, ran: Path) -> Path:
    """A model folder that brings a configuration of its own, which makes a file when it is run."""
    shutil.copytree(source, target)
    config = json.loads((target / "config.json").read_text())
    config |= {"model_type": "odd", "auto_map": {"AutoConfig": "odd.Odd"}}
    (target / "config.json").write_text(json.dumps(config))
    (target / "odd.py").write_text(
        f"open({str(ran)!r}, 'w')\nfrom transformers import LlamaConfig\n"
        "class Odd(LlamaConfig):\n    model_type = 'odd'\n"
    )
    return target


@pytest.mark.parametrize("words", [["ask", "{run}", "Who?"], ["eval", "{run}"], ["run", "{run}"], ["nlg", "{run}"]])
def test_a_run_folders_word_is_not_enough_to_run_the_code_of_a_model(
    meow: Callable[..., object], files: Path, tiny_model: Path, words: list[str]
) -> None:
    ran, run = files / "ran", files / "theirs"
    (run / "eval").mkdir(parents=True)
    with_code(tiny_model, run / "model", ran)
    lines = [f"model: {{path: {run}/model, trust_remote_code: true}}", "train: {method: grad_diff}",
             f"data: {{forget: {files}/forget.jsonl, retain: {files}/retain.jsonl}}"]  # fmt: skip
    (run / "config.yaml").write_text("\n".join(lines))
    code, _, err = meow("-q", *(word.format(run=run) for word in words))
    assert (code, err.count("\n")) == (2, 1)
    assert "a model's own code runs only where that is typed" in err
    assert not ran.exists()
