"""Attention for answering on a CPU: a kernel for prompts, plain products for single tokens."""

from __future__ import annotations

from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface, Cache
from transformers.cache_utils import DynamicLayer
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "text2sql_cpu"


def cpu_attention() -> str:
    """Make the attention known to transformers; return the name to load a model with."""
    AttentionInterface.register(NAME, _attend)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    return NAME


class BehindPrefix(DynamicLayer):
    """What a layer remembers of a batch whose prompts begin alike: their prefix once for all.

    Its keys and values are those behind the prefix. They go to the attention above with the
    prefix at hand; any other attention fails on them, since they are fewer than its mask says.
    """

    def __init__(self, prefix: Any) -> None:
        super().__init__()
        self.prefix: tuple[torch.Tensor, torch.Tensor] = (prefix.keys, prefix.values)

    def update(self, *states: torch.Tensor, **_: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """Add the keys and values of more tokens, (batch, heads, tokens, width) each."""
        keys, values = super().update(*states[:2])
        keys.prefix = self.prefix  # type: ignore[attr-defined]
        return keys, values

    def get_seq_length(self) -> int:
        """Return how many tokens of each prompt were read."""
        return self.prefix[0].shape[-2] + super().get_seq_length()


def behind(prefix: Cache) -> Cache:
    """Return a cache for a batch of any size whose prompts begin with what the given one read."""
    return Cache(layers=[BehindPrefix(layer) for layer in prefix.layers])


def _attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """Attend as transformers' sdpa does, over keys of groups of heads (arXiv:2305.13245).

    torch's CPU kernel is made for many queries; of the single ones of an answer it makes a copy of
    all keys for every head, and takes longer the longer the prompt was. A prefix that all prompts
    share is multiplied with the queries of all at once, and is nowhere copied for each of them
    (as in arXiv:2402.05099).
    """
    prefix = getattr(key, "prefix", None)
    if query.shape[2] > 1:
        if prefix is not None:
            copies = [states.expand(len(query), -1, -1, -1) for states in prefix]
            key, value = torch.cat([copies[0], key], dim=2), torch.cat([copies[1], value], dim=2)
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, **options
        )
    batch, heads, _, width = query.shape
    groups = key.shape[1]
    alike = query.reshape(batch, groups, heads // groups, width)
    scores = alike @ key.transpose(2, 3)
    if prefix is not None:
        scores = torch.cat([_shared_product(alike, prefix[0].transpose(2, 3)), scores], dim=3)
    scores = scores.float() * (scaling or width**-0.5)
    if attention_mask is not None:  # True where a token may be seen, the same for all heads
        scores = scores.masked_fill(~attention_mask, float("-inf"))
    weights = torch.softmax(scores, dim=-1).to(value.dtype)
    own = value.shape[2]
    attended = weights[..., -own:] @ value
    if prefix is not None:
        attended = attended + _shared_product(weights[..., :-own], prefix[1])
    return attended.reshape(batch, 1, heads, value.shape[3]), None


def _shared_product(rows: torch.Tensor, shared: torch.Tensor) -> torch.Tensor:
    """Return rows (batch, groups, n, k) times what is one for all of them (1, groups, k, m)."""
    batch, groups, count, width = rows.shape
    product = rows.transpose(0, 1).reshape(groups, batch * count, width) @ shared[0]
    return product.reshape(groups, batch, count, -1).transpose(0, 1)
