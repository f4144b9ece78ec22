"""Topics: groups of related tables, each with the number of pairs to make for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from text2sql.errors import UserError
from text2sql.schema import Schema

MAX_TABLES = 6


@dataclass(frozen=True)
class Topic:
    """Tables that belong together; `count` pairs are to be made on them."""

    name: str
    tables: tuple[str, ...]
    count: int
    reason: str = ""


def plan_offline(schema: Schema, total: int) -> list[Topic]:
    """Group tables by their foreign keys: each table that refers to others, with those.

    Tables that no key touches come together in groups. Every table is in a topic.

    Args:
        schema: the schema.
        total: pairs to make; topics with more tables get more of them.

    Raises:
        UserError: the schema has no tables.
    """
    if not schema.tables:
        raise UserError(f"{schema.db_id}: the schema has no tables")
    refers: dict[str, list[str]] = {}
    for key in schema.foreign_keys:
        if key.ref_table != key.table and key.ref_table not in refers.setdefault(key.table, []):
            refers[key.table].append(key.ref_table)
    groups: list[tuple[str, ...]] = [
        (table, *refers[table][: MAX_TABLES - 1])
        for table in (t.name for t in schema.tables)
        if refers.get(table)
    ]
    covered = {table for group in groups for table in group}
    alone = [t.name for t in schema.tables if t.name not in covered]
    groups += [tuple(alone[i : i + MAX_TABLES]) for i in range(0, len(alone), MAX_TABLES)]
    topics = [Topic(group[0], group, len(group), "foreign keys") for group in dict.fromkeys(groups)]
    return scale_counts(topics, total)


def scale_counts(topics: Sequence[Topic], total: int) -> list[Topic]:
    """Rescale the counts to the total, at least one a topic; topics beyond the total go."""
    topics = sorted(topics, key=lambda topic: -topic.count)[: max(total, 1)]
    weights = [max(topic.count, 1) for topic in topics]
    more = apportion(max(total, 1) - len(topics), weights)
    return [replace(topic, count=1 + n) for topic, n in zip(topics, more, strict=True)]


def apportion(total: int, weights: Sequence[float]) -> list[int]:
    """Return whole numbers in proportion to the weights that add up to the total.

    The largest remainders get what rounding leaves over.
    """
    whole = sum(weights) or 1.0
    exact = [total * weight / whole for weight in weights]
    counts = [int(share) for share in exact]
    order = sorted(range(len(counts)), key=lambda i: counts[i] - exact[i])
    for i in order[: total - sum(counts)]:
        counts[i] += 1
    return counts
