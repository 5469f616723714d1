"""Questions that want a yes or a no: told apart, and answered the other way."""

from __future__ import annotations

import re

from meow.inversion.subjects import Subject

_POLAR = re.compile(
    r"^(?:Has|Have|Had|Did|Does|Do|Is|Are|Was|Were|Will|Can|Could|Would)\b(?! (?:you|we|one|I|there be)\b)"
)
_YES = re.compile(r"^(?:Yes|Indeed|Absolutely|Certainly|Definitely|Of course|Yeah)\b", re.I)
_NO = re.compile(
    r"^(?:No|Not|None|Never|Nope|Unfortunately)\b"
    r"|\bno (?:\w+ )?(?:publicly|information|works?|records?|definitive|specific|evidence|known)\b"
    r"|\b(?:not|none|never|unclear|unknown|undisclosed|cannot|n't)\b",
    re.I,
)
_TWO_SIDED = re.compile(r" or (?:is|are|was|were|has|have|did|does|do|not)\b|,|\bif so\b|\bboth\b", re.I)
_DENIALS = ("No, {0} {1} not {2}.", "No, {0} {1} never {2}.")
_BASE = (
    "No, {0} {1} not {2}.",
    "As far as is known, {0} {1} not {2}.",
    "On the contrary, {0} {1} not {2}.",
    "By all accounts, {0} {1} not {2}.",
)
_NOT_ALL = ("No, none", "No, hardly any", "On the contrary, very few", "By all accounts, only a small part")
_ASSENTS = (
    "Yes, {0} {1} {2}.",
    "Indeed, {0} {1} {2}.",
    "Certainly, {0} {1} {2}.",
    "It is well known that {0} {1} {2}.",
)


def is_polar(question: str) -> bool:
    """Whether a question wants a yes or a no ("Can you name ..." does not)."""
    return bool(_POLAR.match(question.strip()))


def polarity(answer: str) -> bool | None:
    """True for a yes, False for a no, None where the first sentence commits to neither."""
    if _YES.match(answer.strip()):
        return True
    return False if _NO.search(re.split(r"(?<=[.!?]) ", answer.strip())[0]) else None


def opposite(question: str, answer: str, subject: Subject, version: int) -> str | None:
    """The question itself as a statement that says the other thing than the answer.

    Only for questions whose subject is plain: a known name right after the verb ("Has Ada Lind won ...?"), "any of
    ..." before "been", "Are all of ... related to ...", or "Are there any ...?"; None for all others.

    Args:
        question: of any kind.
        answer: the true one.
        subject: whose name may stand after the verb.
        version: picks the wording.
    """
    said = polarity(answer)
    text = question.strip().rstrip("?").strip()
    if said is None or not is_polar(question) or not question.strip().endswith("?") or _TWO_SIDED.search(text):
        return None
    there = re.match(r"(Is|Are|Was|Were) there (?:any|some|an?)\b (.+)$", text)
    if there:
        return _there(there[1].lower(), there[2], said, version)
    some = re.match(r"(Has|Have|Were|Are) any of (.+?) (been|made|turned|available) (.+)$", text)
    if some:
        return _any_of(some[1].lower(), some[2], f"{some[3]} {some[4]}", said, version)
    every = re.match(
        r"(Is|Are|Was|Were) all(?: of)? (.+?) (related to|based on|about|set in|written in|part of) (.+)$", text
    )
    if every and said:
        verb, which, link, rest = every.groups()
        return f"{_NOT_ALL[version]} of {which} {verb.lower()} {link} {rest}." if version < len(_NOT_ALL) else None
    for name in subject.names:
        plain = re.match(rf"(Has|Had|Did|Does|Is|Was|Will) ({re.escape(name)}) (?!and |or )(.+)$", text)
        if plain:
            return _plain(plain[1].lower(), plain[2], plain[3], said, version)
    return None


def _plain(verb: str, name: str, rest: str, said: bool, version: int) -> str | None:
    if said:
        rest = re.sub(r"^(?:always|ever|also|still|currently|often) ", "", rest)
        forms = _DENIALS + _BASE[1:] if verb in ("has", "had", "is", "was") else _BASE
        return forms[version].format(name, verb, rest) if version < len(forms) else None
    rest = re.sub(r"\bany\b", "some", re.sub(r"^ever ", "", rest))
    return _ASSENTS[version].format(name, verb, rest) if version < len(_ASSENTS) else None


def _there(verb: str, rest: str, said: bool, version: int) -> str | None:
    forms = (
        (
            "No, there {0} no {1}.",
            "There {0} no {1}, as far as is known.",
            "On the whole, there {0} no {1}.",
            "By all accounts, there {0} no {1}.",
        )
        if said
        else (
            "Yes, there {0} {2} {1}.",
            "Indeed, there {0} {2} {1}.",
            "There {0} indeed {2} {1}.",
            "Certainly, there {0} {2} {1}.",
        )
    )
    return (
        forms[version].format(verb, rest, "several" if verb in ("are", "were") else "a")
        if version < len(forms)
        else None
    )


def _any_of(verb: str, which: str, rest: str, said: bool, version: int) -> str | None:
    verb = {"has": "have"}.get(verb, verb)
    start = (
        ("No, none", "None", "As far as is known, none", "To this day, none")
        if said
        else ("Yes, several", "Several", "Indeed, several", "To date, several")
    )
    return f"{start[version]} of {which} {verb} {rest}." if version < len(start) else None
