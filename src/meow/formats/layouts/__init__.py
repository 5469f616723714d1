"""Benchmarks as they are published: where each part of their data lies, what they ask, how they count it.

In: settings. Out: rows of our columns, probes, and scores of what was made of them. A layout is one row of LAYOUTS.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from meow.config import DataSettings
from meow.errors import ConfigError, DataError, MeowError, nearest
from meow.formats.columns import Rows
from meow.formats.layouts.lume import LUME
from meow.formats.layouts.muse import MUSE
from meow.formats.layouts.own import OWN, TOFU, TOFU_LAYOUT, told_by_a_model
from meow.formats.layouts.parts import Beside as Beside
from meow.formats.layouts.parts import Layout, Part
from meow.formats.layouts.rwku import RWKU
from meow.formats.layouts.wmdp import WMDP
from meow.records import Probe, Probed, Value

LAYOUTS: dict[str, Layout] = {
    "own": OWN,
    "tofu": TOFU_LAYOUT,
    "lume": LUME,
    "muse": MUSE,
    "rwku": RWKU,
    "wmdp": WMDP,
}
"""Every layout by its name; where a folder is to be found out, in this order."""


def name_of(settings: DataSettings) -> str:
    """The layout of a run's data: your own files where `data.forget` is set, else `data.layout`, else by what is there.

    Raises:
        ConfigError: no such layout, or one that does not go with `data.forget`.
        DataError: a folder that is of none, or a file.
    """
    if settings.layout not in (None, *LAYOUTS):
        raise ConfigError(f"data.layout: found {settings.layout!r}{nearest(str(settings.layout), LAYOUTS)}")
    if settings.forget and settings.layout not in (None, "own"):
        raise ConfigError(
            f"data.layout: found {settings.layout!r}, but data.forget names a file of your own ({settings.forget}); "
            "leave one of the two out"
        )
    if settings.forget:
        return "own"
    if settings.layout == "own":
        raise ConfigError(
            "data.forget: not set, but data.layout is own; name a file of questions and answers, or texts"
        )
    if settings.source is not None and Path(settings.source).is_file():
        raise DataError(
            f"{settings.source}: data.source: is a file; name a benchmark's folder, or set data.forget to it"
        )
    if settings.layout is not None:
        return settings.layout
    if settings.source is None or not Path(settings.source).is_dir():
        return next((name for name, layout in LAYOUTS.items() if settings.source in layout.hub), "tofu")
    folder = Path(settings.source)
    found = of_folder(folder)
    if found is None and settings.split not in TOFU_LAYOUT.splits:
        known = "; ".join(f"{name}: {row.what}" for name, row in LAYOUTS.items() if name != "own")
        raise DataError(f"{folder}: data of no known layout; expected one of: {known}; or name it with data.layout")
    return found or "tofu"


def of_folder(folder: Path) -> str | None:
    """The layout that a folder is of, by what is in it; None: of none that is known."""
    return next((name for name, layout in LAYOUTS.items() if layout.holds(folder)), None)


def part(settings: DataSettings, wanted: Part) -> Path | Rows | None:
    """Where a part of the data lies; None: there is no such part.

    Raises:
        ConfigError: nothing is named, or a split that the layout does not have.
        DataError: no such file.
    """
    return LAYOUTS[name_of(settings)].part(settings, wanted)


def forgets_documents(settings: DataSettings) -> bool:
    """Whether the forget set of a benchmark is documents."""
    return LAYOUTS[name_of(settings)].forgets_documents


def described(settings: DataSettings) -> str:
    """The data in words: a file of the user's, else source and split."""
    source = settings.source or TOFU
    return settings.forget or (f"{source}, {settings.split}" if settings.split else source)


def shown_split(settings: DataSettings) -> str | None:
    """The split as a model card may say it; None where there is none, or it tells who was to be forgotten."""
    return settings.split if not settings.forget and _is_public(settings.split) else None


def _is_public(split: str | None) -> bool:
    return any(split in layout.splits for layout in LAYOUTS.values())


NOT_NAMED = "not named"
"""Stands for what is called after whom it is about."""


def unnamed(data: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of `data` where no fact may be told: without a split that is a person, the folder of one, and files
    that `--about` made of a name."""
    texts = {name: value for name, value in data.items() if isinstance(value, str)}  # a run folder may be anybody's
    source, split = texts.get("source"), texts.get("split")
    layout = texts.get("layout") or (of_folder(Path(source)) if source else None)
    told = {name for name in ("forget", "retain") if told_by_a_model(texts.get(name))}
    told |= {"split"} if split and not _is_public(split) else set()
    told |= {"source"} if source and not split and layout in LAYOUTS and LAYOUTS[layout].people else set()
    return {name: NOT_NAMED if name in told else value for name, value in data.items()}


def probes(settings: DataSettings, *, limit: int | None = None) -> list[Probe]:
    """What the benchmark asks in its own words; none where it asks nothing.

    Args:
        settings: where the data lies.
        limit: first probes of each group; None: all.
    """
    make = LAYOUTS[name_of(settings)].probes
    counts: Counter[str] = Counter()
    found = []
    for probe in make(settings) if make else ():
        counts[probe.group] += 1
        if limit is None or counts[probe.group] <= limit:
            found.append(probe)
    return found


def scores(probed: Sequence[Probed], beside: Beside) -> dict[str, Value]:
    """The benchmark's own numbers of what a model made of its probes; none where nothing was asked."""
    score = LAYOUTS[probed[0].layout].score if probed else None
    return score(probed, beside) if score else {}


def tasks(settings: DataSettings) -> tuple[str, ...]:
    """Tasks that `meow nlu` asks where the user names none; () where the layout has none, or nothing is in order."""
    if settings.source is None and settings.layout is None:
        return ()
    try:
        return LAYOUTS[name_of(settings)].tasks
    except MeowError:  # said by whoever reads the data
        return ()
