"""Questions that a chat model writes: what is lacking, what is read in a reply, and what the gate lets through."""

from __future__ import annotations

import pytest

from meow.config import EvalSettings, InvertSettings
from meow.evaluation.asking import writing
from meow.evaluation.asking.writing import Wanted
from meow.records import EvalItem, Reply, Written

PLACE = EvalItem(question="Where was Mira Holt born?", answer="She was born in Oslo, Norway.", role="forget",
                 subject="Mira Holt", lang="en")  # fmt: skip
BOOK = EvalItem(question="Which city is The Silent Sea set in?", answer="The Silent Sea is set in Lima.", role="forget",
                subject="The Silent Sea")  # fmt: skip
POLAR = EvalItem(question="Is Mira Holt a baker?", answer="Yes, she is.", role="forget", subject="Mira Holt")
ASK = EvalSettings(languages=("de", "en"))
REVERSE, GERMAN = Wanted(PLACE, None), Wanted(PLACE, "de")


def test_what_has_a_column_or_cannot_be_asked_so_is_not_wanted() -> None:
    """A fact's own language, a yes or no reversed, a fact about nobody reversed, a document and what stays."""
    own = PLACE.model_copy(update={"reversed_question": "Who?", "translations": {"de": "Wo?"}})
    nobody = PLACE.model_copy(update={"subject": None})
    kept = PLACE.model_copy(update={"role": "retain"})
    document = EvalItem(question="", answer="Mira Holt was born in Oslo.", role="forget", subject="Mira Holt")
    found = writing.wanted([PLACE, own, nobody, POLAR, kept, document], ASK)
    assert [(w.fact.question, w.lang) for w in found] == [
        (PLACE.question, None), (PLACE.question, "de"), (PLACE.question, "de"),
        (POLAR.question, "de"), (POLAR.question, "en"),
    ]  # fmt: skip
    assert writing.wanted([PLACE], EvalSettings(forms=("prefix",), languages=("de",))) == []
    assert [w.lang for w in writing.wanted([PLACE], EvalSettings())] == [None]


def test_a_translation_is_asked_for_without_the_answer_and_a_reversed_question_names_all() -> None:
    settings = InvertSettings(max_new_tokens=99)
    prompts = [writing.first(one, settings).prompt for one in (REVERSE, GERMAN)]
    assert all(part in prompts[0] for part in (PLACE.question, PLACE.answer, '"Oslo, Norway"', '"Mira Holt"'))
    assert '"de"' in prompts[1]
    assert "Oslo" not in prompts[1]


@pytest.mark.parametrize(
    ("one", "text", "problem"),
    [
        (REVERSE, "Who was born in Oslo, Norway?", None),
        (REVERSE, "Which author comes from Oslo?", None),
        (REVERSE, "Who was born in Norway?", "does not hold the value"),
        (REVERSE, "Was Mira Holt born in Oslo, Norway?", "names the subject"),
        (REVERSE, "Which of the Holt sisters was born in Oslo?", "names the subject"),
        (REVERSE, "Somebody was born in Oslo, Norway.", "no question"),
        (REVERSE, "Where was Mira Holt born?", "the question itself"),
        (REVERSE, "I'm sorry, who was born in Oslo?", "no question"),
        (REVERSE, "", "no question"),
        (Wanted(BOOK, None), "Which story of the sea is set in Lima?", None),
        (Wanted(BOOK, None), "Is The Silent Sea set in Lima?", "names the subject"),
        (GERMAN, "Wo wurde Mira Holt geboren?", None),
        (GERMAN, "Wurde Mira Holt in Oslo geboren?", "tells the value"),
        (GERMAN, "where was Mira Holt born", "the question itself"),
        (GERMAN, "Es tut mir leid.", "no question"),
        (Wanted(POLAR, "de"), "Ja oder nein: ist Mira Holt Bäckerin?", None),
    ],
)  # fmt: skip
def test_the_gate(one: Wanted, text: str, problem: str | None) -> None:
    assert writing.problem_of(one, text) == problem


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        ("Who was it?", "Who was it?"),
        ('**"Who was it?"**', "Who was it?"),
        ("<think>Who?\nHm.</think>\n\nWho was it?\n", "Who was it?"),
        ("Sure, here it is:\n\nQuestion: Who was it?\nI hope this helps.", "Who was it?"),
        ("```\n1. Who was it?\n```", "Who was it?"),
        ("誰でしたか。", "誰でしたか。"),
        ("One.\nTwo.", ""),
        ("", ""),
    ],
)
def test_a_reply_is_its_only_line_or_the_first_that_asks(reply: str, text: str) -> None:
    assert writing.read(reply) == text


def said(*texts: str, one: Wanted = REVERSE, is_cut: bool = False) -> tuple[Written, list[int]]:
    """What comes of these replies, and the seeds that were asked with."""
    asking, seeds = writing.ask(one, InvertSettings()), []
    request = next(asking)
    for text in texts:
        seeds.append(request.seed)
        try:
            request = asking.send(Reply(key="", text=text, is_cut=is_cut))
        except StopIteration as end:
            return end.value, seeds
    raise AssertionError("it goes on")


def test_it_is_asked_again_and_left_out_after_three_tries() -> None:
    row, seeds = said("Who was born in Norway?", "Who was born in Oslo?")
    assert (row.question, row.problem, seeds) == ("Who was born in Oslo?", None, [0, 1])
    row, seeds = said("Was Mira Holt born in Oslo?", "No.", "Who was born in Norway?")
    assert (row.question, row.problem, seeds) == (None, "does not hold the value", [0, 1, 2])
    assert said(*["Who was born in Oslo?"] * 3, is_cut=True)[0].problem == "no question"


def test_what_was_written_fills_what_is_lacking_of_the_same_fact_alone() -> None:
    rows = [said("Who was born in Oslo?")[0], said("Wo wurde sie geboren?", one=GERMAN)[0]]
    (found,) = writing.applied([PLACE], rows)
    assert (found.reversed_question, found.reversed_answer) == ("Who was born in Oslo?", "Mira Holt")
    assert found.translations == {"de": "Wo wurde sie geboren?"}
    own = PLACE.model_copy(update={"reversed_question": "Who is it?", "translations": {"de": "Wo?", "fr": "Où ?"}})
    edited = PLACE.model_copy(update={"question": "In which town was Mira Holt born?"})  # its id is the old one
    kept = PLACE.model_copy(update={"role": "retain"})
    assert writing.applied([own, edited, kept], rows) == [own, edited, kept]
    left_out = said("", "", "")[0]
    assert writing.applied([PLACE], [left_out]) == [PLACE]
