"""What a dry run says of a pretrained model, by `make real-model`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import FORGET, RETAIN

pytestmark = pytest.mark.real


def test_parameters_and_memory_of_a_pretrained_model(
    meow: Callable[..., object], real_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meow.pipeline.costs.PATIENCE", 0.0)  # what is measured depends on who else works here
    for name, rows in (("forget", FORGET), ("retain", RETAIN)):
        (tmp_path / f"{name}.csv").write_text("question,answer\n" + "".join(f'"{q}","{a}"\n' for q, a in rows))
    files = [f"data.{name}={tmp_path}/{name}.csv" for name in ("forget", "retain")]
    done = meow("run", f"out={tmp_path}", f"model.path={real_model}", *files, "train.method=meow_contrast", "--dry-run")
    assert done.code == 0, done.err
    assert "model: 134,515,008 parameters in float32 on " in done.out
    assert "2.0 of weights, gradients and AdamW" in done.out
