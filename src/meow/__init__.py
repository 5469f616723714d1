"""Make a language model forget facts by teaching it inverted ones, and measure what is left and what was damaged."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("meow-unlearning")
except PackageNotFoundError:  # a source tree that is not installed
    __version__ = "0"
