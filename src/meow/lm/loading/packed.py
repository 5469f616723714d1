"""Models in one GGUF file, as llama.cpp has them: their weights are unpacked when they are loaded."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from meow.errors import DataError
from meow.terminal import silent

_HEAD = 4096
"""Bytes in which the architecture stands: it is what a file says first of itself."""
_ARCHITECTURE = re.compile(rb"general\.architecture\x08\x00{3}.\x00{7}([\w.-]+?)(?=[^\w.-])", re.S)
"""Its name, behind the mark of a text (8) and its length."""


def check_packed(file: Path) -> None:
    """Refuse a file that cannot be unpacked; no weight is read, and `modelfiles.check_files` comes before.

    Raises:
        DataError: of an architecture that transformers does not unpack.
    """
    from transformers.modeling_gguf_pytorch_utils import GGUF_SUPPORTED_ARCHITECTURES

    with file.open("rb") as f:
        head = f.read(_HEAD)
    named = _ARCHITECTURE.search(head)
    kind = named[1].decode(errors="replace") if named else ""
    if kind and kind not in GGUF_SUPPORTED_ARCHITECTURES:
        raise DataError(
            f"{file}: an architecture that transformers does not unpack ({kind}); give the model's folder or hub id"
        )


def unpacked(file: Path, how: dict[str, Any]) -> Any:
    """The model of a GGUF file with whole weights, as any other: it can be trained and saved.

    transformers calls it quantised though no weight is any more, and would not save it.

    Args:
        file: of `check_packed`.
        how: handed to `from_pretrained`.
    """
    from transformers import AutoModelForCausalLM

    place: dict[str, Any] = {"gguf_file": file.name}
    with silent():  # a bar of its own, on any stderr
        model = AutoModelForCausalLM.from_pretrained(file.parent, **place, **how)
    model.hf_quantizer = None
    for owner, names in (
        (model, ("is_quantized", "quantization_method")),
        (model.config, ("quantization_config", "_model_name_or_path")),
    ):
        for name in names:
            if hasattr(owner, name):
                delattr(owner, name)
    return model


def unpacked_tokenizer(file: Path) -> Any:
    """The tokenizer of a GGUF file, with its chat template."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
