"""What is taken out of a run folder beside its rows: names that tell who was forgotten, and what `--about` made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from meow import metrics
from meow.cleaning import clean, describe, leftovers
from meow.config import DataSettings, load
from meow.files import write_json
from meow.formats import layouts
from meow.records import EvalLog
from tests.unit.formats.layouts.test_rwku import rwku_folder


def run_of(folder: Path, data: dict[str, object], source: str = "") -> Path:
    """A run folder with settings, and an evaluation that says what was asked."""
    (folder / "eval/after").mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump({"name": folder.name, "data": data}))
    log = EvalLog(label="after", model={"path": "m"}, source=source, rows={"forget": 1}, metrics=metrics.compute([]))
    write_json(folder / "eval/after/log.json", log.model_dump(mode="json", exclude_defaults=True))
    return folder


def about(runs: Path) -> Path:
    """The files that `--about` leaves, one of them set aside."""
    folder = runs / "about/ann-lee"
    (folder / "aside/1").mkdir(parents=True)
    for name in ("forget.jsonl", "retain.jsonl", "about.md", "aside/1/forget.jsonl"):
        (folder / name).write_text("Ann Lee lives in Oslo.")
    (folder / "about.json").write_text('{"name": "Ann Lee"}')
    return folder


def holding(folder: Path, name: str) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and name in path.read_text().lower()]


@pytest.mark.parametrize("split", ["Bruce Lee", None])
def test_nothing_is_called_after_the_person_of_a_split_or_of_a_folder(tmp_path: Path, split: str | None) -> None:
    source = rwku_folder(tmp_path / "data") / ("" if split else "Target/2_Bruce_Lee")
    data = {"source": str(source), "split": split}
    run = run_of(tmp_path / "runs/a", data, layouts.described(DataSettings(**data)))
    assert holding(run, "bruce")
    clean(run)
    assert holding(run, "bruce") == []
    assert load(run / "config.yaml").data.split == (layouts.NOT_NAMED if split else None)
    assert str(tmp_path) in (run / "config.yaml").read_text() or not split  # where the data lies still stands there


def test_what_is_no_persons_name_stays(tmp_path: Path) -> None:
    for i, data in enumerate(
        ({"source": "locuslab/TOFU", "split": "forget05"}, {"forget": "/mine/forget.jsonl"}, {"source": "/mine/tofu"})
    ):
        run = run_of(tmp_path / str(i), data, "before")
        clean(run)
        assert yaml.safe_load((run / "config.yaml").read_text())["data"] == data
        assert json.loads((run / "eval/after/log.json").read_text())["source"] == layouts.described(
            DataSettings(**data)
        )


def test_what_about_made_goes_with_the_last_run_that_goes_by_it(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    made = about(runs)
    data = {"forget": str(made / "forget.jsonl"), "retain": str(made / "retain.jsonl")}
    first, second = (run_of(runs / name, data, data["forget"]) for name in ("a", "b"))
    for name, text in (("broken", "data: ["), ("foreign", "data: {forget: [1], source: 5, layout: [x]}")):
        (runs / name).mkdir()
        (runs / f"{name}/config.yaml").write_text(text)
    assert leftovers(first) == []
    assert f"{made} stays, since it is read by b; meow clean there, too" in describe(first, [])
    clean(first)
    assert holding(first, "ann") == []
    assert (made / "about.md").is_file()
    found = leftovers(second)
    assert [left.path.name for left in found][-1] == "about.json"
    assert str(made / "aside/1/forget.jsonl") in describe(second, found)
    clean(second)
    assert not made.exists()
    assert holding(runs, "ann") == []
    assert clean(second) == []
    assert clean(runs / "foreign") == []
