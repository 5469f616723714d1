"""What people see while a run works and when it ends, and how they stop it and go on."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.table import Table

from meow import terminal
from meow.cli.common import say
from tests.conftest import write_facts
from tests.forked import typed

OTHERS = ["invert.backend=donors", "invert.plausible=null"]
"""The model knows nothing: it has no second choices."""
QUICK = ["threads=1", "train.epochs=2", "memo.max_new_tokens=4", "eval.max_new_tokens=4", "eval.forms=[]"]
LONG = ["threads=1", "train.epochs=300", "train.save_steps=20", "memo.max_new_tokens=4", "eval.max_new_tokens=4",
        "eval.forms=[]"]  # fmt: skip
MEOW = [sys.executable, "-m", "meow"]


@pytest.fixture
def own(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder: two plain files of facts, and a model."""
    write_facts(tmp_path)
    (tmp_path / "model").symlink_to(tiny_model)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def flags(command: str, *more: str) -> list[str]:
    files = ["data.forget=forget.jsonl", "data.retain=retain.jsonl", "model.path=model", "train.method=meow_contrast"]
    return [*MEOW, command, *files, *OTHERS, *more]


def steps(folder: Path) -> list[int]:
    file = folder / "runs/run/log.jsonl"
    return [json.loads(line)["step"] for line in file.read_text().split("\n")[:-1]] if file.is_file() else []


def wait_for_training(process: subprocess.Popen[str] | subprocess.Popen[bytes], folder: Path, step: int) -> None:
    while len(steps(folder)) < step:
        assert process.poll() is None
        time.sleep(0.02)


def test_ctrl_c_stops_cleanly_and_names_the_command_that_goes_on(meow: Callable[..., object], own: Path) -> None:
    process = subprocess.Popen(flags("run", *LONG), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for_training(process, own, 25)
    code, out, _ = meow("status", "runs/run", "--json")
    assert code == 0
    state = {stage["stage"]: stage for stage in json.loads(out)["stages"]}
    assert state["forget"]["state"] == "under way"
    assert re.fullmatch(r"\d+ of 300", state["forget"]["rows"])
    assert (state["memo"]["state"], state["eval/after"]["state"]) == ("finished", "left")
    assert json.loads(out)["next"] is None
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert process.returncode == 130
    assert "Traceback" not in out + err
    code, out, _ = meow("status", "runs/run")
    assert code == 0
    assert "interrupted" in out
    assert "next: meow run runs/run" in out
    words = shlex.split(err.strip().splitlines()[-1].partition("go on with: ")[2])
    assert words[:3] == ["python", "-m", "meow"]
    again = typed(*words[3:])
    assert again.code == 0, again.err
    left = re.search(r"forgetting: (\d+) to do", again.err)
    assert left
    assert int(left[1]) <= 280
    assert steps(own) == list(range(1, 301))


def test_sigterm_is_said_as_ctrl_c_is(own: Path) -> None:
    """A scheduler's end comes at any time: here while the facts are read, before anything heavy is loaded."""
    (own / "forget.jsonl").unlink()
    os.mkfifo(own / "forget.jsonl")
    process = subprocess.Popen(flags("run", *QUICK), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with (own / "forget.jsonl").open("w"):  # until it is read
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate()
    assert (process.returncode, out) == (130, ""), err
    assert err.strip().startswith("meow: stopped; go on with: python -m meow run data.forget=forget.jsonl ")
    assert err.count("\n") == 2


def test_two_plain_files_are_enough_and_the_end_names_files_and_the_next_command(own: Path) -> None:
    files = ["--forget", "forget.jsonl", "--retain", "retain.jsonl", "--model_name_or_path", "model"]
    done = typed("forget", *files, "--method", "meow_contrast", *OTHERS, *QUICK)
    assert done.code == 0, done.err
    assert done.out == "runs/run\n"
    *_, model, following, other = done.err.splitlines()
    assert model == "model: runs/run/model"
    assert any(re.match(r"forget: 2 steps in [\d.]+ s: target_nll ", line) for line in done.err.splitlines())
    assert (following, other) == ("next: meow run runs/run", "or:   meow ask runs/run")
    following = following.partition("meow ")[2]
    done = typed("-q", *following.split(), "--json")
    assert (done.code, done.err) == (0, "")
    found = json.loads(done.out)
    assert found["folder"] == "runs/run"
    assert found["label"] == "after"
    assert (own / found["report"]).is_file()


def test_a_verbose_run_says_settings_and_timings(own: Path) -> None:
    del own
    done = typed("-v", *flags("invert", *QUICK)[3:])
    assert done.code == 0, done.err
    assert "method: meow_contrast" in done.err
    assert re.search(r"invert: [\d.]+ s, peak memory \d+ MB", done.err)


def at_a_terminal(command: list[str], **environment: str) -> tuple[int, str]:
    """Exit code and everything that a command shows in a window of 120 columns; stopped as soon as it trains."""
    pid, window = pty.fork()
    if pid == 0:
        os.environ.update({"TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"} | environment)
        os.execvp(command[0], command)
    shown, stopped = b"", False
    while True:
        if select.select([window], [], [], 60)[0]:
            try:
                more = os.read(window, 1 << 16)
            except OSError:
                break
            if not more:
                break
            shown += more
        if not stopped and re.search(rb"forgetting .*/300.*/s", shown):
            stopped = True
            os.write(window, b"\x03")
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode("utf-8", "replace")


@pytest.mark.parametrize("environment", [{}, {"NO_COLOR": "1"}], ids=["color", "no color"])
def test_a_terminal_shows_bars_with_a_rate_and_gets_its_cursor_back(own: Path, environment: dict[str, str]) -> None:
    del own
    code, shown = at_a_terminal([*flags("run", *LONG), "notify.urls=json://secret@localhost:9"], **environment)
    assert code == 130, shown
    assert "meow: stopped; go on with: python -m meow run" in shown
    assert "notify.urls=..." in shown
    assert "secret@" not in shown
    assert "Traceback" not in shown
    assert shown.rfind("\x1b[?25h") > shown.rfind("\x1b[?25l") >= 0
    assert bool(re.search(r"\x1b\[(?:\d+;)*(?:3[0-7]|9[0-7]|38)[;m]", shown)) == (not environment)


def test_where_rows_come_many_at_once_the_time_left_is_that_of_all_of_them(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "_EVERY", 0.2)
    monkeypatch.setattr(terminal, "shows", True)
    with terminal.progress("rows", 9) as advance:
        for _ in range(3):
            time.sleep(0.3)
            for _ in range(3):
                advance(1)
    said = re.findall(r"rows: (\d+)/9", capsys.readouterr().err)
    assert said == ["3", "6"]


def test_the_rate_counts_from_the_first_row_and_not_from_what_is_set_up_before(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "_EVERY", 0.0)
    monkeypatch.setattr(terminal, "shows", True)
    with terminal.progress("rows", 4) as advance:
        time.sleep(1.0)  # weights, a list of words
        for _ in range(4):
            advance(1)
            time.sleep(0.1)
    said = re.findall(r"rows: (\d)/4, ([\d.]+)/s", capsys.readouterr().err)
    assert [n for n, _ in said] == ["1", "2", "3"]
    assert all(5 < float(rate) <= 10 for _, rate in said)  # one row in 0.1 s; from the start on it is 3 a second


HOSTILE = "a\x1b]0;b\x07\x1b[31m[/b][red]:smile:\u202ec\x9bd\ud800"


def test_nothing_of_data_steers_the_terminal_or_is_markup(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table(HOSTILE, title=HOSTILE)
    table.add_row(HOSTILE)
    console = terminal._Console(width=200)
    console.print(HOSTILE, style="bold")
    console.print(table)
    say(HOSTILE)
    shown = capsys.readouterr().out
    assert shown.count(r"a\x1b]0;b\x07\x1b[31m[/b][red]:smile:\u202ec\x9bd\ud800") == 5
    assert not set(shown) & set("\x1b\x07\x9b\u202e\ud800")


def test_an_id_with_escapes_is_shown_in_an_error_as_text(meow: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "f.jsonl").write_text(json.dumps({"id": HOSTILE[:-1], "question": "Q?", "answer": ""}) + "\n")
    done = meow("check", tmp_path / "f.jsonl")
    assert done.code == 2
    assert not set(done.err) & set("\x1b\x07\x9b\u202e")
