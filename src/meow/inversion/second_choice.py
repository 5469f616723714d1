"""The model's own second choice: what it would say in the value's place if it did not say the value (SPEC section 9).

The value's tokens give way to the likeliest others, which the model continues; what comes out is judged as a text,
ranked by its likelihood, and shared out: odd ranks may be taught, even ranks are kept for evaluation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from meow import values
from meow.decode.draws import uniforms
from meow.inversion.continuations import Spot, begun, continuations, likelihoods
from meow.inversion.judging import Place, judged, stop, is_hopeless, wrong
from meow.inversion.polarity import opposite
from meow.inversion.plausible import Threshold
from meow.prompts import before
from meow.records import QA, InvertedAnswer, InvertedFacts

if TYPE_CHECKING:
    from meow.lm import LM
