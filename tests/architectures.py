"""Tiny random models of every causal architecture of the installed transformers."""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoModelForCausalLM
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

NAMES = sorted(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)
SIZES: dict[str, Any] = {
    "vocab_size": 99, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
    **dict.fromkeys(("hidden_size", "n_embd", "d_model", "dim", "emb_dim", "dim_model", "embedding_size"), 32),
    **dict.fromkeys(("intermediate_size", "n_inner", "ffn_dim", "decoder_ffn_dim", "encoder_ffn_dim", "dff", "ffn_hidden_size", "dim_ff"), 48),
    **dict.fromkeys(("num_hidden_layers", "n_layer", "n_layers", "num_layers", "decoder_layers", "encoder_layers"), 2),
    **dict.fromkeys(("num_attention_heads", "n_head", "n_heads", "num_heads", "decoder_attention_heads", "encoder_attention_heads"), 4),
    **dict.fromkeys(("num_key_value_heads", "num_kv_heads"), 2),
    **dict.fromkeys(("max_position_embeddings", "n_positions", "max_seq_len", "n_ctx"), 128),
    "head_dim": 8,
    **dict.fromkeys(("sliding_window", "attention_window_size", "window_size", "attention_chunk_size"), 8),
}


def build(name: str) -> Any:
    torch.manual_seed(0)
    kind = CONFIG_MAPPING[name]
    config = kind()
    text = config.get_text_config()
    sizes = {k: v for k, v in SIZES.items() if hasattr(text, k)}
    config = type(text)(**sizes)
    return AutoModelForCausalLM.from_config(config).eval()
