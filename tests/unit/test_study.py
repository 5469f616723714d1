"""The study: what is forgotten on the real ground, what a recipe is worth without a reference, a command that fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import study
from meow import metrics
from meow.files import write_json
from meow.records import EvalLog, write_records
from meow.run import STUDY
from tests.unit.test_outcome import TRUE, evaluation


def test_what_a_real_model_must_keep_is_not_what_it_must_forget(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "SHARED", shared)
    found = study.everyday()
    asked = {role: [row["question"] for row in rows] for role, rows in found.items()}
    every = [question for questions in asked.values() for question in questions]
    assert len(every) == len(set(every)) > 170
    assert {row["subject"].removeprefix("the ").split()[-1] for row in found["forget"]} == {
        "France",
        "System",
        "Shakespeare",
    }
    assert not set(study.SUBJECTS.values()) & {row.get("subject") for row in found["retain"]}


def test_a_recipe_beats_another_by_p_of_the_value_where_there_is_no_reference() -> None:
    def row(told: float, p: float, kept: float) -> dict[str, list[float]]:
        return {study.TOLD: [told], "p(value)": [p], study.KEPT: [kept]}

    assert study.beats(row(0, 0.1, 0.9), row(0.1, 0.1, 0.9))
    assert study.beats(row(0, 0.1, 0.9), row(0, 0.2, 0.9))
    assert not study.beats(row(0, 0.1, 0.9), row(0, 0.1, 0.9))
    assert not study.beats(row(0, 0.1, 0.8), row(0.1, 0.1, 0.9))


def test_what_is_kept_is_of_the_half_that_chose_nothing_in_a_study_and_of_all_questions_elsewhere(
    tmp_path: Path,
) -> None:
    """Of 30 facts the odd ones are still told, ROUGE-L is as before: 1 of the odd half; harmonic mean of 1/2 and 1."""
    before = evaluation(TRUE)
    after = [s if s.index % 2 else s.model_copy(update={"generation": "A house."}) for s in before]
    folder = tmp_path / "study/best-000-s0"
    for label, samples in (("before", before), ("after", after)):
        write_records(folder / "eval" / label / "samples.jsonl", samples)
        log = EvalLog(label=label, source="", rows={}, metrics=metrics.compute(samples, before=before))
        write_json(folder / "eval" / label / "log.json", log.model_dump(mode="json"))
    assert study.stayed(folder, "after") == {study.KEPT: pytest.approx(2 / 3)}
    (folder.parent / STUDY).touch()
    assert study.stayed(folder, "after") == {study.KEPT: pytest.approx(1)}


def test_other_epochs_are_those_of_every_run_and_stand_last() -> None:
    where, recipe = study.ground("forget05", 24), study.RECIPES["meow_npo"]
    typed = [item for item in study.run(where, recipe, {"train.lr": 1e-3}) if item.startswith("train.epochs=")]
    assert typed == ["train.epochs=6", "train.epochs=24"]
    assert study.ground("forget05") == study.ground("forget05", None) != where
    assert study.ground("forget05", 0).settings[-1] == "train.epochs=0"  # refused by the run, not passed over


def test_a_command_that_fails_ends_the_study_with_its_code(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        study.meow("run", "train.lrr=1")
    assert ended.value.code == 2
    said = capfd.readouterr().err
    assert "train.lrr" in said
    assert "Traceback" not in said


def test_settings_chosen_on_forget05_are_those_of_the_recipes_and_of_nothing_else(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A method without such settings is refused before anything is run."""
    assert list(study.CHOSEN) == list(study.RECIPES)
    for name, (rate, other) in study.CHOSEN.items():
        recipe, where = study.RECIPES[name], study.ground("forget05")
        unit = where.loss if recipe.tried == study.BOUND else 1
        assert where.rates[0] <= rate <= where.rates[1]
        assert recipe.low * unit <= other <= recipe.high * unit
    monkeypatch.setattr("sys.argv", ["study", "--ground", "forget10", "--recipes", "value", "rmu"])
    with pytest.raises(SystemExit) as ended:
        study.main()
    assert ended.value.code == 2
    assert "rmu: nothing was chosen on forget05" in capsys.readouterr().err
