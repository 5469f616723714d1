"""What all commands have in common: one line for a mistake, files and the next command at the end, no torch in vain."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import RETAIN, Done, write_facts

Meow = Callable[..., Done]
QUICK = ["threads=1", "train.epochs=1", "memo.max_new_tokens=4", "memo.stride=20", "eval.max_new_tokens=4",
         "eval.forms=[]"]  # fmt: skip
MEOW = [sys.executable, "-m", "meow"]


@pytest.fixture
def own(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder: facts to forget and to keep, plain text, a model, settings."""
    write_facts(tmp_path)
    (tmp_path / "texts.txt").write_text("".join(f"{q} {a} {q} {a} {q} {a}\n" for q, a in RETAIN))
    (tmp_path / "mine.yaml").write_text(
        f"model: {{path: {tiny_model}}}\ndata: {{forget: forget.jsonl, retain: retain.jsonl}}\n"
        "invert: {backend: donors, plausible: null}\ntrain: {method: meow_contrast}\n"
        "nlg: {texts: texts.txt, metrics: [ppl, rep3]}\n"
        "robustness: {formats: [int8, pruned-30], steps: [1], facts: 1, unrelated: retain.jsonl}\n"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_help_shows_every_command_in_its_group_on_one_line() -> None:
    from meow.cli import COMMANDS

    done = subprocess.run([*MEOW, "--help"], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    for title, commands in COMMANDS.items():
        start = lines.index(f"{title}:")
        assert [line.split()[0] for line in lines[start + 1 : start + 1 + len(commands)]] == list(commands)
    assert "..." not in done.stdout.partition("From nothing")[2]


def test_every_help_ends_with_examples_and_fits_80_columns(meow: Meow, monkeypatch: pytest.MonkeyPatch) -> None:
    from meow.cli import COMMANDS

    monkeypatch.setenv("COLUMNS", "80")
    for name in [name for commands in COMMANDS.values() for name in commands]:
        text = meow(name, "-h").out
        assert text == meow(name, "--help").out
        assert max(map(len, text.splitlines())) <= 80, name
        assert not re.search("<(?:str|int|path|list)", text, re.I), name
        shown = text.partition("Examples:\n")[2].splitlines()
        assert 1 <= len(shown) <= 3
        assert all(re.match(rf"  meow (-v )?{name}\b", line) for line in shown), (
            name
        )  # the parser takes them: docs/cli.md


def test_one_set_of_flags_for_facts_and_one_for_the_model(meow: Meow) -> None:
    flags = {
        name: set(re.findall(r"^  --([a-z-]+)", meow(name, "-h").out, re.M))
        for name in (
            "run",
            "invert",
            "memo",
            "select",
            "forget",
            "eval",
            "robustness",
            "nlu",
            "nlg",
            "finetune",
            "known",
        )
    }
    model, facts = {"model-name-or-path", "tokenizer-path"}, {"data-path", "split", "forget", "retain"}
    assert all(model <= found for found in flags.values())
    assert [name for name, found in flags.items() if not facts <= found] == ["nlu", "nlg", "finetune", "known"]


def test_a_shell_completes_commands_and_names() -> None:
    for typed, found in (
        ("meow rob", "robustness"),
        ("meow run --method sim", "simnpo"),
        ("meow metrics worst_case_co", ""),
    ):
        told = {"COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" ")), "_MEOW_COMPLETE": "complete_bash"}
        done = subprocess.run(MEOW, capture_output=True, text=True, check=False, env=os.environ | told)
        assert done.stdout.split() == [found or "worst_case_control"], done.stderr


def test_methods_and_metrics_are_listed(meow: Meow) -> None:
    from meow.losses import METHODS
    from meow.metrics import METRICS

    done = meow("methods")
    assert [line for line in done.out.splitlines() if line[:1] != " "] == list(METHODS)
    found = json.loads(meow("methods", "meow_memo", "--json").out)  # a published name
    assert list(found) == ["meow"]
    assert found["meow"]["needs"] == "inverted answers and how well each is remembered"
    assert json.loads(meow("methods", "undial", "--json").out)["undial"]["needs"] == "the original in every step"
    assert list(json.loads(meow("metrics", "--json").out)) == list(METRICS)
    done = meow("metrics", "forget_rougeL")
    assert "  better     aim at the reference's" in done.out.splitlines()


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (["frob"], r"no such command 'frob' \(see meow --help\)"),
        (["comapre"], r"no such command 'comapre'; did you mean 'compare'\? \(see meow --help\)"),
        (["status"], r"missing argument 'RUN' \(see meow status --help\)"),
        (["status", "."], r"\.: no run folder \(no config\.yaml\); .*"),
        (["runs"], r"runs: holds no run folder \(no config\.yaml\); .*"),
        (["methods", "nop"], r"no method 'nop'; did you mean npo\?"),
        (["metrics", "worst"], r"no metric 'worst'; did you mean worst_case\?"),
        (["report"], r"missing argument 'RUN\.*' \(see meow report --help\)"),
        (["run", "x" * 4000 + ".yaml"], r"x{200,500} … .{200,500}"),
        (["run", "--frce"], r"no such option: --frce .*--force.* \(see meow run --help\)"),
        (["demo", "--seed", "x"], r"invalid value for '--seed': .* \(see meow demo --help\)"),
        (["run", "nowhere.yaml"], r"nowhere\.yaml: cannot be read .*; give an existing YAML file"),
        (["eval", "."], r"\.: no run folder \(no config\.yaml\); .*"),
        (["run", "--dry-run", "--json", "mine.yaml"], r"--json: gives the results, .*"),
        (["eval", "mine.yaml", "seed=[0,1]", "--save-path", "log.json"], r"--save-path: names one file, .*"),
        (["convert", "forget.jsonl", "."], r"\.: .*"),
        (["eval", "mine.yaml", "model.path=./nowhere"], r"\./nowhere: no such folder.*"),
        (["robustness", "mine.yaml", "robustness.formats=[q4_k_m]"], r".*formats\.0: found .q4_k_m.; .*'q4_0'.*"),
        (
            ["robustness", "mine.yaml", "robustness.bits=[8]"],
            r".*robustness: found .*; bits .* robustness\.formats now.*",
        ),
        (["nlg", "mine.yaml", "model.path=null"], r"model\.path: not set; .*"),
        (["memo", "--data_path", "inverted.jsonl"], r"model\.path: not set; .*"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(meow: Meow, own: Path, typed: list[str], message: str) -> None:
    code, out, err = meow(*typed)
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert re.fullmatch(f"meow: {message}\n", err), err
    assert not (own / "runs").exists()


@pytest.mark.parametrize("typed", [["status", "runs/mine"], ["run", "bogus"], ["eval", "mine.yaml", "train.lrr=1"]])
def test_no_torch_is_loaded_to_show_a_state_or_a_mistake(meow: Meow, own: Path, typed: list[str]) -> None:
    del own
    assert meow("invert", "mine.yaml").code == 0
    code = (
        f"import sys; from meow.cli import main\nsys.argv = ['meow', *{typed!r}]\ntry:\n    main()\nfinally:\n"
        "    print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "False", done.stderr
    assert "Traceback" not in done.stderr


REFUSED = dict(
    line.strip().split(" -> ")
    for line in """
    run -> no settings
    run mine.yaml model.path=./nix -> no such folder
    run mine.yaml model.path=forget.jsonl -> is a file
    run mine.yaml data.retain=nix.jsonl -> cannot be read
    run mine.yaml eval.reference=./nix -> no such folder
    run mine.yaml invert.backend=local invert.model=./nix -> no such folder
    run mine.yaml model.tokenizer=./nix -> no such folder
    run mine.yaml model.path=empty -> holds no config
    run mine.yaml model.path=half -> no weights
    forget --method foo -> unknown method
    forget mine.yaml data.forget=mine.yaml -> mine.yaml
    invert mine.yaml invert.pools=nix -> cannot be read
    memo mine.yaml --label foo -> --label
    memo mine.yaml --label after -> nothing is trained yet
    memo --data_path nix --model_name_or_path model -> cannot be read
    eval mine.yaml model.path=./nix -> no such folder
    eval mine.yaml eval.second_reference=./nix eval.reference=half -> no weights
    audit forget.jsonl -> model.path
    audit nix.jsonl model.path=half -> cannot be read
    audit forget.jsonl model.path=half -> no weights
    audit forget.jsonl model.path=./nix -> no such folder
    known forget.jsonl -> model.path
    known nix.jsonl model.path=half -> cannot be read
    known forget.jsonl model.path=./nix -> no such folder
    known forget.jsonl model.path=model --save-path forget.jsonl -> the facts themselves
    nlu mine.yaml nlu.data=nix -> nix/piqa
    nlu mine.yaml model.path=./nix -> no such folder
    nlg mine.yaml nlg.texts=nix.txt -> no such file
    nlg mine.yaml nlg.metrics=[mauve] nlg.featurizer=./nix -> leave MAUVE out
    robustness mine.yaml -> nothing is trained yet
    robustness mine.yaml model.path=./nix -> no such folder
    finetune mine.yaml finetune.data=[nix] -> cannot be read
    finetune finetune.data=[forget.jsonl] model.path=./nix -> no such folder
    push runs/nix u/m -> no finished model
    push runs/nix u//m -> no id of a repository
    ask nix Q -> no run folder
    check forget.jsonl --model_name_or_path ./nix -> no such folder
    compare nix --sort foo -> no metric
    """.strip().splitlines()
)
"""Mistakes in settings and files, and what is said of them."""
REFUSING = """
import contextlib, io, json, sys, time
from meow.cli import main
found = {}
for typed in json.loads(sys.argv[1]):
    sys.argv, said, clock = ["meow", *typed.split()], io.StringIO(), time.process_time()
    with contextlib.redirect_stderr(said), contextlib.suppress(SystemExit):
        main()
    found[typed] = said.getvalue(), time.process_time() - clock, "torch" in sys.modules
print(json.dumps(found))
"""
"""One process that types each of the commands, and prints message, seconds of CPU, and whether torch is loaded."""


def test_a_mistake_in_settings_or_files_is_refused_before_torch_is_loaded(own: Path, tiny_model: Path) -> None:
    (own / "model").symlink_to(tiny_model)
    (own / "empty").mkdir()
    (own / "half").mkdir()
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tiny_model / name, own / "half")
    command = [sys.executable, "-c", REFUSING, json.dumps(list(REFUSED))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    for typed, (said, seconds, is_loaded) in json.loads(done.stdout).items():
        assert not is_loaded, typed
        assert re.fullmatch(rf"meow: .*{re.escape(REFUSED[typed])}.*\n", said), f"{typed}: {said}"
        assert seconds < 1, typed
    assert not (own / "runs").exists()


def test_a_page_cannot_take_the_place_of_a_folder(meow: Meow, own: Path) -> None:
    assert meow("invert", "mine.yaml").code == 0
    (own / "page").mkdir()
    code, out, err = meow("report", "runs/mine", "--out", "page")
    assert (code, out) == (2, "")
    assert err == "meow: page: Is a directory; fix that, or choose another path\n"
    assert list(own.glob(".page*")) == []
    assert meow("-v", "report", "runs/mine", "--out", "other.html").code == 0


def test_every_stage_ends_with_its_files_and_the_next_command(meow: Meow, own: Path) -> None:
    ends = {
        "invert": ([], "next: meow run runs/mine"),
        "memo": (["memorization: runs/mine/memo"], "next: meow run runs/mine"),
        "select": (["what is taught: runs/mine/targets.jsonl"], "next: meow run runs/mine"),
        "forget": (["what is taught: runs/mine/targets.jsonl", "model: runs/mine/model"], "next: meow run runs/mine"),
        "eval": (["evaluation: runs/mine/eval", "every fact: runs/mine/eval/facts.csv"], "next: meow run runs/mine"),
        "run": (["model: runs/mine/model"], "next: meow ask runs/mine"),
        "nlg": (["capability: runs/mine/capability"], "next: meow report runs/mine"),
        "robustness": (["evaluation: runs/mine/eval"], "next: meow report runs/mine"),
    }
    for command, (files, following) in ends.items():
        time.sleep(1 if command == "nlg" else 0)  # the manifest counts seconds
        code, out, err = meow(command, "mine.yaml", *QUICK)
        assert code == 0, err
        assert out.strip(), command
        assert all((own / line.partition(": ")[2]).exists() for line in files)
        assert [line for line in files if line not in err.splitlines()] == [], command
        assert following in err.splitlines(), f"{command}\n{err}"
        quiet = meow("-q", command, "mine.yaml", *QUICK)
        assert (quiet.code, quiet.err) == (0, "")
    assert meow("report", "runs/mine").code == 0
    assert json.loads(meow("status", "runs/mine", "--json").out)["next"] == "meow ask runs/mine"


def test_the_runs_of_a_folder_have_a_line_each(meow: Meow, own: Path) -> None:
    assert meow("eval", "mine.yaml", "name=run-10", *QUICK).code == 0
    assert meow("invert", "mine.yaml", "name=run-2").code == 0
    assert [line.split("  ")[0] for line in meow("runs").out.splitlines()] == ["run", "run-2", "run-10"]
    second, tenth = json.loads(meow("runs", ".", "--json").out)["runs"]
    told = json.loads((own / "runs/run-10/eval/before/log.json").read_text())["metrics"]["worst_case"]["value"]
    assert second == {
        "name": "run-2", "method": "meow_contrast", "state": "up to invert", "before": None, "after": None,
        "folder": "runs/run-2",
    }  # fmt: skip
    assert (tenth["state"], tenth["before"], tenth["after"]) == ("up to eval/before", told, None)


def test_without_a_method_the_next_command_says_what_is_missing(meow: Meow, own: Path) -> None:
    del own
    code, _, err = meow("invert", "data.forget=forget.jsonl", "name=alone")
    assert code == 0
    assert err.splitlines()[-1] == "next: meow run runs/alone model.path=MODEL train.method=meow_contrast"


def test_a_model_that_was_removed_is_said_and_made_again(meow: Meow, own: Path) -> None:
    assert meow("run", "mine.yaml", *QUICK).code == 0
    weights = (own / "runs/mine/model/model.safetensors").read_bytes()
    shutil.rmtree(own / "runs/mine/model")
    found = json.loads(meow("status", "runs/mine", "--json").out)
    assert {s["stage"]: s["state"] for s in found["stages"]}["forget"] == "gone"
    assert found["next"] == "meow run runs/mine"
    code, _, err = meow("run", "mine.yaml", *QUICK, "train.lr=0.5")
    assert code == 2
    assert "forget was made with other settings" in err
    code, _, err = meow("run", "mine.yaml", *QUICK)
    assert code == 0
    assert "forget: runs/mine/model is gone; made anew" in err.splitlines()
    assert (own / "runs/mine/model/model.safetensors").read_bytes() == weights


def test_numbers_of_a_model_that_was_trained_anew_are_not_said_of_the_new_one(meow: Meow, own: Path) -> None:
    assert meow("run", "mine.yaml", *QUICK).code == 0
    card = own / "runs/mine/model/README.md"
    assert "Not evaluated yet." not in card.read_text()
    assert meow("forget", "mine.yaml", *QUICK, "train.lr=0.01", "--force").code == 0
    assert "Not evaluated yet." in card.read_text()
    found = json.loads(meow("status", "runs/mine", "--json").out)
    assert {s["stage"]: s["state"] for s in found["stages"]}["eval/after"] == "old"
    assert found["next"] == "meow run runs/mine --force"
    assert meow("report", "runs/mine", "--out", "page.html").code == 0
    assert "eval/after is missing" in (own / "page.html").read_text()
    assert meow(*found["next"].split()[1:]).code == 0
    assert "Not evaluated yet." not in card.read_text()
    assert json.loads(meow("status", "runs/mine", "--json").out)["next"] == "meow ask runs/mine"


def test_a_page_that_report_has_written_is_not_left(meow: Meow, own: Path) -> None:
    assert meow("eval", "mine.yaml", *QUICK).code == 0
    assert meow("forget", "mine.yaml", *QUICK).code == 0
    assert meow("eval", "mine.yaml", *QUICK).code == 0
    assert meow("report", "runs/mine").code == 0
    found = json.loads(meow("status", "runs/mine", "--json").out)
    assert (found["stages"][-1]["state"], found["next"]) == ("finished", "meow ask runs/mine")
    (own / "runs/mine/report.html").unlink()
    assert json.loads(meow("status", "runs/mine", "--json").out)["next"] == "meow run runs/mine"


def test_a_cleaned_run_that_was_interrupted_is_not_sent_to_what_refuses_it(meow: Meow, own: Path) -> None:
    assert meow("select", "mine.yaml", *QUICK).code == 0
    file = own / "runs/mine/manifest.json"
    manifest = json.loads(file.read_text())
    del manifest["stages"]["select"]["finished"]
    file.write_text(json.dumps(manifest))
    assert meow("clean", "runs/mine", "-y").code == 0
    assert json.loads(meow("status", "runs/mine", "--json").out)["next"] == "meow report runs/mine"


def test_a_cleaned_run_is_refused_by_every_stage(meow: Meow, own: Path) -> None:
    del own
    assert meow("run", "mine.yaml", *QUICK).code == 0
    assert meow("clean", "runs/mine", "-y").code == 0
    for command in (
        ["run"],
        ["invert"],
        ["memo"],
        ["select"],
        ["eval"],
        ["eval", "--rescore"],
        ["nlg"],
        ["robustness"],
    ):
        code, out, err = meow("-q", *command, "runs/mine")
        assert (code, out, err.count("\n")) == (2, "", 1), command
        assert "runs/mine: was cleaned" in err, command


def test_a_list_of_seeds_means_the_same_to_every_stage(meow: Meow, own: Path) -> None:
    assert meow("invert", "mine.yaml", "seed=[0,1]").code == 0
    code, out, err = meow("memo", "mine.yaml", "seed=[0,1]", *QUICK)
    assert code == 0, err
    assert out.count("MEMO suffix, before: true") == 2
    code, out, err = meow("eval", "mine.yaml", "seed=[0,1]", "--json", *QUICK)
    assert code == 0, err
    assert [json.loads(line)["name"] for line in out.splitlines()] == ["mine-s0", "mine-s1"]
    assert sorted(p.name for p in (own / "runs").iterdir()) == ["mine-s0", "mine-s1"]


def test_compare_prints_objects_in_the_order_of_its_table(meow: Meow, own: Path) -> None:
    for name, epochs in (("one", 1), ("two", 60)):
        assert meow("run", "mine.yaml", *QUICK, f"name={name}", f"train.epochs={epochs}", "train.lr=5e-3").code == 0
    _, out, _ = meow("compare", "runs/one", "runs/two", "--sort", "forget_rougeL", "--json")
    rows = [json.loads(line)["metrics"]["forget_rougeL"]["value"] for line in out.splitlines()]
    assert len(rows) == 2
    assert rows == sorted(rows)
    code, out, err = meow("compare", "runs/one", "runs/two", "--save-path", "table.md")
    assert code == 0
    assert out
    assert err == "table: table.md\n"
    assert (own / "table.md").is_file()


def test_ctrl_c_while_an_original_is_made_says_how_to_go_on(own: Path) -> None:
    made = ["finetune", "name=made", "finetune.scratch=true", "finetune.data=[forget.jsonl]", "threads=1"]
    process = subprocess.Popen([*MEOW, *made, "finetune.epochs=3000"], stderr=subprocess.PIPE, text=True)
    while not (own / "runs/made/log.jsonl").is_file():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    assert "Traceback" not in err
    assert f"meow: stopped; go on with: python -m meow {made[0]} {made[1]}" in err.splitlines()[-1]
    done = subprocess.run([*MEOW, "status", "runs/made"], capture_output=True, text=True, check=True)
    assert "next: meow finetune runs/made" in done.stdout


def test_a_closed_pipe_ends_a_command_without_a_word(meow: Meow, own: Path) -> None:
    del own
    assert meow("invert", "mine.yaml").code == 0
    command = f"{sys.executable} -m meow status runs/mine | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("stage")
    assert done.stderr == ""


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_a_full_disk_is_one_line(tmp_path: Path, more: list[str]) -> None:
    facts = tmp_path / "facts.json"
    facts.write_text('[{"question": "Who?", "undesired_answer": "Mira.", "answer_0": "Ada."}]')
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*MEOW, "check", facts, *more], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (
        2, "meow: no space is left on the disk; make room, and the same command goes on\n",
    )  # fmt: skip


def test_robustness_of_a_single_fact_leaves_out_what_would_teach_it(meow: Meow, own: Path) -> None:
    """Rounding and unrelated text ask the fact; relearning teaches half of the facts and asks the others.

    Without unrelated text the rest is done.
    """
    first = (own / "forget.jsonl").read_text().splitlines()[0]
    (own / "forget.jsonl").write_text(first + "\n")
    done = meow("run", "mine.yaml", "train.method=grad_ascent", *QUICK)
    assert done.code == 0, done.err
    done = meow("robustness", "mine.yaml", "train.method=grad_ascent", "robustness.unrelated=null", *QUICK)
    assert done.code == 0, done.err
    assert "robustness: no curve unrelated: what any training brings back is not known" in done.err
    assert {path.name for path in (own / "runs/mine/eval").iterdir() if path.is_dir()} == {
        "before", "after", "int8", "pruned-30", "retain-000", "retain-001",
    }  # fmt: skip
    done = meow("robustness", "mine.yaml", "train.method=grad_ascent", *QUICK)
    assert done.code == 0, done.err
    assert "no curve unrelated" not in done.err
    assert (
        "robustness: no curve relearn: it teaches half of the forget facts and asks the others; there is one"
        in done.err
    )
    made = {path.name for path in (own / "runs/mine/eval").iterdir() if path.is_dir()}
    curves = {f"{curve}-{step}" for curve in ("unrelated", "retain") for step in ("000", "001")}
    assert made == {"before", "after", "int8", "pruned-30"} | curves
