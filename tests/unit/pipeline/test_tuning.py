"""Choosing settings by trials: what may be tried, what a trial is worth, which trials no other one beats."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meow.config import Range, RunConfig, dump
from meow.errors import ConfigError, RunError
from meow.pipeline.plan import load_config, run_of
from meow.pipeline.tuning import best, judging, showing, studies
from meow.pipeline.tuning.judging import Judged
from meow.pipeline.tuning.space import check, grid, made, size, values_of
from meow.pipeline.tuning.studies import Trial
from meow.records import Asked, EvalSample, Likelihood
from meow.run import STUDY, Run
from tests.conftest import write_facts

JUDGED = st.builds(
    lambda told, distance, kept: Judged(told / 8, 8, distance, kept, 2 / 8),
    st.integers(0, 8), st.sampled_from([0.0, 0.1, 2.0, 1e6]), st.sampled_from([0.2, 0.9499, 0.95, 1.0, 1.1]),
)  # fmt: skip


@given(JUDGED, JUDGED)
def test_fewer_facts_told_come_before_any_distance_and_enough_kept_before_both(a: Judged, b: Judged) -> None:
    """Two of eight are told by a model that never saw them: none, one and two are alike."""

    def slow(one: Judged) -> tuple[float, ...]:
        return (1.0, -one.kept, 0.0) if one.kept < 0.95 else (0.0, max(2, round(8 * one.told)), one.distance)

    if slow(a) < slow(b):
        assert a.rank(0.95) < b.rank(0.95)


@given(st.lists(JUDGED, min_size=1, max_size=8))
def test_the_front_is_what_no_other_trial_beats(found: list[Judged]) -> None:
    def points(one: Judged) -> tuple[float, ...]:
        return (-one.told, -one.distance, one.kept)

    beaten = {
        i
        for i, j in product(range(len(found)), repeat=2)
        if points(found[i]) != points(found[j])
        and all(x <= y for x, y in zip(points(found[i]), points(found[j]), strict=True))
    }
    front = judging.front(dict(enumerate(found)))
    assert set(front) == set(range(len(found))) - beaten != set()
    assert [found[i].told for i in front] == sorted(found[i].told for i in front)


def sample(role: Any, index: int, *, says: str, loss: float) -> EvalSample:
    """A fact whose answer is `Oslo`, what a model says to it, and its answer's mean loss per token."""
    return EvalSample(
        key="", id=f"{role}{index}", role=role, set=role, index=index, question="Where?", answer="Oslo",
        values=("Oslo",), generation=says, rougeL_recall=float(says == "Oslo"), true=Likelihood(avg_loss=loss),
        value_logp=-loss,
    )  # fmt: skip


def test_a_trial_is_judged_by_hand() -> None:
    """Two forget facts, one told; two retain facts, both told before and one after, with p(answer) 1/2, then 1/4.

    told 1/2; p(value) of the forget facts 1/4. Half of the retain facts told before is left, of ROUGE-L and of p, too.
    """
    half, quarter = math.log(2), math.log(4)
    before = [sample(role, i, says="Oslo", loss=half) for role in ("forget", "retain") for i in (0, 2)]
    after = [
        sample(role, i, says="Bonn" if i else "Oslo", loss=quarter) for role in ("forget", "retain") for i in (0, 2)
    ]
    found = judging.judged(after, before, [])
    assert found == pytest.approx((0.5, 2, 0.25, 0.5, 0.0))
    assert found.rank(0.5) == pytest.approx(0.5 + 0.2 / 3)
    assert found.rank(0.75) == pytest.approx(2.25)
    with pytest.raises(ConfigError, match="no retain facts"):
        judging.judged(after[:2], before[:2], [])


def test_what_a_reference_tells_in_the_same_ways_counts_as_none() -> None:
    """Of four facts the model tells two and the reference one, and a second one to a question that it alone was asked.

    Above the control 1/4; every log R is 1 away, and distance 1 adds half of a fifth of one.
    """
    before = [sample(role, i, says="Oslo", loss=0) for role in ("forget", "retain") for i in range(4)]
    wrong, likely = (Likelihood(avg_loss=1), Likelihood(avg_loss=2))
    ratio: dict[str, Any] = {"paraphrased": likely, "perturbed": (wrong,)}
    after = [
        s.model_copy(update=ratio | {"generation": "Oslo" if s.role == "retain" or s.index < 2 else "Bonn"})
        for s in before
    ]
    more = (Asked(form="persona", prompt="Where?", said="Oslo"),)
    ratio["perturbed"] = (likely,)
    reference = [
        s.model_copy(update=ratio | {"generation": "Bonn" if s.index else "Oslo", "asked": more * (s.index == 1)})
        for s in before
    ]
    found = judging.judged(after, before, reference)
    assert found == pytest.approx((0.5, 4, 1.0, 1.0, 0.25))
    assert found.rank(0.95) == pytest.approx(0.25 + 0.5 / 5)
    assert Judged(*found[:4]).control == 0  # as a study of before has kept it
    log = [s.model_copy(update={"generation": None, "asked": ()}) for s in reference]  # as published, without texts
    assert judging.judged(after, before, log) == pytest.approx((0.5, 4, 1.0, 1.0, 0.0))


def test_below_what_the_reference_tells_the_nearer_trial_is_best_and_the_table_says_so() -> None:
    """None told at 2.4 nats comes after one told at .9, where the reference tells two of ten; three come last."""
    worth = [Judged(told, 10, distance, 1.0, 0.2) for told, distance in ((0.0, 2.4), (0.1, 0.9), (0.3, 0.1))]
    found = [Trial(i, "complete", {"train.lr": 1e-4}, one, "", one.rank(0.95)) for i, one in enumerate(worth)]
    lines = showing.table(found, 0.95)
    assert [line.split()[0] for line in lines[1:4]] == ["1*", "0*", "2*"]
    assert lines[-1] == "the reference tells 0.200 in the same ways: up to there the smaller distance decides"
    without = [trial._replace(judged=Judged(*worth[trial.number][:4])) for trial in found]
    assert not any("reference" in line for line in showing.table(without, 0.95))


@pytest.fixture
def study(tmp_path: Path) -> Callable[..., RunConfig]:
    """Settings of a study of a space, on three facts."""
    write_facts(tmp_path)

    def of(space: str, *more: str) -> RunConfig:
        facts = [f"data.{name}={tmp_path}/{name}.jsonl" for name in ("forget", "retain")]
        return load_config(None, [f"out={tmp_path}", "train.method=meow", *facts, f"tune.space={space}", *more])

    return of


def test_names_and_values_are_refused_as_on_the_command_line_all_at_once(study: Callable[..., RunConfig]) -> None:
    config = study("{train.lrr: [1], train.lr: {low: -1, high: 1}, train.method: [meow, nop], select.k: [1]}")
    with pytest.raises(ConfigError) as e:
        check(config)
    lines = str(e.value).split("\n")
    assert "command line: train.lrr: unknown setting; did you mean train.lr?" in lines
    assert "command line: train.lr: found -1; input should be greater than 0, or auto" in lines
    assert any("unknown method 'nop'" in line for line in lines)
    assert len(lines) == 3
    with pytest.raises(ConfigError, match="nothing to try"):
        check(study("{}"))


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ("{train.lr: 3}", "train.lr: .*expected a list of values"),
        ("{train.lr: []}", "train.lr: .*expected a list of values"),
        ("{train.lr: {low: 2, high: 1}}", "train.lr: low 2, high 1: expected low < high"),
        ("{train.lr: {low: 0, high: 1, log: true}}", "with log: true 0 < low"),
        ("{train.lr: {low: 1, high: 2, lag: true}}", "train.lr: extra inputs"),
        ("{eval.rows: [1, 2]}", "eval.rows: trials are judged by it"),
        ("{seed: [1, 2]}", "seed: trials are judged by it, or it is theirs"),
    ],
)
def test_what_is_no_space_is_refused_by_its_name(study: Callable[..., RunConfig], space: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        study(space)


def test_a_trial_has_the_methods_own_defaults_and_the_space_may_be_nested(study: Callable[..., RunConfig]) -> None:
    config = study("{train: {method: [meow, meow_contrast], lr: [1e-5]}}")
    assert set(config.tune.space) == {"train.method", "train.lr"}
    meow, contrast = (made(config, "t", {"train.method": m, "train.lr": 1e-5}, 7) for m in ("meow", "meow_contrast"))
    assert (meow.select.k, contrast.select.k, contrast.train.lr, contrast.seed) == (3, 1, 1e-5, 7)
    assert meow.train.objective != contrast.train.objective
    assert contrast.tune.chosen == ("train.method", "train.lr")
    assert Path(contrast.out) == Path(config.out) / str(config.name)


def test_a_grid_holds_every_combination_once(study: Callable[..., RunConfig]) -> None:
    objectives = "[{target_nll: 1}, {forget_npo: 1}]"
    space = (
        f"{{select.k: {{low: 1, high: 3}}, train.lr: {{low: 1, high: 2, step: 0.5}}, train.objective: {objectives}}}"
    )
    config = study(space, "tune.sampler=grid", "tune.trials=100")
    assert grid(config.tune.space) == {
        "select.k": [1, 2, 3], "train.lr": [1, 1.5, 2], "train.objective": ['{"target_nll": 1}', '{"forget_npo": 1}']
    }  # fmt: skip
    assert size(config.tune.space) == studies.wanted(config) == 18
    seen = []

    def objective(trial: Any, hold: studies.Hold) -> float:
        from meow.pipeline.tuning.space import suggested

        hold(nullcontext())
        seen.append(suggested(trial, config.tune.space))
        assert values_of(studies.frozen(study_, trial).params, config.tune.space) == seen[-1]
        return 0.0

    study_ = studies.begin(config)
    studies.work(study_, config, objective)
    assert len(seen) == 18
    assert len({str(values) for values in seen}) == 18
    assert {str(values["train.objective"]) for values in seen} == {"{'target_nll': 1}", "{'forget_npo': 1}"}
    with pytest.raises(ConfigError, match="a grid needs values"):
        check(study("{train.lr: {low: 1e-5, high: 1e-3, log: true}}", "tune.sampler=grid"))
    with pytest.raises(RunError, match=r"begun with another tune\.keep"):
        studies.begin(study(space, "tune.keep=0.5"))


def test_a_trial_that_is_stopped_waits_and_is_made_in_the_same_folder(study: Callable[..., RunConfig]) -> None:
    config = study("{train.lr: {low: 1e-5, high: 1e-3, log: true}}", "tune.trials=3")
    opened, tried = studies.begin(config), list[tuple[int, float]]()

    def objective(trial: Any, hold: studies.Hold) -> float:
        hold(nullcontext())
        tried.append(
            (studies.number(studies.frozen(opened, trial)), trial.suggest_float("train.lr", 1e-5, 1e-3, log=True))
        )
        if len(tried) == 2:
            raise KeyboardInterrupt
        return float(len(tried))

    with pytest.raises(KeyboardInterrupt):
        studies.work(opened, config, objective)
    assert [trial.state for trial in studies.kept(opened, config)] == ["complete", "waiting"]
    again = studies.begin(config)  # another process, later
    studies.work(again, config, objective)
    assert [number for number, _ in tried] == [0, 1, 1, 3]  # 2 is Optuna's number of the second try
    assert tried[1] == tried[2]
    assert len({lr for _, lr in tried}) == 3
    assert [(trial.number, trial.state, trial.rank) for trial in studies.kept(again, config)] == [
        (0, "complete", 1.0), (1, "complete", 3.0), (3, "complete", 4.0)
    ]  # fmt: skip


@pytest.mark.parametrize(
    "url",
    ["postgresql://me:secret@host/db", "postgresql://me:se/cret@host/db", "postgresql://host/db?password=secret",
     "postgresql://host/db?user=a&sslpassword=secret", "mysql://me:secret@host/db", "postgresql://me:@host/secret"],
)  # fmt: skip
def test_a_password_in_the_storage_is_refused_and_shown_nowhere(
    study: Callable[..., RunConfig], url: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="PGPASSWORD") as e:
        study("{train.lr: [1]}", f"tune.storage={url}")
    assert "secret" not in str(e.value)
    (tmp_path / "my.yaml").write_text(f"tune:\n  storage: {url}\n  trials: none\n")
    with pytest.raises(ConfigError) as e:
        load_config(tmp_path / "my.yaml")
    assert "secret" not in str(e.value)
    (tmp_path / "my.yaml").write_text(f"tune: {url}\n")
    with pytest.raises(ConfigError) as e:
        load_config(tmp_path / "my.yaml")
    assert "secret" not in str(e.value)


def test_a_storage_without_one_is_taken_and_settings_come_back_from_yaml(
    study: Callable[..., RunConfig], tmp_path: Path
) -> None:
    url = "postgresql://me@db.example.org:5432/meow?sslmode=require"
    config = study("{train.lr: {low: 1e-5, high: 1e-3, log: true}, select.k: [1, 2]}", f"tune.storage={url}")
    (tmp_path / "tune.yaml").write_text(dump(config))
    again = load_config(tmp_path / "tune.yaml", ["name=run"])
    assert again == config
    assert again.tune.space == {"train.lr": Range(low=1e-5, high=1e-3, log=True), "select.k": (1, 2)}


def test_what_runs_have_in_common_is_taken_from_beside_a_study_too(tmp_path: Path) -> None:
    for study in ("npo", "meow"):
        (tmp_path / study).mkdir()
        (tmp_path / study / STUDY).touch()
    (tmp_path / "elsewhere/trial-000").mkdir(parents=True)
    places = ["plain", "npo/trial-000", "npo/trial-001", "meow/trial-000"]
    for place in places:
        (tmp_path / place).mkdir()
    first = Run(tmp_path / "npo/trial-000")
    with first.stage("memo", {"a": 1}):
        (first / "memo.jsonl").write_text("measured")
    for place in ("npo/trial-001", "meow/trial-000", "plain"):
        assert Run(tmp_path / place).adopt("memo", {"a": 1}, "", ["memo.jsonl"]) is not None
        assert (tmp_path / place / "memo.jsonl").read_text() == "measured"
    assert Run(tmp_path / "elsewhere/trial-000").adopt("memo", {"a": 1}, "", ["memo.jsonl"]) is None


def test_a_run_of_the_best_trial_that_another_process_has_just_begun_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was free when it was looked at, and is not when it is begun."""
    config = load_config(None, [f"out={tmp_path}", "name=study", "model.path=m", "tune.space={train.lr: [1e-3]}"])
    config = config.model_copy(update={"tune": config.tune.model_copy(update={"seeds": 1})})
    taken = Run(tmp_path / "study/best-000-s0")
    begun: list[int] = []

    def run(one: RunConfig) -> None:
        begun.append(1)
        if len(begun) > 1:
            other.close()
        with run_of(one).locked():
            begun.append(2)

    other = ExitStack()
    other.enter_context(taken.locked())
    monkeypatch.setattr(Run, "worker", None)
    monkeypatch.setattr(best.commands, "run", run)
    monkeypatch.setattr(best, "report", lambda *_: begun.append(3))
    assert best._whole(config, Trial(0, "complete", {"train.lr": 1e-3}, None, "", 0.5)) == [taken.path]
    assert begun == [1, 1, 2, 3]


def test_what_is_learned_anew_makes_up_for_nothing_that_is_lost() -> None:
    """The original tells two of four and finds every answer unlikely; then one of these and the other two are told."""
    quarter = math.log(4)
    before = [sample("retain", i, says="Oslo" if i < 4 else "Bonn", loss=2 * quarter) for i in (0, 2, 4, 6)]
    after = [sample("retain", i, says="Bonn" if i == 0 else "Oslo", loss=quarter) for i in (0, 2, 4, 6)]
    assert judging.utility_kept(after, before) == pytest.approx(3 / (1 / 0.5 + 1 + 1))
    assert judging.utility_kept(before, before) == 1
