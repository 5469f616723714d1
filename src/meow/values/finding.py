"""Which words of an answer carry the fact (SPEC section 8)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

from meow.text import NO_SPACES, STOP_WORDS, stem
from meow.values.folding import dates, fold, whole_date
from meow.values.questions import asked
from meow.values.telling import parts, polarity
from meow.values.vocabulary import CONNECTORS

Kind = Literal["name", "number", "date", "yes/no", "other"]


class Found(NamedTuple):
    """The value of a fact, and where it stands in the answer."""

    value: str
    """As it stands there."""
    start: int
    """Of its first character."""
    end: int
    """Behind its last character."""
    kind: Kind
    """What it is."""
    unsure: bool
    """Whether it was found by frequency alone, or is longer than eight words."""


class Word(NamedTuple):
    """A word of an answer."""

    text: str
    start: int
    end: int
    opens: bool
    """Whether a sentence begins with it."""
    new: bool
    """Whether it carries something that the question does not hold."""


_WORD = re.compile(r"(?:[^\W\d_]\.){2,}|\d[\d.,]*\d|[^\W_]+(?:[-’'/.][^\W_]+)*\+?")
_POSSESSIVE = re.compile(r"[’']s?$")
_OPENS = re.compile(r"(?:^|[.!?:。]\s+)[\"“‘'(\s]*$")


def find(question: str, answer: str) -> tuple[str, ...]:
    """The value of a fact as it stands in the answer; () where the answer has no word that the question lacks."""
    found = locate(question, answer)
    return (found.value,) if found else ()


@lru_cache(maxsize=1 << 14)
def locate(question: str, answer: str) -> Found | None:
    """The value of a fact, its place, its kind and whether it is sure."""
    span, unsure = _span(question, answer)
    if span is None:
        return None
    value = answer[span[0] : span[1]]
    return Found(value, *span, kind(value, question), unsure or len(value.split()) > 8)


def unsure(question: str, answer: str) -> bool:
    """Whether the value found is to be looked at: by frequency alone, longer than eight words, or none at all."""
    found = locate(question, answer)
    return found is None or found.unsure


def kind(value: str, question: str = "") -> Kind:
    """What a value is: a name, a number, a date, a yes or no, or other words."""
    folded = fold(value)
    if polarity(value) is not None:
        return "yes/no"
    if whole_date(folded) or re.fullmatch(r"(?:(?:early|mid|late) )?(?:the )?1?\d{3}s?(?: (?:bc|ad|bce|ce))?", folded):
        return "number" if asked(question).wanted == "number" else "date"
    if folded[:1].isdigit():
        return "number"
    if any(c.isupper() for c in value) or NO_SPACES.search(value):
        return "name"
    return "other"


def place(values: Sequence[str], question: str, answer: str) -> tuple[int, int] | None:
    """Start and end of a value in the answer, in characters; None where it does not stand there."""
    if not values:
        return None
    found = locate(question, answer)
    if found and found.value == values[0]:
        return found.start, found.end
    last = None
    for last in re.finditer(rf"(?<!\w){re.escape(values[0])}(?!\w)", answer):
        pass
    return last.span() if last else None


def _words(question: str, answer: str) -> list[Word]:
    given = {stem(w) for w in fold(question).split()}
    found = []
    for match in _WORD.finditer(answer):
        text = _POSSESSIVE.sub("", match[0])
        folded = fold(text).split()
        new = any(stem(w) not in given and w not in STOP_WORDS for w in folded)
        opens = bool(_OPENS.search(answer[: match.start()]))
        letter = len(text) == 1 and text.isupper() and not opens  # "The first letter is A."
        new = new or (letter and text not in question.split())
        found.append(Word(text, match.start(), match.start() + len(text), opens, new))
    return found


def _span(question: str, answer: str) -> tuple[tuple[int, int] | None, bool]:
    words = _words(question, answer)
    want = asked(question).wanted
    if NO_SPACES.search(answer):
        return _without_spaces(question, answer), True
    if want == "yes/no" and words and polarity(words[0].text) is not None:
        return (words[0].start, words[0].end), False
    kinds = {
        "title": _titles(question, answer), "name": _names(question, answer, words),
        "date": _dates(question, answer, words), "number": _numbers(words),
    }  # fmt: skip
    order = {"date": ["date", "number"], "number": ["number", "date"], "manner": [], "yes/no": []}.get(want, [])
    if want != "manner":
        order += [k for k in ("title", "name", "date", "number") if k not in order]
    for name in order:
        if found := kinds[name]:
            return max(found, key=lambda s: (len(answer[s[0] : s[1]].split()), s[0])), False
    return _rarest(answer, words), True


def _titles(question: str, answer: str) -> list[tuple[int, int]]:
    quoted = re.compile(r"[\"“„«]([^\"“”„«»]+)[\"”“»]|(?<!\w)[‘']([^‘’']+(?:[’']\w[^‘’']*)*)[’'](?!\w)")
    given = fold(question)
    found = [m.span(1) if m[1] else m.span(2) for m in quoted.finditer(answer)]
    return [(s, e) for s, e in found if fold(answer[s:e]) not in given]


def _names(question: str, answer: str, words: Sequence[Word]) -> list[tuple[int, int]]:
    found, opening = [], []
    for run in _runs(answer, words, places=asked(question).wanted == "place"):
        while (
            run
            and run[0].opens
            and (run[0].text.lower() in STOP_WORDS or len(run) > 1 and polarity(run[0].text) is not None)
        ):
            run = run[1:]
        while run and not any(c.isupper() for c in run[0].text):
            run = run[1:]
        if not run or not any(w.new for w in run):
            continue
        (opening if len(run) == 1 and run[0].opens else found).append((run[0].start, run[-1].end))
    return found or [s for s in opening if polarity(answer[s[0] : s[1]]) is None]


def _runs(answer: str, words: Sequence[Word], *, places: bool) -> Iterator[list[Word]]:
    """Longest rows of capitalised words, with connectors between them."""
    run: list[Word] = []
    held: list[Word] = []
    for word in words:
        before = (held or run)[-1].end if run else 0
        gap = answer[before : word.start]
        capital = any(c.isupper() for c in word.text)
        joined = run and (gap in (" ", "-", " & ") or gap == ". " and len(run[-1].text) < 3 or places and gap == ", ")
        if run and not joined:
            yield run
            run, held = [], []
        if capital:
            run, held = [*run, *held, word], []
        elif run and word.text in CONNECTORS:
            held.append(word)
        elif run:
            yield run
            run, held = [], []
    if run:
        yield run


def _dates(question: str, answer: str, words: Sequence[Word]) -> list[tuple[int, int]]:
    found = []
    for i in range(len(words)):
        for j in range(min(len(words), i + 6), i, -1):
            text = answer[words[i].start : words[j - 1].end]
            if kind(text) == "date" and not re.search(r"[.;]\s", text) and any(w.new for w in words[i:j]):
                found.append((words[i].start, words[j - 1].end))
                break
    return found


def _numbers(words: Sequence[Word]) -> list[tuple[int, int]]:
    found = []
    for i, word in enumerate(words):
        if fold(word.text)[:1].isdigit() and word.new:
            end = i
            while end + 1 < len(words) and words[end + 1].new and end - i < 2:
                end += 1
            found.append((word.start, words[end].end))
    return found


def _rarest(answer: str, words: Sequence[Word]) -> tuple[int, int] | None:
    from wordfreq import zipf_frequency

    new = [i for i, w in enumerate(words) if w.new]
    if not new:
        return None
    rare = min(new, key=lambda i: (min(zipf_frequency(p, "en") for p in words[i].text.split("-")), -i))
    start = end = rare
    while start and words[start - 1].new and answer[words[start - 1].end : words[start].start] in (" ", "-"):
        start -= 1
    while end + 1 < len(words) and words[end + 1].new and answer[words[end].end : words[end + 1].start] in (" ", "-"):
        end += 1
    return words[start].start, words[end].end


def _without_spaces(question: str, answer: str) -> tuple[int, int] | None:
    """What is left of an answer after its longest common substrings with the question, of two characters or more."""
    import difflib

    blocks = difflib.SequenceMatcher(None, answer, question, autojunk=False).get_matching_blocks()
    rest = answer
    for block in blocks:
        if block.size > 1:
            rest = rest[: block.a] + " " * block.size + rest[block.a + block.size :]
    left = list(re.finditer(r"[^\W_]+", rest))
    return max(left, key=lambda m: len(m[0])).span() if left else None
