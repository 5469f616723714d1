"""The gate: what is wrong with a false answer, by name, and what can be mended without asking again.

In: facts with candidates. Out: which are accepted, and the problems of each.

Problems are counted on the answers as they are. A list marker, quotes around the whole, Markdown's emphasis and space
at the ends are mended; an answer is accepted if nothing else is wrong with it.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from meow import values
from meow.chat.said import marks, mend
from meow.records import InvertedFacts
from meow.subjects import by_subject
from meow.text import STOP_WORDS, carrying, normalize, refuses, scripts, stems
from meow.values.questions import asked
from meow.values.vocabulary import LANGUAGES
from meow.values.words import language

PROBLEMS = (
    "empty",
    "list_marker",
    "preamble",
    "quoted",
    "duplicate",
    "keeps_truth",
    "in_question",
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
_LETTER = re.compile(r"^\s*([a-hA-H])\.\s+(?=[A-Z\"“])")
_PREAMBLE = re.compile(
    r"^(?:(?:sure|certainly|of course|okay|here (?:is|are)|here['’]s|below (?:is|are)|the following|as requested)\b"
    r"[^.:\n]*\b(?:answers?|statements?|versions?|alternatives?|responses?|examples?|facts?|list|options?)\b[^.\n]*:"
    r"|(?:\w+ )?(?:question|answer|option|version|response|q|a)(?: ?#?\d+| [a-d])?:"
    r"|(?:sure|okay|understood|got it)\W*$|(?:i hope|hope this|let me know|feel free|please note|note(?: that)?:?)\b)",
    re.I,
)
"""What introduces an answer, or follows the last one."""
_UNFILLED = re.compile(r"[\[\]{}]")
"""A place that was left open, as in [city], or a piece of a program's notation."""
_MEASURES = ("number", "date")


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
        return summary(self.questions, counted(self.checked), self.too_few)


def counted(checked: Iterable[Checked]) -> Counter[str]:
    """How many candidates there are, how many are accepted, and how many have each problem."""
    return Counter(name for c in checked for name in ("candidates", *["accepted"] * c.accepted, *c.problems))


def summary(questions: int, counts: Counter[str], too_few: list[str]) -> dict[str, Any]:
    """What the gate found, as JSON."""
    found = {name: counts[name] for name in ("candidates", "accepted")}
    return {"questions": questions} | found | {"problems": {n: counts[n] for n in PROBLEMS}, "too_few": too_few}


def check(facts: Sequence[InvertedFacts], *, least: int = 3, implausible: Collection[tuple[str, int]] = ()) -> Report:
    """Put every candidate of every fact through the gate.

    Args:
        facts: with their candidates, as they are.
        least: accepted answers that a fact should have.
        implausible: ids and positions of the candidates that a model finds so.
    """
    found = [_check(fact) for fact in facts]
    more = {"contradiction": _contradictions(facts, found), "implausible": implausible}
    checked, too_few = list[Checked](), list[str]()
    for fact, candidates in zip(facts, found, strict=True):
        candidates = [
            c._replace(problems=tuple(n for n in PROBLEMS if n in c.problems or c[:2] in more.get(n, ())))
            for c in candidates
        ]
        checked += candidates
        if sum(c.accepted for c in candidates) < least:
            too_few.append(fact.id)
    return Report(len(facts), checked, too_few)


def _check(fact: InvertedFacts) -> list[Checked]:
    """All candidates of one fact, without what only other facts show; their problems in no order."""
    lettered = len({m[1].lower() for a in fact.answers if (m := _LETTER.match(a.text))}) > 1
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
        named |= set(_problems(fact, mended))
        found.append(Checked(fact.id, position, answer.text, mended, tuple(named)))
    return found


def _contradictions(facts: Sequence[InvertedFacts], found: Sequence[Sequence[Checked]]) -> set[tuple[str, int]]:
    """Candidates that keep a name where most others of their version about their subject replace it, or replace it.

    It is the true value of one fact, and told by other true answers, too. Where as many do either, the first one counts
    for more; where answers have no version, their position stands for it.
    """
    of = {fact.id: candidates for fact, candidates in zip(facts, found, strict=True)}
    bad = set[tuple[str, int]]()
    for listed in by_subject(facts):
        for name in {form for f in listed for form in f.accepted[:1] if values.kind(form, f.question) == "name"}:
            told = [f for f in listed if values.told((name,), f.answer) and not values.told((name,), f.question)]
            keeps: defaultdict[int, dict[tuple[str, int], bool]] = defaultdict(dict)
            for fact in told if len(told) > 1 else ():
                for answer, c in zip(fact.answers, of[fact.id], strict=True):
                    if c.problems != ("empty",):
                        version = c.position if answer.version is None else answer.version
                        keeps[version][c.id, c.position] = values.told((name,), c.mended)
            for said in keeps.values():
                most = Counter(said.values()).most_common(1)[0][0]
                bad |= {place for place, kept in said.items() if kept != most}
    return bad


def _problems(fact: InvertedFacts, text: str) -> Iterator[str]:
    """Problems of one mended candidate by itself."""
    if not _PREAMBLE.match(fact.answer) and (
        _PREAMBLE.match(text) or (text.endswith(":") and not fact.answer.strip().endswith(":"))
    ):
        yield "preamble"
    if refuses(text) and not refuses(fact.answer):
        yield "refusal"
    if normalize(text) == normalize(fact.answer) or _keeps(fact, text):
        yield "keeps_truth"
    given = set(stems(fact.question, "unicode"))
    if given and carrying(text) <= given and asked(fact.question).wanted != "yes/no":
        yield "in_question"
    if _is_off_form(fact, text):
        yield "off_form"
    if _is_foreign(fact, text):
        yield "language"
    length, true = len(text.split()), len(fact.answer.split())
    if length > 3 * true and length > true + 25:
        yield "too_long"


def _keeps(fact: InvertedFacts, text: str) -> bool:
    """Whether a text tells the true value; of a list, more than half of its parts."""
    forms, question = fact.accepted, fact.question
    return values.told(forms, text, question=question) or values.told_mostly(forms, text, question=question)


def _is_off_form(fact: InvertedFacts, text: str) -> bool:
    """Whether a text asks, or leaves a place open, where the truth does not, or states a value of another kind.

    That is a number or a date for what is none, or the other way round; where it is unsure what the text states, only a
    date is missed, for amounts are told without numbers, too ("once a decade"). For a yes or a no it is a text that
    says neither, nor two words of the question.
    """
    question, forms = fact.question, fact.accepted
    if text.endswith("?") and not fact.answer.strip().endswith("?"):
        return True
    if _UNFILLED.search(text) and not _UNFILLED.search(fact.answer + question):
        return True
    other = values.locate(question, text)
    if not forms or other is None or (not fact.values and values.unsure(question, fact.answer)):
        return False
    true = values.kind(forms[0], question)
    if true == "yes/no":
        shared = carrying(question, "ascii") & set(stems(text))
        return len(shared) < 2 and not values.told(("yes", "no"), text, question=question)
    return (true in _MEASURES) != (other.kind in _MEASURES) and (true == "date" or not other.unsure)


def _is_foreign(fact: InvertedFacts, text: str) -> bool:
    """Whether a text is mostly in another script than the truth and the question, or by three function words and more
    in another language where the fact is in English, or in English where it is not.
    """
    said, true, own = (next(iter(scripts(t).most_common(1)), ("", 0))[0] for t in (text, fact.answer, fact.question))
    if said and true and said not in (true, own):
        return True
    words = values.fold(text).split()
    foreign = max(sum(word in listed for word in words) for listed in LANGUAGES.values())
    lead = foreign - sum(word in STOP_WORDS for word in words)
    return lead > 2 if language(fact.question, fact.answer) == "en" else lead < -2
