"""Language models that score and generate: in this process (`LM`) or behind a server (`RemoteLM`)."""

from meow.lm.batching import batches, kept_logits, pad, widened
from meow.lm.loading import (
    check_folder,
    file_hash,
    is_model,
    load,
    load_tokenizer,
    make_tiny,
    pick_device,
    weights_hash,
)
from meow.lm.model import LM, LOGP_FLOOR, Completion, TokenScores
from meow.lm.remote import RemoteLM, connect

__all__ = [
    "LM", "LOGP_FLOOR", "Completion", "RemoteLM", "TokenScores", "batches", "check_folder", "connect", "file_hash",
    "is_model", "kept_logits", "load", "load_tokenizer", "make_tiny", "pad", "pick_device", "weights_hash", "widened",
]  # fmt: skip
