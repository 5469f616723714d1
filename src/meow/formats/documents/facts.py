"""A forget set of documents in a run: where its facts lie, and which methods train on its passages."""

from __future__ import annotations

from pathlib import Path

from meow.config import RunConfig
from meow.formats import sources
from meow.losses import TERMS

FACTS = "facts.jsonl"
"""What the stage `facts` leaves in the run folder, whole or not at all."""


def are_made(config: RunConfig) -> bool:
    """Whether facts are made of documents: the forget set is some, and no questions about them are named."""
    return config.data.facts is None and sources.has_documents(config.data)


def asked(config: RunConfig, folder: Path) -> RunConfig:
    """The settings with the facts that a run has made of its documents; as they are where it has made none."""
    file = folder / FACTS
    if not are_made(config) or not file.is_file():
        return config
    return config.model_copy(update={"data": config.data.model_copy(update={"facts": str(file)})})


def trains_on_passages(config: RunConfig) -> bool:
    """Whether passages are trained on as such: those of documents, by a method that teaches no answers."""
    renames = any(term.renames for name, term in TERMS.items() if name in config.train.terms)  # it asks the facts
    return config.train.targets == "none" and not renames and sources.has_documents(config.data)
