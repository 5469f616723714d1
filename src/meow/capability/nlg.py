"""NLG: how the model continues plain text (SPEC section 6): MAUVE, BLEU, Rep-3, perplexity.

The prompt is a text's first PROMPT tokens; the model continues greedily to the text's own length. All metrics read the
same continuations, which are kept.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from meow import statistics
from meow.config import NlgSettings
from meow.downloads import check_hub
from meow.errors import ConfigError, DataError, shown
from meow.files import read_text, rows
from meow.keys import digest, of_model
from meow.prompts import Encoded
from meow.records import NlgSample, Value
from meow.statistics import Floats
from meow.terminal import silent
from meow.text import repetition

if TYPE_CHECKING:
    from meow.lm import LM
SHORTEST, LONGEST = 100, 200
"""Characters of a text, ends included; the longest holds for those of the hub alone, as published."""
PROMPT, REST = 32, 8
"""Tokens of the prompt, and tokens that must be left after it."""
WINDOW = 128
"""Tokens of a text that are read, in those of the model at hand; what follows is left out."""
FEW = 200
"""Texts below which MAUVE is unstable."""
SCALING = 2
"""MAUVE's scaling factor, as published."""
GROUP = 256
"""Texts continued at once."""
HUB = {
    "wikitext": ("Salesforce/wikitext", "wikitext-103-raw-v1", "test"),
    "ccnews": ("vblagoje/cc_news", None, "train"),
}
"""Repository, configuration and split of each source on the hub."""


def read_texts(settings: NlgSettings, *, seed: int) -> list[str]:
    """Texts of SHORTEST characters and more, of the hub's to LONGEST, each once, `settings.n` of them by the seed.

    Raises:
        ConfigError: no such source, or the hub cannot be reached.
        DataError: a bad row, or no text of that length.
    """
    longest = LONGEST if settings.texts in HUB and not Path(settings.texts).exists() else math.inf
    found = dict.fromkeys(text for text in map(str.strip, _all(settings.texts)) if SHORTEST <= len(text) <= longest)
    if not found:
        raise DataError(
            f"{settings.texts}: holds no text of {SHORTEST} characters and more; give a file with one text a line"
        )
    texts = list(found)
    return texts if len(texts) <= settings.n else random.Random(f"nlg:{seed}").sample(texts, settings.n)


def _all(source: str) -> Iterator[str]:
    path = Path(source)
    if source in HUB and not path.exists():
        repo, config, split = HUB[source]
        check_hub(repo, "README.md", repo_type="dataset", otherwise="set nlg.texts to a file of texts")
        import datasets

        for row in datasets.load_dataset(repo, config, split=split, streaming=True):
            yield from str(row["text"]).split("\n")
    elif not path.is_file():
        raise ConfigError(f"nlg.texts: found {source!r}, expected {', '.join(HUB)}, or a file of texts; no such file")
    elif path.suffix in (".json", ".jsonl", ".csv"):
        for row in rows(path):
            text = row.values.get("text", row.values.get("answer"))
            if not isinstance(text, str):
                raise DataError(f"{row.where}: no field 'text' or 'answer', found {shown(list(row.values))}")
            yield text
    else:
        yield from read_text(path).split("\n")


def row_keys(lm: LM, texts: Sequence[str]) -> list[str]:
    """The key of each text's row: of the model and the text."""
    return [digest([of_model(lm), PROMPT, text]) for text in texts]


def windows(lm: LM, texts: Sequence[str]) -> list[str]:
    """Texts with REST tokens and more after the prompt, each once; of a long one what WINDOW and the context hold."""
    limit = min(WINDOW, lm.prompter.max_length)
    found = []
    for text in texts:
        length = len(lm.prompter.raw(text).ids)
        if length > limit:
            text = text[: lm.tokenizer(text, return_offsets_mapping=True)["offset_mapping"][limit][0]]
        if length >= PROMPT + REST:
            found.append(text)
    return list(dict.fromkeys(found))


def continue_texts(lm: LM, texts: Sequence[str], *, known: Collection[str] = ()) -> Iterator[NlgSample]:
    """Continue each text from its prompt, and score the true continuation.

    Args:
        lm: the model.
        texts: of `windows`.
        known: keys of `row_keys` that are passed over.

    Raises:
        DataError: a text that does not fit the context.
    """
    left = [(text, key) for text, key in zip(texts, row_keys(lm, texts), strict=True) if key not in known]
    for at in range(0, len(left), GROUP):
        group = left[at : at + GROUP]
        encoded = [_split(lm, text) for text, _ in group]
        prompts = [replace(e, ids=e.ids[: e.start]) for e, _ in encoded]
        answers = lm.generate(prompts, [len(e.ids) - e.start for e, _ in encoded])
        scores = lm.score([e for e, _ in encoded])
        for (text, key), (e, begun), answer, scored in zip(group, encoded, answers, scores, strict=True):
            yield NlgSample(
                key=key,
                prompt=text[:begun],
                continuation=text[begun:],
                generation=answer[0].text,
                nll=-float(scored.logp.sum()),
                n_tokens=len(e.ids) - e.start,
            )


def _split(lm: LM, text: str) -> tuple[Encoded, int]:
    """The text as tokens, of which those after the prompt are scored, and where the prompt ends in it."""
    whole = lm.prompter.raw(text)
    if len(whole.ids) > lm.prompter.max_length:
        raise DataError(
            f"nlg: a text of {len(whole.ids)} tokens, the context holds {lm.prompter.max_length}; give shorter texts"
        )
    offsets = lm.tokenizer(text, return_offsets_mapping=True)["offset_mapping"]
    return replace(whole, start=PROMPT), offsets[PROMPT][0]


def sides(samples: Sequence[NlgSample], scope: str) -> tuple[list[str], list[str]]:
    """What the model says and what the texts say; `full`: with the prompt before both."""
    if scope == "full":
        said = [s.prompt + s.generation for s in samples]
        return said, [s.prompt + s.continuation for s in samples]
    return [s.generation for s in samples], [s.continuation for s in samples]


def bleu(samples: Sequence[NlgSample], settings: NlgSettings, featurizer: LM | None = None) -> Value:
    """Corpus BLEU, 0 to 100 (sacrebleu)."""
    from sacrebleu.metrics import BLEU

    said, true = sides(samples, settings.scope)
    return Value(value=float(BLEU().corpus_score(said, [true]).score), n=len(samples), unit="0 to 100")


def rep3(samples: Sequence[NlgSample], settings: NlgSettings, featurizer: LM | None = None) -> Value:
    """Mean over what the model says of 1 - distinct / total word trigrams; lower: less repeated."""
    said = sides(samples, settings.scope)[0]
    return statistics.mean([repetition(text) for text in said], missing="fewer than three words")


def perplexity(samples: Sequence[NlgSample], settings: NlgSettings, featurizer: LM | None = None) -> Value:
    """exp(total NLL / total tokens) of the true continuations, given their prompts; lower: better."""
    nll, tokens = (np.array([getattr(s, name) for s in samples], dtype=float) for name in ("nll", "n_tokens"))
    mean = nll.sum() / tokens.sum()
    if mean > 700:
        return Value(value=None, n=len(samples), reason=f"too large: its logarithm is {mean:.0f}")
    return Value(value=math.exp(mean), n=len(samples))


def mauve(samples: Sequence[NlgSample], settings: NlgSettings, featurizer: LM | None = None) -> Value:
    """MAUVE between what the model says and the texts, 0 to 1, higher: more alike (scaling factor SCALING, 256 tokens).

    The interval is the jackknife's (`jackknifed`). A bootstrap would not do: texts that are drawn twice make the two
    sets look less alike than they are.

    Source: Pillutla et al., arXiv 2102.01454; the package mauve-text.
    """
    if featurizer is None:
        return Value(value=None, n=len(samples), reason="no featurizer")
    import mauve as package

    said, true = sides(samples, settings.scope)
    p, q = features(featurizer, true), features(featurizer, said)
    with silent():  # faiss writes past Python that there are few points; FEW says so
        found = package.compute_mauve(p_features=p, q_features=q, mauve_scaling_factor=SCALING, seed=25, verbose=False)
    few = f"unstable below {FEW} texts" if len(samples) < FEW else None
    low, high = jackknifed(found.p_hist, found.q_hist, len(samples)) or (None, None)
    return Value(
        value=area(found.p_hist, found.q_hist),
        n=len(samples),
        low=low,
        high=high,
        method="jackknife over texts",
        reason=few,
    )


def jackknifed(p: Floats, q: Floats, n: int) -> tuple[float, float] | None:
    """The interval of MAUVE at 95%, from 0 to 1: each text is left out once, of either side, in the clusters that were
    found with all of them.

    The two sides are taken for independent. They share their prompts, so the interval is a little too wide.

    Args:
        p: (K,) the share of one side's texts in each cluster.
        q: (K,) the other's.
        n: texts of each side.

    Returns:
        None below two texts, and where nothing changes, whichever is left out.

    Source: Efron and Stein (1981), The jackknife estimate of variance.
    """
    from scipy.special import stdtrit

    if n < 2:
        return None
    variance = 0.0
    for mine, other in ((p, q), (q, p)):
        counts = np.rint(n * mine)
        # clusters that hold as many texts of each side are as one
        _, kinds, alike = np.unique(np.stack([counts, other]), axis=1, return_index=True, return_counts=True)
        texts = counts[kinds] * alike
        left = np.array([area((counts - (np.arange(len(p)) == k)) / (n - 1), other) for k in kinds[texts > 0]])
        texts = texts[texts > 0]
        variance += (n - 1) / n * float((texts * (left - np.average(left, weights=texts)) ** 2).sum())
    if variance < 1e-20:
        return None
    reach = float(stdtrit(n - 1, 0.975)) * math.sqrt(variance)
    middle = area(p, q)
    return max(middle - reach, 0.0), min(middle + reach, 1.0)


def area(p: Floats, q: Floats) -> float:
    """MAUVE of two histograms (K,), by the package: the area under their divergence curve. The same for (q, p).

    Of a histogram with itself it is 1; the package rounds, and may then take the points of the curve in another order.
    """
    if np.array_equal(p, q):
        return 1.0
    from mauve.compute_mauve import get_divergence_curve_for_multinomials
    from sklearn.metrics import auc

    x, y = get_divergence_curve_for_multinomials(p, q, np.linspace(1e-6, 1 - 1e-6, 25), SCALING).T
    along, up = np.argsort(x), np.argsort(y)
    return 0.5 * float(auc(x[along], y[along]) + auc(y[up], x[up]))


def features(lm: LM, texts: Sequence[str], *, limit: int = 256) -> Any:
    """(N, H) the last layer's output at the last token of each text, of at most `limit` tokens."""
    import torch

    found = []
    for text in texts:
        ids = lm.prompter.raw(text).ids[:limit] or (lm.prompter.eos,)
        with torch.inference_mode():
            out = lm.model(input_ids=torch.tensor([ids], device=lm.device), output_hidden_states=True, logits_to_keep=1)
        found.append(out.hidden_states[-1][0, -1].float().cpu().numpy())
    return np.stack(found)


METRICS: dict[str, Callable[[Sequence[NlgSample], NlgSettings, LM | None], Value]] = {
    "mauve": mauve,
    "bleu": bleu,
    "rep3": rep3,
    "ppl": perplexity,
}
"""By name; each of samples, settings, and the featurizer where there is one."""


def nlg_metrics(samples: Sequence[NlgSample], settings: NlgSettings, featurizer: LM | None) -> dict[str, Value]:
    """The metrics that were asked for.

    Raises:
        DataError: no text at all.
    """
    if not samples:
        raise DataError(
            f"nlg: no text has {PROMPT + REST} tokens and more ({PROMPT} for the prompt, {REST} to continue); give "
            "longer texts"
        )
    return {name: METRICS[name](samples, settings, featurizer) for name in settings.metrics}
