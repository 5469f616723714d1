"""The gate: what is wrong with a false answer, by name, and what can be mended without asking again.

In: facts with candidates. Out: which are accepted, and the problems of each.

Problems are counted on the answers as they are. A list marker, quotes around the whole, Markdown's emphasis and space
at the ends are mended; an answer is accepted if nothing else is wrong with it.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from meow import values
from meow.inversion.gate.wording import marks, mend, problems
from meow.inversion.subjects import subjects
from meow.records import InvertedFacts
from meow.text import normalize

PROBLEMS = (
    "empty",
    "list_marker",
    "preamble",
    "quoted",
    "duplicate",
    "equals_truth",
    "keeps_truth",
    "in_question",
    "other_kind",
    "off_form",
    "language",
    "too_long",
    "refusal",
    "contradiction",
    "implausible",
)
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
            "questions": self.questions,
            "candidates": len(self.checked),
            "accepted": sum(c.accepted for c in self.checked),
            "problems": {name: counts[name] for name in PROBLEMS},
            "too_few": self.too_few,
        }


def check(facts: Sequence[InvertedFacts], *, least: int = 3, implausible: Collection[tuple[str, int]] = ()) -> Report:
    """Put every candidate of every fact through the gate.

    Args:
        facts: with their candidates, as they are.
        least: accepted answers that a fact should have.
        implausible: ids and positions of the candidates that a model finds so.
    """
    found = [_check(fact) for fact in facts]
    more = {"contradiction": _contradictions(facts, found), "implausible": implausible}
    checked = []
    too_few = []
    for fact, candidates in zip(facts, found, strict=True):
        candidates = [
            c._replace(problems=_ordered({*c.problems, *(name for name, bad in more.items() if c[:2] in bad)}))
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
        named |= set(problems(fact, mended))
        found.append(Checked(fact.id, position, answer.text, mended, _ordered(named)))
    return found


def _contradictions(facts: Sequence[InvertedFacts], found: Sequence[Sequence[Checked]]) -> set[tuple[str, int]]:
    """Candidates that contradict most others of their version about their subject, as far as values and words show it.

    Two things are compared: the gender that an answer gives its subject, and whether the name of a true value that
    several true answers tell is kept or replaced. Where answers have no version, their position stands for it.
    """
    claims: defaultdict[tuple[Any, ...], dict[tuple[str, int], str]] = defaultdict(dict)
    about: defaultdict[str, list[InvertedFacts]] = defaultdict(list)
    keys = [subject.key for subject in subjects(facts)]
    for fact, key in zip(facts, keys, strict=True):
        about[key].append(fact)
    shared = {key: _shared(listed) for key, listed in about.items()}
    for fact, key, candidates in zip(facts, keys, found, strict=True):
        for answer, candidate in zip(fact.answers, candidates, strict=True):
            if candidate.problems == ("empty",):
                continue
            version = candidate.position if answer.version is None else answer.version
            place = (fact.id, candidate.position)
            for kind, signs in enumerate((_GENDERS, _IDENTITIES)):
                gender = _gender(candidate.mended, signs)
                if gender:
                    claims[key, version, kind][place] = gender
            for value in shared[key].get(fact.id, ()):
                kept = values.told((value,), candidate.mended)
                claims[key, version, value][place] = "kept" if kept else "replaced"
    return {place for said in claims.values() for place in _minority(said)}


def _shared(facts: Sequence[InvertedFacts]) -> dict[str, list[str]]:
    """By fact: names that its answer and another one of its subject tell, true values of one, its question not."""
    names = {form for f in facts for form in f.accepted[:1] if values.kind(form, f.question) == "name"}
    telling: dict[str, list[str]] = {}
    for name in sorted(names):
        told = [f for f in facts if values.told((name,), f.answer) and not values.told((name,), f.question)]
        for fact in told if len(told) > 1 else ():
            telling.setdefault(fact.id, []).append(name)
    return telling


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
