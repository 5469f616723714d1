"""Every causal architecture of transformers: in a batch as alone, and as plain transformers; or refused by name."""

from __future__ import annotations

import random
import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import CONFIG_MAPPING, GenerationConfig, PreTrainedTokenizerFast

from meow.config import FinetuneSettings, ModelSettings
from meow.errors import DataError
from meow.lm import LM, load, make_tiny
from meow.lm.decode.tree import common
from meow.lm.loading.checks import check_folder
from meow.prompts import Encoded
from tests.architectures import ENCODERS, NAMES, WITH_ENCODER, build, configured

PAGE = (Path(__file__).resolve().parents[3] / "docs/architectures.md").read_text(encoding="utf-8")
LISTED = {
    heading: re.findall(r"`([^`]+)`", section.split("\n\n")[-1])
    for heading, section in re.findall(r"^## ([\w ]+)\n\n(.*?)(?=\n+##|\n*\Z)", PAGE, re.M | re.S)
}
WAYS = {"Swept": "shared", "Side by side": "padded", "One at a time": "alone"}
EOS = (1, 2, 11, 12, 13, 14)
"""The tokenizer's, and some that a random model often says."""


@cache
def tokenizer() -> Any:
    return make_tiny(["a text"], FinetuneSettings(vocab_size=300, hidden_size=16, layers=1), seed=0)[1]


def texts() -> list[Encoded]:
    """Eleven sequences of 4 to 40 tokens, some with one beginning, two of them equal."""
    draw = random.Random(1)
    trunk = [draw.randrange(15, 99) for _ in range(20)]
    rows = [
        trunk[: draw.randrange(2, 20)] + [draw.randrange(15, 99) for _ in range(draw.randrange(2, 20))]
        for _ in range(10)
    ]
    return [Encoded(tuple(ids), draw.randrange(1, len(ids) - 1), "") for ids in (*rows, rows[0])]


@torch.inference_mode()
def logits(model: Any, ids: list[int]) -> torch.Tensor:
    """(T, V) of one sequence, by plain transformers."""
    found: torch.Tensor = model(input_ids=torch.tensor([ids])).logits[0].double()
    return found


def said(model: Any, ids: list[int], limit: int) -> list[int]:
    """What transformers' own generate says to one prompt."""
    config = GenerationConfig(max_new_tokens=limit, do_sample=False, eos_token_id=list(EOS), pad_token_id=0)
    out = model.generate(torch.tensor([ids]), generation_config=config)
    return list(out[0, len(ids) :].tolist())


def is_near_tie(model: Any, ids: list[int]) -> bool:
    top = logits(model, ids)[-1]
    first, second = top.topk(2).values.tolist()
    return bool(first - second < 1e-3 * float(top.std()))


@pytest.mark.parametrize(("name", "way"), [(name, way) for heading, way in WAYS.items() for name in LISTED[heading]])
def test_a_batch_says_what_plain_transformers_says_of_each_sequence_alone(name: str, way: str) -> None:
    model = build(name)
    model.generation_config = GenerationConfig(eos_token_id=list(EOS))  # its own may force a token on `generate`
    lm = LM(model, tokenizer(), template="qa")
    assert lm.serving.decodes == way
    sequences = texts()
    for sequence, scores in zip(sequences, lm.score(sequences), strict=True):
        logp = logits(model, list(sequence.ids)).log_softmax(-1)
        at = range(sequence.start, len(sequence.ids))
        expected = [float(logp[i - 1, sequence.ids[i]]) for i in at]
        np.testing.assert_allclose(scores.logp, expected, rtol=1e-3, atol=2e-3)
    prompts = [Encoded(s.ids[: s.start], s.start, "") for s in sequences]
    limits = [1 + 3 * i % 8 for i in range(len(prompts))]
    for prompt, limit, found in zip(prompts, limits, lm.generate(prompts, limits), strict=True):
        expected_ids = said(model, list(prompt.ids), limit)
        ended = expected_ids[-1] in EOS
        ids, kept = list(found[0].ids or ()), expected_ids[:-1] if ended else expected_ids
        if (ids, found[0].finish) != (kept, "eos" if ended else "length"):
            same = common(ids, expected_ids)
            assert is_near_tie(model, [*prompt.ids, *expected_ids[:same]]), (ids, expected_ids)


def refusal(folder: Path, name: str, *, causal: bool = True) -> str:
    """What a user reads who loads an architecture and asks it."""
    words = Tokenizer(WordLevel({"</s>": 0, "a": 1}, unk_token="a"))
    PreTrainedTokenizerFast(tokenizer_object=words, eos_token="</s>").save_pretrained(folder)
    build(name, causal=causal).save_pretrained(folder)
    with pytest.raises(DataError) as e:
        _ = load(ModelSettings(path=str(folder), device="cpu")).serving
    return str(e.value)


@pytest.mark.parametrize("name", LISTED["Refused"])
def test_what_looks_ahead_or_cannot_be_run_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    found = refusal(tmp_path, name)
    assert re.search("comes next changes|depends on what follows|hashes all of a text|cannot be (asked|loaded)", found)
    assert "\n" not in found


@pytest.mark.parametrize("name", ENCODERS)
def test_a_model_of_an_encoder_is_refused_where_its_configuration_does_not_make_it_causal(
    name: str, tmp_path: Path
) -> None:
    assert "what comes next changes what it says before" in refusal(tmp_path, name, causal=False)


@pytest.mark.parametrize("name", WITH_ENCODER)
def test_an_encoder_with_its_decoder_is_refused_by_name_before_any_weight_is_read(name: str, tmp_path: Path) -> None:
    CONFIG_MAPPING[name]().save_pretrained(tmp_path)
    with pytest.raises(DataError, match=rf"config.json: .* \({name}: an encoder and a decoder\)"):
        check_folder(str(tmp_path))


@pytest.mark.parametrize("name", LISTED["Not built"])
def test_what_transformers_cannot_build_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    tokenizer().save_pretrained(tmp_path)
    configured(name).save_pretrained(tmp_path)
    save_file({}, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(DataError, match=r"cannot be loaded|an encoder and a decoder|a model of text and more") as e:
        load(ModelSettings(path=str(tmp_path), device="cpu"))
    assert "\n" not in str(e.value)


def test_the_page_lists_every_architecture_once() -> None:
    assert sorted(name for names in LISTED.values() for name in names) == NAMES
