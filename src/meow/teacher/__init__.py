"""What the original says about people of other names, as what is to be said of those who are to be forgotten.

In: the original, facts, other names. Out: for each fact what comes next at tokens of its true answer, kept in a folder.

Source: WPU, arXiv 2407.16997 (EMNLP 2024), and its code. Differs: tokens stand for one another by their characters, not
by the longest common runs; the first time that an answer names somebody counts as every other time; titles of works are
not replaced; probability goes to the true name where that comes next, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from meow import keys
from meow.errors import DataError
from meow.evaluation import names as other
from meow.lm import LM, widened
from meow.losses import Taught
from meow.processes import agreed, rank
from meow.prompts import Encoded
from meow.records import EvalItem, Fact
from meow.subjects import with_subjects
from meow.teacher.aligning import Aligned, aligned, spans
from meow.training.checkpoints import saved

LIKELIEST = 64
"""Tokens whose probabilities are kept; of all others, the sum."""
GROUP = 32
"""Facts that are asked about at once, at most, and kept in one file."""
ROOM = 2**20
"""Facts that are asked about at once, times the vocabulary, at most."""


def check(facts: Sequence[Fact], names: Sequence[str]) -> None:
    """Refuse facts of which none can be asked about anybody else.

    Raises:
        DataError: no question names somebody.
    """
    if not any(_renamed(fact, names[0]) for fact in with_subjects(facts)):
        raise DataError(
            f"target_names: none of {len(facts)} questions names its subject, so nobody else can be asked about; name "
            "it in the question (or in the column subject), or take another method"
        )


def teach(
    lm: LM,
    facts: Sequence[Fact],
    names: Sequence[str],
    folder: Path | None = None,
    *,
    beside: Sequence[Path] = (),
    advance: Callable[[int], None] = lambda _: None,
) -> list[Taught]:
    """What the original says under other names: of each fact, in order.

    Args:
        lm: the original.
        facts: questions and true answers; each with its subject, or found.
        names: of other people.
        folder: of this alone: what was made of the same is read there, all else removed. None: nothing is kept.
        beside: such folders of other runs, in which what was made of the same is read as well.
        advance: called with how many facts are done since it was last called.

    Returns:
        Of a fact whose question names nobody, that of no token.
    """
    rows, found, kept = with_subjects(facts), list[Taught](), set[str]()
    size = max(1, min(GROUP, ROOM // lm.model.get_input_embeddings().num_embeddings))
    for at in range(0, len(rows), size):
        group = rows[at : at + size]
        file = f"{keys.digest([keys.of_model(lm), list(names), LIKELIEST, group])}.safetensors"
        kept.add(file)
        found += _of_group(lm, group, names, [place / file for place in (folder, *beside) if place])
        advance(len(group))
    for old in folder.glob("*.safetensors*") if folder and rank() == 0 else ():
        if old.name not in kept:
            old.unlink()
    return found


def _of_group(lm: LM, group: Sequence[Fact], names: Sequence[str], files: Sequence[Path]) -> list[Taught]:
    """Read what is there, or ask and keep it in the first file."""
    for file in agreed(lambda: [*filter(Path.is_file, files)]):
        with suppress(SafetensorError, FileNotFoundError):  # broken, or just removed: it is asked anew
            return _apart(load_file(file))
    made = list(_asked(lm, group, names))
    if files and rank() == 0:
        aside = files[0].with_suffix(".safetensors.part")
        with saved(aside):
            aside.parent.mkdir(parents=True, exist_ok=True)
            save_file(_together(made), aside)
            aside.replace(files[0])
    return made


def _together(made: Sequence[Taught]) -> dict[str, Tensor]:
    """All of a group, and how many tokens each fact has."""
    joined = {name: torch.cat([getattr(one, name) for one in made]) for name in Taught._fields}
    return joined | {"tokens": torch.tensor([len(one.at) for one in made])}


def _apart(tensors: dict[str, Tensor]) -> list[Taught]:
    """What `_together` has put together."""
    cut = [torch.split(tensors[name], tensors["tokens"].tolist()) for name in Taught._fields]
    return [Taught(*one) for one in zip(*cut, strict=True)]


class _Asked(NamedTuple):
    """A fact about somebody else."""

    fact: int
    encoded: Encoded
    aligned: Aligned


@torch.no_grad()
def _asked(lm: LM, group: Sequence[Fact], names: Sequence[str]) -> Iterator[Taught]:
    """The mean of what the model says under all names, fact by fact; one pass over all of a group."""
    asked = [one for i, fact in enumerate(group) for one in _under(lm, i, fact, names)]
    places: list[list[int]] = []
    for i in range(len(group)):
        of_fact = [{*one.aligned.there} for one in asked if one.fact == i]
        places.append(sorted(set.intersection(*of_fact)) if of_fact else [])
    width = lm.model.get_input_embeddings().num_embeddings
    sums = [torch.zeros(len(at), width, device=lm.device) for at in places]
    for chosen, logits, rows in lm.passes([one.encoded for one in asked]):
        for i, of_row in zip(chosen, rows, strict=True):
            fact, _, (there, begins) = asked[i]
            p = widened(logits[[of_row[there[token]] for token in places[fact]]]).softmax(-1)
            for n, token in enumerate(places[fact]):
                theirs, mine = begins.get(token, (0, 0))
                if theirs != mine:
                    p[n, mine] += p[n, theirs]
                    p[n, theirs] = 0
            sums[fact] += p
    for i, at in enumerate(places):
        mean = sums[i] / max(sum(one.fact == i for one in asked), 1)
        top = mean.topk(min(LIKELIEST, width - 1))
        rest = mean.scatter(-1, top.indices, 0.0).sum(-1)
        yield Taught(torch.tensor(at, dtype=torch.long), *(t.cpu() for t in (top.indices, top.values, rest)))


def _under(lm: LM, i: int, fact: Fact, names: Sequence[str]) -> Iterator[_Asked]:
    """A fact about everybody else whose question leaves room for an answer."""
    true = spans(lm.tokenizer, lm.prompter.encode(fact), fact.answer)
    for name in names:
        found = _renamed(fact, name)
        if found is not None and lm.prompter.fitting(found):
            encoded = lm.prompter.encode(found)
            theirs = spans(lm.tokenizer, encoded, found.answer)
            yield _Asked(i, encoded, aligned(true, theirs, other.swaps(fact.answer, fact.subject or "", name)))


def _renamed(fact: Fact, name: str) -> EvalItem | None:
    """The fact about somebody else."""
    return other.renamed(EvalItem(**fact.model_dump(include=set(Fact.model_fields)), role="forget"), name)
