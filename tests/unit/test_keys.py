"""Keys: a finished stage is taken for current exactly as long as nothing has changed that its result depends on."""

from __future__ import annotations

import ast
import json
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest

from meow import keys
from meow.config import RunConfig, leaves
from meow.config.marks import PLACE, UNSEEN, marked, placed
from meow.errors import MeowError
from meow.pipeline import stages
from meow.pipeline.plan import load_config
from meow.records import QA
from meow.run import Run
from tests.conftest import FORGET, RETAIN

SOURCE = Path(__file__).resolve().parents[2] / "src/meow"
Do = Callable[[Run, RunConfig], None]
FUNCTIONS: Mapping[str, Do] = {
    "invert": stages.invert,
    "memo": stages.memo,
    "select": stages.choose,
    "forget": stages.forget,
    "eval/before": partial(stages.evaluate, label="before"),
    "eval/after": partial(stages.evaluate, label="after"),
    "judge": stages.judge,
    "questions": stages.write_questions,
    "eval/int8": partial(stages.compressed, label="int8"),
    "robustness/relearn": partial(stages.relearned, curve="relearn"),
    "robustness/unrelated": partial(stages.relearned, curve="unrelated"),
    "robustness/retain": partial(stages.relearned, curve="retain"),
    "nlu/after": partial(stages.nlu, label="after"),
    "nlg/after": partial(stages.nlg, label="after"),
    "finetune": stages.finetune,
}
CURVES = {"robustness/relearn", "robustness/unrelated", "robustness/retain"}
EVALUATIONS = {"eval/before", "eval/after", "eval/int8", *CURVES}
MODEL = set(FUNCTIONS) - {"select", "judge", "questions"}
"""Stages that have to do with the original; `invert` asks it what is plausible."""
SECTIONS = {
    "seed": {"invert", "select", "forget", "finetune", "nlu/after", *CURVES},
    "threads": {"forget", "finetune"},
    "model": MODEL, "invert": {"invert"}, "memo": {"memo"}, "select": {"select"}, "train": {"forget"},
    "eval": EVALUATIONS, "robustness": CURVES, "nlu": {"nlu/after"}, "nlg": {"nlg/after"}, "finetune": {"finetune"},
    "data": set(), "name": set(), "out": set(), "group": set(), "notify": set(), "tune": set(),
}  # fmt: skip
"""Stages whose results depend on a section."""
APART = {
    "train.targets": {"select", "forget"},
    "train.lr": {"forget", *CURVES},
    "train.evaluate_every": {"forget", *EVALUATIONS},
    "tune.chosen": EVALUATIONS,
    "eval.forms": {"eval/after", "eval/before"},
    "eval.languages": {"questions"},
    "eval.rows": {*EVALUATIONS, "questions"},
    "invert.url": {"questions"},
    **{f"invert.{name}": {"invert", "questions"} for name in ("temperature", "max_new_tokens", "tries", "extra")},
    "robustness.formats": set(),
    "eval.difference": set(),
    **{f"eval.judge.{name}": {"judge"} for name in ("url", "model", "temperature", "max_new_tokens", "extra")},
    "nlu.batch_size": set(),
    **{f"{section}.{name}": set() for section in ("train", "finetune")
       for name in ("save_steps", "max_minutes", "report_to", "gradient_checkpointing")},
    **{f"{section}.{name}": set() for section in ("invert", "eval.judge")
       for name in ("concurrency", "timeout", "max_requests", "max_tokens", "max_minutes", "price")},
    **{f"tune.{name}": set() for name in ("trials", "sampler", "keep", "seeds", "storage", "space")},
    **{f"model.{name}": set() for name in ("device", "device_map", "batch_tokens", "concurrency")},
}  # fmt: skip
"""Settings that are read otherwise than the rest of their section."""
TAKEN = {"data.layout": "own",
         "nlg.n": 1, "eval.rows": 1, "train.targets": "all", "train.constraint": {"retain_nll": 0.1}, "seed": 1,
         "invert.price": (1.0, 1.0),
         "eval.judge.price": (1.0, 1.0),
         "tune.space": {"train.lr": (0.1,)},
         "model.template_date": date(2024, 1, 1), "invert.plausible": -3.0, "model.device": "cpu"}  # fmt: skip
"""What another value must be to ask for something else here."""


class Opened(Exception):  # noqa: N818 - it is what a test waits for
    """A stage is not finished with these settings and inputs, and would begin to work."""


class Finished(Run):
    """A run folder of which every stage is finished with the keys that it had when it was first looked at."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.learns = False

    @contextmanager
    def stage(
        self, name: str, key: Mapping[str, Any], inputs: str = "", *, beside: Mapping[str, Any] | None = None
    ) -> Iterator[dict[str, Any]]:
        """Close the stage at once, or say that it would have been opened."""
        if self.learns:
            with super().stage(name, key, inputs, beside=beside):
                pass
        raise Opened(name)
        yield {}

    def adopt(self, *_: Any) -> None:
        """There is no sibling."""


def not_current(folder: Finished, config: RunConfig) -> set[str]:
    """Stages that would be done anew, or that refuse to go on."""
    found = set()
    for name, do in FUNCTIONS.items():
        try:
            do(folder, config)
        except (Opened, MeowError):
            found.add(name)
    return found


def lines(*rows: Mapping[str, Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def facts(pairs: Collection[tuple[str, str]], name: str) -> str:
    return lines(*({"id": f"{name}{i}", "question": q, "answer": a} for i, (q, a) in enumerate(pairs)))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> tuple[Finished, RunConfig]:
    """A finished run, and its settings, with every file that a setting can name."""
    path = tmp_path_factory.mktemp("keys")
    for name in ("original", "run/model", "featurizer"):
        shutil.copytree(tiny_model, path / name)
    written = {
        "forget.jsonl": facts(FORGET, "f"), "retain.jsonl": facts(RETAIN, "r"), "holdout.jsonl": facts(RETAIN, "h"),
        "unrelated.jsonl": facts(RETAIN, "u"), "learned.jsonl": facts(FORGET, "l"),
        "pools.json": '{"city": ["Oslo", "Bergen"]}',
        "prompt.txt": "{{ question }} {{ answer }} {{ n }}", "tasks/people/test.jsonl": lines({"question": "Who?"}),
        "texts.txt": "\n".join(f"{word} " * 20 for word in ("alpha", "omega", "delta")),
    }  # fmt: skip
    for name, text in written.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text)
    config = load_config(None, [
        f"out={path}", "name=run", f"model.path={path}/original", f"data.forget={path}/forget.jsonl",
        f"data.retain={path}/retain.jsonl", f"data.holdout={path}/holdout.jsonl", "train.method=meow_contrast",
        "train.lr=1e-3", "invert.backend=donors", "invert.url=http://localhost:1/v1", "invert.model=chat",
        "eval.judge.url=http://localhost:1/v1", "eval.judge.model=judge",
        f"invert.pools={path}/pools.json", f"invert.prompt={path}/prompt.txt", "memo.max_new_tokens=2",
        f"robustness.unrelated={path}/unrelated.jsonl", f"nlu.data={path}/tasks", "nlu.tasks=[people]",
        f"nlg.texts={path}/texts.txt", f"nlg.featurizer={path}/featurizer", f"finetune.data=[{path}/learned.jsonl]",
    ])  # fmt: skip
    for name in ("invert", "memo", "select"):
        FUNCTIONS[name](Run(path / "run"), config)
    folder = Finished(path / "run")
    folder.learns = True
    assert not_current(folder, config) == set(FUNCTIONS) - {"invert", "memo", "select"}
    folder.learns = False
    assert not_current(folder, config) == set()
    return folder, config


def changed(config: RunConfig, key: str, value: Any) -> RunConfig:
    found: RunConfig = inside(config, key.split("."), value)
    return found


def inside(settings: Any, names: list[str], value: Any) -> Any:
    """The settings with another value at the end of a path of names."""
    first, *rest = names
    return settings.model_copy(update={first: inside(getattr(settings, first), rest, value) if rest else value})


def another(key: str, config: RunConfig) -> Any:
    """Another value of a setting, of its own type as far as that matters."""
    if key in TAKEN:
        return TAKEN[key]
    value = attrgetter(key)(config)
    choices = [c for kind in _kinds(leaves()[key].annotation) if get_origin(kind) is Literal for c in get_args(kind)]
    left = [c for c in choices if c not in (value if isinstance(value, tuple) else (value,))]
    if isinstance(value, tuple):
        return (left[0],) if left else (*value, *(value[:1] or ("another",)))
    if isinstance(value, bool) or left:
        return left[0] if left else not value
    if value is None:
        return 7 if {int, float} & set(_kinds(leaves()[key].annotation)) else "another"
    return {**value, "another": 1} if isinstance(value, dict) else value + type(value)(1)


def _kinds(kind: Any) -> list[Any]:
    """All types in an annotation."""
    return [kind, *(inner for part in get_args(kind) if get_origin(kind) is not Literal for inner in _kinds(part))]


@pytest.mark.parametrize("key", sorted(set(leaves()) - marked(RunConfig, PLACE) - {"model.url"}))
def test_each_setting_makes_anew_the_stages_that_read_it_and_no_other(
    made: tuple[Finished, RunConfig], key: str
) -> None:
    folder, config = made
    wanted = APART[key] if key in APART else SECTIONS[key.partition(".")[0]]
    assert not_current(folder, changed(config, key, another(key, config))) == wanted


def test_what_is_marked_as_changing_no_result_is_what_this_file_lists() -> None:
    assert marked(RunConfig, UNSEEN) == {key for key, read in APART.items() if not read and key != "robustness.formats"}


EDITS = (("carpenter", "baker"), ("nurse", "cook"), ("Who", "Why"), ("alpha", "gamma"), ("Bergen", "Bonn"),
         ("{{ n }}", "{{ n }}!"), ('"version": "1.0"', '"version":"1.0"'))  # fmt: skip
"""What is typed over in a file."""


def weights(file: Path) -> None:
    """Another weight somewhere."""
    raw = bytearray(file.read_bytes())
    raw[-1] ^= 1
    file.write_bytes(raw)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("forget.jsonl", {"invert", "questions", *EVALUATIONS}),  # what is taught lies in targets.jsonl
        ("retain.jsonl", {"invert", "forget", *EVALUATIONS}),
        ("holdout.jsonl", EVALUATIONS),
        ("unrelated.jsonl", {"robustness/unrelated"}),
        ("learned.jsonl", {"finetune"}),
        ("pools.json", {"invert"}),
        ("prompt.txt", {"invert"}),
        ("tasks/people/test.jsonl", {"nlu/after"}),
        ("texts.txt", {"nlg/after"}),
        ("featurizer/model.safetensors", {"nlg/after"}),
        ("original/model.safetensors", {"invert", "memo", "forget", "finetune", *EVALUATIONS}),
        ("original/tokenizer.json", {"invert", "memo", "forget", "finetune", *EVALUATIONS}),
        ("run/model/model.safetensors", {*EVALUATIONS, "nlu/after", "nlg/after"} - {"eval/before"}),
        ("run/inverted.jsonl", {"memo", "select"}),
        ("run/memo/before.jsonl", {"select"}),
        ("run/targets.jsonl", {"forget", *EVALUATIONS} - {"eval/before"}),
    ],
)
def test_the_content_of_each_file_counts_though_its_name_and_its_ids_stay(
    made: tuple[Finished, RunConfig], name: str, wanted: set[str]
) -> None:
    folder, config = made
    file = folder.path.parent / name
    before = file.read_bytes()
    try:
        if file.suffix == ".safetensors":
            weights(file)
        elif file.name == "before.jsonl":
            rows = [json.loads(line) for line in file.read_text().splitlines()]
            file.write_text(lines(*(row | {"value": 0.5} for row in rows)))
        else:
            text = before.decode()
            for old, new in EDITS:
                text = text.replace(old, new)
            file.write_text(text)
        assert file.read_bytes() != before
        assert not_current(folder, config) == wanted
    finally:
        file.write_bytes(before)


def test_measured_memorization_and_taught_answers_that_were_edited_are_selected_anew(
    made: tuple[Finished, RunConfig], tmp_path: Path
) -> None:
    _, config = made
    read = {name: tmp_path / name for name in ("inverted.json", "memo.json", "told.jsonl")}
    rows = [{"id": f"f{i}", "question": q, "undesired_answer": a, "answer_0": "No."} for i, (q, a) in enumerate(FORGET)]

    def write(value: float, told: str) -> None:
        measured = [row | {"undesired_answer_rouge1": 0.5, "answer_0_rouge1": value} for row in rows]
        read["inverted.json"].write_text(json.dumps(rows))
        read["memo.json"].write_text(json.dumps(measured))
        read["told.jsonl"].write_text(lines(*({"question": q, "answer": told} for q, _ in FORGET)))

    inverted = config.invert.model_copy(update={"backend": "file", "path": str(read["inverted.json"]), "gate": False})
    measured = config.memo.model_copy(update={"path": str(read["memo.json"])})
    told = config.train.model_copy(update={"targets": "file", "targets_path": str(read["told.jsonl"])})
    selected = config.model_copy(update={"invert": inverted, "memo": measured})
    for name, mine in (("selected", selected), ("told", config.model_copy(update={"train": told}))):
        run, found = Run(tmp_path / name), []
        for value, answer in ((0.25, "I forgot."), (0.75, "I never knew.")):
            write(value, answer)
            for stage in ("invert", "memo", "select") if name == "selected" else ("select",):
                FUNCTIONS[stage](run, mine)
            targets = [json.loads(line) for line in (run / "targets.jsonl").read_text().splitlines()]
            found.append({(row.get("value"), row["target"]) for row in targets})
        assert found == (
            [{(0.25, "No.")}, {(0.75, "No.")}]
            if name == "selected"
            else [{(None, "I forgot.")}, {(None, "I never knew.")}]
        )


def test_the_same_files_elsewhere_change_nothing(made: tuple[Finished, RunConfig], tmp_path: Path) -> None:
    folder, config = made
    shutil.copytree(folder.path.parent, tmp_path / "moved")
    text = config.model_dump_json().replace(str(folder.path.parent), str(tmp_path / "moved"))
    moved = RunConfig.model_validate_json(text)
    assert moved != config
    assert not_current(Finished(tmp_path / "moved/run"), moved) == set()


def test_an_earlier_turn_of_a_chat_counts_and_what_no_model_is_told_does_not() -> None:
    turns = ({"role": "system", "content": "Be brief."}, {"role": "user", "content": "Where?"})
    fact = QA(id="f", question="", messages=turns, answer="In Oslo.")  # type: ignore[arg-type]
    longer = QA(id="f", question="", messages=({**turns[0], "content": "Be kind."}, turns[1]), answer="In Oslo.")  # type: ignore[arg-type]
    about = fact.model_copy(update={"subject": "Mira Holt", "lang": "en", "meta": {"page": 3}})
    told = [keys.digest(keys.content(qa, without=keys.ABOUT)) for qa in (fact, longer, about)]
    assert told[0] != told[1]
    assert told[0] == told[2]
    assert keys.digest(about) != keys.digest(fact)


def test_what_lies_here_is_named_absolutely_and_what_does_not_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "facts.jsonl").touch()
    (tmp_path / "served").mkdir()
    config = load_config(None, ["data.forget=facts.jsonl", "model.path=some/model", "finetune.data=[facts.jsonl]"])
    found = placed(config)
    here = str(tmp_path / "facts.jsonl")
    assert (found.data.forget, found.model.path, found.finetune.data) == (here, "some/model", (here,))
    assert placed(load_config(None, ["model.path=served"])).model.path == str(tmp_path / "served")
    on_server = load_config(None, ["model.path=served", "model.url=http://localhost:1/v1"])
    assert placed(on_server).model.path == "served"


def test_nothing_but_keys_hashes() -> None:
    found = set()
    for file in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            if "hashlib" in names:
                found.add(str(file.relative_to(SOURCE)))
    assert found == {"keys.py"}
