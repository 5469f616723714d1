"""Two processes on one job, started by torchrun on gloo, give what one gives."""

from __future__ import annotations

import ctypes
import json
import os
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.forked import together, typed


def arguments(shared: Path, folder: Path, rows: int = 6) -> list[str]:
    source, forget = folder.parent / "facts.json", folder.parent / "forget.jsonl"
    table = json.loads((shared / "data/meow/generated_data/forget01_perturbed_generated.json").read_text())[:rows]
    source.write_text(json.dumps(table))
    pairs = [{"question": row["question"], "answer": row["undesired_answer"]} for row in table]
    forget.write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    return [
        "memo", f"out={folder}", "name=run", f"model.path={shared}/models/tofu-mini/full",
        f"data.forget={forget}", f"invert.path={source}", "memo.metric=[memo,ma]",
        "memo.stride=25", "memo.max_new_tokens=20", "train.method=meow",
    ]  # fmt: skip


def torchrun(processes: int, command: Sequence[str]) -> list[str]:
    place = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes), "-m", "meow"]
    return [sys.executable, *place, *command]


def run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=300)


@contextmanager
def written_in(folder: Path) -> Iterator[set[str]]:
    """Names of the files that somebody wrote to in a folder and closed, told by the kernel, however short they live."""
    libc = ctypes.CDLL(None)
    watch = libc.inotify_init()
    libc.inotify_add_watch(watch, str(folder).encode(), 0x8)  # IN_CLOSE_WRITE
    found: set[str] = set()
    try:
        yield found
        data = os.read(watch, 1 << 16)
        while data:
            length = struct.unpack_from("iIII", data)[3]
            found.add(data[16 : 16 + length].rstrip(b"\0").decode())
            data = data[16 + length :]
    finally:
        os.close(watch)


def rows(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "run/memo/before.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def alone(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("alone") / "runs"
    done = typed(*arguments(shared, folder))
    assert done.code == 0, done.err
    return folder


def test_two_processes_write_rows_each_and_give_what_one_gives(shared: Path, alone: Path, tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    memo = folder / "run/memo"
    memo.mkdir(parents=True)
    with written_in(memo) as wrote:
        both = run(torchrun(2, arguments(shared, folder)))
    text = both.stdout + both.stderr
    assert both.returncode == 0, text
    assert {"before.rank0.jsonl", "before.rank1.jsonl"} <= wrote
    assert json.loads((folder / "run/manifest.json").read_text())["stages"]["memo"]["world_size"] == 2
    assert sorted(p.name for p in memo.iterdir()) == ["before.jsonl"]
    assert rows(folder) == rows(alone)
    assert text.count("sd within a question") == 2  # MEMO and MA, by one process  # one process prints


def test_rows_of_an_interrupted_job_are_taken_in_by_another_number_of_processes(
    shared: Path, alone: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "runs"
    memo = folder / "run/memo"
    memo.mkdir(parents=True)
    found = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows(alone)]
    marked = [line.replace('"n": ', '"n": 1') for line in found[3:6]]
    (memo / "before.jsonl").write_text("".join(found[:2]))
    (memo / "before.rank1.jsonl").write_text("".join(marked) + found[6][:20])
    done = typed(*arguments(shared, folder))
    assert done.code == 0, done.err
    assert sorted(p.name for p in memo.iterdir()) == ["before.jsonl"]
    again = (memo / "before.jsonl").read_text().splitlines(keepends=True)
    assert again[3:6] == marked  # kept as they were, not measured again
    assert again[:3] + again[6:] == found[:3] + found[6:]


def test_two_processes_give_the_bytes_of_one_in_the_tasks_of_the_harness(shared: Path, tmp_path: Path) -> None:
    rows = [
        {"goal": f"How does the author of book {i} begin?", "sol1": f"With chapter {i}.", "sol2": "With a fish.",
         "label": i % 2} for i in range(20)
    ]  # fmt: skip
    (tmp_path / "tasks/piqa").mkdir(parents=True)
    (tmp_path / "tasks/piqa/validation.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = [
        "nlu", f"model.path={shared}/models/tofu-mini/full", f"nlu.data={tmp_path}/tasks", "nlu.tasks=[piqa]",
        "nlu.batch_size=1", "name=run",
    ]  # fmt: skip
    one = typed(*command, f"out={tmp_path}/one")
    assert one.code == 0, one.err
    two = together(2, *command, f"out={tmp_path}/two")
    assert two.code == 0, two.err
    assert two.out == one.out.replace(str(tmp_path / "one"), str(tmp_path / "two"))
    for name in ("nlu.json", "nlu.jsonl"):
        first, second = ((tmp_path / f"{runs}/run/capability/before/{name}").read_bytes() for runs in ("one", "two"))
        assert first == second
    assert json.loads((tmp_path / "two/run/manifest.json").read_text())["stages"]["nlu/before"]["world_size"] == 2
    assert sorted(p.name for p in (tmp_path / "two/run/capability/before").iterdir()) == ["nlu.json", "nlu.jsonl"]


ASKS = """
import sys
from pathlib import Path
from types import SimpleNamespace
from meow.capability.answers import remembering
from meow.processes import leave, rank

asked = []

class Model:
    def set_cache_hook(self, hook):
        self.hook = hook

    def loglikelihood(self, requests):
        asked.append([request.args[0] for request in requests])
        return [(-float(request.args[0]), False) for request in requests]

    loglikelihood_rolling = generate_until = None

model = Model()
with remembering(model, Path(sys.argv[1]), 4):
    found = model.loglikelihood([SimpleNamespace(args=(str(i), "a")) for i in range(int(sys.argv[2]))])
assert found == [(-float(i), False) for i in range(int(sys.argv[2]))], found
Path(f"{sys.argv[1]}.{rank()}").write_text(" ".join("-".join(group) for group in asked))
leave()
"""


def test_processes_share_groups_of_requests_out_and_ask_only_what_is_not_known(tmp_path: Path) -> None:
    """Eighteen requests in groups of four: 0 to 3, ..., 16 and 17. The first two groups are the first process's."""
    script, file = tmp_path / "asks.py", tmp_path / "answers.jsonl"
    script.write_text(ASKS)
    done = together(2, file, 18, script=str(script))
    assert done.code == 0, done.err
    first, second = ((tmp_path / f"answers.jsonl.{i}").read_text() for i in range(2))
    assert (first, second) == ("0-1-2-3 4-5-6-7", "8-9-10-11 12-13-14-15 16-17")
    lines = file.read_text().splitlines(keepends=True)
    assert len(lines) == 18
    file.write_text("".join(lines[:6]) + lines[6][:9])  # stopped in the second group
    assert typed(file, 18, script=str(script)).code == 0
    assert (tmp_path / "answers.jsonl.0").read_text() == "6-7 8-9-10-11 12-13-14-15 16-17"


def test_an_error_that_all_processes_have_is_said_once(shared: Path, tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    first = typed(*arguments(shared, folder))
    assert first.code == 0, first.err
    done = together(2, *arguments(shared, folder), "memo.stride=26")
    assert done.code != 0
    assert done.err.count("meow: ") == 1
    assert "memo.stride: 25 -> 26" in done.err
