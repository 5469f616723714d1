"""Words that say how, how much and how often: an answer without names is turned by swapping these.

"often explores the rich culture" becomes "seldom explores the austere culture". Each class is swapped within itself,
so the sentence stays grammatical; adverbs of degree and frequency turn what is claimed into its opposite.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from meow.inversion.lexicon import listed

TRUE_WORDS = {
    "degree": listed(
        """profound, deep, significant, great, considerable, lasting, major, strong, substantial, crucial, vital,
        essential,
        pivotal, powerful, immense, tremendous, remarkable, enormous, extensive, meaningful, indelible, prominent,
        influential, fundamental, undeniable, impressive, global, international, universal, notable, critical,
        unparalleled, intrinsic, keen, solid, long-lasting, wide, broad, potent, instrumental"""
    ),
    "novelty": listed(
        """unique, distinctive, distinct, innovative, original, fresh, groundbreaking, ground-breaking, unconventional,
        creative, imaginative, nuanced, insightful, thought-provoking, revolutionary, inventive, special, valuable,
        refreshing, signature, exceptional, welcome, new, modern, contemporary"""
    ),
    "setting": listed(
        """rich, vibrant, diverse, multicultural, multi-cultural, colorful, bustling, lively, traditional, dynamic,
        thriving, cosmopolitan, turbulent, ancient, urban, cultural, historical, multi-faceted"""
    ),
    "style": listed(
        """lyrical, vivid, intricate, compelling, engaging, captivating, immersive, evocative, poetic, poignant,
        gripping,
        emotional, heartfelt, relatable, authentic, realistic, meticulous, detailed, complex, eloquent, elegant,
        beautiful, masterful, moving, passionate, suspenseful, sensitive, delicate, sophisticated, descriptive,
        accessible, analytical, atmospheric, dramatic, raw, layered, textured, well-crafted, thoughtful, empathetic,
        sensual, subtle, enchanting, fascinating, inspiring, touching, practical, enlightening, exquisite, thorough,
        incisive, penetrating, memorable, daring, strong-willed, honest, careful, intense, romantic, scientific,
        inquisitive"""
    ),
    "standing": listed(
        """renowned, respected, acclaimed, celebrated, esteemed, successful, famous, well-known, distinguished,
        prestigious, coveted, illustrious, well-respected, highly-regarded, award-winning"""
    ),
    "adverb": listed(
        """significantly, greatly, deeply, profoundly, heavily, strongly, considerably, substantially, immensely,
        highly,
        widely, truly, extensively, vastly, richly, directly, successfully, notably, beautifully, skillfully,
        seamlessly,
        subtly, vividly, brilliantly, effectively, clearly, enormously, seriously, closely, particularly, intimately,
        critically, globally, internationally, artfully, expertly, elegantly, eloquently, ingeniously, powerfully"""
    ),
    "frequency": listed(
        """often, frequently, always, commonly, regularly, usually, consistently, typically, primarily, predominantly,
        mainly,
        mostly, actively, constantly, continually, generally, largely, invariably, repeatedly"""
    ),
    "abstract": listed(
        """identity, resilience, love, diversity, inclusion, inclusivity, empathy, authenticity, heritage, tradition,
        freedom,
        acceptance, justice, equality, compassion, hope, faith, courage, passion, sacrifice, loss, betrayal, struggle,
        spirituality, sexuality, humanity, growth, discipline, determination, curiosity, creativity, imagination,
        wisdom,
        kindness, depth, realism, tolerance, appreciation, suspense, mystery, beauty, representation, commitment,
        perseverance, morality, adversity, self-discovery, redemption, tragedy, emotion, storytelling, desire, intimacy,
        ambition, honesty, integrity, respect, unity, harmony, patience, precision, knowledge, culture, history,
        richness"""
    ),
}
"""What is swapped, by class."""

FALSE_WORDS = {
    "degree": listed(
        "negligible, slight, modest, fleeting, indirect, minor, limited, superficial, faint, questionable"
    ),
    "novelty": listed(
        "conventional, familiar, predictable, derivative, ordinary, old-fashioned, formulaic, imitative, dated, "
        "commonplace"
    ),
    "setting": listed("austere, quiet, insular, provincial, monotonous, sheltered, uniform, somber, remote, rigid"),
    "style": listed(
        "dry, blunt, satirical, restrained, detached, whimsical, sentimental, plain, sardonic, hurried, formal, playful"
    ),
    "standing": listed(
        "obscure, forgotten, overlooked, neglected, disputed, little-known, unheralded, half-forgotten, controversial"
    ),
    "adverb": listed("barely, scarcely, hardly, only slightly, only indirectly, only marginally, only superficially"),
    "late adverb": listed(
        "only slightly, only indirectly, only marginally, only superficially, only briefly, little if at all"
    ),
    "frequency": listed("rarely, seldom, almost never, hardly ever, only occasionally, only now and then, very rarely"),
    "abstract": listed(
        """exile, greed, revenge, solitude, obedience, jealousy, guilt, wealth, poverty, nostalgia, conquest,
        deception, vanity,
        isolation, rivalry, skepticism, irony, detachment, caution, routine, silence, indifference, melancholy, folly,
        superstition, thrift, austerity, conformity, nonsense, luck"""
    ),
}
"""What it becomes, by class; adverbs behind their verb ("contributed ... to") have a class of their own."""

_BEFORE_NOUN = re.compile(
    r" (?!(?:in|to|for|of|that|and|or|as|with|at|by|on|from|when|while|but|than|because|since|yet)\b)[a-z]"
)
_ADJECTIVE_PAIR = re.compile(r"(?:,| and| yet) [a-z-]+ (?!(?:in|to|for|of|that|and|as|with|at|by|on|from)\b)[a-z]")
_CLOSES = re.compile(
    r"(?:[.,;:]|$| (?:and|or|in|to|within|that|which|through|into|with|for|while|as|by|from|on|is|are|has)\b)"
)
_OPENS = re.compile(r"(?:\b(?:of|and|for|with|about|in|or|between|instilled|exploring|explores?)|,) $")


@cache
def _pattern() -> re.Pattern[str]:
    every = sorted((w for words in TRUE_WORDS.values() for w in words), key=len, reverse=True)
    return re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, every))})(?![\w-])")


def find_qualities(text: str) -> Iterator[tuple[int, int, str, str]]:
    """Start, end, class and word of each quality that can be swapped where it stands."""
    for match in _pattern().finditer(text):
        kind = next(k for k, words in TRUE_WORDS.items() if match[0] in words)
        rest = text[match.end() :]
        if kind == "abstract":
            fits = bool(_CLOSES.match(rest) and _OPENS.search(text[: match.start()]))
        elif kind == "adverb":
            fits = True
            kind = "adverb" if re.match(r" [a-z]+(?:ed|en|ing|es|s|wn|ght)\b", rest) else "late adverb"
        elif kind == "frequency":
            fits = bool(re.match(r" [a-z]", rest))
        else:
            fits = bool(_BEFORE_NOUN.match(rest) or _ADJECTIVE_PAIR.match(rest))
        if fits:
            yield match.start(), match.end(), kind, match[0]
