"""Whether a folder can be loaded as it was meant, decided before its weights are; `modelfiles` has looked at its files.

transformers fills what is missing with random numbers, guesses a kind from the name of a folder, takes any head for the
one that is asked for and reports the rest as whatever exception it came to. Here each is refused in one line.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from meow.config import ModelSettings
from meow.errors import DataError, MeowError, shown
from meow.lm.loading.devices import pick_device
from meow.lm.loading.packed import check_packed
from meow.modelfiles import adapted_base, adapters, based, check_files, folder_of, is_packed, read_object, tokenizer_of

_OTHER_HEADS = ("MaskedLM", "Classification", "QuestionAnswering", "MultipleChoice", "PreTraining", "TokenDetection")
"""In the name of an architecture: what was trained is no head that continues a text."""
LAYERS = 10_000
"""Of a model, at most: transformers lists the kind of each before it looks at anything else."""


def check_model(settings: ModelSettings) -> None:
    """Refuse a model that cannot be loaded as it was meant, see `check_folder`, or a device that is not here."""
    pick_device(settings.device)
    check_folder(
        str(settings.path), revision=settings.revision, tokenizer=settings.tokenizer, code=settings.trust_remote_code
    )


def check_folder(path: str, *, revision: str | None = None, tokenizer: str | None = None, code: bool = False) -> None:
    """Refuse a folder, or a model of the hub, that cannot be loaded as it was meant; no weight is read.

    Args:
        path: folder, GGUF file or hub id; of a hub model only configuration and tokenizer are fetched.
        revision: commit, branch or tag on the hub.
        tokenizer: folder or hub id of another tokenizer.
        code: whether code that comes with the model is run.

    Raises:
        DataError: names the file, what is wrong with it and what to do.
    """
    if is_packed(path):
        check_files(path, tokenizer=tokenizer)
        check_packed(Path(path))
        return
    folder = folder_of(path, revision=revision)
    base = adapted_base(folder)
    if base is None and (folder / "config.json").is_file():
        _check_config(folder / "config.json", code=code)
    check_files(path, revision=revision, tokenizer=tokenizer)
    if base is None:
        return
    for part in adapters(folder):
        _check_adapter(part)
    with based(folder):
        check_folder(base.path, revision=base.revision, tokenizer=tokenizer_of(folder, tokenizer), code=code)


@contextmanager
def one_line(path: str, advice: str = "give a causal language model in safetensors") -> Iterator[None]:
    """Whatever transformers stumbles on in a user's files is one line.

    Raises:
        DataError: `path: cannot be loaded`, with the first words of the reason.
    """
    try:
        yield
    except (MeowError, MemoryError, torch.OutOfMemoryError):
        raise
    except BaseException as e:  # OSError, KeyError, SafetensorError, a bare Exception, a panic of tokenizers, ...
        if not isinstance(e, Exception) and type(e).__name__ != "PanicException":  # which no module has to import
            raise
        if "trust_remote_code" in str(e):
            raise DataError(f"{path}: needs code of its own; read it, then set model.trust_remote_code=true") from e
        first = " ".join(str(e).split())[:200]
        raise DataError(f"{path}: cannot be loaded ({type(e).__name__}: {first}); {advice}") from e


def _check_adapter(folder: Path) -> None:
    from peft import PEFT_TYPE_TO_TUNER_MAPPING

    file = folder / "adapter_config.json"
    config = read_object(file)
    kind, task = config.get("peft_type"), config.get("task_type")
    tuner = {t.value: tuner for t, tuner in PEFT_TYPE_TO_TUNER_MAPPING.items()}.get(str(kind))
    if not hasattr(tuner, "merge_and_unload"):
        raise DataError(f"{file}: an adapter of the kind {kind} cannot be merged into its base; expected LORA")
    if task not in (None, "CAUSAL_LM"):
        raise DataError(f"{file}: trained for {task}; expected an adapter of a causal language model (CAUSAL_LM)")


def _check_config(file: Path, *, code: bool) -> None:
    """Refuse what is no causal language model, or one that the installed transformers does not know."""
    from transformers import CONFIG_MAPPING, MODEL_FOR_CAUSAL_LM_MAPPING, AutoConfig, __version__
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    config = read_object(file)
    kind, dtype = config.get("model_type"), config.get("dtype") or config.get("torch_dtype")
    heads = config["architectures"] if isinstance(config.get("architectures"), list) else []
    if isinstance(dtype, str) and not isinstance(getattr(torch, dtype.removeprefix("torch."), None), torch.dtype):
        raise DataError(f"{file}: unknown dtype {shown(dtype)}; expected float32, bfloat16 or float16")
    if "auto_map" in config:
        if kind not in CONFIG_MAPPING and not code:
            raise DataError(f"{file}: needs code of its own; read it, then set model.trust_remote_code=true")
        if code:
            return
    if not isinstance(kind, str):
        raise DataError(f"{file}: no model_type; expected the configuration that save_pretrained wrote")
    if kind not in CONFIG_MAPPING:
        raise DataError(
            f"{file}: model_type {shown(kind)} is unknown to transformers {__version__}; upgrade transformers"
        )
    hashed = isinstance(config.get("attn_layers"), list) and "lsh" in config["attn_layers"]
    reason = (
        next((h for h in heads if isinstance(h, str) and any(part in h for part in _OTHER_HEADS)), "")
        or f"{kind}: an encoder and a decoder" * bool(config.get("is_encoder_decoder"))
        or f"{kind}: hashes all of a text, at random" * hashed
        or kind * (kind not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)
    )
    if reason:
        raise DataError(f"{file}: no causal language model ({reason}); give a model that continues a text")
    for part in (config, config.get("text_config")):
        for name, found in part.items() if isinstance(part, dict) else ():
            if name.endswith(("layer", "layers")) and isinstance(found, int | float) and found > LAYERS:
                raise DataError(f"{file}: {name}: found {shown(found)}, expected at most {LAYERS}; fetch it again")
    with one_line(str(file), "mend it, or fetch it again"):
        parts = type(AutoConfig.from_pretrained(file.parent))
    if "text_config" in parts.sub_configs and MODEL_FOR_CAUSAL_LM_MAPPING[parts].config_class is parts:
        raise DataError(f"{file}: a model of text and more ({kind}); save its text part alone, and give that folder")
