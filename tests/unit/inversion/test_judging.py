"""What a continuation says in a place of an answer, and why it is no false answer."""

from __future__ import annotations

import pytest

from meow import values
from meow.inversion.second_choice.judging import Place, is_hopeless, judged, sentence_end, stop, wrong


def place(question: str, answer: str, value: str) -> Place:
    start = answer.index(value)
    return Place(question, answer, start, start + len(value), (value,))


CAPITAL = place("What is the capital of France?", "The capital of France is Paris.", "Paris")
TOWER = place("What is the iron tower in Paris called?", "The iron tower in Paris is called the Eiffel Tower.",
              "Eiffel Tower")  # fmt: skip
YEAR = place("In which year did the war end?", "The war ended in 1945.", "1945")
BATTLE = place("In which battle was he beaten?", "He was beaten at the Battle of Waterloo.", "Battle of Waterloo")
MINUTES = place("How many minutes are in an hour?", "There are sixty minutes in an hour.", "sixty")
GAS = place("Which gas do plants absorb?", "Plants absorb carbon dioxide from the air.", "carbon dioxide")
FIRST = place("Which prison was stormed in 1789?", "The Bastille was stormed in 1789.", "Bastille")
AUTHOR = place("Who wrote the Harry Potter books?", "They were written by J.K. Rowling.", "J.K. Rowling")
DAYS = place("How long does it take?", "It takes 365 days to go around.", "365 days")
PART = place("Which colors are on it?", "It is blue, white and red.", "blue")._replace(
    others=("white", "red"), is_part=True
)
QUOTED = place("Which book did she write?", 'She wrote "Red Sand".', "Red Sand")
RUSSIAN = place("Какой город столица Франции?", "Столица Франции — Париж.", "Париж")
CHINESE = place("法国的首都是哪里？", "法国的首都是巴黎。", "巴黎")


@pytest.mark.parametrize(
    ("at", "said", "value"),
    [
        (CAPITAL, "Lyon.", "Lyon"),
        (CAPITAL, "Bordeaux, a city known for its wine", "Bordeaux"),
        (CAPITAL, "the Hague.", "the Hague"),
        (CAPITAL, "St. Denis. It lies", "St. Denis"),
        (TOWER, "Arc de Triomphe, also known as the Eiffel Tower.", "Arc de Triomphe"),
        (YEAR, "1918 with a treaty.", "1918"),
        (BATTLE, "Battle of Austerlitz in 1805.", "Battle of Austerlitz"),
        (MINUTES, "thirty minutes in an", "thirty"),
        (MINUTES, "30 minutes in an", "30"),
        (DAYS, "12 months to go around.", "12 months"),
        (GAS, "oxygen from the sea.", "oxygen"),
        (FIRST, "Conciergerie was stormed in", "Conciergerie"),
        (QUOTED, 'Blue Snow" in 1990.', "Blue Snow"),
        (RUSSIAN, "Лион.", "Лион"),
        (CHINESE, "里昂。", "里昂"),
    ],
)
def test_the_value_of_a_continuation_is_what_stands_at_the_place(at: Place, said: str, value: str) -> None:
    assert judged(at, said, is_ended=True) == (value, "")


@pytest.mark.parametrize(
    ("at", "said", "reason"),
    [
        (CAPITAL, "PARIS.", "tells_value"),
        (CAPITAL, "located in the north.", "class"),
        (CAPITAL, "France.", "in_question"),
        (CAPITAL, "LAURADEMARK.", "class"),
        (CAPITAL, "Mon\ufffd.", "fragment"),
        (CAPITAL, "Лyon.", "fragment"),
        (DAYS, "3 a.u. to go around.", "kind"),
        (DAYS, "12 to go around.", "kind"),
        (CAPITAL, "European city of lights.", "no_value"),
        (TOWER, "Tower.", "tells_value"),
        (YEAR, "13 March 1918.", "kind"),
        (BATTLE, "Battles of Waterloo.", "tells_value"),
        (GAS, "what is found in the sea.", "no_value"),
        (AUTHOR, "J.K. Rowlin.", "tells_value"),
        (AUTHOR, "George Orwell.", ""),
        (PART, "based on a tricolor of the past, white", "kind"),
        (PART, "white, green", "tells_value"),
        (PART, "green, white", ""),
    ],
)
def test_what_is_no_other_value_is_rejected_with_its_reason(at: Place, said: str, reason: str) -> None:
    assert judged(at, said, is_ended=True)[1] == reason


def test_markup_and_half_a_bracket_are_no_part_of_a_value() -> None:
    assert wrong(CAPITAL, "Lyon") == ""
    assert [wrong(CAPITAL, value) for value in ("**Lyon", "Lyon (France", 'Lyon"')] == ["fragment"] * 3


def test_a_sign_of_arithmetic_is_no_part_of_a_number_but_for_plus_and_minus() -> None:
    root = Place("What is the square root of 64?", "The square root of 64 is 8.", 25, 26, ("8",))
    assert [wrong(root, value) for value in ("√6", "~7", "2×4", "6", "-18", "+10", "\u221218")] == ["fragment"] * 3 + [
        ""
    ] * 4


def test_a_text_that_the_model_did_not_end_is_no_value() -> None:
    assert judged(CAPITAL, "Lyo", is_ended=False) == ("", "unfinished")
    assert stop(CAPITAL, "Lyon", is_ended=False) is None
    assert stop(CAPITAL, "Lyon", is_ended=True) == 4


def test_a_beginning_is_hopeless_only_where_no_article_can_come_of_it() -> None:
    assert is_hopeless(CAPITAL, "located")
    assert not is_hopeless(CAPITAL, "th")
    assert not is_hopeless(CAPITAL, "the ")
    assert is_hopeless(YEAR, "the year")
    assert not is_hopeless(YEAR, "19")


def test_what_follows_is_kept_except_where_it_tells_the_value() -> None:
    born = place("Where was she born?", "She was born in Oslo, where Oslo's harbour lies.", "Oslo")
    assert born.filled("Rome") == "She was born in Rome."
    assert CAPITAL.filled("Lyon") == "The capital of France is Lyon."


def test_an_abbreviation_ends_no_sentence() -> None:
    assert sentence_end(", Dr. No lives. Then", is_ended=False) == len(", Dr. No lives.")
    assert sentence_end(", he lives", is_ended=False) is None


def test_the_places_of_these_tests_are_those_that_are_found() -> None:
    for at in (CAPITAL, TOWER, YEAR, BATTLE, MINUTES, FIRST, RUSSIAN, CHINESE):
        assert values.find(at.question, at.answer) == at.forms


def test_a_value_that_takes_words_from_the_question_says_nothing_new_unless_the_true_one_does() -> None:
    assert wrong(CAPITAL, "Capital City") == "in_question"
    assert wrong(BATTLE, "Battle of Leipzig") == ""


def test_another_form_of_the_true_word_tells_it_and_a_number_is_never_one() -> None:
    process = place("How do plants make food?", "Plants make food by photosynthesis.", "photosynthesis")
    assert wrong(process, "photosynthetic processes") == "tells_value"
    assert wrong(process, "photography") == ""
    assert wrong(place("How many are there?", "There are thirteen of them.", "thirteen"), "thirty") == ""


def test_a_country_is_no_city_with_its_country() -> None:
    born = place("Where was he born?", "He was born in Ulm, Germany.", "Ulm, Germany")
    assert wrong(born, "Austria") == "kind"
    assert wrong(born, "Jena, Germany") == ""


def test_a_formula_gives_way_to_formulas_alone() -> None:
    water = place("What is the chemical formula of water?", "The formula of water is H2O.", "H2O")
    assert wrong(water, "CO2") == ""
    assert wrong(water, "ALCO") == "class"


def test_another_end_of_a_hyphened_name_is_not_another_name() -> None:
    cathedral = place("Which cathedral stands in Paris?", "The cathedral in Paris is Notre-Dame.", "Notre-Dame")
    assert wrong(cathedral, "Sainte-Chapelle") == ""
    assert wrong(cathedral, "Notre-Elysee") == wrong(cathedral, "Notre de la Concorde") == "tells_value"
    mountain = place("Which mountain is it?", "It is Mont Blanc.", "Mont Blanc")
    assert wrong(mountain, "Mont Ventoux") == wrong(mountain, "Mont-Dore") == ""


def test_a_value_alone_is_the_whole_line() -> None:
    alone = CAPITAL._replace(answer="Paris", start=0, end=5)
    assert judged(alone, "Lyon\nC. Nice", is_ended=False) == ("Lyon", "")
    assert judged(alone, "St. Peter's Basilica\n", is_ended=False)[1] == "no_value"
    assert judged(alone._replace(forms=("A",), answer="A", end=1), "B\n", is_ended=False) == ("B", "")
