"""MUSE: its folders as published, its prompts to the letter, its numbers by the packages that its scripts use."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
from rouge_score import rouge_scorer
from sklearn.metrics import auc, roc_curve

from meow.config import DataSettings
from meow.errors import ConfigError, DataError
from meow.formats import layouts, sources
from meow.formats.layouts.muse import STOPS, score
from meow.formats.layouts.parts import Beside
from meow.records import Probed


def muse_folder(folder: Path) -> Path:
    """A data set of MUSE's form: lists of texts, rows, and a plain text."""
    asked = [{"question": f"Who won race {i}?", "answer": f"Ann {i}"} for i in range(3)]
    files = {
        "raw/forget.json": ["The first race was won by Ann.", "It rained. The second race was won by Bo."],
        "scal/forget_2.json": [{"text": "The first race was won by Ann."}, {"text": "The third was won by Cy."}],
        "verbmem/forget.json": [{"prompt": "The first race", "gt": "was won by Ann."}],
        "knowmem/forget_qa.json": asked,
        "knowmem/forget_qa_icl.json": [
            {"question": "Who came?", "answer": "Di"},
            {"question": "When?", "answer": "1999"},
        ],
        "knowmem/retain_qa.json": [row | {"question": "And " + row["question"]} for row in asked],
        "knowmem/retain_qa_icl.json": [],
        "privleak/forget.json": ["One text.", "Another text."],
        "privleak/holdout.json": [{"text": "A third text."}],
    }
    for name, rows in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(rows) if rows else "")
    (folder / "raw/retain1.txt").write_text("Grass is green.\n\nSnow is white.\n")
    (folder / "knowmem/retain_qa_icl.json").unlink()
    return folder


def test_its_texts_are_forgotten_as_passages_and_its_questions_are_asked(tmp_path: Path) -> None:
    settings = DataSettings(source=str(muse_folder(tmp_path)))
    assert layouts.name_of(settings) == "muse"
    forget = sources.forget_set(settings)
    assert [(f.question, f.answer) for f in forget] == [
        ("", "The first race was won by Ann."),
        ("", "It rained. The second race was won by Bo."),
    ]
    assert "Snow is white." in sources.retain_set(settings)[-1].answer
    larger = settings.model_copy(update={"split": "scal/forget_2"})
    assert [f.answer for f in sources.forget_set(larger)][1] == "The third was won by Cy."
    items = sources.eval_items(settings)
    assert [(i.role, i.question) for i in items if i.answer == "Ann 0"] == [
        ("forget", "Who won race 0?"),
        ("retain", "And Who won race 0?"),
    ]
    with pytest.raises(ConfigError, match=r"data\.split: found 'scal', allowed: forget, scal/forget_1"):
        sources.forget_set(settings.model_copy(update={"split": "scal"}))
    with pytest.raises(DataError, match="holds no sust/forget_3"):
        sources.forget_set(settings.model_copy(update={"split": "sust/forget_3"}))


def test_its_prompts_are_those_of_its_scripts(tmp_path: Path) -> None:
    probes = layouts.probes(DataSettings(source=str(muse_folder(tmp_path))))
    asked = {group: [p for p in probes if p.group == group] for group in dict.fromkeys(p.group for p in probes)}
    assert {group: len(found) for group, found in asked.items()} == {
        "verbmem/forget": 1,
        "knowmem/forget": 3,
        "knowmem/retain": 3,
        "privleak/forget": 2,
        "privleak/holdout": 1,
    }
    verbatim, first = asked["verbmem/forget"][0], asked["knowmem/forget"][0]
    assert (verbatim.prompt, verbatim.max_new_tokens, verbatim.expected_tokens) == ("The first race", 128, 128)
    shots = "Question: Who came?\nAnswer: Di\n\nQuestion: When?\nAnswer: 1999\n\n"
    assert first.prompt == shots + "Question: Who won race 0?\nAnswer: "
    assert asked["knowmem/retain"][0].prompt == "Question: And Who won race 0?\nAnswer: "
    assert (first.max_new_tokens, first.stops) == (32, STOPS)
    assert all(p.plain for p in probes)


def test_its_numbers_are_those_of_its_own_scripts() -> None:
    draw = random.Random(5)
    words = "Ann's painting of painted rivers won the river race in 1999".split()
    scorer = rouge_scorer.RougeScorer(["rouge1", "rouge2", "rougeL", "rougeLsum"], use_stemmer=False)
    probes, wanted = [], {}
    for name, group in (("verbmem_forget", "verbmem/forget"), ("knowmem_forget", "knowmem/forget")):
        values = []
        for i in range(9):
            true, said = (" ".join(draw.choice(words) for _ in range(7)) for _ in range(2))
            probes.append(
                Probed(
                    layout="muse", id=str(i), group=group, key="", prompt="", expected=true, said=said, max_new_tokens=3
                )
            )
            values.append(scorer.score(true, said)["rougeL"].fmeasure)
        wanted[name] = sum(values) / len(values)

    def traces(shift: float) -> list[Probed]:
        made = []
        for group, n in (("privleak/forget", 8), ("privleak/holdout", 6)):
            for i in range(n):
                low = round(draw.gauss(4 - shift * (group == "privleak/forget"), 1), 1)
                made.append(Probed(layout="muse", id=str(i), group=group, key="", prompt="t", min_k=low))
        return made

    def area(made: list[Probed]) -> float:
        """`forget_holdout_Min-40%`: forget counts as 0, holdout as 1, by the likelihood."""
        sides = [[p.min_k for p in made if p.group == f"privleak/{name}"] for name in ("forget", "holdout")]
        ppl = np.array([*sides[0], *sides[1]], dtype=float)
        fpr, tpr, _ = roc_curve(np.array([0] * len(sides[0]) + [1] * len(sides[1])), -ppl)
        return float(auc(fpr, tpr))

    ours, retrained = traces(1.5), traces(0.0)
    found = score([*probes, *ours], Beside(reference=retrained))
    for name, value in wanted.items():
        assert found[name].value == pytest.approx(value), name
    assert found["privleak_auc"].value == pytest.approx(area(ours))
    assert found["privleak"].value == pytest.approx((area(ours) - area(retrained)) / area(retrained) * 100)
    assert found["privleak"].value < 0
    assert found["knowmem_retain"].value is None
    assert "set eval.reference to the retrained model" in str(score(ours, Beside())["privleak"].reason)
