"""WMDP: corpora about weapons, forgotten as documents; what is left is counted by multiple choice (`meow nlu`)."""

from __future__ import annotations

from pathlib import Path

from meow.config import DataSettings
from meow.errors import DataError
from meow.formats.columns import Rows
from meow.formats.layouts.parts import Layout, Part, documents, files_in, files_of, is_there, split_of

HUB = "cais/wmdp-corpora"
SPLITS = ("bio", "cyber")
SHARDS = {"bio-retain-corpus": 4}
"""Parts of a corpus on the hub, where it is more than one."""


def _stems(corpus: str) -> tuple[str, ...]:
    return (corpus, f"{corpus}/train")


def _files(settings: DataSettings, corpus: str) -> list[Path]:
    """The files of a corpus.

    Raises:
        DataError: it is not there, or given on request only.
    """
    source, n = settings.source or HUB, SHARDS.get(corpus, 1)
    if corpus == "bio-forget-corpus" and not is_there(source):
        raise DataError(
            f"{source}: bio-forget-corpus is given on request (see its card on the hub); put it as "
            "bio-forget-corpus.jsonl beside bio-retain-corpus.jsonl, and name that folder with data.source"
        )
    return files_of(source, _stems(corpus), hub=[f"{corpus}/train-{i:05}-of-{n:05}.parquet" for i in range(n)])


def _part(settings: DataSettings, part: Part) -> Rows | None:
    split, side = split_of(settings, SPLITS, of="WMDP"), part.removeprefix("asked/")
    if side not in ("forget", "retain") or (side == "retain" and settings.retain):
        return None
    return documents(_files(settings, f"{split}-{side}-corpus"), first=part.startswith("asked/"))


def _is_wmdp(folder: Path) -> bool:
    corpora = (f"{split}-{side}-corpus" for split in SPLITS for side in ("forget", "retain"))
    return any(files_in(folder, stem) for corpus in corpora for stem in _stems(corpus))


WMDP = Layout(
    title="WMDP",
    what="bio-forget-corpus, cyber-forget-corpus and their retain corpora, with text",
    holds=_is_wmdp,
    part=_part,
    source="WMDP, arXiv 2403.03218",
    hub=(HUB,),
    splits=SPLITS,
    tasks=("wmdp_bio", "wmdp_cyber", "wmdp_chem", "mmlu"),
    forgets_documents=True,
)
