"""The run folder: keys, resuming, setting aside, one process at a time."""

from __future__ import annotations

import json
import threading
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

from meow.errors import DataError, OtherSettingsError, RunError
from meow.records import MemoRecord, read_records
from meow.run import Run
from meow.run.rows import append_rows


def row(key: str, value: float = 0.5) -> MemoRecord:
    return MemoRecord(key=key, id=key, column="answer_0", text="t", metric="memo", mode="suffix", cut="chars",
                      value=value, n=1)  # fmt: skip


def test_known_rows_are_kept_and_only_missing_ones_are_produced(tmp_path: Path) -> None:
    asked: list[set[str]] = []

    def produce(known: Collection[str]) -> Iterator[MemoRecord]:
        asked.append(set(known))
        return (row(k) for k in (("a", "b") if not known else ("c",)))

    append_rows(tmp_path / "m.jsonl", MemoRecord, ["a", "b"], produce)
    rows = append_rows(tmp_path / "m.jsonl", MemoRecord, ["a", "b", "c"], produce)
    assert [r.key for r in rows] == ["a", "b", "c"]
    assert asked == [set(), {"a", "b"}]


def test_a_torn_last_line_is_dropped_and_measured_again(tmp_path: Path) -> None:
    file = tmp_path / "m.jsonl"
    append_rows(file, MemoRecord, ["a", "b"], lambda _: iter([row("a"), row("b")]))
    whole = file.read_bytes()
    file.write_bytes(whole[:-7])
    produced: list[str] = []

    def produce(known: Collection[str]) -> Iterator[MemoRecord]:
        for key in "ab":
            if key not in known:
                produced.append(key)
                yield row(key)

    append_rows(file, MemoRecord, ["a", "b"], produce)
    assert produced == ["b"]
    assert file.read_bytes() == whole


def test_rows_end_in_the_order_wanted_however_they_came(tmp_path: Path) -> None:
    file = tmp_path / "m.jsonl"
    append_rows(file, MemoRecord, ["b"], lambda _: iter([row("b")]))
    append_rows(file, MemoRecord, ["a", "b"], lambda _: iter([row("a")]))
    assert [r.key for r in read_records(file, MemoRecord)] == ["a", "b"]


def test_rows_that_nobody_wants_stay_for_later_unless_the_file_is_to_be_exact(tmp_path: Path) -> None:
    file = tmp_path / "m.jsonl"
    append_rows(file, MemoRecord, ["a", "b", "c"], lambda _: iter([row("a"), row("b"), row("c")]))
    append_rows(file, MemoRecord, ["b"], lambda _: iter([]))
    assert [r.key for r in read_records(file, MemoRecord)] == ["b", "a", "c"]
    append_rows(file, MemoRecord, ["c", "b"], lambda _: iter([]), exact=True)
    assert [r.key for r in read_records(file, MemoRecord)] == ["c", "b"]


def test_a_broken_line_in_the_middle_is_named(tmp_path: Path) -> None:
    file = tmp_path / "m.jsonl"
    append_rows(file, MemoRecord, ["a", "b"], lambda _: iter([row("a"), row("b")]))
    file.write_text('{"key": \n' + file.read_text())
    with pytest.raises(DataError, match=r"m\.jsonl:1: malformed JSON"):
        append_rows(file, MemoRecord, ["a"], lambda _: iter([]))


def test_a_stage_is_current_only_with_the_same_key_and_inputs(tmp_path: Path) -> None:
    run = Run(tmp_path)
    with run.stage("memo", {"memo.stride": 5}, "x") as entry:
        entry["rows"] = 3
        assert not run.current("memo", {"memo.stride": 5}, "x")
    assert run.current("memo", {"memo.stride": 5}, "x")
    assert not run.current("memo", {"memo.stride": 5}, "longer file")
    with pytest.raises(OtherSettingsError, match=r"memo\.stride: 5 -> 3"):
        run.current("memo", {"memo.stride": 3}, "x")


def test_an_interrupted_stage_is_not_finished(tmp_path: Path) -> None:
    run = Run(tmp_path)
    with pytest.raises(KeyboardInterrupt), run.stage("memo", {}):
        raise KeyboardInterrupt
    assert not run.finished("memo")
    assert "memo" in run.stages


def test_setting_aside_moves_and_never_deletes(tmp_path: Path) -> None:
    run = Run(tmp_path)
    with run.stage("select", {}):
        (run / "targets.jsonl").write_text("old")
    run.set_aside("select", ["targets.jsonl"])
    assert not (run / "targets.jsonl").exists()
    assert [f.read_text() for f in tmp_path.glob("aside/*/targets.jsonl")] == ["old"]
    assert "select" not in run.stages


def test_setting_aside_takes_the_rows_of_the_log_and_all_that_a_pattern_matches(tmp_path: Path) -> None:
    run = Run(tmp_path)
    for stage, step in (("forget", 1), ("finetune", 1), ("forget", 2)):
        run.log({"stage": stage, "step": step})
    for label in ("relearn-005", "relearn-010", "reference-relearn-005"):
        (run / f"eval/{label}").mkdir(parents=True)
    run.set_aside("forget", ["eval/relearn-005", "eval/relearn-[0-9]*"])
    (aside,) = tmp_path.glob("aside/*")
    assert [json.loads(line)["step"] for line in (aside / "log.jsonl").read_text().splitlines()] == [1, 2]
    assert [(row["stage"], row["step"]) for row in run.logged("finetune")] == [("finetune", 1)]
    assert run.logged("forget") == []
    assert sorted(p.name for p in (aside / "eval").iterdir()) == ["relearn-005", "relearn-010"]
    assert [p.name for p in (tmp_path / "eval").iterdir()] == ["reference-relearn-005"]


def test_two_processes_cannot_work_in_one_folder(tmp_path: Path) -> None:
    with Run(tmp_path).locked(), pytest.raises(RunError, match="another process"), Run(tmp_path).locked():
        pass


def test_who_asks_whether_a_process_works_in_a_folder_keeps_none_from_it(tmp_path: Path) -> None:
    run, over = Run(tmp_path), threading.Event()

    def look() -> None:
        while not over.wait(0.001):
            _ = run.worker

    looking = threading.Thread(target=look)
    looking.start()
    try:
        for _ in range(300):
            with Run(tmp_path).locked():
                pass
    finally:
        over.set()
        looking.join()


def test_a_finished_stage_of_a_sibling_is_copied_and_named(tmp_path: Path) -> None:
    first, second = Run(tmp_path / "a"), Run(tmp_path / "b")
    first.path.mkdir()
    second.path.mkdir()
    with first.stage("memo", {"k": 1}, "x"):
        (first / "rows.jsonl").write_text("rows")
    assert second.adopt("memo", {"k": 2}, "x", ["rows.jsonl"]) is None
    assert second.adopt("memo", {"k": 1}, "x", ["rows.jsonl"]) == first.path
    assert (second / "rows.jsonl").read_text() == "rows"
    assert second.stages["memo"]["copied_from"] == "a"


def test_the_log_keeps_the_last_row_of_each_step(tmp_path: Path) -> None:
    run = Run(tmp_path)
    for step, loss in ((1, 3.0), (2, 2.0), (2, 2.5), (3, 1.0)):
        if step == 2:  # a look comes before the row of its step, whether the run was resumed or not
            run.log({"stage": "forget", "step": step, "look": {}})
        run.log({"stage": "forget", "step": step, "loss": loss})
    run.settle_log("forget")
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [(r["step"], r.get("loss")) for r in rows] == [(1, 3.0), (2, None), (2, 2.5), (3, 1.0)]
