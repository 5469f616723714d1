"""The value of a fact: found in its answer or given, folded for comparing, told or not by a text.

In: a question, its true answer, any text. Out: the words that carry the fact, and whether the text tells them.
"""

from meow.values.finding import Found, Kind, find, kind, locate, place, replaced, unsure
from meow.values.folding import fold
from meow.values.giving import as_column, given, in_question
from meow.values.telling import parts, told, told_mostly, told_partly

__all__ = ["Found", "Kind", "as_column", "find", "fold", "given", "in_question", "kind", "locate"]
__all__ += ["parts", "place", "replaced", "told", "told_mostly", "told_partly", "unsure"]
