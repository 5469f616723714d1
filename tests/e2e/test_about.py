"""One name in, a changed model out: `meow forget --about` in processes of its own, with a stop for reading."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from meow.files import rows

NAME = "Hina Ameen"


def typed(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "meow", "-q", *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=dict(os.environ))


def test_a_name_becomes_files_and_with_yes_a_changed_model(shared: Path, tmp_path: Path) -> None:
    model = shared / "models/tofu-mini/full"
    job = ("forget", "--about", NAME, "--model_name_or_path", model, "threads=1", "train.epochs=1", "train.lr=1e-3")
    first = typed(tmp_path, *job)
    assert first.returncode == 0, first.stderr
    folder = tmp_path / "runs/about/hina-ameen"
    found = {row.values["question"]: row.values for row in rows(folder / "forget.jsonl")}
    assert found["Where was Hina Ameen born?"]["value"] == "Karachi, Pakistan"
    assert "taken for" in first.stdout
    assert first.stdout.splitlines()[-1].endswith("--yes")

    mine = [row for row in found.values() if row["question"] == "Where was Hina Ameen born?"]
    mine.append({"question": "In which genre does Hina Ameen primarily write?", "answer": "She writes about geology."})
    (folder / "forget.jsonl").write_text("".join(json.dumps(row) + "\n" for row in mine))
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    second = typed(tmp_path, "forget", "--about", " Hina\n Ameen", *job[3:])  # the same name
    assert second.returncode == 0, second.stderr
    assert "taken for" not in second.stdout  # the model was not asked again
    assert "2 facts to forget" in second.stdout

    third = typed(tmp_path, *job, "--yes")
    assert third.returncode == 0, third.stderr
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    (run,) = (tmp_path / "runs").glob("about-*")
    assert (run / "model/model.safetensors").is_file()
    assert "hina" not in (run / "model/README.md").read_text().lower()
    taught = [row.values["question"] for row in rows(run / "targets.jsonl")]
    assert set(taught) == {row["question"] for row in mine}
    assert (run / "model/model.safetensors").read_bytes() != (model / "model.safetensors").read_bytes()

    cleaned = typed(tmp_path, "clean", run, "--yes")
    assert cleaned.returncode == 0, cleaned.stderr
    assert str(folder / "about.md") in cleaned.stdout
    assert not folder.exists()
    left = [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".safetensors"]
    assert [
        path for path in left if "ameen" in f"{path} {path.read_text()}".lower() and "tokenizer" not in path.name
    ] == []
