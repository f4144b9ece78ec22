"""Avoid variants that leave a gold query's answer open: a LIMIT that cuts through equal keys.

``ORDER BY age LIMIT 1`` has two right answers where two rows share the least age; which one SQLite
gives depends on its plan, so a correct prediction could be rejected by chance.  Where the keys are
columns, the values of a variant are moved apart.  Ties of counts and sums stay: a query that
breaks them by chance has no answer to defend, and the published suites have such ties too.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from .catalog import Catalog
from .golds import Gold, Place, literal, place_of
from .names import quote
from .values import moved

#: How often the values of a column are moved before a variant is given up.
_ROUNDS = 8


@dataclass(frozen=True)
class Cut:
    """A LIMIT in a gold query whose ORDER BY keys are columns.

    Attributes:
        sql: gives the keys of the last row inside the limit and of the first outside.
        place: the column it orders by first.
    """

    sql: str
    place: Place


def cuts(gold: Gold, catalog: Catalog) -> list[Cut]:
    """Return the cuts of a query."""
    if gold.tree is None:
        return []
    return [
        cut
        for select in gold.tree.find_all(exp.Select)
        if (cut := _cut(select, catalog)) is not None
    ]


def settle(
    connection: sqlite3.Connection, wanted: Sequence[Cut], catalog: Catalog, rng: random.Random
) -> int:
    """Move values of a variant apart until no cut goes through equal keys.

    Returns:
        How many cuts still do, as on a column that may hold only two values.
    """
    for _ in range(_ROUNDS):
        tied = _tied(connection, wanted)
        if not tied:
            return 0
        for cut, key in tied:
            _move_apart(connection, cut.place, key, catalog, rng)
    return len(_tied(connection, wanted))


def _tied(connection: sqlite3.Connection, wanted: Sequence[Cut]) -> list[tuple[Cut, Any]]:
    return [(cut, key) for cut in wanted if (key := _tied_key(connection, cut)) is not None]


def _tied_key(connection: sqlite3.Connection, cut: Cut) -> Any:
    """The first key of the rows on both sides of a cut if they tie, else None."""
    try:
        rows = connection.execute(cut.sql).fetchall()
    except sqlite3.Error:
        return None  # a sub-query that depends on outer rows
    return rows[0][0] if len(rows) == 2 and rows[0] == rows[1] else None


def _move_apart(
    connection: sqlite3.Connection, place: Place, key: Any, catalog: Catalog, rng: random.Random
) -> None:
    """Give all rows but one with this value another one."""
    table, column = quote(catalog.tables[place[0]].name), quote(place[1])
    same = connection.execute(
        f"SELECT rowid FROM {table} WHERE {column} = ? ORDER BY rowid", (key,)
    ).fetchall()
    for (rowid,) in rng.sample(same, max(0, len(same) - 1)):
        connection.execute(
            f"UPDATE OR IGNORE {table} SET {column} = ? WHERE rowid = ?", (moved(key, rng), rowid)
        )


def _cut(select: Any, catalog: Catalog) -> Cut | None:
    order, limit, offset = (select.args.get(name) for name in ("order", "limit", "offset"))
    if order is None or limit is None or select.args.get("distinct") is not None:
        return None
    size = literal(limit.expression)
    start = literal(offset.expression) if offset is not None else 0
    if not isinstance(size, int) or size < 1 or not isinstance(start, int):
        return None
    keys = list(_keys(select, order))
    places = [place_of(key, catalog) for key in keys if isinstance(key, exp.Column)]
    if len(places) < len(keys) or places[0] is None or not catalog.tables[places[0][0]].has_rowid:
        return None
    probe = select.copy()
    probe.set("expressions", [key.copy() for key in keys])
    probe.set("order", exp.Order(expressions=[_ordered(o, k) for o, k in _pairs(order, keys)]))
    probe.set("limit", exp.Limit(expression=exp.Literal.number(2)))
    probe.set("offset", exp.Offset(expression=exp.Literal.number(start + size - 1)))
    return Cut(probe.sql(dialect="sqlite"), places[0])


def _keys(select: Any, order: Any) -> Iterator[Any]:
    """The expressions a SELECT orders by, positions and aliases replaced by what they stand for."""
    named = {item.alias.lower(): item.this for item in select.expressions if item.alias}
    for ordered in order.expressions:
        key = ordered.this
        position = literal(key)
        if isinstance(position, int) and 1 <= position <= len(select.expressions):
            key = select.expressions[position - 1].unalias()
        elif isinstance(key, exp.Column) and not key.table:
            key = named.get(key.name.lower(), key)
        yield key


def _pairs(order: Any, keys: list[Any]) -> Iterator[tuple[Any, Any]]:
    return zip(order.expressions, keys, strict=True)


def _ordered(ordered: Any, key: Any) -> Any:
    changed = ordered.copy()
    changed.set("this", key.copy())
    return changed
