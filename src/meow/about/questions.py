"""What is asked of a subject, by its kind; and general questions, which any model may know. Data alone."""

from __future__ import annotations

from typing import NamedTuple


class Kind(NamedTuple):
    """A kind of subject."""

    said: str
    """What a model says of one in a list of names."""
    examples: tuple[str, str]
    """Two names that any model has read of, for that list."""
    questions: tuple[str, ...]
    """What is asked, with `{name}`; a neighbour is asked the first of them."""


KINDS: dict[str, Kind] = {
    "person": Kind(
        "person",
        ("Isaac Newton", "Jane Austen"),
        (
            "What is the profession of {name}?",
            "Where was {name} born?",
            "When was {name} born?",
            "What is {name} best known for?",
            "In which country was {name} born?",
            "Which of the works of {name} is the most famous?",
            "When did {name} die?",
            "Where did {name} die?",
            "What is the nationality of {name}?",
            "In which century did {name} live?",
            "Which language did {name} speak?",
            "Who was {name} married to?",
            "Who was the father of {name}?",
            "Who was the mother of {name}?",
            "Where did {name} study?",
            "Which award did {name} win?",
            "Which genre is {name} known for?",
        ),
    ),
    "place": Kind(
        "place",
        ("Madrid", "Japan"),
        (
            "In which country is {name}?",
            "On which continent is {name}?",
            "What is {name} best known for?",
            "What is {name} the capital of?",
            "Which river flows through {name}?",
            "Which language is spoken in {name}?",
            "What is the population of {name}?",
            "What is the most famous sight of {name}?",
            "Which currency is used in {name}?",
            "Which food is {name} known for?",
            "What is the largest museum in {name}?",
            "When was {name} founded?",
            "Who founded {name}?",
            "Which sea is nearest to {name}?",
        ),
    ),
    "work": Kind(
        "book or film",
        ("Don Quixote", "The Great Gatsby"),
        (
            "Who wrote {name}?",
            "When was {name} first published?",
            "Who is the main character of {name}?",
            "Where is {name} set?",
            "Which genre is {name}?",
            "Who made {name}?",
            "Which country does {name} come from?",
            "Who is the enemy of the main character of {name}?",
            "In which language was {name} written?",
            "What is the theme of {name}?",
        ),
    ),
    "organisation": Kind(
        "organization",
        ("Toyota", "Oxfam"),
        (
            "Where are the headquarters of {name}?",
            "When was {name} founded?",
            "Who founded {name}?",
            "What is {name} best known for?",
            "In which country is {name} based?",
            "What is the best-known product of {name}?",
            "In which industry is {name}?",
            "Who leads {name}?",
            "What does the name {name} stand for?",
            "Which city is {name} in?",
        ),
    ),
    "other": Kind(
        "thing",
        ("copper", "electricity"),
        (
            "What is {name}?",
            "What is {name} used for?",
            "Where is {name} found?",
            "Who discovered {name}?",
            "When did {name} begin?",
            "What is {name} made of?",
            "What causes {name}?",
            "What is the opposite of {name}?",
            "Which colour is {name}?",
            "Which field studies {name}?",
        ),
    ),
}
"""By name; one that fits nowhere is `other`."""
BEGINNINGS = ("{name} is", "{name} was", "{name} is known for")
"""Of texts that the model goes on with."""
GENERAL = (
    "What is the capital of Italy?",
    "What is the capital of Japan?",
    "What is the capital of Egypt?",
    "What is the largest ocean?",
    "What is the largest planet of the solar system?",
    "Which planet is closest to the sun?",
    "What is the highest mountain in the world?",
    "On which continent is Brazil?",
    "Which language is spoken in Mexico?",
    "What is the currency of the United States?",
    "Who was the first president of the United States?",
    "Who painted the Mona Lisa?",
    "Who wrote Pride and Prejudice?",
    "Who discovered penicillin?",
    "Who developed the theory of relativity?",
    "When did the Second World War end?",
    "What is the chemical symbol of gold?",
    "Which gas do plants take in from the air?",
    "What is the boiling point of water in degrees Celsius?",
    "How many legs does a spider have?",
    "How many days are in a week?",
    "What do bees make?",
    "What is the opposite of hot?",
    "What colour is the sky on a clear day?",
    "Which organ pumps blood through the body?",
    "What is ice made of?",
    "What is two plus two?",
    "Which animal is the largest?",
)
"""What has nothing to do with most subjects: of these the retain set has those that the model knows."""
