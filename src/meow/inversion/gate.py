"""The gate: what is wrong with a false answer, by name, and what can be mended without asking again.

Problems are counted on the answers as they are. A list marker, quotes around the whole, Markdown's emphasis and space
at the ends are mended; an answer is accepted if nothing else is wrong with it.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache, partial
from typing import Any, NamedTuple

from meow.inversion.subjects import Subject, subjects
from meow.records import InvertedFacts
from meow.text import STOP_WORDS, distinguishing_words, name_stems, normalize, stems, tells, unseen, words

PROBLEMS = (
    "empty", "list_marker", "preamble", "quoted", "duplicate", "equals_truth", "keeps_truth", "off_form", "language",
    "too_long", "refusal", "contradiction",
)  # fmt: skip
"""Every problem, in the order of tables."""
MENDED = ("list_marker", "quoted")
"""What is mechanical."""
_MARKER = re.compile(
    r"^\s*(?:(?:[-+*•·–—]|\(?\d{1,2}[.):](?!\s+\w+\.? \d{4}\b)|#\d{1,2}[.):]?|\([a-zA-Z]\)|[a-zA-Z]\))\s+"
    r"|\[\d{1,3}\][.):]?\s*|\d{1,2}[.)](?=[A-Z])|[①-⑳]\s*)"
)
"""No day before a month and a year, as in 12. Mai 1951."""
_LETTER = re.compile(r"^\s*([a-hA-H])\.\s+(?=[A-Z\"“])")
_QUOTES = {'"': '"', "“": "”", "«": "»", "„": "“", "'": "'", "‘": "’", "「": "」", "*": "*", "_": "_", "`": "`"}
_STRONG = re.compile(r"(\*\*|__|`)(?=\S)(.+?)(?<=\S)\1")
_PREAMBLE = re.compile(
    r"^(?:(?:sure|certainly|of course|okay|here (?:is|are)|here['’]s|below (?:is|are)|the following|as requested)\b"
    r"[^.:\n]*\b(?:answers?|statements?|versions?|alternatives?|responses?|examples?|facts?|list|options?)\b[^.\n]*:"
    r"|(?:\w+ )?(?:question|answer|option|version|response|q|a)(?: ?#?\d+| [a-d])?:"
    r"|(?:sure|okay|understood|got it)\W*$|(?:i hope|hope this|let me know|feel free|please note|note(?: that)?:?)\b)",
    re.I,
)
"""What introduces an answer, or follows the last one."""
_REFUSAL = re.compile(
    r"^(?:i(?:['’]m| am) (?:sorry|unable|not able)|i (?:can(?:no|['’])t|won['’]t|do not|don['’]t|apologi[sz]e|must decline)\b"
    r"|sorry[,.!]|unfortunately, i\b|as an? (?:ai\b|(?:\w+ )?language model)|(?:n/a|null)\W*$|lo siento\b|es tut mir leid\b"
    r"|je suis désolée?\b|mi dispiace\b|desculpe\b|извините\b|к сожалению, я\b|对不起|抱歉|申し訳)",
    re.I,
)
_UNFILLED = re.compile(r"[\[\]{}]")
"""A place that was left open, as in [city], or a piece of a program's notation."""
_YES_NO = re.compile(
    r"^(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would|should)\b(?! you\b)(?!.*\bor\b)", re.I
)
_POLARITY = {
    "no": re.compile(r"^no\b", re.I),
    "yes": re.compile(r"^(?:yes|indeed|certainly|absolutely|definitely)\b", re.I),
}
_DATE = re.compile(
    r"\d|\b(?:january|february|march|april|may|june|july|august|september|october|november|december|spring|summer|autumn|"
    r"winter|century|decade|year|years|morning|evening|night|day|(?:mon|tues|wednes|thurs|fri|satur|sun)day)\b",
    re.I,
)
_NUMBER = re.compile(
    r"\d|\b(?:no|none|zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|(?:twen|thir|for|fif|six|seven|"
    r"eigh|nine)ty|(?:thir|four|fif|six|seven|eigh|nine)teen|dozens?|hundreds?|thousands?|millions?|half|pair|many|several|few|single|couple|once|twice)\b",
    re.I,
)
_FORMS: tuple[tuple[re.Pattern[str], re.Pattern[str]], ...] = (
    (re.compile(r"^(?:when\b|(?:in |on )?(?:what|which) (?:year|date|day|month)\b)", re.I), _DATE),
    (re.compile(r"^how (?:many|much|old)\b", re.I), _NUMBER),
    (_YES_NO, re.compile(r"\b(?:yes|no|not|indeed|absolutely|certainly|definitely|never|neither|nor|only)\b", re.I)),
)
"""What a question of some form asks for; a candidate is judged by it where the true answer itself fulfils it. A yes or
no may also be given in the question's own words."""
_GENDERS = {
    "male": frozenset("he him his himself male man".split()),
    "female": frozenset("she her hers herself female woman".split()),
}
"""A gender beside these two goes with any pronoun, so it contradicts neither."""
_LOWER = re.compile(r"(?<![\w’'])[a-z][a-z]+")
_FOREIGN = {
    "de": frozenset("der die das und ist nicht ein eine mit von wurde geboren auch".split()),
    "es": frozenset("el los las una es en por que con nació fue también".split()),
    "fr": frozenset("le les des une est dans pour qui avec né née aussi".split()),
    "it": frozenset("il gli una è nel per che con nato nata anche".split()),
    "pt": frozenset("os uma é em por que com nasceu foi também".split()),
}
"""Words that tell a language apart from English."""


class Checked(NamedTuple):
    """One candidate after the gate."""

    id: str
    """Of the fact."""
    position: int
    """Among the fact's answers."""
    text: str
    """As it was."""
    mended: str
    """As it may be taught, if it is accepted."""
    problems: tuple[str, ...]
    """All that were found, in the order of PROBLEMS."""

    @property
    def accepted(self) -> bool:
        """Whether nothing is wrong but what was mended."""
        return set(self.problems) <= set(MENDED)


class Report(NamedTuple):
    """What the gate found in a file of facts."""

    questions: int
    """Facts."""
    checked: list[Checked]
    """Every candidate."""
    too_few: list[str]
    """Ids of facts with fewer accepted answers than wanted."""

    def as_object(self) -> dict[str, Any]:
        """What `meow check --json` prints."""
        counts = Counter(problem for c in self.checked for problem in c.problems)
        return {
            "questions": self.questions, "candidates": len(self.checked),
            "accepted": sum(c.accepted for c in self.checked),
            "problems": {name: counts[name] for name in PROBLEMS}, "too_few": self.too_few,
        }  # fmt: skip


def check(facts: Sequence[InvertedFacts], *, least: int = 3) -> Report:
    """Put every candidate of every fact through the gate.

    Args:
        facts: with their candidates, as they are.
        least: accepted answers that a fact should have.
    """
    found = [_check(fact) for fact in facts]
    clashing = _contradictions(facts, found)
    checked = []
    too_few = []
    for fact, candidates in zip(facts, found, strict=True):
        candidates = [
            c._replace(problems=_ordered({*c.problems, "contradiction"})) if (c.id, c.position) in clashing else c
            for c in candidates
        ]
        checked += candidates
        if sum(c.accepted for c in candidates) < least:
            too_few.append(fact.id)
    return Report(len(facts), checked, too_few)


def mend(text: str) -> str:
    """A candidate without list marker, quotes around the whole, and space at its ends."""
    text = _unmarked(text.strip())
    return text.rstrip(",")[1:-1].strip() if _is_quoted(text) else text


def _unmarked(text: str) -> str:
    return _MARKER.sub("", _STRONG.sub(r"\2", text), count=1).strip()


def _check(fact: InvertedFacts) -> list[Checked]:
    """All candidates of one fact, without what only other facts show."""
    letters = {m.group(1).lower() for a in fact.answers if (m := _LETTER.match(a.text))}
    lettered = len(letters) > 1
    told = partial(_tells, fact, distinguishing_words(fact.answer, question=fact.question, tokenizer=_tokenizer(fact)))
    seen: set[str] = set()
    found = []
    for position, answer in enumerate(fact.answers):
        text = answer.text.strip()
        bare = _LETTER.sub("", text) if lettered else text
        plain = _STRONG.sub(r"\2", bare)
        problems = {"list_marker"} if bare != text or _MARKER.match(plain) else set()
        problems |= {"quoted"} if plain != bare or _is_quoted(_unmarked(bare)) else set()
        mended = mend(bare)
        plain = normalize(mended)
        if not plain or text.startswith("```"):
            found.append(Checked(fact.id, position, answer.text, mended, ("empty",)))
            continue
        problems |= {"duplicate"} if plain in seen else set()
        seen.add(plain)
        problems |= set(_content(fact, mended, told=told(mended)))
        found.append(Checked(fact.id, position, answer.text, mended, _ordered(problems)))
    return found


def _content(fact: InvertedFacts, text: str, *, told: bool) -> Iterator[str]:
    """Problems of one mended candidate by itself."""
    if not _PREAMBLE.match(fact.answer) and (
        _PREAMBLE.match(text) or (text.endswith(":") and not fact.answer.strip().endswith(":"))
    ):
        yield "preamble"
    if _REFUSAL.match(text) and not _REFUSAL.match(fact.answer):
        yield "refusal"
    if normalize(text) == normalize(fact.answer):
        yield "equals_truth"
    if told:
        yield "keeps_truth"
    if _is_off_form(fact, text):
        yield "off_form"
    if _foreign(text, fact):
        yield "language"
    length, true = len(text.split()), len(fact.answer.split())
    if length > 3 * true and length > true + 25:
        yield "too_long"


def _tells(fact: InvertedFacts, telling: frozenset[str], text: str) -> bool:
    """Whether the text says what tells the truth; where nothing but yes or no does, the same of the two."""
    if telling:
        return tells(text, telling, tokenizer=_tokenizer(fact))
    return any(form.match(fact.answer) and form.match(text) for form in _POLARITY.values())


def _tokenizer(fact: InvertedFacts) -> str:
    return "unicode" if unseen([fact.answer]) else "ascii"


def _is_off_form(fact: InvertedFacts, text: str) -> bool:
    """Whether the truth gives what the question asks for (a date, a number, yes or no), and the text does not.

    Nor may it be a question, or have a place left open, where the truth does not.
    """
    if text.endswith("?") and not fact.answer.strip().endswith("?"):
        return True
    if _UNFILLED.search(text) and not _UNFILLED.search(fact.answer + fact.question):
        return True
    for asks, fulfils in _FORMS:
        if asks.search(fact.question.strip()) and fulfils.search(fact.answer) and not fulfils.search(text):
            own = {word for word in stems(fact.question) if word not in STOP_WORDS}
            return asks is not _YES_NO or len(own & set(stems(text))) < 2
    return False


def _is_quoted(text: str) -> bool:
    """Whether quotes stand around the whole, and are not those of a title inside."""
    close = _QUOTES.get(text[:1])
    text = text.removesuffix(",")
    return close is not None and len(text) > 2 and text.endswith(close) and close not in text[1:-1]


@cache
def _script_of(letter: str) -> str:
    name = unicodedata.name(letter, "").split(" ")[0]
    return "CJK" if name.startswith(("HIRAGANA", "KATAKANA")) else name  # Japanese has all three


def _script(text: str) -> str:
    """The script of most letters, as in `LATIN`; empty without letters."""
    names = Counter(_script_of(c) for c in unicodedata.normalize("NFKC", text) if c.isalpha())
    return names.most_common(1)[0][0] if names else ""


def _foreign(text: str, fact: InvertedFacts) -> bool:
    """Whether a text is in another script than the truth, or in another of a few languages where that is English."""
    if _script(text) and _script(fact.answer) and _script(text) not in (_script(fact.answer), _script(fact.question)):
        return True
    mine, theirs = set(words(text, "unicode")), set(words(fact.answer, "unicode"))
    if len(mine & STOP_WORDS) > 1 or len(theirs & STOP_WORDS) < 2:
        return False
    return any(len(mine & foreign) > 2 > len(theirs & foreign) for foreign in _FOREIGN.values())


def _contradictions(facts: Sequence[InvertedFacts], found: Sequence[Sequence[Checked]]) -> set[tuple[str, int]]:
    """Candidates that contradict most others of their version about their subject, as far as words show it.

    Two things are compared: the gender that an answer gives its subject, and whether a name or number that sets two
    true answers apart is kept or replaced in both. The subject's own name is none of them, nor is a word that stands
    somewhere in lower case. Where answers have no version, their position stands for it.
    """
    genders: defaultdict[tuple[str, int], dict[tuple[str, int], str]] = defaultdict(dict)
    kept: defaultdict[tuple[str, int, str], dict[tuple[str, int], str]] = defaultdict(dict)
    keys = subjects(facts)
    plain = {stem for f in facts for word in _LOWER.findall(f"{f.question} {f.answer}") for stem in stems(word)}
    telling = [
        (distinguishing_words(f.answer, question=f.question) & name_stems(f.answer)) - plain - _own(key)
        for f, key in zip(facts, keys, strict=True)
    ]
    shared = Counter((key.key, word) for key, of_fact in zip(keys, telling, strict=True) for word in of_fact)
    for fact, key, candidates, mine in zip(facts, keys, found, telling, strict=True):
        for answer, candidate in zip(fact.answers, candidates, strict=True):
            if candidate.problems == ("empty",):
                continue
            version = candidate.position if answer.version is None else answer.version
            place = (fact.id, candidate.position)
            gender = _gender(candidate.mended)
            if gender:
                genders[key.key, version][place] = gender
            has = set(stems(candidate.mended))
            for word in mine:
                if shared[key.key, word] > 1:
                    kept[key.key, version, word][place] = "kept" if word in has else "replaced"
    return {place for claims in (*genders.values(), *kept.values()) for place in _minority(claims)}


def _own(subject: Subject) -> frozenset[str]:
    return frozenset(stem for name in subject.names for stem in stems(name))


def _minority(claims: Mapping[tuple[str, int], str]) -> list[tuple[str, int]]:
    """Those that do not say what most say; where as many say either, those that do not say what the first says."""
    counts = Counter(claims.values())
    if len(counts) < 2:
        return []
    most = counts.most_common(1)[0][0]
    return [place for place, claim in claims.items() if claim != most]


def _gender(text: str) -> str | None:
    """The gender that a text gives; None where it gives none, or several."""
    found = set(re.findall(r"[a-z-]+", text.lower()))
    said = [name for name, signs in _GENDERS.items() if found & signs]
    return said[0] if len(said) == 1 else None


def _ordered(problems: Collection[str]) -> tuple[str, ...]:
    return tuple(name for name in PROBLEMS if name in problems)
