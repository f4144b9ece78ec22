"""Gold queries whose LIMIT cuts through equal keys: they have more than one right answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError


@dataclass(frozen=True)
class Cut:
    """A SELECT with ORDER BY and LIMIT.

    Attributes:
        probe: the SELECT without its LIMIT, what it orders by put behind what it selects.
        width: how many columns it selects itself.
        start: rows that OFFSET leaves out.
        size: rows that LIMIT takes.
    """

    probe: str
    width: int
    start: int
    size: int


def limit_cuts(sql: str) -> tuple[list[Cut], int]:
    """Return the cuts of a query, and how many more there are that no query can look into.

    Those are of compound SELECTs, with DISTINCT over other columns than the keys, and with limits
    that are no plain numbers. A query that sqlglot cannot read has none.
    """
    try:
        tree = sqlglot.parse_one(sql, read="sqlite")
    except (SqlglotError, RecursionError):
        return [], 0
    limited = [query for query in tree.find_all(exp.Query) if query.args.get("limit") is not None]
    ordered = [query for query in limited if query.args.get("order") is not None]
    cuts = [cut for query in ordered if (cut := _cut(query)) is not None]
    return cuts, len(ordered) - len(cuts)


def _cut(query: Any) -> Cut | None:
    start, size = _number(query.args.get("offset")), _number(query.args["limit"])
    if not isinstance(query, exp.Select) or start is None or not size:
        return None
    keys = [ordered.this for ordered in query.args["order"].expressions]
    added = [key.copy() for key in _expressions(query, keys)]
    if query.args.get("distinct") is not None:
        shown = {item.unalias().sql() for item in query.expressions}
        if any(key.sql() not in shown for key in added):
            return None
    probe = query.copy()
    width = len(probe.expressions)
    if probe.is_star:
        width = -len(added)  # counted from the end
    probe.set("expressions", [*probe.expressions, *added])
    probe.set("limit", None)
    probe.set("offset", None)
    return Cut(probe.sql(dialect="sqlite"), width, start, size)


def _expressions(query: Any, keys: list[Any]) -> Iterator[Any]:
    """What a SELECT orders by, positions and aliases replaced by what they stand for."""
    named = {item.alias.lower(): item.this for item in query.expressions if item.alias}
    for key in keys:
        if isinstance(key, exp.Literal) and not key.is_string and key.this.isdigit():
            place = int(key.this) - 1
            inside = 0 <= place < len(query.expressions)
            yield query.expressions[place].unalias() if inside else key
        elif isinstance(key, exp.Column) and not key.table:
            yield named.get(key.name.lower(), key)
        else:
            yield key


def _number(node: Any) -> int | None:
    if node is None:
        return 0
    value = node.expression
    plain = isinstance(value, exp.Literal) and not value.is_string and value.this.isdigit()
    return int(value.this) if plain else None


def is_ambiguous(cut: Cut, rows: list[tuple[Any, ...]]) -> bool:
    """Return whether the choice between equal keys changes what a SELECT gives.

    Args:
        cut: the SELECT.
        rows: what its probe gave.
    """
    end = cut.start + cut.size
    if len(rows) <= cut.start or (len(rows) <= end and not cut.start):
        return False
    keys = [row[cut.width :] for row in rows]
    for edge in (cut.start, end):  # the first row inside, and the first behind
        if 0 < edge < len(rows) and keys[edge - 1] == keys[edge]:
            tied = [
                row[: cut.width] for row, key in zip(rows, keys, strict=True) if key == keys[edge]
            ]
            if len(set(tied)) > 1:
                return True
    return False
