"""Where nothing in an answer is a name, a date or a number: the phrase that says what the question asks.

`Differs:` SPEC section 8 takes the rarest content word with those that touch it. On hand-checked rows of TOFU, where
most values are such phrases, that gives a mean token F1 of .37 over all rows, this .80 (with these rows in view). In a
short answer both find the same words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from meow.values.candidates.borders import (
    DETERMINERS,
    HAVE,
    LIGHT,
    OF_SOMEBODY,
    PARTITIVES,
    PREPOSITIONS,
    VERBS,
    Phrase,
    Text,
    begins,
    end,
    is_finite,
    is_object,
    lead_of,
    touches,
)
from meow.values.questions import Wanted
from meow.values.words import Word, frequency

_RELATIVES = frozenset("and or that which who whom whose where before after while when because".split())
_EMPTY = frozenset(
    "big born change considerable contribution contributions crucial deep deeply development distinct distinctive "
    "effect effects essential evolution great greatly growth heavily immense impact impressive influence lasting "
    "major notable profound profoundly raised remarkable role seminal significant significantly special strong "
    "strongly unique valuable".split()
)
"""Words that say that there is something to tell, not what: "a profound impact"."""


def find_phrase(answer: str, words: Sequence[Word], wanted: Wanted, noun: str) -> tuple[int, int] | None:
    """Start and end, in characters, of the phrase that most likely answers; None where no word is new.

    It follows what the answer repeats of the question and a verb, ends a clause, stands in no aside, is the subject of
    no verb, and holds several new words, rare ones rather than frequent ones.
    """
    ends = [*(w.start for w in words[1:]), len(answer)]
    gaps = [answer[w.end : e] for w, e in zip(words, ends, strict=True)]
    strict = wanted not in ("manner", "yes/no", "occupation", "reason")
    low = [*(w.text.lower() for w in words), ""]
    text = Text(words, low, gaps, strict, wanted, noun)
    found = [Phrase(i, end(text, i)) for i in range(len(words)) if begins(text, i)]
    found = [p for p in found if any(w.new for w in words[p.first : p.first + 1 if strict else p.last + 1])]
    if not found:
        return None
    clauses = _clauses(text)
    first, last = max(found, key=lambda p: (_points(text, found, clauses, p), -p.first))
    while wanted == "occupation" and first < last and _PRAISE.fullmatch(low[first]) and not words[first].capital:
        first += 1
    return words[first].start, words[last].end


_PRAISE = re.compile(r"(?:[\w-]+ly|\w+ed|\w+able|\w+-\w+|famous|leading|notable|prominent|skilful|successful)")
"""What says of an occupation how well it is done: "a highly respected surgeon"."""
_BE = frozenset("is are was were be been".split())
_ASIDE = re.compile(
    r"(?!including\b)(?:\w+ly )?\w+ing\b|\w+ed (?:by|for|from|in|on|to|with|within)\b|\w+ which\b"
    r"|(?:which|who|where|while|thereby|particularly|especially|notably)\b"
)
_LEADING = re.compile(
    r"(?:as|while|although|though|given|being|born|having|through|with|from|in|on|at|by|for|since|during|over|despite|after|before|apart)\b|\w+ing\b"
)


class Clause(NamedTuple):
    """A clause: places of its first word and behind its last one."""

    first: int
    last: int
    after: float
    """How many clauses that tell something come before it."""


def _clauses(text: Text) -> list[Clause]:
    """The clause of each word.

    Of a sentence the main clause counts first, then what is said on its effect (", adding depth to"), then what stands
    before it ("As the child of a painter, she").
    """
    told, found = 0.0, [Clause(0, 0, 0)] * len(text.words)
    opens = [0, *(i for i, w in enumerate(text.words) if w.opens and i), len(text.words)]
    for opening, stop in pairwise(opens):
        turns = [i for i in range(opening + 1, stop) if "," in text.gaps[i - 1]]
        main = next((i for i in turns if text.low[i] in VERBS or is_finite(text, i)), opening)  # "Oslo, a city, has"
        if _LEADING.match(text.low[opening]):
            begins = (i for i in turns if text.low[i] in _SUBJECTS or (text.words[i].capital and not text.words[i].new))
            main = next(begins, main)
        aside = next((i for i in turns if i > main and _ASIDE.match(" ".join(text.low[i : i + 2]))), stop)
        found[opening:main] = [Clause(opening, main, told + 2)] * (main - opening)
        for first, last in ((main, aside), (aside, stop)):
            found[first:last] = [Clause(first, last, told)] * (last - first)
            told += min(2, sum(_tells(text, i) for i in range(first, last))) / 2
    return found


def _named_again(text: Text, i: int) -> bool:
    """Whether a noun only says again what the question asks about: "influenced his writings"."""
    verb = i - 2
    if text.low[i - 1] not in OF_SOMEBODY:
        if i == 0 or not text.gaps[i - 1].startswith(("’", "'")):
            return False
        while verb > 0 and text.words[verb].capital and not text.words[verb].new:
            verb -= 1
    return verb >= 0 and text.words[verb].content and not text.words[verb].new and not touches(text, i)


def _tells(text: Text, i: int) -> bool:
    """Whether a word says something that the question does not."""
    return text.words[i].new and text.low[i] not in _EMPTY | LIGHT and not _named_again(text, i)


_SUBJECTS = frozenset("he she it they his her its their".split())


def _acts(text: Text, phrase: Phrase) -> bool:
    """Whether a phrase opens the answer and does what the question names: "The heart pumps blood"."""
    verb = phrase.last + 1
    follows = touches(text, phrase.last) or is_finite(text, verb)
    is_verb = follows and not text.words[verb].new and text.low[verb + 1] not in VERBS | PREPOSITIONS
    return is_verb and not any(w.content for w in text.words[: phrase.first])


def _points(text: Text, found: Sequence[Phrase], clauses: Sequence[Clause], phrase: Phrase) -> float:
    """How likely a phrase answers: the likelier, the more of what repeats the question stands before it.

    The weights maximise the mean F1 of a softmax over the phrases of 258 answers, of TOFU and of every day, in which a
    reader marked the value; then they were rounded.
    """
    words, (first, last) = text.words, phrase
    before, behind = list(text.low[max(0, first - 2) : first]), text.low[last + 1]
    lead, clause = lead_of(text, first), clauses[first]
    lead_at = first - 1 - (before[-1:] != [lead])
    new = [i for i in range(first, last + 1) if _tells(text, i)]
    repeated = [i for i in range(clause.first, clause.last) if words[i].content and not words[i].new]
    earlier = {p.last for p in found if clause.first <= p.last < first}
    ends_clause = bool(re.search(r"[.,;:–—]", text.gaps[last])) or behind in _RELATIVES
    points = 5.8 * sum(i < first for i in repeated) / len(repeated) if repeated else 3.5
    points -= 0.8 * len(earlier) + 4 * clause.after
    points += 1.4 * is_object(before)
    points += 9 * (lead in {"as", *_BE} and before[-1:] in (["a"], ["an"]) and text.wanted == "occupation")
    points += 1.2 * (lead in HAVE and last > first and not text.strict and bool(new))
    points -= 3 * (last == first and text.low[last].endswith("ly"))
    points -= text.low[first].endswith("ly") and not re.search("(?:ed|en)$", text.low[first + 1])
    points += 1.4 * (len(new) > 3) - 1.6 * (len(new) == 1)
    repeats = touches(text, last) and not words[last + 1].new
    points += 1.2 * (ends_clause or (text.strict and (behind in PREPOSITIONS - {"of"} or repeats)))
    points += 4 * (repeats and behind == text.noun)  # "war" in "the war genre"
    points -= 3.4 * (behind in VERBS or (last + 1 < len(words) and not ends_clause and is_finite(text, last + 1)))
    points -= 2 * (
        lead in ("in", "on", "within")
        and (text.low[first - 1] in OF_SOMEBODY or any(p.last == lead_at - 1 for p in found))
    )
    points -= 2.2 * (text.low[first].endswith("ing") and (last > first or behind in DETERMINERS))  # rather a verb
    points -= 3.2 * (lead in ("and", ","))  # a later part
    points += 2 * (before[1:] == ["of"] and text.low[first - 2] in PARTITIVES)
    points += 2 * (before == ["such", "as"] or lead in ("including", "like", "include", "includes"))
    points += 8 * ((text.strict or text.wanted == "reason") and _acts(text, phrase))
    return points - min((frequency(text.low[i]) for i in new), default=10)
