"""Attention for answering on a CPU: a kernel for prompts, plain products for single tokens."""

from __future__ import annotations

from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "text2sql_cpu"


def cpu_attention() -> str:
    """Make the attention known to transformers; return the name to load a model with."""
    AttentionInterface.register(NAME, _attend)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    return NAME


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
    all keys for every head, and takes longer the longer the prompt was.
    """
    if query.shape[2] > 1:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, **options
        )
    batch, heads, _, width = query.shape
    groups = key.shape[1]
    alike = query.reshape(batch, groups, heads // groups, width)
    scores = (alike @ key.transpose(2, 3)).float() * (scaling or width**-0.5)
    if attention_mask is not None:  # True where a token may be seen, the same for all heads
        scores = scores.masked_fill(~attention_mask, float("-inf"))
    weights = torch.softmax(scores, dim=-1).to(value.dtype)
    return (weights @ value).reshape(batch, 1, heads, value.shape[3]), None
