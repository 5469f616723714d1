"""A model in shards: one base, an adapter for each part of what it was taught, and the mean of what they say."""

from __future__ import annotations

import copy
import inspect
from typing import Any

import torch
from transformers import GenerationMixin
from transformers.cache_utils import Cache
from transformers.modeling_outputs import CausalLMOutputWithPast

from meow.errors import ConfigError
from meow.lm.batching import widened


class Shards(GenerationMixin, torch.nn.Module):  # type: ignore[misc]
    """A causal language model whose log-probabilities are the mean of its shards', renormalised.

    The shards take turns: each answers the same tokens with its own adapter on. To whoever holds a cache it is a model
    of as many times the layers, so each shard has layers of its own in it.
    """

    main_input_name = "input_ids"

    def __init__(self, model: Any) -> None:
        """Args:
        model: of peft, with an adapter for each shard.
        """
        from peft.tuners.tuners_utils import BaseTunerLayer

        super().__init__()
        self.model = model.get_base_model()
        self.names = list(model.peft_config)
        self.adapted = [layer for layer in self.model.modules() if isinstance(layer, BaseTunerLayer)]
        self.generation_config = self.model.generation_config
        self.config = copy.deepcopy(self.model.config)
        text = self.config.get_text_config()
        self.layers = text.num_hidden_layers
        if getattr(text, "layer_types", None):
            text.layer_types = list(text.layer_types) * len(self.names)
        text.num_hidden_layers = self.layers * len(self.names)
        self.known = inspect.signature(self.model.forward).parameters.keys()
        self.requires_grad_(requires_grad=False)

    def __getattr__(self, name: str) -> Any:
        """Whatever else a model has, as its embedding or its number format, is the base's."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("model"), name)

    def save_pretrained(self, folder: Any) -> None:
        """Raises:
        ConfigError: always.
        """
        raise ConfigError(f"{folder}: a model in shards is not saved; it is the folder that it was loaded from")

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        past_key_values: Cache | None = None,
        use_cache: bool = False,
        logits_to_keep: int | torch.Tensor = 0,
        return_dict: bool = True,  # noqa: ARG002 - generate asks for what is given anyway
    ) -> CausalLMOutputWithPast:
        """Log-probabilities in the place of logits; arguments as any model of transformers has them."""
        if past_key_values is None:
            use_cache = False
        given = {"attention_mask": attention_mask, "position_ids": position_ids, "logits_to_keep": logits_to_keep}
        given = {name: value for name, value in given.items() if name in self.known}
        total: Any = 0.0
        for i, name in enumerate(self.names):
            for layer in self.adapted:
                layer.set_adapter(name, inference_mode=True)
            own = None
            if past_key_values is not None:
                own = Cache(layers=past_key_values.layers[i * self.layers : (i + 1) * self.layers])
            out = self.model(input_ids=input_ids, past_key_values=own, use_cache=use_cache, **given)
            total = total + widened(out.logits).log_softmax(-1)
        mean = (total / len(self.names)).log_softmax(-1)
        return CausalLMOutputWithPast(logits=mean, past_key_values=past_key_values)
