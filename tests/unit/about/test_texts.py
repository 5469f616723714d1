"""Beginnings and names in texts about a subject."""

from __future__ import annotations

from meow import values
from meow.about.texts import beginnings, beside, names_it, sentences

TEXTS = [
    "Mira Holt was a painter who was born in Oslo. She studied in Rome. Mira Holt married Tom Reed in 1921. Holt met",
    'Mira Holt is known for "The Red Barn". In May, Holt met Ada Lind, Tom Reed and Ivo Kern. Paris is far away.',
]


def test_sentences_are_those_that_end() -> None:
    assert list(sentences("One by Dr. Lee. Two! Three goes")) == ["One by Dr. Lee.", "Two!"]


def test_a_beginning_names_the_subject_and_ends_before_the_value() -> None:
    found = beginnings("Mira Holt", TEXTS)
    assert [q.text for q in found] == [
        "Mira Holt was a painter who was born in",
        "Mira Holt married",
        "Mira Holt is known for",
        "In May, Holt met Ada Lind,",
    ]
    assert all(q.plain and q.subject == "Mira Holt" for q in found)
    assert not any(values.told(("Oslo",), q.text) for q in found)
    assert len(beginnings("Mira Holt", [*TEXTS, *TEXTS])) == len(found)


def test_names_beside_it_stand_in_one_sentence_with_it_and_are_not_it() -> None:
    assert beside("Mira Holt", TEXTS) == ["Tom Reed"]
    assert beside("Mira Holt", TEXTS, least=1) == ["Tom Reed", "Ada Lind", "Ivo Kern", "Oslo", "The Red Barn"]
    assert beside("Mira Holt", ["Mira Holt and Karl Holt met on Monday in May."], least=1) == []


def test_a_place_is_named_by_its_name_and_a_person_by_the_last_one() -> None:
    assert names_it("Mira Holt", "As Holt says, it is so.")
    assert not names_it("Mira Holt", "As Mira says, it is so.")
    assert names_it("Paris", "The river of Paris is the Seine.")
