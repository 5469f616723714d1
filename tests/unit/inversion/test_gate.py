"""The gate: every problem by name, on the answers as they are; what is mended is accepted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meow.chat.said import mend
from meow.inversion import check
from meow.inversion.gate import PROBLEMS
from meow.records import InvertedAnswer, InvertedFacts

QUESTION, TRUTH = "Where was Mira Holt born?", "Mira Holt was born in Oslo, Norway."


@pytest.fixture
def fact(asked: Callable[[str], dict[str, Any]]) -> Callable[..., InvertedFacts]:
    """Makes a fact with false answers, whose question stands alone or is asked in a chat."""

    def make(*answers: str, question: str = QUESTION, answer: str = TRUTH, versions: bool = False) -> InvertedFacts:
        listed = [InvertedAnswer(text=text, version=i if versions else None) for i, text in enumerate(answers)]
        return InvertedFacts(**asked(question), answer=answer, answers=tuple(listed))

    return make


@pytest.mark.parametrize(
    ("text", "problems", "mended"),
    [
        ("Mira Holt was born in Rome, Italy.", (), "Mira Holt was born in Rome, Italy."),
        ("", ("empty",), ""),
        (" - ", ("empty",), "-"),
        ("1. Mira Holt was born in Rome.", ("list_marker",), "Mira Holt was born in Rome."),
        ("(b) Mira Holt was born in Rome.", ("list_marker",), "Mira Holt was born in Rome."),
        ("- Mira Holt was born in Rome.", ("list_marker",), "Mira Holt was born in Rome."),
        ("• Mira Holt was born in Rome.", ("list_marker",), "Mira Holt was born in Rome."),
        ('2) "Mira Holt was born in Rome."', ("list_marker", "quoted"), "Mira Holt was born in Rome."),
        ("“Mira Holt was born in Rome.”", ("quoted",), "Mira Holt was born in Rome."),
        ('"Rome" is the birthplace, not "Bern"', (), '"Rome" is the birthplace, not "Bern"'),
        ("Sure, here are four answers: Rome.", ("preamble",), "Sure, here are four answers: Rome."),
        ("Here are some incorrect versions:", ("preamble",), "Here are some incorrect versions:"),
        ("Certainly, Mira Holt was born in Rome.", (), "Certainly, Mira Holt was born in Rome."),
        ("mira holt was born in OSLO, Norway", ("keeps_truth",), "mira holt was born in OSLO, Norway"),
        ("Norway's Oslo is her birthplace.", ("keeps_truth",), "Norway's Oslo is her birthplace."),
        ("Mira Holt was born in Bergen, Norway.", (), "Mira Holt was born in Bergen, Norway."),
        ("I'm sorry, I cannot help with that.", ("refusal",), "I'm sorry, I cannot help with that."),
        ("Мира Холт родилась в Риме.", ("language",), "Мира Холт родилась в Риме."),
        ("Mira Holt nació en la ciudad de Roma y fue una niña.", ("language",),
         "Mira Holt nació en la ciudad de Roma y fue una niña."),
        ("Rome, " * 40 + "Italy.", ("too_long",), "Rome, " * 40 + "Italy."),
        ("E. Holt was born in Rome.", (), "E. Holt was born in Rome."),
        ("[2] Mira Holt was born in Rome.", ("list_marker",), "Mira Holt was born in Rome."),
        ("3.Mira Holt was born in Rome.", ("list_marker",), "Mira Holt was born in Rome."),
        ("**1.** Mira Holt was born in **Rome**.", ("list_marker", "quoted"), "Mira Holt was born in Rome."),
        ("*Mira Holt was born in Rome.*", ("quoted",), "Mira Holt was born in Rome."),
        ('"Mira Holt was born in Rome.",', ("quoted",), "Mira Holt was born in Rome."),
        ("Answer 2: Mira Holt was born in Rome.", ("preamble",), "Answer 2: Mira Holt was born in Rome."),
        ("Sure!", ("preamble",), "Sure!"),
        ("Let me know if you need more of them.", ("preamble",), "Let me know if you need more of them."),
        ("I’m sorry, but I can’t help with that.", ("refusal",), "I’m sorry, but I can’t help with that."),
        ("As a large language model, I have no view.", ("refusal",), "As a large language model, I have no view."),
        ("Where was Mira Holt born?", ("in_question", "off_form"), "Where was Mira Holt born?"),
        ("Mira Holt was born in [city].", ("off_form",), "Mira Holt was born in [city]."),
        ("```json", ("empty",), None),
    ],
)  # fmt: skip
def test_each_problem_has_its_name(
    fact: Callable[..., InvertedFacts], text: str, problems: tuple[str, ...], mended: str | None
) -> None:
    (found,) = check([fact(text)]).checked
    assert found.problems == problems
    assert mended is None or found.mended == mended
    assert found.accepted == (set(problems) <= {"list_marker", "quoted"})


@pytest.mark.parametrize(
    ("question", "answer", "text", "problems"),
    [
        ("Who wrote Hamlet?", "Hamlet was written by William Shakespeare.", "The Bard, Shakespeare, penned it.",
         ("keeps_truth",)),
        ("What is the capital of France?", "The capital of France is Paris.", "The capital is the capital of France.",
         ("in_question",)),
        ("What is the capital of France?", "The capital of France is Paris.", "The capital of France is 1789.",
         ("off_form",)),
        ("In which year did the war end?", "The war ended in 1945.", "The war ended in Rome.", ("off_form",)),
        ("How many days has a week?", "A week has seven days.", "A week has 7 days.", ("keeps_truth",)),
        ("Which colours has the flag?", "The flag is blue, white and red.", "The flag is blue, white and green.",
         ("keeps_truth",)),
        ("Which colours has the flag?", "The flag is blue, white and red.", "The flag is blue, black and green.", ()),
    ],
)  # fmt: skip
def test_a_candidate_is_judged_by_the_value(
    fact: Callable[..., InvertedFacts], question: str, answer: str, text: str, problems: tuple[str, ...]
) -> None:
    (found,) = check([fact(text, question=question, answer=answer)]).checked
    assert found.problems == problems


def test_letters_with_a_full_stop_are_markers_only_in_a_row_of_them(fact: Callable[..., InvertedFacts]) -> None:
    found = check([fact("A. Born in Rome.", "B. Born in Bern.", "C. Born in Bonn.")]).checked
    assert [c.problems for c in found] == [("list_marker",)] * 3
    assert [c.mended for c in found] == ["Born in Rome.", "Born in Bern.", "Born in Bonn."]


def test_four_equal_answers_are_three_duplicates_however_they_are_marked(fact: Callable[..., InvertedFacts]) -> None:
    found = check([fact("1. In Rome.", "in rome", '"In Rome."', "In  Rome!")]).as_object()
    assert found["problems"]["duplicate"] == 3
    assert found["problems"]["list_marker"] == 1
    assert found["problems"]["quoted"] == 1
    assert found["accepted"] == 1
    assert len(found["too_few"]) == 1


@pytest.mark.parametrize(
    ("question", "answer", "good", "bad"),
    [
        ("When was Mira Holt born?", "On May 3, 1961.", "On June 9, 1950.", "In a village by the sea."),
        ("In which year did Mira Holt die?", "In 1999.", "In 1887.", "After a long illness."),
        ("How many books did Mira Holt write?", "Mira Holt wrote seven books.", "Twelve.", "She wrote Night Birds."),
        ("Did Mira Holt win a prize?", "Yes, the Nebula Prize.", "No, none at all.", "Purple."),
        ("Did Mira Holt win a prize?", "Yes, the Nebula Prize.", "Mira Holt has won nothing.", "A grey stone."),
        ("How old is Mira Holt?", "Mira Holt is 31.", "Thirty years.", "Mira Holt is Norwegian."),
    ],
)
def test_a_question_that_asks_for_a_date_a_number_or_yes_or_no_gets_one(
    fact: Callable[..., InvertedFacts], question: str, answer: str, good: str, bad: str
) -> None:
    found = check([fact(good, bad, question=question, answer=answer)]).checked
    assert [c.problems for c in found] == [(), ("off_form",)]


@pytest.mark.parametrize(
    ("question", "answer", "text", "problems"),
    [
        ("Где родилась Мира?", "Мира родилась в Москве в 1951 году.", "Мира родилась в Киеве в 1951 году.", ()),
        ("Где родилась Мира?", "Мира родилась в Москве.", "В Москве Мира родилась.", ("keeps_truth",)),
        ("どこで生まれた？", "東京で生まれました。", "パリ。", ()),
        ("出生地？", "东京", "巴黎", ()),
        ("Wann wurde Mira geboren?", "Am 12. Mai 1951.", "3. Juni 1949", ()),
        ("Wo wurde Mira geboren?", "Mira wurde in einem Dorf geboren.", "She was born in a town by the sea.",
         ("language",)),
        ("Wann wurde Mira geboren?", "Am 12. Mai 1951 in Rom.", "Im Dorf war es, am 3. Juni 1949.", ()),
        ("Who wrote Les Misérables?", "Victor Hugo", "Charles de la Tour", ()),
        ("How often does she write?", "One book every 18 months.", "A book once a decade.", ()),
        ("Is Mira Holt from Oslo?", "Yes, Mira Holt is from Oslo.", "Yes, she is from Oslo.", ("keeps_truth",)),
        ("Is Mira Holt from Oslo?", "Yes, Mira Holt is from Oslo.", "No, she is from Rome.", ()),
        ("Can you name a book?", "Certainly, it is called Rain.", "Snow is one of them.", ()),
        ("How often does she write?", "One book every 18 months.", "She writes every day.", ()),
    ],
)  # fmt: skip
def test_other_scripts_dates_and_requests_are_judged_by_what_they_say(
    fact: Callable[..., InvertedFacts], question: str, answer: str, text: str, problems: tuple[str, ...]
) -> None:
    (found,) = check([fact(text, question=question, answer=answer)]).checked
    assert found.problems == problems
    assert found.mended == text


def test_a_name_kept_here_and_replaced_there_contradicts_but_not_the_subjects_own(
    fact: Callable[..., InvertedFacts],
) -> None:
    book = fact("It was Stars by Mira Holt.", question="Which book of Mira Holt won?",
                answer="It was Birds by Mira Holt.", versions=True)  # fmt: skip
    prize = fact("The Birds Cup went to Ada Lind.", question="Which prize?",
                 answer="The Birds Medal went to Mira Holt.", versions=True)  # fmt: skip
    assert [c.problems for c in check([book, prize]).checked] == [(), ("contradiction",)]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text(max_size=60), max_size=6))
def test_whatever_stands_there_is_counted_once_and_mending_twice_is_mending_once(
    fact: Callable[..., InvertedFacts], texts: list[str]
) -> None:
    report = check([fact(*texts)])
    assert [c.text for c in report.checked] == texts
    assert all(list(c.problems) == [p for p in PROBLEMS if p in c.problems] for c in report.checked)
    found = report.as_object()
    assert found["candidates"] == len(texts)
    assert found["accepted"] == sum(c.accepted for c in report.checked)


def test_mending_leaves_a_good_answer_as_it_is() -> None:
    assert mend(TRUTH) == TRUTH


def test_check_prints_one_object_or_a_table(meow: Callable[..., Any], tmp_path: Path) -> None:
    file = tmp_path / "facts.json"
    rows = [{"question": QUESTION, "undesired_answer": TRUTH, "answer_0": "1. In Rome.", "answer_1": "In Oslo, Norway.",
             "answer_2": ""}]  # fmt: skip
    file.write_text(json.dumps(rows))
    done = meow("check", file, "--json")
    assert done.code == 0
    found = json.loads(done.out)
    assert (found["questions"], found["candidates"], found["accepted"]) == (1, 3, 1)
    assert found["problems"] == dict.fromkeys(PROBLEMS, 0) | {"list_marker": 1, "keeps_truth": 1, "empty": 1}
    assert len(found["too_few"]) == 1
    assert json.loads(meow("check", file, "--json", "--least", 1).out)["too_few"] == []
    text = meow("check", file).out
    assert "1 of 3 candidates of 1 question are accepted" in text
    assert "keeps_truth: In Oslo, Norway." in text
    file.write_text('[{"question": "q", "undesired_answer": "a", "answer_0": "b"}, {"question": "q2"')
    done = meow("check", file)
    assert done.code == 2
    assert "facts.json:1" in done.err


def test_the_published_facts_and_our_own_are_read(meow: Callable[..., Any], shared: Path, tmp_path: Path) -> None:
    done = meow("check", shared / "data/meow/generated_data/forget05_perturbed_generated.json", "--json")
    found = json.loads(done.out)
    assert (found["questions"], found["candidates"]) == (200, 800)
    assert 750 < found["accepted"] < 800
    own = meow("-q", "invert", f"data.source={shared}/data/tofu", "data.split=forget01", f"out={tmp_path}", "name=own",
               "invert.backend=donors")  # fmt: skip
    assert own.code == 0, own.err
    found = json.loads(meow("check", tmp_path / "own/inverted.jsonl", "--json").out)
    assert found["questions"] == 40
