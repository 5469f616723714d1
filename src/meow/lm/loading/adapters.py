"""Adapters: put on a model that is to be trained, and taken into the model that they were trained on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from meow.config import TrainSettings
from meow.errors import ConfigError, DataError

WEIGHTS = "adapter_model.safetensors"


def adapted(model: Any, settings: TrainSettings, *, base: str, seed: int) -> Any:
    """The model with a new LoRA adapter that does nothing yet; its own weights are frozen.

    Args:
        model: the original. An adapter that it came with was merged when it was loaded.
        settings: the adapter's.
        base: folder or hub id of the original, which the adapter will name.
        seed: of its first weights.

    Raises:
        ConfigError: a module that is not there, or one whose weights are another's too.
    """
    from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training

    if getattr(model, "hf_quantizer", None) is not None and settings.lora_merge:
        raise ConfigError("train.lora_merge: quantised weights cannot take an adapter in; set it to false")
    if getattr(model, "is_loaded_in_4bit", False):
        model = prepare_model_for_kbit_training(model)
    torch.manual_seed(seed)
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=settings.lora_rank,
        lora_alpha=settings.lora_alpha or 2 * settings.lora_rank,
        lora_dropout=settings.lora_dropout,
        target_modules=list(settings.lora_modules) or "all-linear",
    )
    ends = _tied_ends(model)
    try:
        made = get_peft_model(model, config)
    except ValueError as e:
        linear = sorted({n.split(".")[-1] for n, m in model.named_modules() if isinstance(m, torch.nn.Linear)})
        raise ConfigError(
            f"train.lora_modules: {list(settings.lora_modules)} not found in the model; it has {', '.join(linear)}"
        ) from e
    tied = _changed(made, ends)
    if tied:
        raise ConfigError(
            f"train.lora_modules: {tied} is embedding and head in one (tie_word_embeddings), and merging would change "
            "both; leave it out"
        )
    made.peft_config["default"].base_model_name_or_path = str(Path(base).resolve()) if Path(base).exists() else base
    made.enable_input_require_grads()
    return made


def merged(model: Any, folder: Path) -> Any:
    """A model with the adapter of a folder taken into its weights. An adapter that brings more rows of the embedding
    than the model has, for tokens that were added, makes it larger.

    Raises:
        DataError: an adapter of other modules than the model has, or one that cannot be merged.
    """
    with safe_open(folder / WEIGHTS, "pt") as stored:
        names = set(stored.keys())
        rows = max((stored.get_slice(n).get_shape()[0] for n in names if n.endswith("embed_tokens.weight")), default=0)
    if rows > model.get_input_embeddings().weight.shape[0]:
        model.resize_token_embeddings(rows, mean_resizing=False)
    whole = carrying(model, [folder]).merge_and_unload()
    for weight in whole.parameters():  # peft froze them
        weight.requires_grad_(weight.is_floating_point())
    return whole


def carrying(model: Any, folders: Sequence[Path]) -> Any:
    """A model with the adapters of some folders beside its weights, of which the first is on.

    Raises:
        DataError: an adapter of other modules than the model has, or one that changes embedding and head in one.
    """
    from peft import PeftModel, get_peft_model_state_dict
    from peft.mapping import PEFT_TYPE_TO_PREFIX_MAPPING

    ends = _tied_ends(model)
    made: Any = None
    for i, folder in enumerate(folders):
        called = f"shard{i:04}"  # a number alone would be taken for that of a layer
        if made is None:
            made = PeftModel.from_pretrained(model, str(folder), adapter_name=called)
        else:
            made.load_adapter(str(folder), adapter_name=called)
        tied = _changed(made, ends)
        if tied:
            raise DataError(
                f"{folder}: changes {tied}, which is embedding and head in one (tie_word_embeddings), and merging "
                "would change both; train the adapter without it, or untie the base"
            )
        with safe_open(folder / WEIGHTS, "pt") as stored:
            names = set(stored.keys())
        expected = set(get_peft_model_state_dict(made, adapter_name=called, save_embedding_layers=False))
        prefix = PEFT_TYPE_TO_PREFIX_MAPPING[made.peft_config[called].peft_type]
        for odd, what in ((expected - names, "is missing"), (names - expected, "fits no module of the base")):
            first = next((name for name in sorted(odd) if prefix in name or name in expected), None)
            if first:
                raise DataError(
                    f"{folder / WEIGHTS}: {first} {what}; give the adapter with the base that it was trained on"
                )
    return made


def _tied_ends(model: Any) -> list[Any]:
    """Embedding and head, where they share their weights."""
    ends = [model.get_input_embeddings(), model.get_output_embeddings()]
    return ends if ends[1] is not None and ends[0].weight is ends[1].weight else []


def _changed(made: Any, ends: list[Any]) -> str | None:
    """The name of the first of some modules that an adapter changes."""
    for name, module in made.named_modules():
        inner = getattr(module, "base_layer", getattr(module, "original_module", None))
        if any(inner is end for end in ends):
            return str(name).split(".")[-1]
    return None
