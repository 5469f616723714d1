"""Make a language model forget facts by teaching it inverted ones, and measure what is left and what was damaged.

In a notebook: `from meow import LM, invert, memorize, select, forget, evaluate` (docs/python.md).
"""

from __future__ import annotations

import logging
import sys
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from meow.api.found import Comparison, Evaluated
    from meow.api.given import facts
    from meow.api.pages import compare, push, report
    from meow.api.steps import evaluate, finetune, forget, invert, memorize, select
    from meow.lm import LM

__all__ = [
    "LM",
    "Comparison",
    "Evaluated",
    "compare",
    "evaluate",
    "facts",
    "finetune",
    "forget",
    "invert",
    "memorize",
    "push",
    "report",
    "select",
]
HOMES = {
    "LM": "meow.lm",
    "facts": "meow.api.given",
    **dict.fromkeys(("Comparison", "Evaluated"), "meow.api.found"),
    **dict.fromkeys(("compare", "push", "report"), "meow.api.pages"),
}
"""Where a public name lies, if not among the steps."""

logging.getLogger("meow").addHandler(logging.NullHandler())  # silent, until somebody asks to hear it

try:
    __version__ = version("meow-unlearning")
except PackageNotFoundError:  # a source tree that is not installed
    __version__ = "0"


class _Meow(ModuleType):
    """`meow.report` and `meow.compare` are functions, whoever imports the rooms of their names."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Meow


def __getattr__(name: str) -> Any:
    """The public names, imported when they are first asked for: torch takes seconds."""
    if name not in __all__:
        raise AttributeError(f"module 'meow' has no attribute {name!r}")
    return getattr(import_module(HOMES.get(name, "meow.api.steps")), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
