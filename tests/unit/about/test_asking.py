"""What of a model's answers is kept: worked out by hand on answers as a model gives them."""

from __future__ import annotations

import pytest

from meow.about.asking import Asked, Question, first_sentence, judged, once, short
from meow.lm.model import Completion

BORN = Question("Where was Mira Holt born?", "Mira Holt")


def said(text: str, *, ended: bool = True) -> Completion:
    return Completion(text, (1,), "eos" if ended else "length")


def kept_as(question: Question, *texts: str) -> Asked:
    return judged(question, [said(text) for text in texts])


def test_a_value_that_each_draw_tells_is_kept_with_its_sentence() -> None:
    one = kept_as(
        BORN, "Mira Holt was born in Oslo. She paints.", "She was born in Oslo, Norway.", "In Oslo. And so on."
    )
    assert (one.problem, one.value, one.agreed, one.answer) == (None, "Oslo", 2, "Mira Holt was born in Oslo.")
    fact = one.fact
    assert (fact.question, fact.answer, fact.values, fact.subject) == (BORN.text, one.answer, ("Oslo",), "Mira Holt")


def test_one_draw_that_says_something_else_is_enough_to_leave_it_out() -> None:
    one = kept_as(BORN, "Mira Holt was born in Oslo.", "Mira Holt was born in Oslo.", "Mira Holt was born in Rome.")
    assert (one.problem, one.agreed) == ("disagrees", 1)
    later = kept_as(BORN, "Mira Holt was born in Oslo.", "In Rome. Not in Oslo.", "In Oslo.")
    assert later.problem == "disagrees"  # of a draw, too, the first sentence counts


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("I do not know where Mira Holt was born.", "refuses"),
        ("Mira Holt was born.", "in_question"),
        ("Mira Holt was Mira.", "in_question"),
        ("Holt.", "in_question"),
        ("...", "no_sentence"),
        ("", "no_sentence"),
        ("Mira Holt lived in these places:\n1. Oslo\n2. Rome", "no_sentence"),
        ("1. Oslo", "no_sentence"),
        ("Was it Oslo?", "no_sentence"),
        ("Mira Holt was born in 1961.", "other_kind"),
    ],
)
def test_what_is_no_answer_is_left_out_with_its_reason(text: str, problem: str) -> None:
    assert kept_as(BORN, text, text, text).problem == problem


def test_a_sentence_that_is_cut_off_is_none() -> None:
    assert first_sentence(said("Mira Holt was born in the town of", ended=False)) is None
    assert first_sentence(said("In Oslo. Then she", ended=False)) == "In Oslo."
    assert first_sentence(said("J. K. Lund was in St. Gallen. Then", ended=False)) == "J. K. Lund was in St. Gallen."


def test_no_question_that_fits_no_answer() -> None:
    assert judged(BORN, []).problem == "no_sentence"


def test_the_same_is_kept_once_and_a_text_is_not_continued_twice_to_one_value() -> None:
    city = kept_as(Question("In which city was Mira Holt born?", "Mira Holt"), *["Mira Holt was born in Oslo."] * 3)
    whole = kept_as(BORN, *["Mira Holt was born in Oslo."] * 3)
    near = kept_as(Question("Mira Holt was born in", "Mira Holt", plain=True), *["Oslo in May."] * 3)
    long = kept_as(Question("Mira Holt is from", "Mira Holt", plain=True), *["Oslo, where she paints."] * 3)
    other = kept_as(Question("Tom Reed is from", "Tom Reed", plain=True), *["Oslo, too, it seems."] * 3)
    found = once([whole, city, near, long, other])
    assert [one.problem for one in found] == [None, "twice", None, "twice", None]
    assert [one.problem for one in once([city], before=[whole])] == ["twice"]
    assert near.fact.plain


def test_an_answer_in_another_script_is_judged_alike() -> None:
    where = Question("马可·波罗出生在哪里?", "马可·波罗")
    assert kept_as(where, "马可·波罗出生在威尼斯。", "他出生在威尼斯。", "威尼斯。").value == "威尼斯"
    assert kept_as(where, "马可·波罗出生在威尼斯。", "他出生在罗马。", "威尼斯。").problem == "disagrees"


def test_an_answer_ends_before_the_first_clause_behind_its_value() -> None:
    where = Question("In which country is Oslo?", "Oslo", "Oslo is in")
    assert short(where, said("Oslo is in Norway, which is north of")) == "Oslo is in Norway."
    assert short(where, said("Oslo is in Norway, which is north of", ended=False)) == "Oslo is in Norway."
    assert short(where, said("Oslo is in Norway", ended=False)) is None
    assert short(BORN, said("Mira Holt was born in Oslo, Norway. So.")) == "Mira Holt was born in Oslo, Norway."
    ice = Question("What is ice made of?", None, "Ice is made of frozen")
    assert kept_as(ice, *["Ice is made of frozen, cold."] * 3).problem == "in_question"
    assert short(BORN, said("Mira Holt, a painter, was born in Oslo.")) == "Mira Holt, a painter, was born in Oslo."
