"""The sizes of a decoder model, from the keys of its ``config.json``; no weights, no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from text2sql.errors import UserError

# Families whose layers are those counted here; tests hold the counts against transformers' own.
MODEL_TYPES = ("llama", "qwen2", "qwen3")
ALL_LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True)
class Architecture:
    """A Llama-like decoder: grouped-query attention and a gated feed-forward layer."""

    model_type: str
    hidden: int
    intermediate: int
    layers: int
    heads: int
    key_value_heads: int
    head_dim: int
    vocabulary: int
    tied: bool

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Architecture:
        """Read a ``config.json``.

        Raises:
            UserError: another family of models, or a key is missing.
        """
        kind = config.get("model_type")
        if kind not in MODEL_TYPES:
            raise UserError(
                f"model type '{kind}' has no estimate; there are: {', '.join(MODEL_TYPES)}"
            )
        try:
            heads = int(config["num_attention_heads"])
            return cls(
                model_type=kind,
                hidden=config["hidden_size"],
                intermediate=config["intermediate_size"],
                layers=config["num_hidden_layers"],
                heads=heads,
                key_value_heads=config.get("num_key_value_heads") or heads,
                head_dim=config.get("head_dim") or config["hidden_size"] // heads,
                vocabulary=config["vocab_size"],
                tied=bool(config.get("tie_word_embeddings", False)),
            )
        except KeyError as error:
            raise UserError(f"the model's config has no key {error}") from None

    @property
    def query_width(self) -> int:
        """Width of all query heads together."""
        return self.heads * self.head_dim

    @property
    def key_width(self) -> int:
        """Width of all key heads together, and of all value heads."""
        return self.key_value_heads * self.head_dim

    @property
    def linear_layers(self) -> dict[str, tuple[int, int]]:
        """Inputs and outputs of the linear layers in one decoder layer."""
        return {
            "q_proj": (self.hidden, self.query_width),
            "k_proj": (self.hidden, self.key_width),
            "v_proj": (self.hidden, self.key_width),
            "o_proj": (self.query_width, self.hidden),
            "gate_proj": (self.hidden, self.intermediate),
            "up_proj": (self.hidden, self.intermediate),
            "down_proj": (self.intermediate, self.hidden),
        }

    @property
    def layer_parameters(self) -> int:
        """Parameters of one decoder layer."""
        matrices = sum(a * b for a, b in self.linear_layers.values())
        norms = 2 * self.hidden
        if self.model_type == "qwen2":  # biases of the three attention inputs
            matrices += self.query_width + 2 * self.key_width
        if self.model_type == "qwen3":  # a norm over each head of queries and of keys
            norms += 2 * self.head_dim
        return matrices + norms

    @property
    def embedding_parameters(self) -> int:
        """Parameters of the token embedding, and of the output layer where it is not the same."""
        return self.vocabulary * self.hidden * (1 if self.tied else 2)

    @property
    def parameters(self) -> int:
        """All parameters, a shared matrix counted once."""
        return self.layers * self.layer_parameters + self.embedding_parameters + self.hidden

    @property
    def largest_layer(self) -> int:
        """Parameters of the largest single matrix, which ZeRO-3 gathers whole."""
        return max(self.vocabulary * self.hidden, *(a * b for a, b in self.linear_layers.values()))

    def adapter_parameters(self, rank: int, target: str) -> int:
        """Parameters of LoRA adapters.

        Args:
            rank: inner width of the adapters.
            target: ``all`` or names of linear layers joined by commas, as LLaMA-Factory takes them.

        Raises:
            UserError: a name that is no linear layer of the model.
        """
        names = ALL_LINEAR if target == "all" else [name.strip() for name in target.split(",")]
        unknown = [name for name in names if name not in self.linear_layers]
        if unknown:
            raise UserError(f"lora_target '{unknown[0]}' is none of {', '.join(ALL_LINEAR)}")
        widths = sum(sum(self.linear_layers[name]) for name in names)
        return self.layers * rank * widths

    def training_flops(self, length: int, train_weights: bool, recompute: bool) -> float:
        """Floating-point operations of one training token (Kaplan et al., 2020, section 2.1).

        Args:
            length: tokens of a sequence, for the part that attention adds.
            train_weights: whether weights get gradients (false under LoRA).
            recompute: gradient checkpointing, which runs the forward pass twice.
        """
        weights = self.layers * self.layer_parameters + self.vocabulary * self.hidden
        passes = 2 + (4 if train_weights else 2) + (2 if recompute else 0)
        attention = self.layers * length * self.query_width * (8 if recompute else 6)
        return float(passes * weights + attention)
