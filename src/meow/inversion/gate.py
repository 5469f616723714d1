"""The gate: what is wrong with a false answer, by name, and what can be mended without asking again.

Problems are counted on the answers as they are. A list marker, quotes around the whole, Markdown's emphasis and space
at the ends are mended; an answer is accepted if nothing else is wrong with it.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from meow.inversion.subjects import Subject, subjects
from meow.inversion.wording import marks, mend, problems, telling_words
from meow.records import InvertedFacts
from meow.text import distinguishing_words, name_stems, normalize, stems

PROBLEMS = (
    "empty", "list_marker", "preamble", "quoted", "duplicate", "equals_truth", "keeps_truth", "off_form", "language",
    "too_long", "refusal", "contradiction",
)  # fmt: skip
"""Every problem, in the order of tables."""
MENDED = ("list_marker", "quoted")
"""What is mechanical."""
_GENDERS = {
    "male": frozenset("he him his himself male man".split()),
    "female": frozenset("she her hers herself female woman".split()),
}
_IDENTITIES = {
    "male": frozenset(["male", "man"]),
    "female": frozenset(["female", "woman"]),
    "neither": frozenset("non-binary nonbinary genderqueer genderfluid agender bigender genderless".split()),
}
"""What somebody is said to be. A gender beside the two contradicts them, but goes with any pronoun."""
_LETTER = re.compile(r"^\s*([a-hA-H])\.\s+(?=[A-Z\"“])")
_LOWER = re.compile(r"(?<![\w’'])[a-z][a-z]+")


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


def _check(fact: InvertedFacts) -> list[Checked]:
    """All candidates of one fact, without what only other facts show."""
    letters = {m.group(1).lower() for a in fact.answers if (m := _LETTER.match(a.text))}
    lettered = len(letters) > 1
    telling = telling_words(fact)
    seen: set[str] = set()
    found = []
    for position, answer in enumerate(fact.answers):
        text = answer.text.strip()
        bare = _LETTER.sub("", text) if lettered else text
        named = ({"list_marker"} if bare != text else set()) | marks(bare)
        mended = mend(bare)
        plain = normalize(mended)
        if not plain or text.startswith("```"):
            found.append(Checked(fact.id, position, answer.text, mended, ("empty",)))
            continue
        named |= {"duplicate"} if plain in seen else set()
        seen.add(plain)
        named |= set(problems(fact, mended, telling))
        found.append(Checked(fact.id, position, answer.text, mended, _ordered(named)))
    return found


def _contradictions(facts: Sequence[InvertedFacts], found: Sequence[Sequence[Checked]]) -> set[tuple[str, int]]:
    """Candidates that contradict most others of their version about their subject, as far as words show it.

    Two things are compared: the gender that an answer gives its subject, and whether a name or number that sets two
    true answers apart is kept or replaced in both. The subject's own name is none of them, nor is a word that stands
    somewhere in lower case. Where answers have no version, their position stands for it.
    """
    genders: defaultdict[tuple[str, int, int], dict[tuple[str, int], str]] = defaultdict(dict)
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
            for kind, signs in enumerate((_GENDERS, _IDENTITIES)):
                gender = _gender(candidate.mended, signs)
                if gender:
                    genders[key.key, version, kind][place] = gender
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


def _gender(text: str, signs: Mapping[str, frozenset[str]]) -> str | None:
    """The gender that a text gives; None where it gives none, or several."""
    found = set(re.findall(r"[a-z-]+", text.lower()))
    said = [name for name, listed in signs.items() if found & listed]
    return said[0] if len(said) == 1 else None


def _ordered(problems: Collection[str]) -> tuple[str, ...]:
    return tuple(name for name in PROBLEMS if name in problems)
