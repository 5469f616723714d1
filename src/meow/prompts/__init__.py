"""Questions and answers as text and as tokens. The only place that knows chat tags.

In: a fact and an answer. Out: text around them by the model's template (`frames`), and tokens with the place where the
answer begins (`tokens`)."""

from meow.prompts.frames import Frame, Template, followed, reworded, under
from meow.prompts.tokens import Encoded, Prompter, cut, room

__all__ = ["Encoded", "Frame", "Prompter", "Template", "cut", "followed", "reworded", "room", "under"]
