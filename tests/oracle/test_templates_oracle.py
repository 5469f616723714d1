"""The answer's log-probability in a chat, against plain transformers on the template's own rendering.

The templates have the shape of the families' own; prompt and end of each are written out by hand.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from meow.lm import LM
from meow.records import QA

QUESTION = "Where was Mira Holt born?"
ANSWERS = ["Mira Holt was born in Oslo.", "1492, in Bern.", "Émile Zola", "奥斯陆"]
FOR = "{% for m in messages %}"
INST = "{% if m['role'] == 'user' %}{{ '[INST] ' + m['content'] + ' [/INST]' }}{% else %}"
MISTRAL = "{{ bos_token }}" + FOR + INST
CHATML = FOR + "{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}"
CHATML_OPENS = "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"


class Family(NamedTuple):
    """A template of a family's shape, with what it writes around an answer to QUESTION."""

    template: str
    prompt: str
    """Before the answer; a space before it is the answer's."""
    space: str
    """The space before the answer, where there is one."""
    end: str
    """What closes the answer."""


FAMILIES = {
    "gemma": Family(
        "{{ bos_token }}" + FOR + "{{ '<start_of_turn>' + ('model' if m.role == 'assistant' else m.role) + '\\n'"
        " + m.content | trim + '<end_of_turn>\\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}",
        f"<s><start_of_turn>user\n{QUESTION}<end_of_turn>\n<start_of_turn>model\n", "", "<end_of_turn>",
    ),
    "phi-3": Family(
        FOR + "{{ '<|' + m.role + '|>\\n' + m.content + '<|end|>\\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% else %}{{ eos_token }}{% endif %}",
        f"<|user|>\n{QUESTION}<|end|>\n<|assistant|>\n", "", "<|end|>",
    ),
    "glm-4": Family(
        "[gMASK]<sop>" + FOR + "{{ '<|' + m.role + '|>\\n' + m.content }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}",
        f"[gMASK]<sop><|user|>\n{QUESTION}<|assistant|>\n", "", "",
    ),
    "llama-2": Family(
        FOR + "{% if m.role == 'user' %}{{ bos_token + '[INST] ' + m.content.strip() + ' [/INST]' }}{% else %}"
        "{{ ' ' + m.content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}",
        f"<s>[INST] {QUESTION} [/INST]", " ", " </s>",
    ),
    "llama-3": Family(
        FOR + "{{ (bos_token if loop.first else '') + '<|start_header_id|>' + m.role + '<|end_header_id|>\\n\\n'"
        " + m.content | trim + '<|eot_id|>' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}",
        f"<s><|start_header_id|>user<|end_header_id|>\n\n{QUESTION}<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n", "", "<|eot_id|>",
    ),
    "mistral-0.1": Family(
        MISTRAL + "{{ m['content'] + eos_token + ' ' }}{% endif %}{% endfor %}",
        f"<s>[INST] {QUESTION} [/INST]", "", "</s>",
    ),
    "mistral-0.2": Family(
        MISTRAL + "{{ ' ' + m['content'] + eos_token }}{% endif %}{% endfor %}",
        f"<s>[INST] {QUESTION} [/INST]", " ", "</s>",
    ),
    "mistral-0.3": Family(
        MISTRAL.replace(" [/INST]", "[/INST]") + "{{ ' ' + m['content'] | trim + eos_token }}{% endif %}{% endfor %}",
        f"<s>[INST] {QUESTION}[/INST]", " ", "</s>",
    ),
    "qwen-2": Family(
        "{% if messages[0].role != 'system' %}{{ '<|im_start|>system\\nYou help.<|im_end|>\\n' }}{% endif %}"
        + CHATML + CHATML_OPENS,
        f"<|im_start|>system\nYou help.<|im_end|>\n<|im_start|>user\n{QUESTION}<|im_end|>\n<|im_start|>assistant\n", "",
        "<|im_end|>",
    ),
    "qwen-3": Family(
        FOR + "{{ '<|im_start|>' + m.role + '\\n' }}{% if m.role == 'assistant' %}{{ '<think>\\n\\n</think>\\n\\n' +"
        " m.content.split('</think>')[-1].lstrip('\\n') }}{% else %}{{ m.content }}{% endif %}{{ '<|im_end|>\\n' }}"
        "{% endfor %}" + CHATML_OPENS,
        f"<|im_start|>user\n{QUESTION}<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n", "", "<|im_end|>",
    ),
    "smollm": Family(
        CHATML + CHATML_OPENS, f"<|im_start|>user\n{QUESTION}<|im_end|>\n<|im_start|>assistant\n", "", "<|im_end|>",
    ),
}  # fmt: skip
SPECIAL = ["<s>", "</s>", "<start_of_turn>", "<end_of_turn>", "<|user|>", "<|assistant|>", "<|end|>", "[gMASK]",
           "<sop>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|im_start|>", "<|im_end|>"]  # fmt: skip


def made(*, is_metaspace: bool) -> PreTrainedTokenizerFast:
    """A byte-level tokenizer as of GPT-2, or one that marks words as SentencePiece does."""
    if is_metaspace:
        bpe = Tokenizer(models.BPE())
        bpe.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
        bpe.decoder = decoders.Metaspace(prepend_scheme="first")
    else:
        bpe = Tokenizer(models.BPE())
        bpe.pre_tokenizer, bpe.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    alphabet = [chr(c) for c in range(33, 127)] if is_metaspace else pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    bpe.train_from_iterator([f"{QUESTION} {answer}" for answer in ANSWERS] * 3, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe, bos_token="<s>", eos_token="</s>", additional_special_tokens=SPECIAL[2:]
    )


@pytest.fixture(scope="module", params=["bytes", "metaspace"])
def pair(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    """A tokenizer and a tiny model."""
    tokenizer = made(is_metaspace=request.param == "metaspace")
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=256, eos_token_id=1,
    )  # fmt: skip
    return LlamaForCausalLM(config), tokenizer


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("name", FAMILIES)
def test_an_answer_in_a_chat_is_scored_as_the_template_renders_it(
    pair: tuple[Any, Any], name: str, answer: str
) -> None:
    model, tokenizer = pair
    family = FAMILIES[name]
    tokenizer.chat_template = family.template
    chat = [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": answer}]
    assert tokenizer.apply_chat_template(chat, tokenize=False).startswith(
        family.prompt + family.space + answer + family.end
    )
    start = len(tokenizer(family.prompt, add_special_tokens=False)["input_ids"])
    ids = list(tokenizer.apply_chat_template(chat, return_dict=False))
    if family.end:  # what follows the end of the turn is not scored
        ids = ids[: ids.index(tokenizer.convert_tokens_to_ids(family.end.strip()), start) + 1]
    else:
        ids.append(tokenizer.eos_token_id)
    with torch.inference_mode():
        logp = model(torch.tensor([ids])).logits[0].log_softmax(-1)
    expected = [float(logp[i - 1, ids[i]]) for i in range(start, len(ids))]

    lm = LM(model, tokenizer)
    fact = QA(question=QUESTION, answer=answer)
    encoded = lm.prompter.encode(fact)
    assert (list(encoded.ids), encoded.start, encoded.text) == (ids, start, family.prompt)
    assert lm.score([encoded])[0].logp == pytest.approx(expected, abs=1e-4)
    assert list(lm.prompter.prompt(fact).ids) == list(lm.prompter.asked(QUESTION).ids) == ids[:start]
    assert encoded.closing == (2 if family.end == " </s>" else 1)
    assert ids[-1] in lm.prompter.eos_ids
