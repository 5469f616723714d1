"""A study in a real PostgreSQL server: a password that reaches no file, two processes, a heartbeat that stops."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from meow.config import RunConfig
from meow.errors import ConfigError
from meow.pipeline.plan import load_config
from meow.pipeline.tuning import studies
from tests.conftest import write_facts

PASSWORD = "a-secret-of-this-test"
PROGRAMS = max(map(str, Path("/usr/lib/postgresql").glob("*/bin")), default="")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Address of an empty database of a server of our own, which asks for a password."""
    initdb = shutil.which("initdb") or shutil.which("initdb", path=PROGRAMS)
    if initdb is None:
        pytest.skip("needs PostgreSQL, as of Debian's package postgresql")
    pytest.importorskip("psycopg2", reason="needs psycopg2: pip install 'meow-unlearning[tune]'")
    user: Any = {"user": "postgres"} if os.geteuid() == 0 else {}  # the server refuses to run as root
    with tempfile.TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True) as place, socket.socket() as free:
        folder = Path(place)
        (folder / "password").write_text(PASSWORD)
        if user:
            for path in (folder, folder / "password"):
                shutil.chown(path, "postgres")
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        how = ["-U", "meow", "-A", "scram-sha-256", f"--pwfile={folder}/password", "--no-sync", "-D", f"{folder}/data"]
        subprocess.run([initdb, *how], check=True, capture_output=True, **user)
        said = f"-p {port} -h 127.0.0.1 -k {folder} -F"
        control = [str(Path(initdb).with_name("pg_ctl")), "-D", f"{folder}/data", "-w", "-l", f"{folder}/log"]
        subprocess.run([*control, "-o", said, "start"], check=True, stdout=subprocess.DEVNULL, **user)
        yield f"postgresql://meow@127.0.0.1:{port}/postgres"
        subprocess.run([*control, "-m", "immediate", "stop"], check=True, stdout=subprocess.DEVNULL, **user)


@pytest.fixture
def config(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunConfig:
    """Settings of a study in that database."""
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    write_facts(tmp_path)
    return load_config(None, [
        f"out={tmp_path}", f"name={tmp_path.name}", "train.method=meow", f"data.forget={tmp_path}/forget.jsonl",
        f"data.retain={tmp_path}/retain.jsonl", f"tune.storage={server}", "tune.trials=6",
        "tune.space={train.lr: {low: 1e-5, high: 1e-3, log: true}, train.objective: [{target_nll: 1}]}",
    ])  # fmt: skip


def drawing(study: Any, config: RunConfig, tried: list[int]) -> Callable[[Any, studies.Hold], float]:
    """An objective without a training."""

    def objective(trial: Any, hold: studies.Hold) -> float:
        studies.refuse_surplus(study, config, trial)
        hold(nullcontext())
        tried.append(studies.number(studies.frozen(study, trial)))
        trial.suggest_categorical("train.objective", ['{"target_nll": 1}'])
        return float(trial.suggest_float("train.lr", 1e-5, 1e-3, log=True))

    return objective


def test_a_study_goes_on_in_the_database_and_no_file_holds_the_password(config: RunConfig, tmp_path: Path) -> None:
    few = config.model_copy(update={"tune": config.tune.model_copy(update={"trials": 2})})
    tried: list[int] = []
    study = studies.begin(few)
    studies.work(study, few, drawing(study, few, tried))
    again = studies.begin(config)
    studies.work(again, config, drawing(again, config, tried))
    assert tried == list(range(6))
    found = studies.kept(studies.opened(config), config)
    assert [trial.state for trial in found] == ["complete"] * 6
    assert {str(trial.values["train.objective"]) for trial in found} == {"{'target_nll': 1}"}
    assert studies.best(found) == min(found, key=lambda trial: trial.values["train.lr"])
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.name == "tune.yaml" for path in files)
    assert not [path for path in files if PASSWORD.encode() in path.read_bytes()]


def test_two_processes_make_each_trial_once(config: RunConfig, tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from meow.pipeline.plan import load_config; "
        "from meow.pipeline.tuning import studies; from tests.real import test_real_postgres as t; "
        "c = load_config(Path(sys.argv[1]), []); s = studies.begin(c); n = []; "
        "studies.work(s, c, t.drawing(s, c, n)); print(*n)"
    )
    studies.begin(config)  # writes tune.yaml
    command = [sys.executable, "-c", code, str(tmp_path / tmp_path.name / "tune.yaml")]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sorted(n for out, _ in said for n in map(int, out.split())) == list(range(6))


def test_a_trial_whose_heartbeat_stops_is_made_again(config: RunConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    study = studies.begin(config)
    with pytest.warns(UserWarning, match="Heartbeat"):
        trial = study.ask()  # as a machine that dies now has left it
    trial.suggest_float("train.lr", 1e-5, 1e-3, log=True)
    import psycopg2

    study._storage.record_heartbeat(trial._trial_id)
    with psycopg2.connect(str(config.tune.storage)) as database, database.cursor() as cursor:
        cursor.execute("UPDATE trial_heartbeats SET heartbeat = heartbeat - interval '1 hour'")
    other, tried = studies.begin(config), list[int]()
    studies.work(other, config, drawing(other, config, tried))
    assert sorted(tried)[0] == trial.number == 0
    assert len(tried) == 6
    monkeypatch.setenv("PGPASSWORD", "wrong")
    with pytest.raises(ConfigError, match=r"tune\.storage: cannot be reached \(.*password authentication failed"):
        studies.opened(config)
