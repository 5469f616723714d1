"""Language models that score and generate: in this process (`LM`) or behind a server (`RemoteLM`).

In: tokens of prompts and answers. Out: log-probabilities, or texts, in the same order, whatever the batch. `loading`
finds and checks weights; `decode` is the engine; `serving` tries in which ways a model is right."""

from meow.lm.batching import batches, kept_logits, pad, widened
from meow.lm.loading import context, load, load_tokenizer, make_tiny, weights_hash
from meow.lm.loading.adapters import adapted
from meow.lm.loading.checks import check_folder, check_model
from meow.lm.loading.devices import pick_device, thrifty, trim
from meow.lm.model import LM, LOGP_FLOOR, Completion, TokenScores
from meow.lm.remote import RemoteLM, connect
from meow.modelfiles import is_model

__all__ = [
    "LM",
    "LOGP_FLOOR",
    "Completion",
    "RemoteLM",
    "TokenScores",
    "adapted",
    "batches",
    "check_folder",
    "check_model",
    "connect",
    "context",
    "is_model",
    "kept_logits",
    "load",
    "load_tokenizer",
    "make_tiny",
    "pad",
    "pick_device",
    "thrifty",
    "trim",
    "weights_hash",
    "widened",
]
