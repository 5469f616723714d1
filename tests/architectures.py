"""Tiny random models of every causal architecture of the installed transformers."""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoModelForCausalLM
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

NAMES = sorted(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)
ENCODERS = (
    "bert", "bert-generation", "big_bird", "camembert", "data2vec-text", "electra", "ernie", "megatron-bert", "rembert",
    "roberta", "roberta-prelayernorm", "roc_bert", "roformer", "xlm-roberta", "xlm-roberta-xl", "xmod",
)  # fmt: skip
"""Look back alone only where `is_decoder` is set."""
WITH_ENCODER = [name for name in NAMES if getattr(CONFIG_MAPPING[name], "is_encoder_decoder", False)]
"""Decoders that come with an encoder; what is built is the decoder alone."""
SIZES: dict[int, str] = {
    99: "vocab_size vocab_size_per_layer_input",
    0: "pad_token_id num_nextn_predict_layers num_kv_shared_layers first_k_dense_replace moe_layer_start_index",
    1: "bos_token_id n_group num_expert_group topk_group n_groups mamba_n_groups mamba_ngroups num_dense_layers "
    "n_shared_experts num_shared_experts moe_num_shared_experts",
    2: "eos_token_id num_hidden_layers n_layer n_layers num_layers decoder_layers encoder_layers num_decoder_layers "
    "num_encoder_layers num_blocks num_key_value_heads num_kv_heads swa_num_key_value_heads num_experts_per_tok "
    "num_experts_per_token moe_k moe_topk zero_expert_num linear_num_key_heads o_groups rotary_dim num_hidden_groups",
    4: "num_attention_heads n_head n_heads num_heads decoder_attention_heads encoder_attention_heads "
    "num_encoder_attention_heads num_decoder_attention_heads swa_num_attention_heads num_experts num_local_experts "
    "n_routed_experts moe_num_experts linear_num_value_heads linear_num_heads index_n_heads mamba_dt_rank "
    "time_step_rank d_rel",
    8: "head_dim dim_head d_head swa_head_dim qk_rope_head_dim qk_nope_head_dim v_head_dim linear_key_head_dim "
    "linear_value_head_dim linear_head_dim index_head_dim attention_head_size mamba_n_heads mamba_d_head mamba_d_state "
    "state_size mamba_chunk_size chunk_size n_mamba_heads mamba_headdim mamba_num_heads mamba_head_dim ssm_state_size "
    "sliding_window sliding_window_size attention_window_size window_size attention_chunk_size index_topk mem_len "
    "keep_window_size",
    16: "moe_intermediate_size shared_expert_intermediate_size shared_experts_intermediate_size "
    "shared_intermediate_size expert_ffn_hidden_size moe_shared_expert_intermediate_size q_lora_rank kv_lora_rank "
    "o_lora_rank hidden_size_per_layer_input router_hidden_size laurel_rank hc_lowrank attention_head_dim rel_extent "
    "pronunciation_embed_dim shape_embed_dim prompt_length ple_embed_dim dim_model_base",
    32: "hidden_size n_embd d_model dim emb_dim embedding_size embedding_dim input_embedding_size lru_width "
    "output_embedding_size",
    48: "intermediate_size n_inner ffn_dim decoder_ffn_dim encoder_ffn_dim dff d_inner feed_forward_size "
    "ffn_hidden_size dim_ff",
    64: "mamba_d_ssm attention_hidden_size shape_vocab_size pronunciation_vocab_size",
    128: "max_position_embeddings n_positions max_seq_len n_ctx",
}  # fmt: skip
"""Sizes by value: whatever a configuration has of these."""
MIXED = {"layer_types": ["linear_attention", "full_attention"]}
VISION = {"num_hidden_layers": 1, "hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 4}
LOCAL = {"hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 4, "num_hidden_layers": 1, "vocab_size": 99}
DOTS = {
    "swa_num_attention_heads": 4, "swa_num_key_value_heads": 4, "swa_q_lora_rank": 16, "swa_kv_lora_rank": 16,
    "swa_head_dim": 16, "swa_qk_nope_head_dim": 8, "swa_v_head_dim": 8, "head_dim": 16,
}  # fmt: skip
DRAFT = {"hidden_size_per_layer_input": 0, "vocab_size_per_layer_input": 0, "num_kv_shared_layers": 2}
QWEN = {
    "indexer_n_heads": 4, "indexer_kv_heads": 1, "indexer_head_dim": 8, "indexer_budget": 8,
    "indexer_compress_ratio": 4, "ple_layer_ids": [1], "ngram_vocab_size_base": 50, "heads_per_ngram": 2,
    "make_ngram_vocab_size_divisible_by": 1, "split_ngram_parts": 1,
}  # fmt: skip
SOUND = {"hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 4, "num_blocks": 1}
OTHERS: dict[str, dict[str, Any]] = {
    "bamba": {"attn_layer_indices": [1]},
    "blt": {
        "encoder_hash_byte_group_vocab": 64, "patcher_config": LOCAL, "encoder_config": LOCAL, "decoder_config": LOCAL,
        "global_config": LOCAL,
    },
    "cohere_compass_text": {"rope_parameters": {"full_attention": {"rope_type": "default", "rope_theta": 1e4}}},
    "dbrx": {
        "attn_config": {"kv_n_heads": 2, "rope_theta": 1e4, "clip_qkv": 8},
        "ffn_config": {"ffn_hidden_size": 48, "moe_num_experts": 4, "moe_top_k": 2},
    },
    "deepseek_v4": {
        "num_key_value_heads": 1,
        "compress_rates": {"compressed_sparse_attention": 4, "heavily_compressed_attention": 8},
    },
    "dots3_note": DOTS,
    "dots3_note_text": DOTS,
    "gemma4_assistant": DRAFT,
    "gemma4_unified_assistant": DRAFT,
    "git": {"vision_config": VISION},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]]},
    "granitemoehybrid": MIXED,
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1},
    "lfm2": {"layer_types": ["conv", "full_attention"]},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"]},
    "mamba2": {"num_heads": 8},
    "minimax_m3_vl_text": {
        "layer_types": ["full_attention", "minimax_m3_sparse"], "index_block_size": 16, "index_topk_blocks": 1,
    },
    "mllama": {"cross_attention_layers": [1]},
    "phi4_multimodal": {"vision_config": VISION, "audio_config": SOUND},
    "qwen4_exp": QWEN,
    "qwen4_exp_text": QWEN,
    "recurrent_gemma": {"block_types": ["recurrent", "attention"]},
    "reformer": {
        "attn_layers": ["local", "lsh"], "axial_pos_shape": [8, 16], "axial_pos_embds_dim": [16, 16],
        "local_attn_chunk_length": 8, "lsh_attn_chunk_length": 8,
    },
    "rwkv": {"attention_hidden_size": 32},
    "xlstm": {"embedding_dim": 128, "hidden_size": 128, "chunk_size": 16},
    "xmod": {"default_language": "en_XX"},
    "zamba": {"layers_block_type": ["linear_attention", "hybrid"] * 2, "num_hidden_layers": 4},
    "zaya": {"num_experts_per_tok": 1},
}  # fmt: skip
"""What sizes alone do not settle."""
WHOLE = ("emu3", "gemma4_assistant", "gemma4_unified_assistant", "mllama")
"""Built from their whole configuration: of its text alone transformers makes another architecture, or none."""


def build(name: str, *, causal: bool = True) -> Any:
    """A model with every kind of layer that its configuration has by default, sharp enough for few near-ties."""
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(configured(name, causal=causal)).eval()
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.Linear | torch.nn.Embedding):
                module.weight.mul_(5)
    return model


def configured(name: str, *, causal: bool = True) -> Any:
    """A tiny configuration, of the text alone where there is more.

    Args:
        name: `model_type`.
        causal: made to look back alone, where that is a setting.
    """
    kind = CONFIG_MAPPING[name.removesuffix("_assistant")]
    if "text_config" in kind.sub_configs:
        kind = type(kind().get_text_config())
    known = kind().to_dict()
    sizes: dict[str, Any] = {key: size for size, keys in SIZES.items() for key in keys.split() if key in known}
    for of_layers in ("layers_block_type", "layer_types"):
        if known.get(of_layers):
            kinds = list(dict.fromkeys(known[of_layers]))
            sizes[of_layers] = kinds if len(kinds) > 1 else 2 * kinds
            sizes["num_hidden_layers"] = len(sizes[of_layers])
            break
    if "kv_lora_rank" in known:
        sizes["num_key_value_heads"] = sizes["num_attention_heads"]
    if "is_decoder" in known and not known.get("is_encoder_decoder"):
        sizes["is_decoder"] = causal
    text = kind(**(sizes | OTHERS.get(name, {})))
    return CONFIG_MAPPING[name](text_config=text) if name in WHOLE else text
