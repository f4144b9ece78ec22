"""Which prompts a model takes together, and how they stand side by side."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol, TypeVar

COST_OF_BATCH = 1000  # in tokens that could be read in the time of its steps


class _Tokens(Protocol):
    @property
    def tokens(self) -> list[int]: ...


T = TypeVar("T", bound=_Tokens)


def arrange(prompts: Sequence[T], size: int) -> list[list[T]]:
    """Return batches that cost little to answer.

    Questions about one database begin with its schema, so that neighbours in the order of their
    tokens share most of what is read; there batches end where their schema does. Where examples
    stand before the schema prompts share next to nothing, and those of like length waste less on
    filling. What costs less is taken.
    """
    by_length = sorted(prompts, key=lambda prompt: (len(prompt.tokens), prompt.tokens))
    even = [by_length[start : start + size] for start in range(0, len(by_length), size)]
    return min(cheapest_in_order(prompts, size), even, key=cost_of)


def cheapest_in_order(prompts: Sequence[T], size: int) -> list[list[T]]:
    """Return the cheapest batches of prompts in the order of their tokens."""
    ordered = sorted(prompts, key=lambda prompt: prompt.tokens)
    rows = [prompt.tokens for prompt in ordered]
    same = [common_prefix(one, other) for one, other in pairwise(rows)]  # with the next
    costs, begins = [0], [0]  # of the first so many prompts: least cost, start of the last batch
    for end in range(1, len(rows) + 1):
        shared = shortest = longest = len(rows[end - 1])
        ways = []
        for start in range(end - 1, max(-1, end - 1 - size), -1):
            shortest, longest = min(shortest, len(rows[start])), max(longest, len(rows[start]))
            shared = min(shared, shortest - 1, *same[start : min(start + 1, end - 1)])
            read = shared + (end - start) * (longest - shared)
            known = min(shared, same[start - 1]) if start else 0
            ways.append((costs[start] + read - known + COST_OF_BATCH, start))
        cost, start = min(ways)
        costs.append(cost)
        begins.append(start)
    batches = []
    end = len(rows)
    while end:
        batches.append(ordered[begins[end] : end])
        end = begins[end]
    return batches[::-1]


def cost_of(batches: Sequence[Sequence[_Tokens]]) -> int:
    """Return what batches cost, in tokens to read; of a batch's prefix only what is new in it."""
    cost = COST_OF_BATCH * len(batches) + sum(map(tokens_read, batches))
    for before, batch in pairwise(batches):
        shared = shared_prefix([prompt.tokens for prompt in batch])
        cost -= min(shared, common_prefix(before[-1].tokens, batch[0].tokens))
    return cost


def tokens_read(batch: Sequence[_Tokens]) -> int:
    """Return how many tokens a batch has a model read, filling counted, its shared prefix once."""
    rows = [prompt.tokens for prompt in batch]
    shared = shared_prefix(rows)
    return shared + len(rows) * (max(map(len, rows)) - shared)


def shared_prefix(rows: Sequence[list[int]]) -> int:
    """Return how many tokens all rows begin with, but leave each row one of its own."""
    same = common_prefix(min(rows), max(rows))
    return max(0, min(same, min(map(len, rows)) - 1))


def common_prefix(one: Sequence[int], other: Sequence[int]) -> int:
    """Return how many tokens two rows begin with alike."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))


def align(rows: Sequence[list[int]], shared: int) -> tuple[list[list[int]], list[list[int]]]:
    """Fill rows to one length, so that the shared prefix stands first and the ends stand last.

    Args:
        rows: token ids of each prompt.
        shared: length of the prefix that all have.

    Returns:
        Token ids and attention mask, a row a prompt; the mask hides the filling between.
    """
    width = max(map(len, rows))
    gaps = [width - len(row) for row in rows]
    filled = [[*r[:shared], *[0] * g, *r[shared:]] for g, r in zip(gaps, rows, strict=True)]
    mask = [[1] * shared + [0] * g + [1] * (width - g - shared) for g in gaps]
    return filled, mask
