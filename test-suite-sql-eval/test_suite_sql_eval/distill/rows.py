"""Fill a variant: rows that respect every constraint of the schema, and that queries find."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Sequence
from typing import Any

from .catalog import Catalog, Column, ForeignKey, Table
from .golds import Gold, Place
from .names import quote
from .values import Pool, satisfying

#: Rows a table of a variant has at most.
DEFAULT_MAX_ROWS = 100
_PAGE_SIZE = 1024  # variants are small: SQLite's 4096 would leave most of the file empty
_TRIES = 12
#: How often a column that a gold query joins without a foreign key takes the other's values.
_LINKED = 0.8


class Variant:
    """One variant database in memory, made from a seed.

    Args:
        catalog: the schema, and the rows whose values may be used.
        focus: the gold queries this variant is meant for: their constants and the rows they look
            for occur in it.
        seed: text from which every choice follows.
        max_rows: rows a table has at most.
        any_null: put NULL wherever the schema allows it, not only where the database has it.
    """

    def __init__(
        self,
        catalog: Catalog,
        focus: Sequence[Gold],
        seed: str,
        max_rows: int = DEFAULT_MAX_ROWS,
        any_null: bool = False,
    ) -> None:
        self._catalog = catalog
        self._focus = focus
        self._rng = random.Random(seed)
        self._any_null = any_null
        self._linked = _links(catalog, focus)
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        self.connection.execute(f"PRAGMA page_size={_PAGE_SIZE}")
        self.connection.execute("BEGIN")
        for statement in catalog.statements:
            self.connection.execute(statement)
        sizes = self._sizes(max_rows)
        for table in catalog.tables.values():
            self._fill(table, sizes[table.name])
        self._point_back()
        self._delete_orphans()
        for statement in catalog.later:
            self.connection.execute(statement)
        self.connection.execute("COMMIT")

    def to_bytes(self) -> bytes:
        """Return the SQLite file; the same catalog, focus and seed give the same bytes."""
        return self.connection.serialize()

    def close(self) -> None:
        """Free the memory."""
        self.connection.close()

    def _sizes(self, max_rows: int) -> dict[str, int]:
        """Rows by table: all alike, or more with every step away from the parents."""
        rng = self._rng
        if rng.random() < 0.5:
            low = rng.choice((2, 8, 20))
            return {
                table.name: rng.randint(min(low, max_rows), max_rows)
                for table in self._catalog.tables.values()
            }
        first, growth = rng.randint(2, max(2, max_rows // 4)), rng.choice((2, 3, 4))
        depth: dict[str, int] = {}
        for name, table in self._catalog.tables.items():
            parents = [depth.get(key.parent, 0) for key in table.foreign_keys if key.parent != name]
            depth[name] = 1 + max(parents) if parents else 0
        return {
            table.name: min(max_rows, first * growth ** depth[name])
            for name, table in self._catalog.tables.items()
        }

    def _fill(self, table: Table, size: int) -> None:
        filler = _Filler(self, table)
        sql = (
            f"INSERT OR IGNORE INTO {quote(table.name)}"
            f" ({', '.join(quote(column.name) for column in table.columns)})"
            f" VALUES ({', '.join('?' * len(table.columns))})"
        )
        for _ in range(size):
            for attempt in range(_TRIES):
                row = filler.row(careful=attempt >= _TRIES // 2)
                if row is not None and self._insert(sql, row):
                    filler.made.append(row)
                    break

    def _insert(self, sql: str, row: list[Any]) -> bool:
        try:
            return self.connection.execute(sql, row).rowcount == 1
        except (sqlite3.IntegrityError, OverflowError):
            return False  # a type a STRICT table or an INTEGER PRIMARY KEY refuses

    def values(self, table: str, columns: Sequence[str]) -> list[tuple[Any, ...]]:
        """Return the values stored so far in some columns, rows with a NULL left out."""
        names = [quote(column) for column in columns]
        return self.connection.execute(
            f"SELECT {', '.join(names)} FROM {quote(self._catalog.tables[table].name)}"
            f" WHERE {' AND '.join(f'{name} IS NOT NULL' for name in names)}"
        ).fetchall()

    def _point_back(self) -> None:
        """Let nullable foreign keys refer to their own table, or to one filled later (a cycle)."""
        order = list(self._catalog.tables)
        for name, table in self._catalog.tables.items():
            for key in table.foreign_keys:
                filled = order.index(key.parent) < order.index(name)
                if filled or not table.has_rowid or not _may_be_null(table, key):
                    continue
                parents = self.values(key.parent, key.parent_columns)
                sets = ", ".join(f"{quote(column)} = ?" for column in key.columns)
                source = quote(table.name)
                for (rowid,) in self.connection.execute(f"SELECT rowid FROM {source}").fetchall():
                    if parents and self._rng.random() < _LINKED:
                        self.connection.execute(
                            f"UPDATE OR IGNORE {source} SET {sets} WHERE rowid = ?",
                            (*self._rng.choice(parents), rowid),
                        )

    def _delete_orphans(self) -> None:
        """Delete rows that refer to nothing, until there are none."""
        while any(
            self.connection.execute(_orphans(table, key, self._catalog)).rowcount
            for table in self._catalog.tables.values()
            for key in table.foreign_keys
        ):
            pass


def _orphans(table: Table, key: ForeignKey, catalog: Catalog) -> str:
    pairs = zip(key.columns, key.parent_columns, strict=True)
    match = " AND ".join(f"child.{quote(own)} = parent.{quote(other)}" for own, other in pairs)
    given = " AND ".join(f"child.{quote(column)} IS NOT NULL" for column in key.columns)
    parent = quote(catalog.tables[key.parent].name)
    return (
        f"DELETE FROM {quote(table.name)} AS child WHERE {given}"
        f" AND NOT EXISTS (SELECT 1 FROM {parent} AS parent WHERE {match})"
    )


def _may_be_null(table: Table, key: ForeignKey) -> bool:
    return not any(table.columns[table.position(column)].not_null for column in key.columns)


def _links(catalog: Catalog, focus: Sequence[Gold]) -> dict[Place, Place]:
    """Columns that gold queries join without a foreign key: the later table's to the earlier's."""
    order = list(catalog.tables)
    found: dict[Place, Place] = {}
    for gold in focus:
        for pair in gold.links:
            earlier, later = sorted(pair, key=lambda place: order.index(place[0]))
            declared = any(later[1] in key.columns for key in catalog.tables[later[0]].foreign_keys)
            if not declared:
                found.setdefault(later, earlier)
    return found


class _Filler:
    """Makes the rows of one table of a variant."""

    def __init__(self, variant: Variant, table: Table) -> None:
        self._variant = variant
        self._table = table
        self._rng = rng = variant._rng
        self.made: list[list[Any]] = []
        focus = variant._focus
        name = table.name.lower()
        referring = {column for key in table.foreign_keys for column in key.columns}
        single = {key[0] for key in table.keys if len(key) == 1}
        self._pools: dict[str, Pool] = {}
        self._null_rates: dict[str, float] = {}
        for i, column in enumerate(table.columns):
            nullable = variant._any_null or column.name in table.has_null
            self._null_rates[column.name] = (
                rng.choice((0.0, 0.05, 0.3)) if nullable and not column.not_null else 0.0
            )
            checked = table.check_values.get(column.name, [])
            constants = [v for gold in focus for v in gold.constants.get((name, column.name), [])]
            observed = [row[i] for row in table.rows if row[i] is not None]
            self._pools[column.name] = Pool(
                column, observed, list(dict.fromkeys(checked or constants)), rng, bool(checked)
            )
        self._own = [c for c in table.columns if c.name not in referring]
        self._free = [c for c in self._own if not any(c.name in key for key in table.keys)]
        self._single = [c for c in self._own if c.name in single]
        self._wishes = [wish[name] for gold in focus for wish in gold.wishes if name in wish]
        self._parents = [(key, self._parent_rows(key)) for key in table.foreign_keys]
        self._linked = {
            column: [value for (value,) in variant.values(other[0], [other[1]])]
            for (own, column), other in variant._linked.items()
            if own == name and column not in referring
        }
        self._shares = rng.choice(((0.1, 0.2, 0.3), (0.3, 0.4, 0.4), (0.0, 0.6, 0.2)))

    def _parent_rows(self, key: ForeignKey) -> list[tuple[Any, ...]]:
        """The rows a foreign key may refer to; often not all, so that groups stay empty."""
        rows = self._variant.values(key.parent, key.parent_columns)
        share = self._rng.choice((0.3, 0.7, 1.0))
        return self._rng.sample(rows, max(1, int(share * len(rows)))) if rows else []

    def row(self, careful: bool) -> list[Any] | None:
        """Return a row to try, or None where a foreign key has nothing to refer to.

        Args:
            careful: change nothing of an original row but its keys, because rows made more freely
                were refused (by a CHECK constraint).
        """
        rng, table = self._rng, self._table
        clone, original, wish = self._shares
        values: dict[str, Any] = {}
        which = rng.random()
        if table.rows and (careful or which < original):
            values = self._from(rng.choice(table.rows), 0 if careful else rng.randrange(3))
        elif self.made and which < original + clone:
            values = self._from(rng.choice(self.made), 1)
        else:
            values = {column.name: self._draw(column) for column in self._own}
        for column in self._single:
            values[column.name] = self._unused(column)
        for name, others in self._linked.items():
            if others and rng.random() < _LINKED:
                values[name] = rng.choice(others)
        wanted: dict[str, Any] = {}
        if not careful and self._wishes and rng.random() < wish + 0.2:
            wanted = self._granted(rng.choice(self._wishes))
            values |= {n: v for n, v in wanted.items() if v is not None or self._nullable(n)}
        if not self._refer(values, wanted):
            return None
        return [values[column.name] for column in table.columns]

    def _from(self, row: Sequence[Any], changes: int) -> dict[str, Any]:
        """A row like another one, with some columns outside keys drawn anew."""
        values = {
            column.name: self._draw(column) if value is None and column.not_null else value
            for column, value in zip(self._table.columns, row, strict=True)
        }
        for column in self._rng.sample(self._free, min(changes, len(self._free))):
            values[column.name] = self._draw(column)
        return values

    def _draw(self, column: Column) -> Any:
        if self._rng.random() < self._null_rates[column.name]:
            return None
        return self._pools[column.name].draw()

    def _unused(self, column: Column) -> Any:
        """A value for a column that may not repeat."""
        pool = self._pools[column.name]
        value = pool.draw()
        if isinstance(value, int) and self._rng.random() < 0.5:
            return self._rng.randint(1, 3 * (len(self.made) + 10))
        return value if self._rng.random() < 0.5 else pool.fresh()

    def _granted(self, wish: dict[str, list[tuple[str, Any]]]) -> dict[str, Any]:
        return {
            column: satisfying(*self._rng.choice(conditions), self._rng)
            for column, conditions in wish.items()
        }

    def _nullable(self, name: str) -> bool:
        return not self._table.columns[self._table.position(name)].not_null

    def _refer(self, values: dict[str, Any], wanted: dict[str, Any]) -> bool:
        """Set the foreign keys; say whether there was something to refer to."""
        for key, parents in self._parents:
            null = self._rng.random() < max(self._null_rates[column] for column in key.columns)
            if (null or not parents) and _may_be_null(self._table, key):
                values |= dict.fromkeys(key.columns)
                continue
            if not parents:
                if key.parent != self._table.name.lower():
                    return False
                # The first row of a table that must refer to itself points at itself.
                parents = [tuple(values.get(name) for name in key.parent_columns)]
            fitting = parents
            if not wanted.keys().isdisjoint(key.columns):
                fitting = [
                    row
                    for row in parents
                    if all(wanted.get(c, v) == v for c, v in zip(key.columns, row, strict=True))
                ]
            chosen = self._rng.choice(fitting or parents)
            values |= dict(zip(key.columns, chosen, strict=True))
        return True
