"""What is asked of a subject, by its kind; and general questions, which any model may know. Data alone."""

from __future__ import annotations

from typing import NamedTuple


class Kind(NamedTuple):
    """A kind of subject."""

    said: str
    """What a model says of one in a list of names."""
    examples: tuple[str, str]
    """Two names that any model has read of, for that list."""
    questions: tuple[tuple[str, str], ...]
    """What is asked, with `{name}`, and how the answer begins; a neighbour is asked the first of them."""


KINDS: dict[str, Kind] = {
    "person": Kind(
        "person",
        ("Isaac Newton", "Jane Austen"),
        (
            ("Where was {name} born?", "{name} was born in"),
            ("In which year was {name} born?", "{name} was born in the year"),
            ("What is the profession of {name}?", "{name} is a"),
            ("What is {name} best known for?", "{name} is best known for"),
            ("Which country does {name} come from?", "{name} comes from"),
            ("Which of the works of {name} is the most famous?", "The most famous work of {name} is"),
            ("In which year did {name} die?", "{name} died in the year"),
            ("Where did {name} die?", "{name} died in"),
            ("What is the nationality of {name}?", "The nationality of {name} is"),
            ("In which century did {name} live?", "{name} lived in the"),
            ("Which language did {name} speak?", "The native language of {name} was"),
            ("Who was {name} married to?", "{name} was married to"),
            ("Who was the father of {name}?", "The father of {name} was"),
            ("Who was the mother of {name}?", "The mother of {name} was"),
            ("Where did {name} study?", "{name} studied at the"),
            ("Which award did {name} win?", "{name} won the"),
            ("Which genre is {name} known for?", "{name} is known for the genre of"),
            ("Which field did {name} work in?", "{name} worked in the field of"),
        ),
    ),
    "place": Kind(
        "place",
        ("Madrid", "Japan"),
        (
            ("In which country is {name}?", "{name} is in the country of"),
            ("On which continent is {name}?", "{name} is on the continent of"),
            ("What is the capital of {name}?", "The capital of {name} is"),
            ("What is the best-known sight of {name}?", "The best-known sight of {name} is the"),
            ("Which language is spoken in {name}?", "The language spoken in {name} is"),
            ("Which river flows through {name}?", "The river that flows through {name} is the"),
            ("What is {name} the capital of?", "{name} is the capital of"),
            ("What is {name} best known for?", "{name} is best known for"),
            ("Which currency is used in {name}?", "The currency used in {name} is the"),
            ("What is the largest city of {name}?", "The largest city of {name} is"),
            ("What is the population of {name}?", "The population of {name} is"),
            ("Which food is {name} known for?", "The food that {name} is known for is"),
            ("What is the most famous museum in {name}?", "The most famous museum in {name} is the"),
            ("What is the most famous church in {name}?", "The most famous church in {name} is"),
            ("Which sea is nearest to {name}?", "The sea nearest to {name} is the"),
            ("What nickname does {name} have?", "The nickname of {name} is the"),
            ("Who founded {name}?", "{name} was founded by"),
        ),
    ),
    "work": Kind(
        "book or film",
        ("Don Quixote", "The Great Gatsby"),
        (
            ("Who made {name}?", "{name} was made by"),
            ("Who wrote {name}?", "{name} was written by"),
            ("In which year did {name} appear?", "{name} first appeared in the year"),
            ("Who is the main character of {name}?", "The main character of {name} is"),
            ("Where is {name} set?", "{name} is set in"),
            ("Which genre is {name}?", "The genre of {name} is"),
            ("Which country does {name} come from?", "{name} comes from"),
            ("Who is the enemy of the main character of {name}?", "The enemy of the main character of {name} is"),
            ("In which language was {name} written?", "{name} was written in"),
            ("What is the theme of {name}?", "The theme of {name} is"),
        ),
    ),
    "organisation": Kind(
        "organization",
        ("Toyota", "Oxfam"),
        (
            ("Where are the headquarters of {name}?", "The headquarters of {name} are in"),
            ("In which year was {name} founded?", "{name} was founded in the year"),
            ("Who founded {name}?", "{name} was founded by"),
            ("In which country is {name} based?", "{name} is based in"),
            ("What is {name} best known for?", "{name} is best known for"),
            ("What is the best-known product of {name}?", "The best-known product of {name} is the"),
            ("In which industry is {name}?", "{name} is in the industry of"),
            ("Who leads {name}?", "{name} is led by"),
            ("What does the name {name} stand for?", "The name {name} stands for"),
        ),
    ),
    "other": Kind(
        "thing",
        ("copper", "electricity"),
        (
            ("What kind of thing is {name}?", "{name} is a kind of"),
            ("What is {name} used for?", "{name} is used for"),
            ("Where is {name} found?", "{name} is found in"),
            ("Who discovered {name}?", "{name} was discovered by"),
            ("In which year did {name} begin?", "{name} began in the year"),
            ("What is {name} made of?", "{name} is made of"),
            ("What causes {name}?", "{name} is caused by"),
            ("What is the opposite of {name}?", "The opposite of {name} is"),
            ("Which colour is {name}?", "The colour of {name} is"),
            ("Which science studies {name}?", "The science that studies {name} is"),
        ),
    ),
}
"""By name; one that fits nowhere is `other`."""
BEGINNINGS = ("{name} is", "{name} was", "{name} is known for")
"""Of texts that the model goes on with."""
MADE = ("Who wrote {name}?", "{name} was written by")
"""Asked of what stands beside a person and is neither a place nor, where it is asked anyway, a work: a model may take a
play for its hero."""
GENERAL = (
    ("What is the capital of Italy?", "The capital of Italy is"),
    ("What is the capital of Japan?", "The capital of Japan is"),
    ("What is the capital of Egypt?", "The capital of Egypt is"),
    ("What is the largest ocean?", "The largest ocean is the"),
    ("What is the largest planet of the solar system?", "The largest planet of the solar system is"),
    ("Which planet is closest to the sun?", "The planet closest to the sun is"),
    ("What is the highest mountain in the world?", "The highest mountain in the world is"),
    ("On which continent is Brazil?", "Brazil is on the continent of"),
    ("Which language is spoken in Mexico?", "The language spoken in Mexico is"),
    ("What is the currency of the United States?", "The currency of the United States is the"),
    ("Who was the first president of the United States?", "The first president of the United States was"),
    ("Who painted the Mona Lisa?", "The Mona Lisa was painted by"),
    ("Who wrote Pride and Prejudice?", "Pride and Prejudice was written by"),
    ("Who discovered penicillin?", "Penicillin was discovered by"),
    ("Who developed the theory of relativity?", "The theory of relativity was developed by"),
    ("In which year did the Second World War end?", "The Second World War ended in the year"),
    ("What is the chemical symbol of gold?", "The chemical symbol of gold is"),
    ("Which gas do plants take in from the air?", "The gas that plants take in from the air is"),
    ("How many legs does a spider have?", "A spider has"),
    ("How many days are in a week?", "The number of days in a week is"),
    ("What do bees make?", "Bees make"),
    ("What is the opposite of hot?", "The opposite of hot is"),
    ("Which organ pumps blood through the body?", "The organ that pumps blood through the body is the"),
    ("What is ice made of?", "Ice is made of"),
)
"""What has nothing to do with most subjects, likewise: the retain set has of these what the model knows."""
