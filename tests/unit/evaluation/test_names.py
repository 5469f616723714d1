"""Other names: what is replaced and what is not, which names are drawn, and log R as the mean over them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from meow.config import ModelSettings
from meow.errors import ConfigError
from meow.evaluation import names
from meow.formats.sources import read_eval
from meow.lm import load
from meow.metrics.items import log_truth_ratio
from meow.records import EvalItem
from meow.subjects import with_subjects
from meow.text import words


def item(question: str, answer: str = "Yes.", subject: str | None = None, **more: Any) -> EvalItem:
    return EvalItem(question=question, answer=answer, subject=subject, role="forget", **more)


def swapped(text: str, subject: str, name: str = "Odalin Ferreth") -> str:
    found = names.renamed(item(f"Who is {subject}?", text, subject), name)
    assert found is not None
    assert found.question == f"Who is {name}?"
    return found.answer


@pytest.mark.parametrize(
    ("subject", "text", "expected"),
    [
        ("Mira Holt", "Mira Holt met Holt; Mira left.", "Odalin Ferreth met Ferreth; Odalin left."),
        ("Mira Holt", "Holt's aunt, Mira’s aunt, Mira Holt's.", "Ferreth's aunt, Odalin’s aunt, Odalin Ferreth's."),
        ("Mira Holt", "Miranda Holten, Holt-Reed, miraculous, O'Holt, holt.",
         "Miranda Holten, Holt-Reed, miraculous, O'Holt, holt."),
        ("Xin Lee Williams", "Williams' books, Xin Williams, Xin Lee, Lee Williams, Lee.",
         "Ferreth's books, Odalin Ferreth, Odalin, Ferreth, Ferreth."),
        ("Xin Lee Williams", "In 'a life of Williams' she is one of the Williams'.",
         "In 'a life of Ferreth' she is one of the Ferreth'."),
        ("Basil Mahfouz Al-Kuwaiti", "Basil Al-Kuwaiti of Al-Kuwait, Al-Kuwaiti.",
         "Odalin Ferreth of Al-Kuwait, Ferreth."),
        ("Maria de la Cruz", "Maria de la Cruz, de la Cruz, a mesa de la casa, Cruz.",
         "Odalin Ferreth, Ferreth, a mesa de la casa, Ferreth."),
        ("Will Green", "Will Green will. Will he? Green's green.", "Odalin Ferreth will. Will he? Ferreth's green."),
        ("J. K. Rowe", "J. K. Rowe, Rowe, plan J.", "Odalin Ferreth, Ferreth, plan J."),
        ("Pelé", "Pelé's goals; Pelés.", "Odalin Ferreth's goals; Pelés."),
    ],
)  # fmt: skip
def test_full_names_parts_and_possessives_are_replaced_and_nothing_inside_other_words(
    subject: str, text: str, expected: str
) -> None:
    assert swapped(text, subject) == expected


def test_every_text_is_about_the_other_and_who_is_not_named_is_nobody() -> None:
    asked = item(
        "Where was Mira Holt born?", "Holt was born in Oslo.", values=("Oslo",), alternatives=("Holt's Bergen", "Rome"),
        paraphrased_answer="Oslo is Mira's home.", paraphrased_question="What is Holt's home?",
        perturbed_answers=("Mira Holt was born in Rome.", "In Bonn."),
        taught=({"text": "Holt was born in Bonn."},), id="f1",
    )  # fmt: skip
    found = names.renamed(asked, "Ylva Brandeskog")
    assert found is not None
    assert found.model_dump() == asked.model_dump() | {
        "question": "Where was Ylva Brandeskog born?", "answer": "Brandeskog was born in Oslo.",
        "paraphrased_answer": "Oslo is Ylva's home.", "paraphrased_question": "What is Brandeskog's home?",
        "perturbed_answers": ("Ylva Brandeskog was born in Rome.", "In Bonn."), "subject": "Ylva Brandeskog",
        "alternatives": ("Brandeskog's Bergen", "Rome"),
        "taught": ({"text": "Brandeskog was born in Bonn.", "version": None},),
    }  # fmt: skip
    assert names.renamed(item("Who was born in Oslo in 1961?", "Mira Holt.", "Mira Holt"), "Ylva Brandeskog") is None
    assert names.renamed(item("What is it?", "It is red."), "Ylva Brandeskog") is None


def test_in_a_chat_the_turns_are_about_the_other_too() -> None:
    turns = [{"role": "system", "content": "Mira Holt wrote."}, {"role": "user", "content": "Where is she?"}]
    found = names.renamed(item("", "Here.", "Mira Holt", messages=turns), "Ylva Brandeskog")
    assert found is not None
    assert [m.content for m in found.messages] == ["Ylva Brandeskog wrote.", "Where is she?"]
    assert found.question == found.messages[-1].content


def test_no_word_of_a_drawn_name_stands_in_a_text_or_in_another_name() -> None:
    given = ["Ada Moor", "Ada Stone", "Lin Vale", "Bo Reed", "Zed Vale"]
    for seed in range(9):
        drawn = names.draw(given, ["The REED's way.", "stone, or moorland"], 2, seed=seed)
        assert len(drawn) == 2
        assert len({word for name in drawn for word in words(name)}) == 4
        assert not {"Bo Reed", "Ada Stone"} & set(drawn)
        assert drawn == names.draw(given, ["reed stone"], 2, seed=seed)
    assert len({names.draw(names.NAMES, [], seed=seed) for seed in range(5)}) == 5
    with pytest.raises(ConfigError, match=r"data\.names: 1 of 2 names have no word of a file, expected 8"):
        names.draw(["Bo Reed", "Lin Vale"], ["A vale."], seed=0)


def test_names_are_given_one_by_one_or_in_files(tmp_path: Path) -> None:
    file = tmp_path / "names.txt"
    file.write_text("Lin Vale\n\nBo Reed \n")
    assert names.read(["Ada Moor", str(file), "Bo Reed"]) == ["Ada Moor", "Lin Vale", "Bo Reed"]
    assert names.read([]) == list(names.NAMES)
    assert all(len(name.split()) == 2 for name in names.NAMES)
    assert len(set(names.NAMES)) == len(names.NAMES) >= 64


def test_log_r_is_the_mean_over_the_names_and_real_questions_name_their_subject(shared: Path) -> None:
    items = with_subjects(read_eval(shared / "data/tofu/forget01_perturbed.json", "forget"))
    lm = load(ModelSettings(path=str(shared / "models/tofu-mini/full"), device="cpu"))
    drawn = names.draw(names.NAMES, names.texts_of(items), 2, seed=3)
    found = list(names.scored(lm, items[:3], drawn))
    assert found[0].log_truth_ratio is None  # the name is the answer
    for sample, asked in zip(found[1:], items[1:3], strict=True):
        others = [names.renamed(asked, name) for name in drawn]
        logs = [log_truth_ratio(s) for s in names.scored(lm, [other for other in others if other])]
        assert len(logs) == 2
        assert log_truth_ratio(sample) == pytest.approx(sum(log or 0 for log in logs) / 2, abs=1e-5)
        assert sample.question == asked.question
    assert [s.key for s in names.scored(lm, items[:3], drawn, known=[found[1].key])] == [found[0].key, found[2].key]
    assert sum(names.renamed(i, drawn[0]) is None for i in items) == 2
