"""What a model says about other people, for tests that train."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch

from meow import teacher
from meow.lm import LM
from meow.losses import Taught
from meow.records import Target

NAMES = ("Odalin Ferreth", "Imke Vandroff")


def taught(lm: LM, targets: Sequence[Target]) -> list[Taught]:
    """Of `Who is Ann?`, whose subject is the last word; the teacher's weights are others, or there is nothing to learn
    from a model that knows nobody."""
    named = [t.model_copy(update={"subject": t.question.split()[-1][:-1]}) for t in targets]
    original, dice = LM(copy.deepcopy(lm.model), lm.tokenizer, template="qa"), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in original.model.parameters():
            weight += 0.1 * torch.randn(weight.shape, generator=dice)
    return teacher.teach(original, named, NAMES)
