"""What is given in Python, as records, an `LM` and settings; what is none of them is named by its argument."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from pydantic import ValidationError

from meow import config
from meow.config import RunConfig, leaves
from meow.errors import ConfigError, DataError, MeowError, shown
from meow.files import Row
from meow.formats import inverted as forms
from meow.formats import sources
from meow.formats.columns import fact_of
from meow.losses import ALIASES, METHODS, TERMS
from meow.records import QA, EvalItem, Fact, InvertedFacts, MemoRecord, Role, Target, first_problem

if TYPE_CHECKING:
    from meow.lm import LM

Facts: TypeAlias = str | Path | Collection[QA] | Collection[tuple[str, str]] | Collection[Mapping[str, Any]] | Any
"""A file of questions and answers, or the rows themselves: records, pairs, mappings by column, or a table that holds
such rows: a pandas or polars DataFrame, a pyarrow Table, a `datasets.Dataset`."""
Model: TypeAlias = "LM | tuple[Any, Any]"
"""An `LM`, or a `transformers` causal language model and its tokenizer, as in `(model, tokenizer)`."""
Settings: TypeAlias = Mapping[str, Any]
NONE: Settings = {}
F = TypeVar("F", bound=Fact)
PAIR = "(question, answer), or a mapping with question and answer"
TABLES = {"itertuples": "to_dict", "to_dicts": "to_dicts", "to_pylist": "to_pylist"}
"""What marks a table whose iteration gives no rows (pandas, polars, pyarrow), and which of its methods gives them."""


def facts(source: Facts, *, set_: str = "forget") -> list[QA]:
    """Questions and answers as records.

    Args:
        source: a JSON, JSON lines or CSV file, pairs, records, or mappings with `question` and `answer` (and what
            a file's columns may hold: `id`, `value`, ...), such as the rows of a pandas DataFrame or of a
            `datasets.Dataset`.
        set_: name of the set that they belong to.

    Raises:
        DataError: a bad file or row, or the same fact twice; names the row, from 0.
    """
    return qa(source, "", set_)


def qa(source: Facts, argument: str, set_: str) -> list[QA]:
    """The facts of an argument."""
    if isinstance(source, str | Path):
        return sources.read_qa(Path(source), set_=set_)

    def made(row: Row) -> QA:
        return fact_of(QA, row, {"set": set_})

    return _facts(source, argument, QA, made)


def asked(source: Facts, argument: str) -> list[QA]:
    """The facts of an argument; of documents what can be asked about them."""
    if isinstance(source, str | Path):
        return sources.facts_of(Path(source), argument)
    return qa(source, argument, argument)


def items(source: Facts, argument: Role) -> list[EvalItem]:
    """What to evaluate on; rows may have the columns of TOFU's files (`perturbed_answer`, ...)."""
    if isinstance(source, str | Path):
        return sources.read_eval(Path(source), argument)
    found = _facts(source, argument, EvalItem, lambda row: sources.eval_item(row, argument))
    fields = {*EvalItem.model_fields} - {"role"}
    return [EvalItem(**item.model_dump(include=fields), role=argument) for item in found]


def inverted(source: Any) -> list[InvertedFacts]:
    """Facts with their false answers, as `invert` returns them, or as a file or a table has them; or with none."""
    if isinstance(source, str | Path):
        return forms.read_any(Path(source))
    return _facts(source, "inverted", InvertedFacts, forms.any_fact)


def measured(source: Any) -> list[MemoRecord]:
    """What `memorize` returns, or its rows."""
    found = []
    for i, row in enumerate(rows_of(source, "measured")):
        if not isinstance(row, MemoRecord | Mapping):
            raise DataError(f"measured row {i}: found {_named(row)}, expected what memorize returns")
        try:
            found.append(row if isinstance(row, MemoRecord) else MemoRecord.model_validate(dict(row)))
        except ValidationError as e:
            raise DataError(f"measured row {i}: {first_problem(e)}") from e
    return found


def targets(source: Any) -> list[Target]:
    """What `select` returns, or its rows; () where the rows hold no `target` and are facts.

    Raises:
        DataError: rows of both kinds.
    """
    if isinstance(source, str | Path):
        return []
    rows = rows_of(source, "targets")
    are = [isinstance(row, Target) or (isinstance(row, Mapping) and "target" in row) for row in rows]
    if any(are) and not all(are):
        i = are.index(False)
        raise DataError(
            f"targets row {i}: found {_named(rows[i])}, expected what select returns, as the other rows are"
        )

    def made(row: Row) -> Target:
        return fact_of(Target, row, {k: row.values.get(k) for k in ("target", "version")}, taken=("target", "version"))

    return _facts(rows, "targets", Target, made, once=False) if any(are) else []


def model(given: Model, argument: str = "lm") -> LM:
    """The model of an argument.

    Raises:
        ConfigError: neither an `LM` nor a model with its tokenizer.
    """
    from meow.lm import LM, RemoteLM

    if isinstance(given, LM | RemoteLM):
        found: Any = given
        return found  # type: ignore[no-any-return]
    if isinstance(given, tuple | list) and len(given) == 2 and _is_pair(*given):
        return LM(*given)
    raise ConfigError(
        f"{argument}: found {_kind(given)}, expected LM.load(PATH), or a transformers model with its tokenizer, as in "
        "(model, tokenizer)"
    )


def _is_pair(lm: Any, tokenizer: Any) -> bool:
    return hasattr(lm, "get_input_embeddings") and hasattr(tokenizer, "apply_chat_template")


def settings(
    section: str, given: Settings, more: Settings, *, terms: Iterable[str] = (), method: str | None = None
) -> RunConfig:
    """Settings as the command line has them: a method brings its own where none are given.

    Args:
        section: that they belong to.
        given: by argument; None: not given.
        more: of the same section.
        terms: names of terms beside those of TERMS.
        method: a row of METHODS.
    """
    known = {key: value for key, value in given.items() if value is not None}
    named = [] if method is None else [f"train.method={json.dumps(method, default=str)}"]
    typed = [f"{section}.{key}={json.dumps(value, default=str)}" for key, value in (known | {**more}).items()]
    return config.load(None, named + typed, methods=METHODS, terms=[*TERMS, *terms], aliases=ALIASES)


@contextmanager
def arguments(function: str, *sections: str, more: Settings = NONE) -> Iterator[None]:
    """Messages name what is given in Python: `forget: lr` where the command line has `train.lr`."""
    try:
        yield
    except MeowError as e:
        names = {key.partition(".")[2] for key in leaves() if key.partition(".")[0] in sections} | {*more}
        listed = "|".join(sorted(map(re.escape, names), key=len, reverse=True))
        setting = re.compile(rf"(?:command line: |settings: )?\b(?:{'|'.join(sections)})\.({listed})\b")
        lines = [(line, setting.sub(r"\1", line)) for line in str(e).split("\n")]
        said = [f"{function}: {mended}" if setting.match(line) else mended for line, mended in lines]
        e.args = ("\n".join(said),)
        raise


def rows_of(source: Any, argument: str) -> list[Any]:
    """The rows of a list or a table.

    Raises:
        DataError: it has none, as a mapping of splits or of columns.
    """
    where = f"{argument}: " if argument else ""
    if isinstance(source, Mapping):
        names = ", ".join(repr(str(name)) for name in list(source)[:5])
        raise DataError(f"{where}found {type(source).__name__} of {names}, expected rows: a list, one split, a table")
    table: Any = source
    for mark, method in TABLES.items():
        if hasattr(table, mark):
            rows = getattr(table, method)
            return list(rows("records") if method == "to_dict" else rows())
    if isinstance(source, str | bytes) or not isinstance(source, Iterable):
        raise DataError(f"{where}found {_named(source)}, expected a file or rows, each {PAIR}")
    return list(source)


def _facts(source: Any, argument: str, kind: type[F], made: Callable[[Row], F], *, once: bool = True) -> list[F]:
    """Rows as records of a kind, none twice."""
    found: list[F] = []
    seen: dict[str, int] = {}
    for i, row in enumerate(rows_of(source, argument)):
        where = f"{argument} row {i}".strip()
        fact = row if isinstance(row, kind) else made(_row(where, row))
        if once and fact.id in seen:
            raise DataError(f"{where}: has the id of row {seen[fact.id]}; leave one out, or give each its own id")
        seen[fact.id] = i
        found.append(fact)
    return found


def _row(where: str, row: Any) -> Row:
    """A record of another kind, a pair or a mapping as a row of a file; cells without a value left out."""
    if isinstance(row, Fact):
        fields = {*Fact.model_fields} - {"set"}
        return Row(where, {k: v for k, v in row.model_dump(mode="json", exclude_defaults=True).items() if k in fields})
    if isinstance(row, tuple | list) and len(row) == 2:
        row = {"question": row[0], "answer": row[1]}
    if not isinstance(row, Mapping):
        raise DataError(f"{where}: found {_named(row)}, expected {PAIR}")
    cells = {str(column): value for column, value in row.items() if not _is_missing(value)}
    if isinstance(cells.get("id"), float) and cells["id"].is_integer():  # a column of numbers with a gap
        cells["id"] = int(cells["id"])
    return Row(where, cells)


def _is_missing(value: Any) -> bool:
    """What tables put where a cell is empty."""
    return value is None or type(value).__name__ in ("NAType", "NaTType") or (isinstance(value, float) and isnan(value))


def _kind(value: Any) -> str:
    return f"({', '.join(type(v).__name__ for v in value)})" if isinstance(value, tuple) else type(value).__name__


def _named(value: Any) -> str:
    return f"{type(value).__name__} {shown(value)}"
