"""Where the weights of a Qwen3 model are in Megatron-core's GPT model, for each parallel rank.

Megatron keeps queries, keys and values of a group of heads in one matrix, gate and up projection in
another, and gives each rank whole groups of heads, columns of the feed-forward layer and a slice of
the vocabulary (Shoeybi et al., 2019). Nothing is computed, only cut and put together, so the way
back is exact. This is for plain megatron-core; recipes that train through ROLL's MCoreAdapter
convert with that package's own converter (`text2sql.convert.megatron`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

Weights = Mapping[str, torch.Tensor]
# Weights that every rank holds whole, Hugging Face's name and Megatron's.
WHOLE = {
    "self_attn.q_norm.weight": "self_attention.q_layernorm.weight",
    "self_attn.k_norm.weight": "self_attention.k_layernorm.weight",
    "input_layernorm.weight": "input_layernorm.weight",
    "post_attention_layernorm.weight": "pre_mlp_layernorm.weight",
}
# Weights cut along one dimension: by output row (0) or by input column (1).
CUT = {
    "self_attn.o_proj.weight": ("self_attention.linear_proj.weight", 1),
    "mlp.down_proj.weight": ("mlp.linear_fc2.weight", 1),
}


def to_megatron(weights: Weights, config: Any, rank: int, ranks: int) -> dict[str, torch.Tensor]:
    """Return one rank's share of a Hugging Face state dict, under Megatron's names.

    Args:
        weights: state dict of a `Qwen3ForCausalLM`.
        config: its config.
        rank: tensor-parallel rank.
        ranks: number of ranks; must divide the key-value heads.

    Raises:
        ValueError: the heads cannot be divided so.
    """
    _check(config, ranks)

    def cut(tensor: torch.Tensor, dimension: int = 0) -> torch.Tensor:
        return tensor.chunk(ranks, dimension)[rank].contiguous()

    found = {
        "embedding.word_embeddings.weight": cut(weights["model.embed_tokens.weight"]),
        "decoder.final_layernorm.weight": weights["model.norm.weight"],
    }
    if not config.tie_word_embeddings:
        found["output_layer.weight"] = cut(weights["lm_head.weight"])
    for layer in range(config.num_hidden_layers):
        old, new = f"model.layers.{layer}.", f"decoder.layers.{layer}."
        groups = [
            weights[f"{old}self_attn.{part}_proj.weight"].unflatten(
                0, (config.num_key_value_heads, -1)
            )
            for part in "qkv"
        ]
        attention = cut(torch.cat(groups, dim=1)).flatten(0, 1)
        found[f"{new}self_attention.linear_qkv.weight"] = attention
        gate, up = (weights[f"{old}mlp.{part}_proj.weight"] for part in ("gate", "up"))
        found[f"{new}mlp.linear_fc1.weight"] = torch.cat([cut(gate), cut(up)])
        for name, other in WHOLE.items():
            found[new + other] = weights[old + name]
        for name, (other, dimension) in CUT.items():
            found[new + other] = cut(weights[old + name], dimension)
    return found


def to_hugging_face(shares: Sequence[Weights], config: Any) -> dict[str, torch.Tensor]:
    """Return the Hugging Face state dict made of all ranks' shares; the inverse of `to_megatron`.

    Args:
        shares: state dicts in the order of the ranks.
        config: the model's Hugging Face config.
    """
    _check(config, len(shares))

    def join(name: str, dimension: int = 0) -> torch.Tensor:
        return torch.cat([share[name] for share in shares], dimension)

    embedding = join("embedding.word_embeddings.weight")
    tied = config.tie_word_embeddings
    found = {
        "model.embed_tokens.weight": embedding,
        "model.norm.weight": shares[0]["decoder.final_layernorm.weight"],
        "lm_head.weight": embedding if tied else join("output_layer.weight"),
    }
    queries = config.num_attention_heads // config.num_key_value_heads * config.head_dim
    for layer in range(config.num_hidden_layers):
        new, old = f"model.layers.{layer}.", f"decoder.layers.{layer}."
        attention = join(f"{old}self_attention.linear_qkv.weight")
        groups = attention.unflatten(0, (config.num_key_value_heads, -1))
        for part, tensor in zip(
            "qkv", groups.split([queries, config.head_dim, config.head_dim], dim=1), strict=True
        ):
            found[f"{new}self_attn.{part}_proj.weight"] = tensor.flatten(0, 1).contiguous()
        pairs = [share[f"{old}mlp.linear_fc1.weight"].chunk(2) for share in shares]
        for position, part in enumerate(("gate", "up")):
            found[f"{new}mlp.{part}_proj.weight"] = torch.cat([pair[position] for pair in pairs])
        for name, other in WHOLE.items():
            found[new + name] = shares[0][old + other]
        for name, (other, dimension) in CUT.items():
            found[new + name] = join(old + other, dimension)
    return found


def _check(config: Any, ranks: int) -> None:
    if config.num_key_value_heads % ranks:
        raise ValueError(
            f"{config.num_key_value_heads} key-value heads cannot be divided among {ranks} ranks"
        )
