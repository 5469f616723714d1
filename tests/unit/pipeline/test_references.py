"""References beside the first: what is measured of a second one, and what then depends on it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from meow import lm, metrics, results
from meow.config import RunConfig
from meow.errors import ConfigError, OtherSettingsError
from meow.metrics import distance
from meow.pipeline import commands, plan, status
from meow.pipeline.plan import load_config
from meow.report import report
from meow.run import Run
from tests.conftest import FORGET


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """A folder with facts that have wrong answers, and three models of different weights."""
    folder = tmp_path_factory.mktemp("references")
    rows = [{"question": q, "answer": a, "perturbed_answer": [f"No {a}", "Nobody knows."]} for q, a in FORGET]
    (folder / "forget.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for i, name in enumerate(("original", "one", "two")):
        shutil.copytree(tiny_model, folder / name)
        model = lm.load(RunConfig().model.model_copy(update={"path": str(tiny_model)}))
        model.model.get_input_embeddings().weight.data.mul_(1 + i / 4)
        model.model.save_pretrained(folder / name)
    return folder


def config(world: Path, *more: str) -> RunConfig:
    return load_config(None, [
        f"out={world}", "name=run", f"model.path={world}/original", f"data.forget={world}/forget.jsonl",
        f"eval.reference={world}/one", "eval.max_new_tokens=4", *more,
    ])  # fmt: skip


@pytest.fixture(scope="module")
def run(world: Path) -> Run:
    """Evaluated against two references that are models."""
    return commands.evaluate(config(world, f"eval.second_reference={world}/two"))


def test_of_a_second_reference_log_r_alone_is_measured_and_its_distance_is_the_measure(world: Path, run: Run) -> None:
    wanted = config(world, f"eval.second_reference={world}/two", "train.method=grad_diff")
    names = [stage.name for stage in plan.plan(wanted)]
    assert names[names.index("eval/reference") :][:3] == ["eval/reference", "eval/second", "eval/before"]
    samples = {label: results.samples(run.path, label) for label in ("reference", "second", "before")}
    assert len(samples["second"]) == len(FORGET)
    assert all(s.true and s.perturbed and s.generation is None for s in samples["second"])
    found = results.logs(run.path)["before"]
    expected = metrics.compute(samples["before"], reference=samples["reference"], second=samples["second"])
    assert found.metrics["forget_distance_relative"] == expected["forget_distance_relative"]
    assert (expected["forget_distance_relative"].value or 0) > 0
    assert list(found.farthest) == [g.sample.id for g in distance.farthest(samples["before"], samples["reference"])]
    between = results.logs(run.path)["second"].metrics["forget_distance"]
    assert between == metrics.compute(samples["second"], reference=samples["reference"])["forget_distance"]
    assert "robustness" not in str(status.read(run.path).next)


def test_another_second_reference_is_another_setting_and_a_log_serves_as_well(world: Path, run: Run) -> None:
    with pytest.raises(OtherSettingsError, match=r"second"):
        commands.evaluate(config(world, f"eval.second_reference={world}/original"))
    logged = config(world, "name=logged", f"eval.second_reference={run / 'eval/second'}")
    other = commands.evaluate(logged)
    numbers = [results.logs(world / name)["before"].metrics for name in ("run", "logged")]
    assert numbers[0]["forget_distance_relative"] == numbers[1]["forget_distance_relative"]
    alone = results.logs(commands.evaluate(config(world, "name=alone")).path)["before"].metrics
    assert alone["forget_distance_relative"].reason == "no second one; set eval.second_reference"
    assert alone["forget_distance"] == numbers[0]["forget_distance"]
    shutil.rmtree(other / "eval/second")
    commands.evaluate(logged, rescore=True)
    assert (other / "eval/second/log.json").is_file()


def test_the_original_asked_about_other_names_is_a_reference_and_is_marked(world: Path) -> None:
    wanted = config(world, "name=renamed", "eval.reference=other_names")
    run = commands.evaluate(wanted)
    samples, logs = results.samples(run.path, "reference"), results.logs(run.path)
    assert [(s.true, s.generation, s.perturbed) for s in samples] == [(None, None, ())] * len(FORGET)
    assert all(s.log_truth_ratio is not None for s in samples)
    assert logs["before"].reference == {"path": "other names"}
    assert len(logs["reference"].model["names"].split(", ")) == 8
    expected = metrics.compute(results.samples(run.path, "before"), reference=samples)
    assert logs["before"].metrics["forget_quality"] == expected["forget_quality"]
    assert (expected["forget_distance"].value or 0) > 0
    page = report([run.path], run / "page.html").read_text()
    assert "reference: other names" in page
    assert "The reference is the original asked about other names." in page
    commands.evaluate(wanted, rescore=True)
    assert results.logs(run.path)["before"] == logs["before"]
    given = [f"A{c}o Q{c}e" for c in "bcdfghjk"]
    with pytest.raises(OtherSettingsError, match="eval/reference was made with other settings"):
        commands.evaluate(config(world, "name=renamed", "eval.reference=other_names", f"data.names={given}"))
    with pytest.raises(ConfigError, match=r"data\.names: 1 of 2 names have no word of a file"):
        commands.evaluate(config(world, "name=few", "eval.reference=other_names", "data.names=[Mira Vale, Bo Reed]"))


def test_a_question_that_names_nobody_is_counted_and_said(world: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = [json.loads(line) for line in (world / "forget.jsonl").read_text().splitlines()]
    rows[1] |= {"question": "Who was born on May 3, 1961?", "answer": "It is Mira Holt."}
    (world / "unnamed.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = commands.evaluate(config(world, "name=u", "eval.reference=other_names", f"data.forget={world}/unnamed.jsonl"))
    assert [s.log_truth_ratio is None for s in results.samples(run.path, "reference")] == [False, True, False]
    assert "1 question of 3 cannot be asked so: the question names nobody" in caplog.text
    found = results.logs(run.path)["before"].metrics
    assert (found["forget_distance"].n, found["forget_distance"].reason) == (
        2,
        "1 of 3 left out: no log R on both sides",
    )
    assert found["forget_quality"].reason == "1 of 3 of the reference left out: no log R"
