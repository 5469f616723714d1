"""Settings: merged first, validated once, every problem in one go."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from meow.config import Method, RunConfig, dump, leaves, load
from meow.errors import ConfigError

METHODS = {
    "meow": Method(targets="selected", objective={"target_nll": 1.0}, source="here"),
    "contrast": Method(
        targets="selected", objective={"target_nll": 1.0, "retain_nll": 1.0}, defaults={"select.k": 1}, source="here"
    ),
}
TERMS = ("target_nll", "retain_nll")


def written(folder: Path, text: str) -> Path:
    file = folder / "run.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def problems(path: Path | None, *overrides: str) -> list[str]:
    with pytest.raises(ConfigError) as e:
        load(path, overrides, methods=METHODS, terms=TERMS)
    return str(e.value).splitlines()


def test_all_problems_are_named_in_one_go_with_place_found_and_suggestion(tmp_path: Path) -> None:
    file = written(tmp_path, "model: {tempate: qa}\ntrain: {epochs: -1, k: 3}\n")
    found = problems(file, "train.lrr=3", "select.k=abc")
    assert any("run.yaml: model.tempate: unknown setting; did you mean model.template?" in line for line in found)
    assert any("run.yaml: train.epochs: found -1" in line for line in found)
    assert any("train.k: unknown setting; did you mean select.k?" in line for line in found)
    assert any("command line: train.lrr: unknown setting; did you mean train.lr?" in line for line in found)
    assert any('command line: select.k: found "abc"' in line for line in found)
    assert len(found) == 5


def test_a_malformed_yaml_is_named_by_its_line(tmp_path: Path) -> None:
    assert problems(written(tmp_path, "model:\n  path: [a\n"))[0].startswith(f"{tmp_path}/run.yaml:3: malformed YAML")


def test_a_yaml_that_is_no_mapping_is_refused(tmp_path: Path) -> None:
    assert "found list" in problems(written(tmp_path, "- a\n- b\n"))[0]


def test_a_missing_yaml_is_named(tmp_path: Path) -> None:
    assert problems(tmp_path / "none.yaml") == [
        f"{tmp_path}/none.yaml: cannot be read (No such file or directory); give an existing YAML file"
    ]


def test_an_override_beats_the_file_and_numbers_without_a_dot_are_numbers(tmp_path: Path) -> None:
    config = load(written(tmp_path, "train: {lr: 1e-5}\n"), ["train.lr=3e-4", "memo.metric=[memo,ma]"])
    assert config.train.lr == 3e-4
    assert config.memo.metric == ("memo", "ma")
    assert config.name == "run"


def test_a_method_fills_targets_objective_and_defaults_that_are_not_set() -> None:
    config = load(None, ["train.method=contrast"], methods=METHODS, terms=TERMS)
    assert config.train.objective == {"target_nll": 1.0, "retain_nll": 1.0}
    assert config.select.k == 1
    assert load(None, ["train.method=contrast", "select.k=2"], methods=METHODS, terms=TERMS).select.k == 2


def test_a_method_beside_another_objective_is_refused() -> None:
    assert "set beside train.method=meow" in problems(None, "train.method=meow", "train.objective={retain_nll: 1}")[0]


def test_unknown_methods_and_terms_are_named_with_a_suggestion() -> None:
    assert "did you mean contrast?" in problems(None, "train.method=contrat")[0]
    assert "did you mean retain_nll?" in problems(None, "train.objective={retain_nl: 1}")[0]


def test_what_is_dumped_loads_to_the_same_settings(tmp_path: Path) -> None:
    config = load(None, ["train.method=contrast", "seed=[0, 1]", "memo.metric=ma"], methods=METHODS, terms=TERMS)
    assert load(written(tmp_path, dump(config)), methods=METHODS, terms=TERMS) == config


def test_every_setting_has_a_docstring() -> None:
    missing = [key for key, field in leaves(RunConfig).items() if not field.description]
    assert not missing


@pytest.mark.parametrize("text", ["2024-01-01", "off", "2024", "a: b", "x #1", "[1]", "1e3", "{a}"])
def test_a_text_is_taken_as_it_was_typed(tmp_path: Path, text: str) -> None:
    config = load(None, [f"out={text}", f"data.forget={text}", "name=run"])
    assert (config.out, config.data.forget) == (text, text)
    assert load(written(tmp_path, dump(config))) == config


def test_a_text_in_quotes_is_what_is_in_them_and_null_unsets_it() -> None:
    config = load(None, ["data.forget=a.jsonl", "data.forget=null", 'data.retain="b c.jsonl"', "nlu.tasks=[on, 7]"])
    assert (config.data.forget, config.data.retain, config.nlu.tasks) == (None, "b c.jsonl", ("on", "7"))
    assert load(None, ["train.mixed_precision=no"]).train.mixed_precision == "no"


def test_another_method_takes_the_place_of_all_that_the_old_one_has_filled(tmp_path: Path) -> None:
    file = written(tmp_path, dump(load(None, ["train.method=contrast"], methods=METHODS, terms=TERMS)))
    config = load(file, ["train.method=meow"], methods=METHODS, terms=TERMS)
    assert (config.train.objective, config.select.k) == ({"target_nll": 1.0}, 3)
    kept = load(file, ["train.method=meow", "select.k=1"], methods=METHODS, terms=TERMS)
    assert kept.select.k == 1
    again = load(file, [], methods=METHODS, terms=TERMS)
    assert (again.train.objective, again.select.k) == ({"target_nll": 1.0, "retain_nll": 1.0}, 1)


def test_what_the_user_has_set_beside_a_method_is_still_refused(tmp_path: Path) -> None:
    file = written(tmp_path, "train: {targets: none, objective: {retain_nll: 2}}\n")
    assert any("set beside train.method=meow" in line for line in problems(file, "train.method=meow"))


@pytest.mark.parametrize(
    "name",
    ["../x", "/abs/x", "..", ".", "", " ", "a/b", "a\\b", "a\nb", "a\x1b[31m", "<img src=x>", "-x", "x" * 151, "a|b"],
)
def test_a_runs_name_is_one_file_name(name: str, tmp_path: Path) -> None:
    file = written(tmp_path, f"name: {json.dumps(name)}\n")
    with pytest.raises(ConfigError, match=r"name: found .*expected (one|a) file name"):
        load(file)


@pytest.mark.parametrize("name", ["mira-npo", "v1.2 (second)", "Пётр", "法国"])
def test_a_name_in_any_script_is_a_runs_name(name: str, tmp_path: Path) -> None:
    assert load(written(tmp_path, f"name: {json.dumps(name)}\n")).name == name


@pytest.mark.parametrize(
    ("setting", "why"),
    [
        ("seed=-1", "greater than or equal to 0"),
        ("seed=4294967296", "at most 4294967295: NumPy"),
        ("seed=[0, -3]", "greater than or equal to 0"),
        ("threads=99999999999", "at most 4096: threads beyond"),
        ("train.lr=1e38", "at most 100: AdamW moves"),
        ("train.epochs=1e18", "at most 10000: the rows of all epochs"),
        ("train.lora_rank=100000000", "at most 8192: no layer"),
        ("train.retain_rows=1000000000", "at most 1000: so many rows"),
        ("eval.samples=1000000000", "at most 10000: so many answers"),
        ("invert.n=1000000000", "at most 1000: each is a false answer"),
        ("robustness.steps=[1000000000]", "at most 10000: so many"),
        ("model.batch_tokens=99999999999", "at most 2147483647"),
        ("model.device=meta", "expected cpu, cuda"),
        ("finetune.heads=7", "hidden_size=128 with heads=7: expected a width"),
        ("finetune.hidden_size=100000000", "at most 16384: a model from scratch"),
        ("nlu.tasks=[../evil.yaml]", "a task by its name"),
        ("invert.timeout=1e308", "at most 86400: no reply"),
        ("eval.temperature=1e308", "at most 100: every token"),
        ("train.weight_decay=1e18", "at most 100: AdamW shrinks"),
        ("train.warmup=1e308", "at most 2147483647: no training"),
        ("train.beta=1e308", "at most 1000000: the loss"),
        ("train.lora_alpha=1e308", "at most 1000000: the loss"),
        ("threads=true", "a number or a text, not true or false"),
        ("train.epochs=true", "a number or a text, not true or false"),
        ("threads=1:30", "valid integer"),
    ],
)
def test_a_value_that_would_hang_or_crash_is_refused_with_the_reason_on_one_line(setting: str, why: str) -> None:
    (line,) = problems(None, setting)
    assert line.startswith(f"command line: {setting.partition('=')[0].partition('.')[0]}")
    assert why in line
    assert "value error" not in line


def test_no_seed_is_no_run_and_a_number_counts_by_tens() -> None:
    assert all("seed: found []" in line for line in problems(None, "seed=[]"))
    assert load(None, ["seed=010", "threads=1_000", "invert.gate=false", "train.lr=1e-5"]).seed == 10
    assert load(None, ["seed=0x10"]).seed == 16


LAUGHS = "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10) if i else 'x'}]\n" for i in range(12))
SHARED_PART = "model: &m {path: x}\ndata: {forget: &f facts.jsonl, retain: *f}\n"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("a: " + "[" * 2000 + "]" * 2000, "in more than 32 levels"),
        ("a: " + "[" * 40 + "]" * 40, "in more than 32 levels"),
        ("a: &a [*a]\n", "in more than 32 levels"),
        (LAUGHS, "aliases that stand for more than 100000 values"),
        ("seed: 1\nout: x\nseed: 2\n", "run.yaml:3: malformed YAML (seed is set twice)"),
        ("seed: " + "9" * 5000, "malformed YAML"),
        ("model: {template_date: 2024-99-99}", "malformed YAML"),
    ],
)
def test_a_yaml_that_is_too_deep_or_grows_without_end_is_one_line(tmp_path: Path, text: str, what: str) -> None:
    (line,) = problems(written(tmp_path, text))
    assert what in line
    assert len(line) < 300


def test_an_alias_that_repeats_a_value_is_read(tmp_path: Path) -> None:
    config = load(written(tmp_path, SHARED_PART))
    assert (config.data.forget, config.data.retain) == ("facts.jsonl", "facts.jsonl")


def test_a_deep_value_that_was_typed_is_one_line() -> None:
    assert "more than 32 levels" in problems(None, "train.objective=" + "[" * 2000)[0]


@pytest.mark.parametrize(
    "typed", ["x" * 5000, "x" * 5000 + "=1", "train.method=" + "x" * 5000, "select.k=" + "x" * 5000,
              "train.objective={" + "x" * 5000 + ": 1}", "name=" + "x" * 5000, "nlu.tasks=[a/" + "x" * 5000 + "]"],
)  # fmt: skip
def test_what_is_long_is_cut_in_a_message(typed: str) -> None:
    assert all(len(line) < 1000 and line.count("x") < 200 for line in problems(None, typed))


def test_where_a_model_is_named_its_second_choices_are_the_default_and_what_else_was_set_stays(tmp_path: Path) -> None:
    def backend(*settings: str) -> str:
        config = load(None, list(settings))
        assert load(written(tmp_path, dump(config))).invert.backend == config.invert.backend
        return config.invert.backend

    assert backend() == "donors"
    assert backend("model.path=m") == "self"
    assert backend("model.path=m", "invert.backend=donors") == "donors"
    assert backend("model.path=m", "invert.pools=p.json") == "donors"
    assert backend("model.path=m", "invert.path=f.json") == "file"
    assert backend("model.path=m", "model.url=http://localhost:1/v1") == "donors"


def test_a_word_in_yaml_is_no_truth_value(tmp_path: Path) -> None:
    assert load(written(tmp_path, "memo: {on: value}\n")).memo.on == "value"
    assert load(written(tmp_path, "name: off\ninvert: {gate: false}\ntrain: {mixed_precision: no}\n")).name == "off"
