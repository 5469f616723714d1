"""Which layout a folder is of, what a Parquet table needs, and what is said where nothing fits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from meow.config import DataSettings
from meow.errors import ConfigError, DataError
from meow.formats import layouts, sources
from meow.formats.layouts.parts import table
from tests import hub
from tests.unit.formats.layouts.test_lume import ROWS, lume_folder
from tests.unit.formats.layouts.test_muse import muse_folder
from tests.unit.formats.layouts.test_rwku import rwku_folder

SOURCE = Path(__file__).resolve().parents[4] / "src"


def test_a_layout_is_found_by_what_is_in_the_folder_or_named(tmp_path: Path) -> None:
    (tmp_path / "tofu").mkdir()
    (tmp_path / "tofu/forget05.json").write_text("[]")
    lume = lume_folder(tmp_path / "lume")
    named = {
        "tofu": DataSettings(source=str(tmp_path / "tofu"), split="forget05"),
        "lume": DataSettings(source=str(lume)),
    }
    assert {layouts.name_of(settings): name for name, settings in named.items()} == {n: n for n in named}
    assert layouts.name_of(DataSettings(forget="a.jsonl", source=str(lume))) == "own"
    assert layouts.name_of(DataSettings(source="locuslab/TOFU", split="forget05")) == "tofu"
    with pytest.raises(ConfigError, match=r"data\.layout: found 'lumme'; did you mean lume\?"):
        layouts.name_of(DataSettings(source=str(lume), layout="lumme"))


def test_a_folder_of_no_layout_is_told_what_could_be_there(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"question": "q", "answer": "a"}\n')
    with pytest.raises(DataError, match="data of no known layout; expected one of: tofu: forget10") as e:
        sources.forget_set(DataSettings(source=str(tmp_path)))
    assert "lume: forget.jsonl and retain.jsonl with id, input, output, task" in str(e.value)
    assert "\n" not in str(e.value)


def test_every_layout_says_what_its_scores_are() -> None:
    for name, layout in layouts.LAYOUTS.items():
        assert layout.source, name
        assert bool(layout.probes) == bool(layout.score) == bool(layout.scores), name
        assert {score.better for score in layout.scores.values()} <= {"higher", "lower", "reference"}, name


def test_the_tables_of_the_hub_are_read_as_lines_are(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="needs the extra `capability` (pyarrow)")
    from pyarrow import parquet

    lume_folder(tmp_path / "lines", members=False)
    (tmp_path / "hub/data").mkdir(parents=True)
    for name in ("forget", "retain"):
        rows = [json.loads(line) for line in (tmp_path / f"lines/{name}.jsonl").read_text().splitlines()]
        file = tmp_path / f"hub/data/{name}_train-00000-of-00001.parquet"
        parquet.write_table(pyarrow.Table.from_pylist(rows), file)
    lines, hub = (DataSettings(source=str(tmp_path / name)) for name in ("lines", "hub"))
    assert layouts.name_of(hub) == "lume"
    assert sources.forget_set(hub) == sources.forget_set(lines)
    assert len(sources.forget_set(hub)) == len(ROWS)
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(DataError, match=r"bad\.parquet: no Parquet table"):
        list(table(tmp_path / "bad.parquet"))


def test_without_pyarrow_a_table_of_the_hub_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(DataError, match=r"a\.parquet: a Parquet table, which takes pyarrow; install it"):
        list(table(tmp_path / "a.parquet"))


def test_a_list_of_texts_is_rows_of_texts(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('["one", "two"]')
    assert [row.values for row in table(tmp_path / "a.json")] == [{"text": "one"}, {"text": "two"}]


READ = """
import json, sys
from meow.config import DataSettings
from meow.formats import layouts, sources
found = {}
for source, split in json.loads(sys.argv[1]):
    settings = DataSettings(source=source, split=split)
    found[source] = [len(sources.forget_set(settings)), len(layouts.probes(settings))]
print(json.dumps(found))
"""


def test_what_the_hub_has_is_read_by_its_id(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="needs the extra `capability` (pyarrow)")
    from pyarrow import parquet

    muse = muse_folder(tmp_path / "muse")
    for file in [*muse.rglob("*.json"), *muse.rglob("*.txt")]:
        rows = [row.values for row in table(file)]
        parquet.write_table(pyarrow.Table.from_pylist(rows), file.with_name(f"{file.stem}-00000-of-00001.parquet"))
        file.unlink()
    rows = [{"question": "q", "answer": "a"}]
    shots = muse / "knowmem/retain_qa_icl-00000-of-00001.parquet"
    parquet.write_table(pyarrow.Table.from_pylist(rows), shots)
    folders = {"muse-bench/MUSE-Books": muse, "jinzhuoran/RWKU": rwku_folder(tmp_path / "rwku", form="All")}
    asked = [["muse-bench/MUSE-Books", None], ["jinzhuoran/RWKU", "Bruce Lee"]]
    with hub.serve(folders) as address:
        environment = os.environ | {"HF_ENDPOINT": address, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1",
                                    "HF_HOME": str(tmp_path / "home"), "PYTHONPATH": str(SOURCE)}  # fmt: skip
        command = [sys.executable, "-c", READ, json.dumps(asked)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"muse-bench/MUSE-Books": [2, 10], "jinzhuoran/RWKU": [1, 10]}


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"layout": "own"}, r"data\.forget: not set, but data\.layout is own"),
        ({"forget": "a.txt", "layout": "lume"}, r"data\.layout: found 'lume', but data\.forget names .*\(a\.txt\)"),
        ({"forget": "a.txt", "layout": "lumme"}, r"data\.layout: found 'lumme'; did you mean lume\?"),
        ({"source": "muse-bench/MUSE-Nws"}, "data.split: not set, and muse-bench/MUSE-Nws is read as TOFU"),
        ({"source": "FILE"}, r"a\.txt: data\.source: is a file; .* set data\.forget to it"),
        ({"source": "FILE", "layout": "muse"}, r"a\.txt: data\.source: is a file"),
    ],
)
def test_settings_that_do_not_go_together_are_one_line_on_what_to_change(
    tmp_path: Path, settings: dict[str, str], says: str
) -> None:
    (tmp_path / "a.txt").write_text("Ann was born in Oslo in 1961.")
    given = {name: str(tmp_path / "a.txt") if value == "FILE" else value for name, value in settings.items()}
    with pytest.raises((ConfigError, DataError), match=says) as e:
        sources.forget_set(DataSettings(**given))
    assert "\n" not in str(e.value)


@pytest.mark.parametrize(
    ("make", "file", "split"),
    [
        (lume_folder, "forget.jsonl", None),
        (muse_folder, "verbmem/forget.json", None),
        (muse_folder, "knowmem/retain_qa.json", None),
        (rwku_folder, "Target/2_Bruce_Lee/forget_level3.json", "Bruce_Lee"),
    ],
)
def test_a_prompt_that_is_blank_is_named_before_a_model_is_asked(
    tmp_path: Path, make: Callable[[Path], Path], file: str, split: str | None
) -> None:
    path = make(tmp_path / "data") / file
    listed = path.suffix == ".json"
    found = json.loads(path.read_text()) if listed else [json.loads(line) for line in path.read_text().splitlines()]
    asked = next(name for name in ("input", "prompt", "question", "query") if name in found[0])
    found[0][asked] = " "
    path.write_text(json.dumps(found) if listed else "".join(json.dumps(row) + "\n" for row in found))
    with pytest.raises(DataError, match=rf"{path.name}.*: {asked}: is blank"):
        layouts.probes(DataSettings(source=str(tmp_path / "data"), split=split))
