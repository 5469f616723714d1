"""Reading YAML that may be anybody's: what is nested too deep, or grows as its aliases are put in, is refused."""

from __future__ import annotations

import re
from typing import Any

import yaml

DEPTH = 32
"""Levels of lists and groups, at most."""
NODES = 100_000
"""Values in all, aliases put in, at most: a few lines of aliases of aliases can stand for billions."""


class Loader(yaml.SafeLoader):
    """YAML as people mean it: true and false alone are no words; `on`, which a setting is called, is one; 1:30 is no
    number by sixties, nor 010 one by eights.
    """


_PLAIN = {
    "bool": ("true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": ("[-+]?(0|[1-9][0-9_]*|0x[0-9a-fA-F_]+)", "-+0123456789"),
    "float": (
        r"[-+]?([0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)([eE][-+][0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+0123456789.",
    ),
}
"""How a value of each kind is written without quotes, and how it begins."""
Loader.yaml_implicit_resolvers = {
    first: [(tag, words) for tag, words in resolvers if tag.rpartition(":")[2] not in _PLAIN]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _kind, (_words, _first) in _PLAIN.items():
    Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(f"(?:{_words})$"), list(_first))


def read(text: str, loader: type[yaml.SafeLoader | yaml.BaseLoader] = Loader) -> Any:
    """What a YAML text says.

    Args:
        text: the YAML.
        loader: `BaseLoader` leaves every value as the text that was typed.

    Raises:
        yaml.YAMLError: malformed, too deep, too many values, or a group that names a key twice.
    """
    try:
        root = yaml.compose(text, loader)
        if root is not None:
            _check(root)
        return yaml.load(text, loader)
    except RecursionError as e:
        raise yaml.YAMLError(f"lists and groups in more than {DEPTH} levels") from e
    except ValueError as e:  # a date that is none, a number of thousands of digits
        raise yaml.YAMLError(f"a value that is none: {str(e)[:80]}") from e


def _check(root: yaml.Node) -> None:
    """Go through all nodes level by level, those of an alias wherever it stands."""
    level, seen = [root], 0
    for _ in range(DEPTH):
        inner: list[yaml.Node] = []
        for node in level:
            inner += _inner(node)
            if seen + len(inner) > NODES:
                raise yaml.YAMLError(f"aliases that stand for more than {NODES} values; write them out")
        if not inner:
            return
        level, seen = inner, seen + len(inner)
    raise yaml.YAMLError(f"lists and groups in more than {DEPTH} levels")


def _inner(node: yaml.Node) -> list[yaml.Node]:
    """The nodes right below one."""
    if not isinstance(node, yaml.MappingNode):
        return list(node.value) if isinstance(node, yaml.SequenceNode) else []
    names: set[str] = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode) and key.value in names and key.value != "<<":
            raise yaml.MarkedYAMLError(problem=f"{key.value[:60]} is set twice", problem_mark=key.start_mark)
        names |= {key.value} if isinstance(key, yaml.ScalarNode) else set()
    return [part for pair in node.value for part in pair]
