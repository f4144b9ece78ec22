"""What a schema is, wherever it was read from."""

from __future__ import annotations

from dataclasses import dataclass, field

Value = str | bool | int | float | None


@dataclass(frozen=True)
class Column:
    """A column; `examples` are distinct non-null values, in the order they were met."""

    name: str
    type: str = "TEXT"
    primary_key: bool = False
    examples: tuple[Value, ...] = ()
    nullable: bool = True
    comment: str = ""


@dataclass(frozen=True)
class ForeignKey:
    """`table`.`column` refers to `ref_table`.`ref_column`."""

    table: str
    column: str
    ref_table: str
    ref_column: str


@dataclass(frozen=True)
class Table:
    """A table or view; `rows` are sample rows whose values stand in the order of `columns`.

    `row_count` is None where nobody counted. `unique` holds the columns of each unique key besides
    the primary one. `schema` is the database schema (namespace) it is in, where that is known.
    """

    name: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...] = ()
    comment: str = ""
    row_count: int | None = None
    is_view: bool = False
    unique: tuple[tuple[str, ...], ...] = ()
    schema: str = ""

    @property
    def primary_key(self) -> tuple[str, ...]:
        """Names of the primary key's columns, in column order."""
        return tuple(column.name for column in self.columns if column.primary_key)


@dataclass(frozen=True)
class Schema:
    """A database's tables and the foreign keys between them.

    `dialect` is the SQL that the database speaks, one of `quoting.DIALECTS`: names and values are
    written as it takes them.
    """

    db_id: str
    tables: tuple[Table, ...]
    foreign_keys: tuple[ForeignKey, ...] = field(default=())
    dialect: str = "sqlite"

    def table(self, name: str) -> Table | None:
        """Return the table of that name, letter case aside, or None."""
        wanted = name.casefold()
        return next((t for t in self.tables if t.name.casefold() == wanted), None)

    def names(self) -> frozenset[tuple[str, str]]:
        """All (table, column) pairs in lower case; two schemas with the same names are the same."""
        return frozenset(
            (table.name.casefold(), column.name.casefold())
            for table in self.tables
            for column in table.columns
        )
