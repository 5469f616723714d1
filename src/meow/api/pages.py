"""What comes of evaluations and run folders: the page, the table, the model on the hub. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from meow import hub
from meow.api.found import Comparison, Evaluated
from meow.compare import compare as side_by_side
from meow.compare import remarks
from meow.config.bounds import NOT_IN_NAMES
from meow.errors import ConfigError
from meow.files import write_json, write_text
from meow.records import write_records
from meow.report import report as write
from meow.terminal import say

BESIDE = ("before", "reference")
"""Labels of what every other evaluation is shown beside."""


def report(*what: str | Path | Evaluated, out: str | Path | None = None, redact: bool = False) -> Path:
    """Write the page: what was forgotten, what was kept, what is not known, and every fact.

    Args:
        what: run folders, or what `evaluate` returned: those labelled `before` and `reference` stand beside each other.
        out: the HTML file; default: `report.html` in the first run folder. What `evaluate` returned is kept beside it,
            in a folder of its name, as run folders that `meow report` and `meow compare` read.
        redact: no question, no answer and no subject, only ids.

    Returns:
        The HTML file.

    Raises:
        ConfigError: nothing given, no `out`, or two evaluations of one label.
        DataError: a folder that is no run folder.
    """
    what = _each("report", what)
    folders = [Path(one) for one in what if not isinstance(one, Evaluated)]
    found = [one for one in what if isinstance(one, Evaluated)]
    if out is None and not folders:
        raise ConfigError("report: give out, the page to write, as in report(before, after, out='report.html')")
    page = Path(out) if out is not None else folders[0] / "report.html"
    kept = [place.parents[1] for place in _kept(found, page.with_suffix("")).values()]
    return write([*folders, *dict.fromkeys(kept)], page, redact=redact)


def compare(
    *what: str | Path | Evaluated,
    reference: str | Path | Evaluated | None = None,
    second: str | Path | Evaluated | None = None,
) -> Comparison:
    """Evaluations side by side, whoever wrote them.

    Args:
        what: run folders, files of TOFU or OpenUnlearning, or what `evaluate` returned, called by its label.
        reference: an evaluation of a model that never saw the forget set; default: each run folder's own.
        second: an evaluation of another such model.

    Raises:
        ConfigError: two evaluations of one label.
        DataError: no evaluation, or one on other questions than the reference's.
    """
    what = _each("compare", what)
    labels = [one.log.label if isinstance(one, Evaluated) else "" for one in what]
    with TemporaryDirectory() as place:
        kept = _kept([one for one in what if isinstance(one, Evaluated)], Path(place))
        paths = [kept[one.log.label] if isinstance(one, Evaluated) else Path(one) for one in what]
        theirs = [_alone(other, Path(place) / str(i)) for i, other in enumerate((reference, second))]
        rows = side_by_side(paths, *theirs)
    for line in remarks(rows):
        say(f"warning: {line}")
    return Comparison([row._replace(name=label or row.name) for row, label in zip(rows, labels, strict=True)])


def push(run: str | Path, repo: str, *, private: bool = True) -> str:
    """Upload a run's model with its card to the Hugging Face hub; no question and no answer is sent.

    Args:
        run: a run folder with a finished model.
        repo: hub id, as in `user/name`; it is made where it is not there.
        private: that nobody else may see it; a public repository of that name is then refused.

    Returns:
        The address of the commit.

    Raises:
        ConfigError: no run folder, a malformed id, no token or one that is refused, or a public repository.
        DataError: no finished model, or files beside it that belong to none.
        RunError: the hub cannot be reached, or refuses.
    """
    if not isinstance(run, str | Path):
        raise ConfigError(
            f"push: found {type(run).__name__}, expected a run folder, whose numbers make the card; a model alone goes "
            "by lm.model.push_to_hub and lm.tokenizer.push_to_hub"
        )
    return hub.push(Path(run), repo, private=private)


def _each(name: str, what: Sequence[Any]) -> tuple[str | Path | Evaluated, ...]:
    """What was given, one by one or as one list.

    Raises:
        ConfigError: something that is neither a place nor an evaluation.
    """
    alone = what[0] if len(what) == 1 else None
    listed = alone if isinstance(alone, list | tuple) and not isinstance(alone, Evaluated) else what
    for i, one in enumerate(listed):
        if not isinstance(one, str | Path | Evaluated):
            kind = type(one).__name__
            raise ConfigError(f"{name}: item {i}: found {kind}, expected a run folder or what evaluate returned")
    return tuple(listed)


def _kept(found: Sequence[Evaluated], folder: Path) -> dict[str, Path]:
    """Write evaluations as run folders, one for each that is not BESIDE, with those; `eval/<label>` of each by label.

    Raises:
        ConfigError: two of one label.
    """
    by_label: dict[str, Evaluated] = {}
    for one in found:
        if one.log.label in by_label:
            raise ConfigError(f"two evaluations are called {one.log.label}; name them: evaluate(..., label='npo')")
        by_label[one.log.label] = one
    beside = {label: one for label, one in by_label.items() if label in BESIDE}
    places: dict[str, Path] = {}
    for label in [label for label in by_label if label not in BESIDE] or [*beside][:1]:
        run = folder / NOT_IN_NAMES.sub("_", label)
        write_text(run / "config.yaml", "{}\n")
        for slot, one in (beside if label in beside else beside | {"after": by_label[label]}).items():
            log = one.log.model_copy(update={"label": slot})
            write_json(run / f"eval/{slot}/log.json", log.model_dump(mode="json"))
            write_records(run / f"eval/{slot}/samples.jsonl", one.samples)
            places.setdefault(label if slot == "after" else slot, run / f"eval/{slot}")
    return places


def _alone(other: str | Path | Evaluated | None, folder: Path) -> Path | None:
    """Where an evaluation lies."""
    if other is None or not isinstance(other, Evaluated):
        return None if other is None else Path(other)
    return next(iter(_kept([other], folder).values()))
