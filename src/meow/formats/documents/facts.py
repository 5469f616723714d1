"""A forget set of documents in a run: where its facts lie, and which methods train on its passages."""

from __future__ import annotations

from pathlib import Path

from meow.config import RunConfig
from meow.formats import sources
from meow.losses import TERMS

FACTS = "facts.jsonl"
"""What the stage `facts` leaves in the run folder, whole or not at all."""


def are_made(config: RunConfig) -> bool:
    """Whether facts are made of documents: they are your own, or, of a benchmark, which asks its own questions, a
    method teaches other answers; and no questions about them are named."""
    if config.data.facts is not None or not sources.has_documents(config.data):
        return False
    return config.data.forget is not None or _reads_facts(config)


def asked(config: RunConfig, folder: Path) -> RunConfig:
    """The settings with the facts that a run has made of its documents; as they are where it has made none."""
    file = folder / FACTS
    if not are_made(config) or not file.is_file():
        return config
    return config.model_copy(update={"data": config.data.model_copy(update={"facts": str(file)})})


def trains_on_passages(config: RunConfig) -> bool:
    """Whether passages are trained on as such: those of documents, by a method that teaches no answers."""
    return config.train.targets == "none" and not _reads_facts(config) and sources.has_documents(config.data)


def _reads_facts(config: RunConfig) -> bool:
    """Whether a method teaches other answers, or asks under other names."""
    renames = any(term.renames for name, term in TERMS.items() if name in config.train.terms)
    return renames or config.train.targets not in (None, "none")
