"""Questions and answers as text and as tokens. The only place that knows chat tags."""

from meow.prompts.frames import Frame, Template, reworded
from meow.prompts.tokens import Encoded, Prompter, cut

__all__ = ["Encoded", "Frame", "Prompter", "Template", "cut", "reworded"]
