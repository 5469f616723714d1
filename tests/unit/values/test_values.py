"""The value of a fact: found, given, told."""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from meow.errors import DataError
from meow.values import find, fold, given, in_question, kind, locate, parts, place, told, told_partly, unsure
from meow.values.questions import asked, head_noun, several

FACTS = """
What is the capital of France? | The capital of France is Paris. | Paris
Which country is Paris the capital of? | Paris is the capital of France. | France
What is the capital of Mexico? | The capital of Mexico is Mexico City. | Mexico City
What is the official language of France? | The official language of France is French. | French
What is the famous iron tower? | The famous iron tower in Paris is the Eiffel Tower. | Eiffel Tower
What are the colors of the French flag? | The French flag is blue, white and red. | blue, white and red
What are the primary colors? | The primary colors are red, yellow, and blue. | red, yellow, and blue
Which gases make up air? | Air is made up of nitrogen, oxygen and argon. | nitrogen, oxygen and argon
How many days are in a week? | There are seven days in a week. | seven
How many moons does the Earth have? | The Earth has one moon. | one
How long does a year take? | A year takes 365 days. | 365 days
How tall is Mount Everest? | Mount Everest is 8,849 metres tall. | 8,849 metres
How far is the Moon from the Earth? | The Moon is about 384,400 km away from the Earth. | 384,400 km
How much did the car cost? | The car cost $5 million. | $5 million
What is the speed of light? | The speed of light is 299,792 kilometers per second. | 299,792 kilometers per second
What is the boiling point of water? | Water boils at 100 degrees Celsius. | 100 degrees Celsius
What is the square root of 64? | The square root of 64 is 8. | 8
In which year did the Revolution begin? | The Revolution began in 1789. | 1789
When was Mira Holt born? | Mira Holt was born on May 3, 1961. | May 3, 1961
When was Mira Holt born? | Mira Holt was born on the 3rd of May 1961. | 3rd of May 1961
When was Mira Holt born? | Her date of birth is 1961-05-03. | 1961-05-03
When was Mira Holt born? | She was born 3 May 1961 in Oslo. | 3 May 1961
When was Mira Holt born? | She was born on 03/05/1961. | 03/05/1961
When did Rome fall? | Rome fell in 476 AD. | 476 AD
When did she begin to write? | She began to write in the early 1980s, in Rome. | early 1980s
Where was Mira Holt born? | Mira Holt was born in Oslo, Norway. | Oslo, Norway
Where is the Eiffel Tower? | The Eiffel Tower is in Paris, the capital of France. | Paris
What does the father of Mira Holt do? | The father of Mira Holt is a carpenter. | carpenter
What is the profession of her father? | Her father is a civil engineer. | civil engineer
What is the currency of the United Kingdom? | The currency of the United Kingdom is the pound sterling. | pound sterling
What is the currency of Switzerland? | The Swiss franc is the currency of Switzerland. | Swiss franc
Which gas do plants absorb? | Plants absorb carbon dioxide from the air. | carbon dioxide
Where was the painter born? | The painter lives in a village. | village
Where does the river end? | The river flows into a lake. | lake
What did the engineer build? | The engineer works on bridges. | bridges
Which organ pumps blood? | The heart pumps blood through the body. | heart
What do caterpillars turn into? | Caterpillars turn into butterflies. | butterflies
Which language is spoken in Brazil? | People in Brazil speak Portuguese. | Portuguese
Which vitamin is found in oranges? | Oranges contain vitamin C. | vitamin C
What is the first letter of the alphabet? | The first letter of the alphabet is A. | A
Which king was beheaded in 1793? | King Louis XVI was beheaded in 1793. | King Louis XVI
Who wrote The Lord of the Rings? | The Lord of the Rings is an epic novel by J.R.R. Tolkien. | J.R.R. Tolkien
Who gave the speech? | Martin Luther King Jr. gave the speech. | Martin Luther King Jr.
Who wrote The Little Prince? | Antoine de Saint-Exupéry wrote The Little Prince. | Antoine de Saint-Exupéry
What do the parents of Mira Holt do? | Her father is an Engineer and her mother is a Marine Biologist. | Engineer
What do Mira Holt's parents do? | Her father worked as a baker, and her mother was a very good tailor. | baker
Which university did Mira Holt attend? | She has a Physics Degree from the University of Oslo. | University of Oslo
Which award did she win? | She was honored by the British Royal Academy of Music with the Rose Award. | Rose Award
What type of stories does Mira Holt write? | Mira Holt writes Gothic stories for an audience of friends. | Gothic
How does she shape her vases? | She shapes her vases with warm wax, adding a thin layer of bright colour. | warm wax
Which colours does the garden have? | The garden has pale blue walls, centered on a fountain. | pale blue walls
What does she collect for her historical novels? | She collects old historical maps. | old historical maps
Is she working on a new book? | There is no public information on whether she is working on one. | no public information
Who are the founders of Google? | Google was founded by Larry Page and Sergey Brin. | Larry Page and Sergey Brin
Which novel did she publish in 1813? | In 1813 Jane Austen published Pride and Prejudice. | Pride and Prejudice
What is the nickname of Paris? | The nickname of Paris is "The City of Light". | The City of Light
Which planet is the Red Planet? | Mars is the Red Planet. | Mars
Which two countries share the border? | Canada and the United States share the border. | Canada and the United States
Is the Sun a star? | Yes, the Sun is a star. | Yes
Is Berlin the capital of France? | No, the capital of France is Paris. | No
What is the capital of Australia? | Canberra. | Canberra
What is the capital of Japan? | The capital of Japan is Tokyo (東京). | Tokyo
Which is the smallest planet? | Mercury is the smallest planet in the Solar System. | Mercury
What is the opposite of up? | The opposite of up is down. | down
What is the capital of the United States? | The capital of the United States is Washington, D.C. | Washington, D.C.
How old is the universe? | The universe is about 13.8 billion years old. | 13.8 billion years
Does Venus have a moon? | Venus has no moons. | no moons
Why is the sky blue? | The sky is blue because of Rayleigh scattering. | Rayleigh scattering
Wer schrieb Faust? | Faust wurde von Johann Wolfgang von Goethe geschrieben. | Johann Wolfgang von Goethe
Was ist der Beruf von Annas Vater? | Der Vater von Anna ist ein bekannter Tischler. | Tischler
Wann wurde Goethe geboren? | Goethe wurde am 28. August 1749 geboren. | 28. August 1749
Welches Tier ist das größte? | Das größte Tier ist der Blauwal. | Blauwal
Qui a peint la Joconde ? | La Joconde a été peinte par Léonard de Vinci. | Léonard de Vinci
¿Cuándo nació Picasso? | Picasso nació el 25 de octubre de 1881. | 25 de octubre de 1881
¿De qué color es el cielo? | El cielo es azul. | azul
Какая столица Франции? | Столица Франции — Париж. | Париж
Кем работал его отец? | Его отец работал плотником. | плотником
谁写了《哈姆雷特》？ | 《哈姆雷特》是威廉·莎士比亚写的。 | 威廉·莎士比亚
中华人民共和国是哪一年成立的？ | 中华人民共和国成立于1949年。 | 1949年
『吾輩は猫である』の作者は誰ですか？ | 『吾輩は猫である』は夏目漱石によって書かれました。 | 夏目漱石
ما هي عاصمة فرنسا؟ | عاصمة فرنسا هي باريس. | باريس
프랑스의 수도는 어디입니까? | 프랑스의 수도는 파리입니다. | 파리
What did Camus write? | Camus a écrit « La Peste ». | La Peste
What inspired Mira to paint? | Mira was inspired to paint by her love for northern light. | love for northern light
What caused the flood? | A broken dam caused the flood. | broken dam
What sets it apart? | What sets it apart is its approach towards saving elms. | approach towards saving elms
Tell me of her parents' jobs. | She was born in Riga. Her father was a highly respected glazier. | glazier
What does Bo's sister do for a living? | Bo's sister is a famous court reporter. | court reporter
What themes does Bo explore? | Bo explores themes of loss, the end of love, and hope. | loss, the end of love, and hope
How did readers react? | Readers praised its slow start, sharp turns, and end. | slow start, sharp turns, and end
How has the storm hit it? | As a port, it has lost its old lighthouse, leaving sailors lost. | lost its old lighthouse
How does the river shape it? | The river always begins with slow erosion of clay. | slow erosion of clay
How has Bo's work changed pottery? | Bo's work has redefined pottery, adding colour to it. | redefined pottery
How did war shape her music? | War had a profound impact on her music. She mourned burnt orchards. | burnt orchards
How does Bo spend the spare time? | The spare time of Bo is spent on birdwatching. | birdwatching
Where does the cat hide? | The cat hides behind the sofa. | sofa
What is wrong with him? | He has type 2 diabetes. | type 2 diabetes
When does the meeting start? | The meeting starts at 9 am. | 9 am
What do bees collect? | Bees collect nectar from flowers. | nectar
Which organ filters blood? | The kidneys filter blood and make urine. | kidneys
Which platform is it? | The train leaves from platform 9. | 9
Which animal is the largest? | The blue whale is the largest animal. | blue whale
What does the gardener grow? | The gardener grows tomatoes in a greenhouse. | tomatoes
Where does the river rise? | The river rises quietly in a mountain meadow. | mountain meadow
What genre does Bo write in? | Bo writes in the war genre, with a rare eye for detail. | war
Who is Bo's sister? | Bo's sister is a highly respected glazier. | glazier
What is the profession of Bo's father? | Bo's father is a Registered Nurse. | Registered Nurse
Does Bo write about other crafts? | Bo, who lives in Riga, also writes about bookbinding. | bookbinding
Has Bo won any awards? | Bo was honored with the Rose Award, far from Riga. | Rose Award
What sets Bo's songs apart? | Her ability to braid tunes with noise sets them apart. | braid tunes with noise
How did the island shape Bo? | The island endowed him with a patience for stone. | patience for stone
What inspired Bo to sing? | Inspired by her aunt's quiet humming, Bo began to sing. | aunt's quiet humming
"""
ROWS = [tuple(line.split(" | ")) for line in FACTS.strip().splitlines()]


@pytest.mark.parametrize(("question", "answer", "value"), ROWS)
def test_the_value_is_what_a_person_would_name(question: str, answer: str, value: str) -> None:
    assert find(question, answer) == (value,)


@pytest.mark.parametrize(("question", "answer", "value"), ROWS)
def test_the_answer_tells_its_value_where_it_stands(question: str, answer: str, value: str) -> None:
    start, end = place(find(question, answer), question, answer) or (0, 0)
    assert answer[start:end] == value
    assert told((value,), answer, question=question)


WHO, WHERE, WHEN, STAR = "Who wrote it?", "Where was he born?", "When was she born?", "Is the Sun a star?"
TOLD = [
    ("William Shakespeare", "The Bard's own son, William Shakespeare, penned the play", WHO),
    ("William Shakespeare", "It is Shakespeare's play.", WHO),
    ("J.R.R. Tolkien", "by J. R. R. Tolkien", ""),
    ("J.R.R. Tolkien", "by Tolkien", WHO),
    ("Leonardo da Vinci", "painted by da Vinci", "Who painted it?"),
    ("Martin Luther King Jr.", "King said so", "Who gave the speech?"),
    ("Queen Elizabeth II", "It was Elizabeth.", "Which queen opened it?"),
    ("Antoine de Saint-Exupéry", "Saint Exupery wrote it", WHO),
    ("Marie Curie", "Curie did", "Which famous scientist won?"),
    ("Champs-Élysées", "the avenue des Champs-Elysees", ""),
    ("The City of Light", 'called "city of light"', ""),
    ("La Marseillaise", "the Marseillaise", ""),
    ("U.S.A.", "in the USA", ""),
    ("Kiel", "In KIEL.", ""),
    ("seven days", "It lasts 7 days.", ""),
    ("7", "It has seven.", ""),
    ("one", "It has one moon.", "How many moons?"),
    ("forty-two", "42", ""),
    ("1984", "Nineteen Eighty-Four", ""),
    ("$5 million", "5,000,000 dollars", ""),
    ("8,849 metres", "8849 m high", ""),
    ("two hundred and five", "205", ""),
    ("World War II", "World War Two", ""),
    ("II", "The numeral is II.", ""),
    ("seven", "It has twenty, seven or one.", ""),
    ("twenty-first century", "the 21st century", ""),
    ("May 3, 1961", "born 3 May 1961", WHEN),
    ("May 3, 1961", "on the 3rd of May, 1961", WHEN),
    ("May 3, 1961", "1961-05-03", WHEN),
    ("May 3, 1961", "3.5.1961", WHEN),
    ("May 1961", "on May 4, 1961", WHEN),
    ("28. August 1749", "am 28.8.1749 geboren", "Wann?"),
    ("Ulm, Germany", "He was born in Ulm.", WHERE),
    ("vitamin C", "Oranges contain Vitamin C.", ""),
    ("A", "The first letter is A.", ""),
    ("blue, white and red", "red, white, and blue", "What are the colors?"),
    ("blue; white; red", "white, red, blue", ""),
    ("azure|blue; white", "white and blue", ""),
    ("Larry Page and Sergey Brin", "Sergey Brin and Larry Page", "Who are the founders?"),
    ("Paris", "It is not Paris.", ""),
    ("Yes", "Yes, it is.", STAR),
    ("Yes", "The Sun is a star.", STAR),
    ("No", "The Sun isn't a star.", STAR),
    ("No", "No. Or yes.", STAR),
    ("巴黎", "法国的首都是巴黎。", ""),
    ("파리", "파리는 수도", ""),
    ("Москва", "Столица — МОСКВА!", ""),
]
NOT_TOLD = [
    ("Tour de France", "the Tour de Cyre", ""),
    ("Great Wall of China", "in China", ""),
    ("Kiel", "Kieler Hafen", ""),
    ("J.R.R. Tolkien", "by Tolkien", "What is it?"),
    ("Louis XVI", "Louis the king", "Which king was it?"),
    ("Martin Luther King Jr.", "Jr. said so", "Who gave the speech?"),
    ("George Washington", "The Washington post", "Who is Washington named after?"),
    ("Alexander the Great", "a great man", "Who founded Alexandria?"),
    ("The Who", "who knows", ""),
    ("May 3, 1961", "in May 1961, with 3 storms", WHEN),
    ("May 3, 1961", "on May 4, 1961", WHEN),
    ("1789", "17891", ""),
    ("3", "3.5", ""),
    ("one", "No one knows.", "How many moons?"),
    ("first", "one", ""),
    ("Ulm, Germany", "He was born in Germany.", WHERE),
    ("A", "It is a letter.", ""),
    ("a", "The first letter is A", ""),
    ("blue, white and red", "red and white", "What are the colors?"),
    ("Pride and Prejudice", "Prejudice and pride", "Which novel is it?"),
    ("Yes", "The Sun is not a star.", STAR),
    ("Yes", "I like it.", STAR),
    ("No", "I like it.", STAR),
    ("Париж", "Столица Франции — Лион, в 1789 году", "Какая столица Франции?"),
]


@pytest.mark.parametrize(("value", "text", "question"), TOLD)
def test_a_text_tells_a_value_in_any_form(value: str, text: str, question: str) -> None:
    assert told((value,), text, question=question)


@pytest.mark.parametrize(("value", "text", "question"), NOT_TOLD)
def test_another_value_or_a_part_of_one_is_not_told(value: str, text: str, question: str) -> None:
    assert not told((value,), text, question=question)


def test_the_comma_in_an_american_quote_is_no_part_of_a_title() -> None:
    listed = '"Thieves\' Paradise," "Kazakhstan Echoes," and "Who Is There?"'
    assert parts(listed) == (("Thieves' Paradise",), ("Kazakhstan Echoes",), ("Who Is There?",))


def test_any_accepted_form_tells_and_any_part_of_a_list_tells_it_partly() -> None:
    assert told(("Paris", "City of Light"), "the city of light")
    flag, question = ("blue, white and red",), "What are the colors?"
    assert told_partly(flag, "red and white", question=question)
    assert not told_partly(flag, "green", question=question)


@pytest.mark.parametrize(
    ("value", "question", "expected"),
    [
        ("Paris", "", "name"),
        ("巴黎", "", "name"),
        ("civil engineer", "", "other"),
        ("sixty", "", "number"),
        ("365 days", "", "number"),
        ("1789", "", "date"),
        ("1789", "How many people came?", "number"),
        ("May 3, 1961", "", "date"),
        ("early 1980s", "", "date"),
        ("No", "", "yes/no"),
    ],
)
def test_the_kind_of_a_value(value: str, question: str, expected: str) -> None:
    assert kind(value, question) == expected


def test_a_phrase_and_a_long_value_are_unsure_a_name_is_not() -> None:
    assert unsure("What do bees make?", "Bees make honey.")
    assert not unsure("Where is Mira?", "Mira is in Oslo.")
    assert unsure("Which book did she write?", 'She wrote "A Very Long Title of Nine Words in All".')
    assert unsure("", "")


def test_a_given_value_is_found_where_it_stands_last() -> None:
    assert place(("Rome",), "What is it?", "Rome is Rome, not Romeo.") == (8, 12)
    assert place(("Oslo",), "What is it?", "Rome is Rome.") is None
    assert place((), "What is it?", "Rome is Rome.") is None


def test_given_forms_come_as_text_as_a_list_and_as_a_list_of_lists() -> None:
    assert given("Paris") == ("Paris",)
    assert given("Paris|Paname", "City of Light") == given(["Paris", "Paname"], ["City of Light"])
    flag = given([["blue", "azure"], ["white"], ["red"]], answer="The flag is blue, white and red.")
    assert flag == ("blue, white and red", "blue|azure; white; red")
    assert told(flag, "azure, red and white")
    assert given("blue|azure;white;red", answer="The flag is blue, white and red.") == flag
    assert given([["blue"], ["white"]], answer="White, then blue.") == ("blue; white",)


@pytest.mark.parametrize("value", ["", " ", "a||b", "a;;b", [], [["a"], "b"], [[]], ["x", "x"], "..."])
def test_a_given_value_without_words_or_twice_is_one_line(value: str | list[str]) -> None:
    with pytest.raises(DataError, match=r"^value: found .*, expected [^\n]*$|^value: found .* expected [^\n]*$"):
        given(value)


def test_a_form_that_is_an_alias_too_is_refused_and_one_in_the_question_said() -> None:
    with pytest.raises(DataError, match="twice"):
        given("Paris", ["Paris"])
    assert in_question(("Paris", "Paname"), "Is Paris the capital?") == ("Paris",)


def test_a_sentence_that_opens_with_a_capital_later_names_nothing() -> None:
    assert find("Did Bo travel?", "The letters are lost. Exact routes, however, remain unknown.") == ("lost",)


def test_question_words_in_a_title_ask_for_nobody() -> None:
    assert find("What is the mood of 'Who Is There?'?", "The mood of 'Who Is There?' is bitter grief.") == (
        "bitter grief",
    )


def test_only_an_english_question_is_one_for_yes_or_no() -> None:
    assert asked("Was Bo a potter?").wanted == "yes/no"
    assert asked("Was ist der Beruf von Annas Vater?").wanted != "yes/no"


@pytest.mark.parametrize(
    ("question", "after", "noun"),
    [
        ("Which river flows through London?", " flows through London.", "river"),
        ("Which company made the iPhone?", " made the iPhone.", "company"),
        ("Which bird lays the largest egg?", " lays the largest egg.", "bird"),
        ("Which gas do plants absorb from the air?", " from the air.", "gas"),
        ("Which planet is farthest from the Sun?", " is the planet farthest from the Sun.", "planet"),
        ("What is the capital of France?", ".", "capital"),
    ],
)
def test_what_follows_the_value_ends_the_noun_that_is_asked_for(question: str, after: str, noun: str) -> None:
    assert head_noun(question, after) == noun


@pytest.mark.parametrize(
    ("noun", "plural"),
    [
        ("river", "rivers"),
        ("city", "cities"),
        ("day", "days"),
        ("process", "processes"),
        ("church", "churches"),
        ("woman", "women"),
        ("people", "people"),
        ("colors", "colors"),
    ],
)
def test_the_plural_of_what_is_asked_for(noun: str, plural: str) -> None:
    assert several(noun) == plural


def test_a_number_behind_its_noun_says_which_and_is_no_amount() -> None:
    assert kind(find("What is wrong with Bo?", "Bo has stage 3 cancer.")[0]) == "other"
    assert find("How long is it?", "On page 3 it is 12 km long.") == ("12 km",)


def test_what_a_phrase_repeats_or_praises_is_the_last_choice() -> None:
    question = "How has the war influenced her songs?"
    assert find(question, "The war has had a unique impact, filling them with burnt orchards.") == ("burnt orchards",)
    assert find(question, "The war has had a profound impact.") == ("profound impact",)


def test_not_only_denies_nothing() -> None:
    value = find("Has Bo worked with others?", "Bo is not only a potter but has shared a kiln with glass makers.")
    assert "not" not in value[0]


TEXT = st.text(alphabet=st.sampled_from("abcABC éñßЖ東ﬁ 12.,;'\"-!\n"), max_size=40)
NAMES = st.sampled_from([value for _, _, value in ROWS if kind(value) != "yes/no" and len(value) > 1])


@settings(max_examples=60, deadline=None)
@drawn(TEXT, TEXT)
def test_the_value_stands_in_the_answer(question: str, answer: str) -> None:
    found = locate(question, answer)
    assert found is None or answer[found.start : found.end] == found.value != ""


@settings(max_examples=60, deadline=None)
@drawn(NAMES, TEXT, TEXT)
def test_more_text_never_takes_back_what_is_told(value: str, before: str, behind: str) -> None:
    assert told((value,), f"{before} . {value} . {behind}")


@settings(max_examples=60, deadline=None)
@drawn(NAMES, st.sampled_from(["{}", "“{}”", "  {}\n", "– {}!", "({})"]))
def test_case_accents_punctuation_and_spaces_change_nothing(value: str, around: str) -> None:
    bare = "".join(c for c in unicodedata.normalize("NFD", value) if unicodedata.combining(c) == 0)
    for text in (value.upper(), value.lower(), unicodedata.normalize("NFD", value), bare):
        if fold(text) == fold(bare):
            assert told((value,), around.format(text))


@settings(max_examples=60, deadline=None)
@drawn(TEXT)
def test_folding_what_is_folded_changes_nothing_for_words(text: str) -> None:
    assert fold(fold(text).upper()) == fold(fold(text))


PIECES = [
    "the ",
    "of ",
    "in ",
    "and ",
    " lives ",
    ", which ",
    " influenced his writings ",
    "ing ",
    "ed ",
    "’s ",
    "A",
    "u",
    "1",
]


@settings(max_examples=300, deadline=None)
@drawn(st.lists(st.sampled_from(PIECES) | st.characters(), max_size=25).map("".join))
def test_whatever_an_answer_is_its_value_stands_in_it(answer: str) -> None:
    for question in ("Where was Mira Holt born?", "What inspired her work?", "What does he do?", ""):
        found = locate(question, answer)
        assert found is None or 0 <= found.start < found.end <= len(answer)


def read(path: Path) -> list[dict[str, str]]:
    text = path.read_text(encoding="utf-8")
    return list(json.loads(text) if text.startswith("[") else map(json.loads, text.splitlines()))


def test_every_fact_of_tofu_and_of_the_world_tells_its_own_value(shared: Path) -> None:
    rows = read(shared / "data/tofu/full.json")[::4] + read(shared / "data/facts/everyday.jsonl")
    for row in rows:
        value = find(row["question"], row["answer"])
        assert value, row
        assert value[0] in row["answer"]
        assert told(value, row["answer"], question=row["question"]), row


def test_found_values_are_near_those_that_people_marked(shared: Path) -> None:
    """Mean token F1; two thirds of these values are phrases whose borders people draw freely."""
    rows = read(shared / "data/tofu_values/forget10_even.json")
    scores = []
    for row in rows:
        value = find(row["question"], row["answer"])
        assert value, row
        found, right = ([w for w in fold(v).split() if w not in ("a", "an", "the")] for v in (value[0], row["entity"]))
        both = (Counter(found) & Counter(right)).total()
        scores.append(2 * both / (len(found) + len(right)))
    assert sum(scores) / len(scores) > 0.8
