"""How much less likely to a model than its own values a false one may be, and which are too unlikely."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from meow import inversion, lm
from meow.config import InvertSettings, ModelSettings
from meow.lm import LM
from meow.pipeline.stages.models import lm_for
from meow.records import QA, InvertedFacts
from meow.terminal import say


def settled(
    model: LM, facts: Sequence[QA], settings: InvertSettings, entry: dict[str, Any], *, seed: int
) -> InvertSettings:
    """The settings with the margin that `auto` stands for; it is said, and goes into the manifest's entry."""
    if settings.plausible != "auto":
        return settings
    found = inversion.threshold(model, facts, seed=seed)
    source = f"from {found.values} of its own second choices"
    if found.is_fallback:
        source = "a fallback: too few of its own second choices to compare with"
    say(f"invert: values below {found.margin:.2f} nats per token are implausible ({source})")
    entry["plausible"] = found._asdict()
    return settings.model_copy(update={"plausible": found.margin})


def unlikely(rows: Sequence[InvertedFacts], original: ModelSettings) -> set[tuple[str, int]]:
    """The false answers, by id and position, that a model finds implausible."""
    lm.check_model(original)
    model, facts = lm_for(original), [QA(**row.model_dump(include=set(QA.model_fields))) for row in rows]
    settings = settled(model, facts, InvertSettings(), {}, seed=0)
    return inversion.judging(model, facts, settings, seed=0)(rows)
