"""The script for an accelerator, on the CPU: what it packs, and its rows on small models."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmarks import gpu


@pytest.fixture(autouse=True)
def packed(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "PACK", tmp_path / ".gpu")
    gpu.pack(shared, tmp_path / ".gpu")


def test_both_formats_agree_with_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "FACTS", 3)
    found = list(gpu.exact(torch.device("cpu")))
    assert [row["figure"] for row in found] == 2 * ["gpu.exact", "gpu.loss", "gpu.loss"]
    same, *losses = found[:3]
    assert same["largest"] == 0
    assert same["same_answers"] == 1
    assert all(row["relative"] == 0 and row["cosine"] == 1 for row in losses)
    assert 0 < found[3]["largest"] < 0.2
    assert min(row["cosine"] for row in found[4:]) > 0.99


def test_every_part_of_a_model_of_random_weights_is_measured() -> None:
    lm = gpu.billion(torch.device("cpu"))
    found = {row["figure"]: row for row in gpu.speed(lm, "small")}
    assert list(found) == ["gpu.peak", "gpu.memo", "gpu.eval", "gpu.train"]
    assert found["gpu.memo"]["parameters"] == sum(p.numel() for p in lm.model.parameters())
    of = found["gpu.peak"]["gflops"] * 1e9
    row = found["gpu.train"]
    assert row["share_of_peak"] == pytest.approx(6 * row["parameters"] * row["tokens_per_s"] / of, abs=2e-3)


def test_a_part_that_fails_is_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ValueError("no such kernel")

    for part in ("exact", "tofu_mini", "billion", "fsdp2"):
        monkeypatch.setattr(gpu, part, broken)
    found = [row for row in gpu.rows(torch.device("cpu")) if "error" in row]
    assert [row["error"] for row in found] == 4 * ["ValueError: no such kernel"]
