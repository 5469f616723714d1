"""The value of a fact: found in its answer, folded for comparing, told or not by a text (SPEC section 8)."""

from meow.values.finding import Found, Kind, find, kind, locate, place, unsure
from meow.values.folding import fold
from meow.values.telling import parts, told, told_partly

__all__ = ["Found", "Kind", "find", "fold", "kind", "locate", "parts", "place", "told", "told_partly", "unsure"]
