"""What the weights of a model are put through: rounded, taken by a library, to GGUF and back, or pruned.

All of it changes the linear layers but the head, and nothing else: an embedding, a norm, or the experts that some
models keep in one tensor stay as they are.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch

from meow.config import ModelSettings
from meow.errors import ConfigError
from meow.labels import Format
from meow.lm import LM
from meow.lm.rounding import rounded
from meow.terminal import say


def round_weights(model: Any, bits: int) -> None:
    """Round the weights to integers of so many bits, in place.

    As `lm.rounding` has it. The numbers stay in the model's format, so this shows what rounding does to its answers,
    not how fast it is.

    Args:
        model: a transformers model.
        bits: 8 or 4.
    """
    for layer in layers(model).values():
        layer.weight.copy_(rounded(layer.weight, bits))


def prune(model: Any, share: float) -> None:
    """Set the weights of the smallest magnitude to zero, in place, that share of each layer.

    Source: Han et al., arXiv 1506.02626; layer by layer, without training afterwards.
    """
    for layer in layers(model).values():
        weight = layer.weight.view(-1)
        weight[weight.abs().topk(round(share * len(weight)), largest=False).indices] = 0


def through_gguf(model: Any, kind: str) -> None:
    """Put the weights into a GGUF format and back, in place, by the package's own quantisers.

    The numbers that come back are then rounded to the model's own format. A layer whose rows are no multiple of the
    format's block is kept in F16, as llama.cpp's converter keeps it.

    Args:
        model: a transformers model.
        kind: as gguf names it, `Q8_0`.
    """
    from gguf import GGMLQuantizationType as Kind
    from gguf import constants, quants

    block = constants.GGML_QUANT_SIZES[Kind[kind]][0]
    found = layers(model).values()
    odd = sum(layer.weight.shape[1] % block > 0 for layer in found)
    if odd:
        say(f"{kind}: {odd} of {len(found)} layers are kept in F16, since their rows are no multiple of {block}")
    for layer in found:
        wanted = Kind.F16 if layer.weight.shape[1] % block else Kind[kind]
        packed = quants.quantize(layer.weight.float().cpu().numpy(), wanted)
        layer.weight.copy_(torch.from_numpy(quants.dequantize(packed, wanted).copy()))


def by_torchao(model: Any, bits: int) -> None:
    """Make the layers torchao's, with integers of 8 or 4 bits for weights."""
    from torchao.quantization import Int8WeightOnlyConfig, IntxWeightOnlyConfig, quantize_

    how = Int8WeightOnlyConfig() if bits == 8 else IntxWeightOnlyConfig(torch.int4)  # type: ignore[attr-defined]
    found = layers(model)
    quantize_(model, how, filter_fn=lambda _, name: name in found)


def by_bitsandbytes(model: Any, kind: str) -> None:
    """Make the layers those of bitsandbytes, as transformers loads a model with them.

    Args:
        model: a transformers model.
        kind: `int8` or `nf4`.
    """
    import bitsandbytes as bnb

    for name, layer in layers(model).items():
        columns, rows, bias = layer.in_features, layer.out_features, layer.bias is not None
        if kind == "nf4":
            made = bnb.nn.Linear4bit(columns, rows, bias, compute_dtype=layer.weight.dtype, quant_type="nf4")
            made.weight = bnb.nn.Params4bit(layer.weight.data.cpu(), requires_grad=False, quant_type="nf4")
        else:
            made = bnb.nn.Linear8bitLt(columns, rows, bias, has_fp16_weights=False, threshold=6.0)
            made.weight = bnb.nn.Int8Params(layer.weight.data.cpu(), requires_grad=False, has_fp16_weights=False)
        made.bias = layer.bias
        model.set_submodule(name, made.to(layer.weight.device))  # packed on its way there


class Compression(NamedTuple):
    """One way to quantize or prune the weights."""

    change: Callable[[Any], None]
    """A transformers model, in place."""
    package: str | None = None
    """What must be installed for it."""


COMPRESSIONS: dict[Format, Compression] = {
    "int8": Compression(partial(round_weights, bits=8)),
    "int4": Compression(partial(round_weights, bits=4)),
    "torchao-int8": Compression(partial(by_torchao, bits=8), "torchao"),
    "torchao-int4": Compression(partial(by_torchao, bits=4), "torchao"),
    "bnb-int8": Compression(partial(by_bitsandbytes, kind="int8"), "bitsandbytes"),
    "bnb-nf4": Compression(partial(by_bitsandbytes, kind="nf4"), "bitsandbytes"),
    "q8_0": Compression(partial(through_gguf, kind="Q8_0"), "gguf"),
    "q5_1": Compression(partial(through_gguf, kind="Q5_1"), "gguf"),
    "q5_0": Compression(partial(through_gguf, kind="Q5_0"), "gguf"),
    "q4_1": Compression(partial(through_gguf, kind="Q4_1"), "gguf"),
    "q4_0": Compression(partial(through_gguf, kind="Q4_0"), "gguf"),
    "pruned-10": Compression(partial(prune, share=0.1)),
    "pruned-30": Compression(partial(prune, share=0.3)),
    "pruned-50": Compression(partial(prune, share=0.5)),
}
"""By the name of the format, which is the label (`labels.FORMATS` says it in words)."""


def check(formats: Sequence[Format], settings: ModelSettings) -> None:
    """Refuse formats that cannot be had here, all of them at once.

    Raises:
        ConfigError: no such package, or a model whose weights are packed already.
    """
    problems = []
    for name in formats:
        package = COMPRESSIONS[name].package
        if package and importlib.util.find_spec(package) is None:
            problems.append(f"{name}: needs {package}, which is not installed; pip install {package}, or leave it out")
    if formats and settings.load_in_4bit:
        problems = ["the weights have four bits already (model.load_in_4bit); set it to []"]
    if problems:
        raise ConfigError("\n".join(f"robustness.formats: {problem}" for problem in problems))


@torch.no_grad()
def compress(lm: LM, name: Format) -> LM:
    """Put the weights through a format, in place, and give the model another hash.

    Source: Zhang et al., arXiv 2410.16454: rounding can bring forgotten facts back.

    Raises:
        ConfigError: the model has no linear layer.
    """
    found = layers(lm.model)
    if not found:
        raise ConfigError(f"robustness.formats: {name} changes linear layers, and {lm.path} has none; set it to []")
    changed, every = sum(layer.weight.numel() for layer in found.values()), lm.model.num_parameters()
    COMPRESSIONS[name].change(lm.model)
    say(f"{name}: {len(found)} linear layers, {changed / every:.0%} of all weights")
    lm.weights = f"{lm.weights}:{name}"
    return lm


def layers(model: Any) -> dict[str, torch.nn.Linear]:
    """The linear layers of a model but its head, by name; GPT-2's, which are transposed, become plain ones first."""
    from transformers.pytorch_utils import Conv1D

    for name, module in list(model.named_modules()):
        if isinstance(module, Conv1D):
            rows, columns = module.weight.shape[1], module.weight.shape[0]
            plain = torch.nn.Linear(columns, rows, device="meta")
            plain.weight = torch.nn.Parameter(module.weight.T.contiguous())
            plain.bias = module.bias
            model.set_submodule(name, plain)
    head = model.get_output_embeddings()
    return {n: m for n, m in model.named_modules() if isinstance(m, torch.nn.Linear) and m is not head}
