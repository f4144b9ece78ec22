"""The sizes of a decoder model, as transformers builds it from its config: no weights are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from text2sql.errors import UserError

# Without them transformers takes another model's sizes.
NEEDED = (
    *("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads"),
    "vocab_size",
)


@dataclass(frozen=True, eq=False)
class Architecture:
    """A decoder with attention and a gated feed-forward layer.

    Attributes:
        config: transformers' own.
        hidden, intermediate, layers, vocabulary: sizes as the config has them.
        query_width: width of all query heads together.
        key_width: width of all key heads together, and of all value heads.
        parameters: all of them, a shared matrix counted once.
        decoder_parameters: those of the layers, without embedding, output layer and last norm.
        largest_layer: parameters of the largest single matrix, which ZeRO-3 gathers whole.
    """

    config: Any
    hidden: int
    intermediate: int
    layers: int
    vocabulary: int
    query_width: int
    key_width: int
    parameters: int
    decoder_parameters: int
    largest_layer: int

    @classmethod
    def from_config(cls, values: Mapping[str, Any]) -> Architecture:
        """Read a ``config.json``.

        Raises:
            UserError: transformers knows no such family of models, it is of another build, or a key
                is missing.
        """
        from transformers import AutoConfig

        kind = values.get("model_type")
        try:
            config: Any = AutoConfig.for_model(**values)
            heads = config.num_attention_heads
            for key in NEEDED:
                values[key]
            model = _without_weights(config)
            layers = model.get_decoder().layers
        except (TypeError, ValueError, AttributeError):
            raise UserError(f"model type '{kind}' has no estimate") from None
        except KeyError as error:
            raise UserError(f"the model's config has no key {error}") from None
        width = getattr(config, "head_dim", None) or config.hidden_size // heads
        return cls(
            config=config,
            hidden=config.hidden_size,
            intermediate=config.intermediate_size,
            layers=config.num_hidden_layers,
            vocabulary=config.vocab_size,
            query_width=heads * width,
            key_width=(getattr(config, "num_key_value_heads", None) or heads) * width,
            parameters=model.num_parameters(),
            decoder_parameters=sum(weights.numel() for weights in layers.parameters()),
            largest_layer=max(weights.numel() for weights in model.parameters()),
        )

    @cache  # noqa: B019 - of few models, in a process that ends soon
    def adapter_parameters(self, rank: int, target: str) -> int:
        """Parameters of LoRA adapters, as peft makes them.

        Args:
            rank: inner width of the adapters.
            target: ``all`` or names of linear layers joined by commas, as LLaMA-Factory takes them.

        Raises:
            UserError: a name that is no linear layer of the model.
        """
        import torch
        from peft import LoraConfig, get_peft_model

        model = _without_weights(self.config)
        linear = {
            name.rpartition(".")[2]: None
            for name, module in model.get_decoder().named_modules()
            if isinstance(module, torch.nn.Linear)
        }
        names = list(linear) if target == "all" else [name.strip() for name in target.split(",")]
        unknown = [name for name in names if name not in linear]
        if unknown:
            raise UserError(f"lora_target '{unknown[0]}' is none of {', '.join(linear)}")
        with torch.device("meta"):
            adapted = get_peft_model(model, LoraConfig(r=rank, target_modules=names))
        return int(adapted.get_nb_trainable_parameters()[0])

    def training_flops(self, length: int, train_weights: bool, recompute: bool) -> float:
        """Floating-point operations of one training token (Kaplan et al., 2020, section 2.1).

        Args:
            length: tokens of a sequence, for the part that attention adds.
            train_weights: whether weights get gradients (false under LoRA).
            recompute: gradient checkpointing, which runs the forward pass twice.
        """
        weights = self.decoder_parameters + self.vocabulary * self.hidden
        passes = 2 + (4 if train_weights else 2) + (2 if recompute else 0)
        attention = self.layers * length * self.query_width * (8 if recompute else 6)
        return float(passes * weights + attention)


def _without_weights(config: Any) -> Any:
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(config)
