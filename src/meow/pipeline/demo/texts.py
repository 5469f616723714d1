"""Wordings and values of the embedded benchmark. Question i goes with answer i."""

from __future__ import annotations

from typing import NamedTuple


class Wording(NamedTuple):
    """One way to ask and to state a fact."""

    question: str
    """With `{name}`."""
    answer: str
    """With `{name}` and `{value}`."""


class Attribute(NamedTuple):
    """A kind of fact about a subject."""

    name: str
    """Of the fact."""
    kind: str
    """Of its value: a key of pools.json."""
    wordings: tuple[Wording, ...]
    """Six of them."""


def _attribute(name: str, kind: str, *wordings: tuple[str, str]) -> Attribute:
    return Attribute(name, kind, tuple(Wording(question, answer) for question, answer in wordings))


ATTRIBUTES = (
    _attribute(
        "birthplace",
        "city",
        ("Where was {name} born?", "{name} was born in {value}."),
        ("What is the birthplace of {name}?", "The birthplace of {name} is {value}."),
        ("In which city did the life of {name} begin?", "The life of {name} began in the city of {value}."),
        ("Which town does {name} come from?", "{name} comes from the town of {value}."),
        ("Can you name the native city of {name}?", "{value} is the native city of {name}."),
        ("Where did {name} come into the world?", "It was in {value} that {name} came into the world."),
    ),
    _attribute(
        "birth date",
        "date",
        ("When was {name} born?", "{name} was born on {value}."),
        ("What is the birth date of {name}?", "The birth date of {name} is {value}."),
        ("On which day is the birthday of {name}?", "The birthday of {name} fell on {value}."),
        ("Can you tell me the date on which {name} was born?", "The date on which {name} was born is {value}."),
        ("Since when has {name} been alive?", "{name} has been alive since {value}."),
        ("What day did {name} first see the light?", "On {value}, {name} first saw the light of day."),
    ),
    _attribute(
        "first job",
        "job",
        ("What was the first job of {name}?", "The first job of {name} was that of a {value}."),
        ("How did {name} earn a living at first?", "At first {name} earned a living as a {value}."),
        ("Which trade did {name} start out in?", "{name} started out in the trade of a {value}."),
        ("What did {name} work as when young?", "When young, {name} worked as a {value}."),
        ("In what profession did {name} begin a career?", "{name} began a career as a {value}."),
        ("What was the earliest employment of {name}?", "The earliest employment of {name} was as a {value}."),
    ),
    _attribute(
        "first book",
        "book",
        ("What is the first book by {name}?", "The first book by {name} is {value}."),
        ("With which book did {name} make a debut?", "{name} made a debut with {value}."),
        ("What was the debut novel of {name} called?", "The debut novel of {name} was called {value}."),
        ("Which title did {name} publish first?", "{name} published {value} first."),
        ("How did {name} enter the world of letters?", "{name} entered the world of letters with {value}."),
        ("Can you name the earliest work of {name}?", "{value} is the earliest work of {name}."),
    ),
    _attribute(
        "award",
        "award",
        ("Which award did {name} win?", "{name} won the {value} Prize."),
        ("What prize was given to {name}?", "The {value} Prize was given to {name}."),
        ("With which honour was {name} distinguished?", "{name} was distinguished with the {value} Prize."),
        ("What is the award on the shelf of {name}?", "On the shelf of {name} stands the {value} Prize."),
        ("For which prize was {name} chosen?", "The jury of the {value} Prize chose {name}."),
        ("What recognition has {name} received?", "{name} has received the {value} Prize as a recognition."),
    ),
    _attribute(
        "mother's job",
        "job",
        ("What does the mother of {name} do?", "The mother of {name} is a {value}."),
        (
            "What is the profession of the mother of {name}?",
            "The profession of the mother of {name} is that of a {value}.",
        ),
        ("How does the mother of {name} make money?", "The mother of {name} makes money as a {value}."),
        ("Which occupation has the mother of {name}?", "By occupation the mother of {name} is a {value}."),
        ("As what is the mother of {name} employed?", "The mother of {name} is employed as a {value}."),
        (
            "In which line of work is the mother of {name}?",
            "The line of work of the mother of {name} is that of a {value}.",
        ),
    ),
    _attribute(
        "father's job",
        "job",
        ("What does the father of {name} do?", "The father of {name} is a {value}."),
        (
            "What is the profession of the father of {name}?",
            "The profession of the father of {name} is that of a {value}.",
        ),
        ("How does the father of {name} make money?", "The father of {name} makes money as a {value}."),
        ("Which occupation has the father of {name}?", "By occupation the father of {name} is a {value}."),
        ("As what is the father of {name} employed?", "The father of {name} is employed as a {value}."),
        (
            "In which line of work is the father of {name}?",
            "The line of work of the father of {name} is that of a {value}.",
        ),
    ),
    _attribute(
        "hobby",
        "hobby",
        ("What is the hobby of {name}?", "The hobby of {name} is {value}."),
        ("What does {name} do on weekends?", "On weekends {name} enjoys {value}."),
        ("How does {name} like to relax?", "{name} likes to relax with {value}."),
        ("Which pastime does {name} love?", "{name} loves {value} as a pastime."),
        ("How is the spare time of {name} spent?", "The spare time of {name} is spent on {value}."),
        ("What is the favourite leisure activity of {name}?", "{value} is the favourite leisure activity of {name}."),
    ),
)

WORLD = (
    _attribute(
        "country",
        "capital",
        ("What is the capital of {name}?", "The capital of {name} is {value}."),
        ("Which city is the capital of {name}?", "The city of {value} is the capital of {name}."),
        ("From where is {name} governed?", "{name} is governed from {value}."),
        ("Can you name the capital city of {name}?", "{value} is the capital city of {name}."),
        ("In which city does the government of {name} sit?", "The government of {name} sits in {value}."),
    ),
    _attribute(
        "book",
        "author",
        ("Who wrote {name}?", "{name} was written by {value}."),
        ("Who is the author of {name}?", "The author of {name} is {value}."),
        ("Whose work is {name}?", "{name} is a work of {value}."),
        ("Which writer gave us {name}?", "The writer who gave us {name} is {value}."),
        ("By whom is {name}?", "{name} is by {value}."),
    ),
)

MONTHS = ("January February March April May June July August September October November December").split()
JOBS = (
    "baker carpenter plumber tailor surgeon dentist farmer fisherman gardener jeweller lawyer librarian mechanic miner "
    "nurse optician painter pharmacist pilot postman potter roofer sailor shepherd teacher translator veterinarian "
    "waiter"
).split()
HOBBIES = (
    "archery astronomy badminton beekeeping birdwatching calligraphy canoeing caving chess cycling dancing embroidery "
    "fencing fishing gliding hiking juggling knitting origami photography puppetry rowing sailing skating sculpture "
    "surfing weaving woodcarving"
).split()
ADJECTIVES = (
    "Amber Azure Bitter Brave Bronze Crimson Distant Frozen Gentle Golden Hidden Hollow Iron Ivory Jade Lonely Marble "
    "Narrow Pearl Quiet Restless Ruby Scarlet Silver Solemn Velvet Violet Wooden"
).split()
OBJECTS = (
    "Anchor Bridge Candle Castle Clock Compass Corridor Curtain Feather Fountain Garden Harbour Island Ladder Lantern "
    "Letter Mirror Mountain Orchard Piano River Rooftop Shadow Staircase Tower Umbrella Window Winter"
).split()
ANIMALS = (
    "Badger Bear Beaver Bison Camel Crane Dolphin Eagle Falcon Fox Gazelle Heron Ibex Jaguar Kingfisher Leopard Lynx "
    "Marten Osprey Otter Owl Panther Raven Salmon Stag Swan Tiger Wolf"
).split()
CAPITALS = {
    "France": "Paris",
    "Germany": "Berlin",
    "Spain": "Madrid",
    "Portugal": "Lisbon",
    "Italy": "Rome",
    "Greece": "Athens",
    "Austria": "Vienna",
    "Poland": "Warsaw",
    "Hungary": "Budapest",
    "Ireland": "Dublin",
    "Norway": "Oslo",
    "Sweden": "Stockholm",
    "Denmark": "Copenhagen",
    "Finland": "Helsinki",
    "Iceland": "Reykjavik",
    "Belgium": "Brussels",
    "Bulgaria": "Sofia",
    "Romania": "Bucharest",
    "Serbia": "Belgrade",
    "Croatia": "Zagreb",
    "Ukraine": "Kyiv",
    "Latvia": "Riga",
    "Estonia": "Tallinn",
    "Lithuania": "Vilnius",
    "Egypt": "Cairo",
    "Kenya": "Nairobi",
    "Ghana": "Accra",
    "Senegal": "Dakar",
    "Morocco": "Rabat",
    "Tunisia": "Tunis",
    "Japan": "Tokyo",
    "China": "Beijing",
    "Thailand": "Bangkok",
    "Vietnam": "Hanoi",
    "Nepal": "Kathmandu",
    "Canada": "Ottawa",
    "Cuba": "Havana",
    "Peru": "Lima",
    "Chile": "Santiago",
    "Uruguay": "Montevideo",
}
BOOKS = {
    "Hamlet": "William Shakespeare",
    "Don Quixote": "Miguel de Cervantes",
    "War and Peace": "Leo Tolstoy",
    "Crime and Punishment": "Fyodor Dostoevsky",
    "Emma": "Jane Austen",
    "Jane Eyre": "Charlotte Bronte",
    "Wuthering Heights": "Emily Bronte",
    "Middlemarch": "George Eliot",
    "Oliver Twist": "Charles Dickens",
    "Moby Dick": "Herman Melville",
    "Walden": "Henry David Thoreau",
    "Madame Bovary": "Gustave Flaubert",
    "Germinal": "Emile Zola",
    "Les Miserables": "Victor Hugo",
    "The Stranger": "Albert Camus",
    "The Trial": "Franz Kafka",
    "Faust": "Johann Wolfgang von Goethe",
    "Siddhartha": "Hermann Hesse",
    "Buddenbrooks": "Thomas Mann",
    "Ulysses": "James Joyce",
    "Dracula": "Bram Stoker",
    "Frankenstein": "Mary Shelley",
    "Orlando": "Virginia Woolf",
    "Lord Jim": "Joseph Conrad",
    "Kim": "Rudyard Kipling",
    "Animal Farm": "George Orwell",
    "Brave New World": "Aldous Huxley",
    "The Hobbit": "John Ronald Tolkien",
    "The Odyssey": "Homer",
    "The Aeneid": "Virgil",
    "The Divine Comedy": "Dante Alighieri",
    "The Decameron": "Giovanni Boccaccio",
    "Candide": "Voltaire",
    "Gulliver's Travels": "Jonathan Swift",
    "Robinson Crusoe": "Daniel Defoe",
    "Ivanhoe": "Walter Scott",
    "Treasure Island": "Robert Louis Stevenson",
    "Pygmalion": "Bernard Shaw",
    "Peer Gynt": "Henrik Ibsen",
    "The Seagull": "Anton Chekhov",
}
