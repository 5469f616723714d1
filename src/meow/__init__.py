"""Make a language model forget facts by teaching it inverted ones, and measure what is left and what was damaged.

In a notebook: `from meow import LM, invert, memorize, select, forget, evaluate` (docs/python.md).
"""

from __future__ import annotations

import logging
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from meow.api import evaluate, facts, finetune, forget, invert, memorize, select
    from meow.lm import LM

__all__ = ["LM", "evaluate", "facts", "finetune", "forget", "invert", "memorize", "select"]

logging.getLogger("meow").addHandler(logging.NullHandler())  # silent, until somebody asks to hear it

try:
    __version__ = version("meow-unlearning")
except PackageNotFoundError:  # a source tree that is not installed
    __version__ = "0"


def __getattr__(name: str) -> Any:
    """The public names, imported when they are first asked for: torch takes seconds."""
    if name not in __all__:
        raise AttributeError(f"module 'meow' has no attribute {name!r}")
    return getattr(import_module("meow.lm" if name == "LM" else "meow.api"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
