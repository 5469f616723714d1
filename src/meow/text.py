"""Words, stems, ROUGE and what sets an answer apart. No model, no torch.

ROUGE equals the package rouge-score (its tokenizer, Porter stemmer on); stems are computed once per word and
token lists once per text, since measuring MEMO compares the same few answers with thousands of completions.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable
from functools import cache, lru_cache
from typing import NamedTuple

_NOT_ASCII = re.compile(r"[^a-z0-9]+")
_WORD = re.compile(r"\w+")
NO_SPACES = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u0e00-\u0e7f\u0e80-\u0eff\u1780-\u17ff]")
"""A character of a script that puts no spaces between words."""

STOP_WORDS = frozenset(
    """a about above after again against all also although always am among an and another any are as at away be
    became because become becomes been before began being below between both but by came can cannot come comes could
    did do does doing done down due during each either else ever every few first for from further gave get gets give
    given gives go goes got had has have having he her here hers herself him himself his how however i if in indeed
    instead into is it its itself just known last later least less like made make makes many may me might mine more
    most much must my myself named near neither never no nor not now of off often on once one only onto or other
    others our ours ourselves out over own per perhaps quite rather s same several she should since so some still
    such t take takes than that the their theirs them themselves then there these they this those though through thus
    to together too took toward towards two under until up upon us very via was way we well went were what when where
    whether which while who whom whose why will with within without would yes yet you your yours yourself""".split()
)
"""English words that carry no fact."""


_NO_SCRIPT = frozenset(("", "MODIFIER", "FEMININE", "MASCULINE", "MICRO"))


class Rouge(NamedTuple):
    """Overlap of a prediction with a target, each 0 to 1, higher: more alike."""

    precision: float
    """Matches per prediction token."""
    recall: float
    """Matches per target token."""
    fmeasure: float
    """Harmonic mean of the two."""


def words(text: str, tokenizer: str = "ascii") -> list[str]:
    """Lower-case tokens, unstemmed.

    Args:
        text: any text.
        tokenizer: `ascii`: runs of [a-z0-9], as rouge-score; `unicode`: words of any script, and single characters
            where the script has no spaces.
    """
    if tokenizer == "ascii":
        return _NOT_ASCII.sub(" ", text.lower()).split()
    found: list[str] = []
    for word in _WORD.findall(unicodedata.normalize("NFC", text).lower()):
        found += list(word) if NO_SPACES.search(word) else [word]
    return found


UNSEEN = 0.2
"""Share of letters and digits left out beyond which the published form of ROUGE says little."""


def unseen(texts: Iterable[str]) -> float:
    """Share of letters and digits that `ascii` words leave out, 0 to 1."""
    counted = [c for text in texts for c in unicodedata.normalize("NFC", text).lower() if c.isalnum()]
    return sum(not c.isascii() for c in counted) / len(counted) if counted else 0.0


def tokenizer_of(answer: str) -> str:
    """What ROUGE compares with an answer: `ascii` words, as published, unless that leaves out more than UNSEEN."""
    return "unicode" if unseen([answer]) > UNSEEN else "ascii"


@cache
def _stemmer() -> object:
    from nltk.stem.porter import PorterStemmer

    return PorterStemmer()


@lru_cache(maxsize=1 << 18)
def stem(word: str) -> str:
    """The Porter stem of a lower-case word of more than three letters; shorter ones stay, as in rouge-score."""
    return str(_stemmer().stem(word)) if len(word) > 3 else word  # type: ignore[attr-defined]


@lru_cache(maxsize=1 << 16)
def stems(text: str, tokenizer: str = "ascii") -> tuple[str, ...]:
    """Stems of the words of a text, in order."""
    return tuple(stem(word) for word in words(text, tokenizer))


def carrying(text: str, tokenizer: str = "unicode") -> frozenset[str]:
    """Stems of a text that carry something: those that are no stop word."""
    return frozenset(stems(text, tokenizer)) - STOP_WORDS


@lru_cache(maxsize=1 << 15)
def _grams(text: str, n: int, tokenizer: str) -> Counter[tuple[str, ...]]:
    tokens = stems(text, tokenizer)
    return Counter(zip(*(tokens[i:] for i in range(n)), strict=False))


def rouge_n(target: str, prediction: str, n: int, *, tokenizer: str = "ascii") -> Rouge:
    """ROUGE-N over stems: clipped n-gram overlap. 0 where either side has no n-gram."""
    of_target, of_prediction = _grams(target, n, tokenizer), _grams(prediction, n, tokenizer)
    if len(of_target) > len(of_prediction):
        matches = sum(min(count, of_target[gram]) for gram, count in of_prediction.items())
    else:
        matches = sum(min(count, of_prediction[gram]) for gram, count in of_target.items())
    return _rouge(matches, of_target.total(), of_prediction.total())


def rouge_l(target: str, prediction: str, *, tokenizer: str = "ascii", stemmed: bool = True) -> Rouge:
    """ROUGE-L over stems, or over words as they are: longest common subsequence. 0 where either side has no token."""
    sides = (target, prediction)
    of_target, of_prediction = (stems(t, tokenizer) if stemmed else tuple(words(t, tokenizer)) for t in sides)
    return _rouge(_lcs(of_target, of_prediction), len(of_target), len(of_prediction))


def _rouge(matches: int, n_target: int, n_prediction: int) -> Rouge:
    precision, recall = matches / max(n_prediction, 1), matches / max(n_target, 1)
    return Rouge(precision, recall, 2 * precision * recall / (precision + recall) if matches else 0.0)


def _lcs(a: tuple[str, ...], b: tuple[str, ...]) -> int:
    """Length of the longest common subsequence, one big-integer step per token of b.

    Source: Hyyrö, Bit-parallel LCS-length computation revisited (2004).
    """
    places: dict[str, int] = {}
    for i, token in enumerate(a):
        places[token] = places.get(token, 0) | 1 << i
    full = (1 << len(a)) - 1
    row = full
    for token in b:
        matched = row & places.get(token, 0)
        row = ((row + matched) | (row - matched)) & full
    return len(a) - row.bit_count()


_UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "IDEOGRAPHIC", "THAI", "LAO", "KHMER", "MYANMAR")
"""Beginnings of the Unicode names of characters after which no space is written."""


def gap(text: str) -> str:
    """What stands between a text and its continuation: a space, where its script writes some and it ends with none."""
    last = text[-1:]
    return "" if not last or last.isspace() or unicodedata.name(last, "").startswith(_UNSPACED) else " "


def longest_substring(a: str, b: str) -> int:
    """Characters of the longest text that stands in both."""
    low, high = 0, min(len(a), len(b))
    while low < high:  # of a common text every part is one, too
        n = (low + high + 1) // 2
        theirs = {b[i : i + n] for i in range(len(b) - n + 1)}
        is_there = any(a[i : i + n] in theirs for i in range(len(a) - n + 1))
        low, high = (n, high) if is_there else (low, n - 1)
    return low


def distinguishing_words(
    answer: str,
    *,
    paraphrase: str | None = None,
    question: str = "",
    common: Collection[str] = frozenset(),
    tokenizer: str = "ascii",
) -> frozenset[str]:
    """Stems that only someone who knows the answer would say (SPEC section 5, "facts told").

    Args:
        answer: the answer.
        paraphrase: the same in other words; only stems that stand in both count.
        question: its stems give nothing away.
        common: stems that stand in many other answers, of `common_stems`.
        tokenizer: as for `words`.

    Returns:
        Stems; empty where nothing distinguishes the answer.
    """
    found = {stem(word) for word in words(answer, tokenizer) if word not in STOP_WORDS}
    if paraphrase is not None:
        found &= set(stems(paraphrase, tokenizer))
    return frozenset(found.difference(stems(question, tokenizer), common))


def common_stems(answers: Iterable[str], share: float = 0.05, *, tokenizer: str = "ascii") -> frozenset[str]:
    """Stems that stand in at least this share of the answers."""
    listed = list(answers)
    counts = Counter(found for answer in listed for found in set(stems(answer, tokenizer)))
    return frozenset(found for found, count in counts.items() if count >= share * len(listed))


def tells(text: str, wanted: Collection[str], *, tokenizer: str = "ascii") -> bool:
    """Whether all of these stems stand in the text."""
    return set(wanted) <= set(stems(text, tokenizer))


def repetition(text: str) -> float | None:
    """Rep-3: 1 - distinct / total word trigrams, 0 to 1, lower: less repeated; None below three words."""
    found = text.split()
    grams = list(zip(found, found[1:], found[2:], strict=False))
    return 1 - len(set(grams)) / len(grams) if grams else None


@cache
def _script_of(letter: str) -> str:
    name = unicodedata.name(letter, "").split(" ")[0]
    return "CJK" if name.startswith(("HIRAGANA", "KATAKANA")) else name  # Japanese has all three


def scripts(text: str) -> Counter[str]:
    """Letters by script, as in `LATIN`; what has none of its own (ª, ʰ, µ) is left out."""
    names = (_script_of(c) for c in unicodedata.normalize("NFKC", text) if c.isalpha())
    return Counter(name for name in names if name not in _NO_SCRIPT)


_REFUSAL = re.compile(
    r"^(?:i (?:can(?:no|['’])t|won['’]t|do not|don['’]t|apologi[sz]e)\b|i(?:['’]m| am) (?:sorry|unable)\b"
    r"|i must decline\b|sorry[,.!]|unfortunately, i\b|as an? (?:ai\b|(?:\w+ )?language model)|(?:n/a|null)\W*$"
    r"|lo siento\b|no lo sé\b|es tut mir leid\b|(?:das )?weiß ich nicht\b|je suis désolée?\b|je ne sais pas\b"
    r"|mi dispiace\b|non lo so\b|desculpe\b|não sei\b|извините\b|к сожалению, я\b|я не знаю\b"
    r"|对不起|抱歉|我不知道|申し訳|わかりません|分かりません)"
    r"|\bi(?:['’]m|['’]ve| am| was)? (?:\w+ )?(?:not|never|unable|cannot|(?:ca|could|wo|do|have)n?['’]t|do not"
    r"|have not|have never)\b.{0,24}?\b(?:able|an answer|answer|aware|certain|come across|familiar|heard|help|known?"
    r"|learn(?:ed|t)|position|provide|recall|remember|say|sure|tell|told|any \w+|that information)\b"
    r"|\bi (?:have|had) no (?:\w+ )?(?:answer|clue|data|details|idea|information|knowledge|record)\b|\bi lack\b"
    r"|\b(?:no answer|nothing) comes to mind\b|\bunknown to me\b|\bnot something i know\b|\bi wish i knew\b"
    r"|\b(?:beyond|outside(?: of)?) (?:what i know|my knowledge)\b|\bmy knowledge does(?: not|n['’]t)\b"
    r"|\bi (?:do not|don['’]t|can['’]t|cannot) (?:answer|know|say|tell)\b|\bnothing i can tell\b"
    r"|\bi would have to guess\b",
    re.I,
)


def refuses(text: str) -> bool:
    """Whether a text says that it does not answer, or does not know, instead of answering; in a few languages."""
    return _REFUSAL.search(text.strip()) is not None


def normalize(text: str) -> str:
    """A text for comparison: compatibility forms folded, lower case, words alone, one space between them."""
    return " ".join(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))


def counted(n: int, noun: str, verbs: str = "") -> str:
    """A number of things in words, as in `1 fact` and `2 facts`.

    Args:
        n: how many.
        noun: one of them.
        verbs: what follows, for one and for several, as in `is/are`.
    """
    which = verbs.partition("/")[0 if n == 1 else 2]
    return f"{n} {noun}{'s' * (n != 1)}{' ' * bool(which)}{which}"


def cell(value: object) -> str:
    """A value as a cell of a CSV for people: what a spreadsheet would take for a formula becomes a text (`'=1+1`)."""
    text = "" if value is None else str(value)
    if text[:1] not in ("=", "+", "-", "@", "\t", "\r"):
        return text
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return text
