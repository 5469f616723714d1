"""Reading settings: one YAML and `key=value` overrides, merged first and validated once, before any weight is loaded.

Every problem is reported in one go, with file, key, what was found and what is allowed.
"""

from __future__ import annotations

import copy
import difflib
import typing
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml
from pydantic import (
    ValidationError,
)

from meow.config import yamls
from meow.config.bounds import (
    NOT_IN_NAMES,
)
from meow.config.marks import Settings, typed
from meow.config.schema import Method, RunConfig
from meow.errors import ConfigError, nearest, shown


def load(
    path: Path | typing.Mapping[str, Any] | None,
    overrides: typing.Sequence[str] = (),
    *,
    methods: typing.Mapping[str, Method] | None = None,
    terms: typing.Collection[str] = (),
    aliases: typing.Mapping[str, str] = MappingProxyType({}),
) -> RunConfig:
    """Read, merge and validate the settings of a run.

    Args:
        path: the YAML, or what `tree_of` gives, or None for defaults alone.
        overrides: `key=value` each, as in `train.lr=3e-5`; values are YAML, but a text is taken as it stands; later
            ones win.
        methods: METHODS, to resolve `train.method`; None leaves it as it is.
        terms: names that `train.objective` may hold.
        aliases: published names of methods.

    Raises:
        ConfigError: every problem found, one a line: where, key, what was found, what is allowed.
    """
    tree = read_tree(path) if isinstance(path, Path) else copy.deepcopy(dict(path or {}))
    before = _get(tree, "train.method")
    typed_keys, problems = _override(tree, overrides)
    if methods is not None:
        _leave_method(tree, methods.get(aliases.get(str(before), str(before))), kept=typed_keys)
        problems += _apply_method(tree, methods, terms, aliases)
    config = None
    try:
        config = RunConfig.model_validate(tree)
    except ValidationError as e:
        for problem in _once(e.errors()):
            key = _dotted(problem["loc"])
            is_typed = any(f"{key}.".startswith(f"{k}.") or k.startswith(f"{key}.") for k in typed_keys)
            where = "command line" if is_typed else path if isinstance(path, Path) else "settings"
            problems.append(f"{where}: {_cut(key)}: {_explain(problem)}")
    if problems or config is None:
        raise ConfigError("\n".join(problems))
    if config.name is None:
        config = config.model_copy(
            update={"name": NOT_IN_NAMES.sub("_", path.stem) if isinstance(path, Path) else "run"}
        )
    return config


def dump(config: RunConfig) -> str:
    """The settings as YAML that `load` reads to the same settings; only what differs from the defaults."""
    return yaml.safe_dump(tree_of(config), sort_keys=False, allow_unicode=True, width=110)


def tree_of(config: RunConfig) -> dict[str, Any]:
    """The settings that differ from the defaults, in groups, as JSON has them."""
    tree = config.model_dump(mode="json", exclude_defaults=True)
    if config.model.path and config.invert.backend == "donors":  # beside a model it is no default
        tree["invert"] = {"backend": "donors"} | tree.get("invert", {})
    return tree


def leaves(model: type[Settings] = RunConfig, prefix: str = "") -> dict[str, Any]:
    """Every setting by dotted key, with its pydantic field; used for messages, generated docs and YAMLs."""
    found: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Settings):
            found |= leaves(kind, f"{prefix}{name}.")
        else:
            found[prefix + name] = field
    return found


def read_tree(path: Path) -> dict[str, Any]:
    """The settings that a YAML names, as they stand there.

    Raises:
        ConfigError: unreadable, malformed (names the line), or no settings.
    """
    try:
        tree = yamls.read(path.read_text(encoding="utf-8"))
    except OSError as e:
        raise ConfigError(f"{path}: cannot be read ({e.strerror}); give an existing YAML file") from e
    except UnicodeDecodeError as e:
        raise ConfigError(f"{path}: not UTF-8 at byte {e.start}; save the file as UTF-8") from e
    except yaml.YAMLError as e:
        mark = getattr(e, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ConfigError(f"{where}: malformed YAML ({_words(e)}); mend the line") from e
    if not isinstance(tree or {}, dict):
        raise ConfigError(f"{path}: found {type(tree).__name__}, expected settings as `key: value`")
    return {key: value for key, value in (tree or {}).items() if value is not None}  # a section of comments alone


def _words(error: yaml.YAMLError) -> str:
    """What is wrong with a YAML, on one line."""
    return " ".join(str(getattr(error, "problem", None) or error).split())[:160]


def _override(tree: dict[str, Any], overrides: typing.Sequence[str]) -> tuple[set[str], list[str]]:
    """Put what was typed into the settings; returns its keys, and the problems found."""
    known, keys, problems = leaves(), set(), []
    for override in overrides:
        key, equals, value = override.partition("=")
        key = key.strip()
        if not equals or not key or "://" in key:
            problems.append(f"{_shown(override)}: not of the form key=value; write for example train.lr=3e-5")
            continue
        try:
            _put(tree, key, typed(known[key].annotation if key in known else None, value))
            keys.add(key)
        except (yaml.YAMLError, TypeError) as e:
            problems.append(f"{_shown(override)}: cannot be read ({str(e).splitlines()[0][:160]})")
    return keys, problems


def _put(tree: dict[str, Any], dotted: str, value: Any) -> None:
    *groups, last = dotted.split(".")
    for group in groups:
        if tree.get(group) is None:
            tree[group] = {}
        tree = tree[group]
        if not isinstance(tree, dict):
            raise TypeError(f"{group} is no group of settings")
    tree[last] = value


def _get(tree: Any, dotted: str) -> Any:
    for part in dotted.split("."):
        tree = tree.get(part) if isinstance(tree, dict) else None
    return tree


def _leave_method(tree: dict[str, Any], method: Method | None, *, kept: typing.Collection[str]) -> None:
    """Take out what a file's own method has filled, so that the one that was typed can fill it; `kept` was typed."""
    if method is None or not isinstance(_get(tree, "train.method"), str):
        return
    filled = {"train.targets": method.targets, "train.objective": method.objective} | method.defaults
    for key, value in filled.items():
        group, _, name = key.rpartition(".")
        if key not in kept and _get(tree, key) == value:
            del _get(tree, group)[name]


def _apply_method(
    tree: dict[str, Any],
    methods: typing.Mapping[str, Method],
    terms: typing.Collection[str],
    aliases: typing.Mapping[str, str],
) -> list[str]:
    """Fill targets, objective and defaults of `train.method`; returns the problems found."""
    train = tree.get("train")
    if not isinstance(train, dict):
        return []
    problems = [
        f"train.{key}: unknown term {_cut(str(term))!r}{nearest(term, terms)}"
        for key in ("objective", "constraint")
        for term in (train.get(key) or {} if isinstance(train.get(key), dict) else {})
        if term not in terms
    ]
    name = train.get("method")
    if not isinstance(name, str):
        return problems
    name = train["method"] = aliases.get(name, name)
    if name not in methods:
        return [*problems, f"train.method: unknown method {_cut(name)!r}{nearest(name, methods)}"]
    method = methods[name]
    for key, value in (("targets", method.targets), ("objective", method.objective)):
        if train.get(key) not in (None, value):
            problems.append(f"train.{key}: set beside train.method={name}, which sets it; remove one of the two")
        train[key] = value
    for key, value in method.defaults.items():
        if _get(tree, key) is None:
            _put(tree, key, value)
    return problems


AUTO = "literal['auto']"
"""What pydantic calls the second kind of a number that may be `auto`."""


def _once(problems: typing.Sequence[Any]) -> list[Any]:
    """The problems without what pydantic says beside them: that a list without its bad values is empty, that one value
    is no list, and that a number is not `auto`."""
    automatic = {_dotted(p["loc"][:-1]) for p in problems if p["loc"][-1:] == (AUTO,)}
    problems = [
        p | ({"msg": f"{p['msg']}, or auto"} if _dotted(p["loc"]) in automatic else {})
        for p in problems
        if p["loc"][-1:] != (AUTO,)
    ]
    bad = {_dotted(p["loc"]) for p in problems if p["type"] not in ("tuple_type", "too_short", "int_type")}
    bad |= {key.rpartition(".")[0] for key in bad}
    beside = {"tuple_type": int, "int_type": list, "too_short": tuple | list}
    return [p for p in problems if not (_dotted(p["loc"]) in bad and isinstance(p["input"], beside.get(p["type"], ())))]


def _dotted(loc: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in loc if not str(part).startswith(("function-", "constrained", "tuple[")))


def _shown(override: str) -> str:
    """An override without what may be a secret in an address, cut where it is long."""
    before, mark, _ = override.partition("://")
    return f"{_cut(before)}{mark}***" if mark else _cut(before)


def _cut(text: str) -> str:
    """A name as a message shows it."""
    return text if len(text) <= 80 else text[:79] + "…"


def _explain(problem: Any) -> str:
    found = shown(problem.get("input"))
    if problem["loc"][:1] == ("notify",) and (problem["loc"][-1] != "each_stage" or "://" in found):
        found = "***"  # it may hold an address
    if problem["loc"][:1] == ("tune",) and ("://" in found or "storage" in (*problem["loc"], found)):
        found = "***"  # it may hold a password
    if problem["type"] == "extra_forbidden":
        loc = problem["loc"]
        keys = leaves()
        siblings = {k.rsplit(".", 1)[-1]: k for k in keys}
        group = ".".join(map(str, loc[:-1]))
        inside = [
            k[len(group) + 1 if group else 0 :].split(".")[0] for k in keys if not group or k.startswith(group + ".")
        ]
        near = difflib.get_close_matches(str(loc[-1]), inside, n=1, cutoff=0.6)
        if near:
            return f"unknown setting; did you mean {'.'.join([*map(str, loc[:-1]), near[0]])}?"
        elsewhere = difflib.get_close_matches(str(loc[-1]), list(siblings), n=1, cutoff=0.7)
        hint = (
            f"did you mean {siblings[elsewhere[0]]}?" if elsewhere else f"allowed: {', '.join(dict.fromkeys(inside))}"
        )
        return f"unknown setting; {hint}"
    message = problem["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    return f"found {found}; {message}"
