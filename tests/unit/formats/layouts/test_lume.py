"""LUME: its files as published, and its numbers against its own script, written out with the packages that it uses."""

from __future__ import annotations

import json
import random
import statistics
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from rouge_score import rouge_scorer
from sklearn.metrics import auc, roc_curve

from meow.config import DataSettings
from meow.errors import ConfigError, DataError
from meow.formats import layouts, sources
from meow.formats.layouts.lume import NEW_TOKENS, score
from meow.formats.layouts.parts import Beside
from meow.records import Probed, Value

ROWS = [
    {"id": '"a-1"sc1', "input": "Ann Lee lives in", "output": "Oslo, where she paints.", "task": "Task1"},
    {"id": '"a-1"qa0', "input": "Where does Ann Lee live?", "output": "Oslo", "task": "Task1"},
    {"id": "b2sc1", "input": "Bo Ek was born on", "output": "May 3, 1961.", "task": "Task2"},
    {"id": "b2qa0", "input": "When was Bo Ek born?", "output": "1961-05-03", "task": "Task2"},
    {"id": "c3sc1", "input": "Cy Ash wrote", "output": "many songs about the sea.", "task": "Task3"},
    {"id": "c3qa10", "input": "What did Cy Ash write?", "output": "songs", "task": "Task3"},
]


def lume_folder(folder: Path, *, members: bool = True) -> Path:
    """A data set of LUME's form."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "forget.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    retain = [row | {"id": "r" + row["id"], "input": "Also, " + row["input"]} for row in ROWS]
    (folder / "retain.jsonl").write_text("".join(json.dumps(row) + "\n" for row in retain))
    if members:
        (folder / "mia_data").mkdir()
        for name, texts in {
            "member": ["Ann paints.", "Bo sings."],
            "nonmember": ["Rain fell.", "It was cold."],
        }.items():
            lines = [json.dumps({"id": f"{name}{i}", "document": text}) + "\n" for i, text in enumerate(texts)]
            (folder / "mia_data" / f"{name}.jsonl").write_text("".join(lines))
    return folder


def test_its_inputs_are_beginnings_of_texts_and_its_splits_are_tasks(tmp_path: Path) -> None:
    settings = DataSettings(source=str(lume_folder(tmp_path)))
    assert layouts.name_of(settings) == "lume"
    facts = sources.forget_set(settings)
    assert [(f.id, f.question, f.answer) for f in facts] == [(r["id"], r["input"], r["output"]) for r in ROWS]
    assert all(fact.plain for fact in facts)
    assert facts[5].meta == {"task": "task3", "form": "question"}
    assert [i.role for i in sources.eval_items(settings, limit=1)] == ["forget", "retain"]
    of_task = settings.model_copy(update={"split": "task2"})
    assert [f.id for f in sources.forget_set(of_task)] == ["b2sc1", "b2qa0"]
    assert [f.id for f in sources.retain_set(of_task)] == ["rb2sc1", "rb2qa0"]
    assert len(sources.learned(tmp_path)) == 12
    with pytest.raises(
        ConfigError, match=r"data\.split: found 'task4', allowed: all, task1, task2, task3; .* is read as LUME"
    ):
        sources.forget_set(settings.model_copy(update={"split": "task4"}))


def test_its_own_words_are_asked_as_they_stand(tmp_path: Path) -> None:
    probes = layouts.probes(DataSettings(source=str(lume_folder(tmp_path))))
    asked = [probe for probe in probes if probe.group.startswith("forget/")]
    assert [(p.prompt, p.expected) for p in asked] == [(row["input"], row["output"]) for row in ROWS]
    assert {(p.plain, p.max_new_tokens, p.begun) for p in asked} == {(True, NEW_TOKENS, "")}
    assert [p.group for p in asked[::2]] == [f"forget/task{i}/completion" for i in (1, 2, 3)]
    scored = [p for p in probes if p.group.startswith("mia/")]
    assert [p.prompt for p in scored] == ["Ann paints.", "Bo sings.", "Rain fell.", "It was cold."]
    assert {p.max_new_tokens for p in scored} == {0}
    few = layouts.probes(DataSettings(source=str(tmp_path)), limit=1)
    assert len(few) == 12 + 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": "b2"}, r"forget\.jsonl:3: id: found no sc or qa with a number"),
        ({"task": "Task9"}, r"forget\.jsonl:3: task: found 'task9', expected one of task1, task2, task3"),
        ({"output": 3}, r"forget\.jsonl:3: output: found 3, expected a text"),
    ],
)
def test_a_bad_row_is_named_by_its_line(tmp_path: Path, change: dict[str, object], message: str) -> None:
    lume_folder(tmp_path)
    rows = [*ROWS[:2], ROWS[2] | change, *ROWS[3:]]
    (tmp_path / "forget.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(DataError, match=message):
        sources.forget_set(DataSettings(source=str(tmp_path)))


def published(
    probes: Sequence[Probed], members: Sequence[float], others: Sequence[float], mmlu: float
) -> dict[str, float]:
    """Its script, literally: rows by split and task, rouge_score, exact match, harmonic mean, roc_curve."""
    scorer = rouge_scorer.RougeScorer(["rouge1", "rougeL"], use_stemmer=True)
    found: dict[str, float] = {}
    terms: list[float] = []
    for split in ("forget", "retain"):
        for task in ("task1", "task2", "task3"):
            mine = [p for p in probes if p.group.startswith(f"{split}/{task}/")]
            of_completion = [p for p in mine if p.id[:-1].endswith("sc")]
            of_question = [p for p in mine if p.id[:-1].endswith("qa")]
            recalls = [scorer.score(p.expected, str(p.said))["rougeL"].recall for p in of_completion]
            exact = [int(p.expected.strip().lower() == str(p.said).strip().lower()) for p in of_question]
            for measure, values in (("regurgitation", recalls), ("knowledge", exact)):
                mean = float(np.mean(values))
                found[f"{split}_{task}_{measure}"] = mean
                terms.append(1 - mean if split == "forget" else mean)
    found["task_aggregate"] = statistics.harmonic_mean(terms)
    losses = -1 * np.array([*members, *others])
    fp, tp, _ = roc_curve(len(members) * [1] + len(others) * [0], losses)
    found["mia_auc"] = float(auc(fp, tp))
    found["mia_score"] = 1 - abs(found["mia_auc"] - 0.5) * 2
    found["final"] = statistics.mean([found["task_aggregate"], mmlu, found["mia_score"]])
    return found


def test_its_numbers_are_those_of_its_own_script() -> None:
    draw = random.Random(3)
    words = "the sea sings of painted rivers and painting river songs in Oslo".split()

    def text(n: int) -> str:
        return " ".join(draw.choice(words) for _ in range(n))

    probes = []
    for split in ("forget", "retain"):
        for task in ("task1", "task2", "task3"):
            for i in range(7):
                true = text(9)
                shared = {"layout": "lume", "key": "", "prompt": "p", "max_new_tokens": 256}
                said = true + " " + text(4) if i % 3 == 0 else text(9)
                group = f"{split}/{task}"
                probes.append(
                    Probed(id=f"{i}sc1", group=f"{group}/completion", expected=true, said=said, **shared)  # type: ignore[arg-type]
                )
                said = f" {true.upper()}\n" if i in (1, 4) or (split == "retain" and i == 2) else text(1)
                probes.append(
                    Probed(id=f"{i}qa{i}", group=f"{group}/question", expected=true, said=said, **shared)  # type: ignore[arg-type]
                )
    members, others = [1.0, 1.5, 2.5, 3.0, 1.0], [2.0, 2.5, 4.0, 1.0]
    for name, losses in (("member", members), ("nonmember", others)):
        probes += [Probed(layout="lume", id="", group=f"mia/{name}", prompt="p", key="", loss=x) for x in losses]
    wanted = published([p for p in probes if p.said is not None], members, others, 0.4)
    found = score(probes, Beside(nlu={"mmlu acc": Value(value=0.4, n=9)}))
    for name, value in wanted.items():
        assert found[name].value == pytest.approx(value), name
    assert found["forget_task1_knowledge"].n == 7


def test_what_is_missing_is_not_computable_and_says_why() -> None:
    shared = {"layout": "lume", "key": "", "id": "1sc1", "prompt": "p", "max_new_tokens": 256, "expected": "a b"}
    alone = Probed(group="retain/task1/completion", said="a", **shared)  # type: ignore[arg-type]
    found = score([alone], Beside())
    assert found["retain_task1_regurgitation"].value == found["task_aggregate"].value == 0.5
    assert found["task_aggregate"].reason == "of 1 of 12 numbers"
    assert found["forget_task1_knowledge"].reason == "not asked"
    assert "mia_data/member.jsonl" in str(found["mia_auc"].reason)
    assert "MMLU: MMLU is not measured" in str(found["final"].reason)
    none = Probed(group="retain/task1/completion", said="x", **shared)  # type: ignore[arg-type]
    assert score([none], Beside())["task_aggregate"].value == 0.0


def test_the_published_data_are_read_whole(shared: Path) -> None:
    settings = DataSettings(source=str(shared / "data/lume"))
    assert [len(sources.forget_set(settings)), len(sources.retain_set(settings))] == [2732, 2734]
    groups = {probe.group for probe in layouts.probes(settings, limit=1)}
    assert len(groups) == 12
