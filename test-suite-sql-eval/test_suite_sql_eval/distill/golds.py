"""What the gold queries ask for: their syntax trees, constants by column, and rows they select."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from .catalog import Catalog

#: A column of the database: lower-case table name, column name as the table writes it.
Place = tuple[str, str]
#: A condition on a column: the operator's class name, and the literal.
Condition = tuple[str, Any]
_OPERATORS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Like, exp.Is)
_MIRRORED = {"GT": "LT", "GTE": "LTE", "LT": "GT", "LTE": "GTE"}


@dataclass
class Gold:
    """A gold query and what a variant needs to give it something to tell apart.

    Attributes:
        sql: the query as written.
        tree: its syntax tree, or None where sqlglot cannot read it.
        constants: literals it compares columns with, by column.
        wishes: for each SELECT, the conditions on each of its tables' columns; a row for which
            they hold is one the query can find.
        links: pairs of columns it compares with each other, as joins do.
    """

    sql: str
    tree: Any = None
    constants: dict[Place, list[Any]] = field(default_factory=dict)
    wishes: list[dict[str, dict[str, list[Condition]]]] = field(default_factory=list)
    links: list[tuple[Place, Place]] = field(default_factory=list)


def read_gold(sql: str, catalog: Catalog) -> Gold:
    """Parse a gold query and collect its constants.

    A query sqlglot cannot read gives a `Gold` without tree and constants; it still runs.
    """
    try:
        trees = [tree for tree in sqlglot.parse(sql, read="sqlite") if tree is not None]
    except (SqlglotError, RecursionError):
        return Gold(sql)
    if len(trees) != 1 or not isinstance(trees[0], exp.Query):
        return Gold(sql)
    tree = _text_in_double_quotes(trees[0], catalog.column_names())
    gold = Gold(sql, tree)
    for select in tree.find_all(exp.Select):
        gold.wishes.append(_wishes(select, catalog))
    gold.links = list(dict.fromkeys(_links(tree, catalog)))
    for wish in gold.wishes:
        for table, columns in wish.items():
            for column, conditions in columns.items():
                place = catalog.root(table, column)
                known = gold.constants.setdefault(place, [])
                known += [v for _, v in conditions if v is not None and v not in known]
    return gold


def _links(tree: Any, catalog: Catalog) -> Iterator[tuple[Place, Place]]:
    for node in tree.find_all(exp.EQ):
        if isinstance(node.this, exp.Column) and isinstance(node.expression, exp.Column):
            left, right = place_of(node.this, catalog), place_of(node.expression, catalog)
            if left and right and left[0] != right[0]:
                yield left, right


def _text_in_double_quotes(tree: Any, columns: set[str]) -> Any:
    """Read "x" as text where no column has that name, as SQLite does."""

    def change(node: Any) -> Any:
        if (
            isinstance(node, exp.Column)
            and not node.table
            and isinstance(node.this, exp.Identifier)
        ):
            aliases = {alias.alias.lower() for alias in tree.find_all(exp.Alias)}
            known = node.name.lower() in columns or node.name.lower() in aliases
            if node.this.quoted and not known:
                return exp.Literal.string(node.name)
        return node

    return tree.transform(change)


def literal(node: Any) -> Any:
    """Return the value of a literal node (negative numbers too), or None."""
    if isinstance(node, exp.Neg):
        inner = literal(node.this)
        return -inner if isinstance(inner, int | float) else None
    if not isinstance(node, exp.Literal):
        return None
    if node.is_string:
        return node.this
    try:
        return float(node.this) if set(node.this) & set(".eE") else int(node.this)
    except ValueError:
        return None


def table_names(select: Any, catalog: Catalog) -> dict[str, str]:
    """Tables of a SELECT's own FROM clause: alias in lower case to table in lower case."""
    found = {}
    sources = [select.args.get("from_") or select.args.get("from")]
    sources += select.args.get("joins") or []
    for source in sources:
        table = source.this if source is not None else None
        if isinstance(table, exp.Table) and table.name.lower() in catalog.tables:
            found[table.alias_or_name.lower()] = table.name.lower()
    return found


def place_of(column: Any, catalog: Catalog) -> Place | None:
    """Return the table column a column node means, looking outwards from its own SELECT."""
    select = column.find_ancestor(exp.Select)
    while select is not None:
        tables = table_names(select, catalog)
        wanted = [tables[column.table.lower()]] if column.table.lower() in tables else []
        for table in wanted if column.table else tables.values():
            for known in catalog.tables[table].columns:
                if known.name.lower() == column.name.lower():
                    return table, known.name
        select = select.find_ancestor(exp.Select)
    return None


def _wishes(select: Any, catalog: Catalog) -> dict[str, dict[str, list[Condition]]]:
    found: dict[str, dict[str, list[Condition]]] = {}
    for column, operator, value in _comparisons(select):
        place = place_of(column, catalog)
        if place is not None:
            found.setdefault(place[0], {}).setdefault(place[1], []).append((operator, value))
    return found


def _comparisons(select: Any) -> Iterator[tuple[Any, str, Any]]:
    """Comparisons of a column with a literal that belong to this SELECT."""
    for node in select.walk():
        if node.find_ancestor(exp.Select) is not select:
            continue
        if isinstance(node, _OPERATORS):
            yield from _sides(node)
        elif isinstance(node, exp.In) and isinstance(node.this, exp.Column):
            for item in node.expressions:
                if literal(item) is not None:
                    yield node.this, "EQ", literal(item)
        elif isinstance(node, exp.Between) and isinstance(node.this, exp.Column):
            for name, operator in (("low", "GTE"), ("high", "LTE")):
                value = literal(node.args[name])
                if value is not None:
                    yield node.this, operator, value


def _sides(node: Any) -> Iterator[tuple[Any, str, Any]]:
    operator = type(node).__name__
    left, right = _bare(node.this), _bare(node.expression)
    if isinstance(right, exp.Column):
        left, right, operator = right, left, _MIRRORED.get(operator, operator)
    if not isinstance(left, exp.Column):
        return
    value = literal(right)
    if value is not None or (operator == "Is" and isinstance(right, exp.Null)):
        yield left, operator, value


def _bare(node: Any) -> Any:
    """The operand without brackets and without functions around a column, such as lower(x)."""
    while isinstance(node, exp.Paren | exp.Lower | exp.Upper | exp.Cast):
        node = node.this
    return node


def read_golds(queries: Sequence[str], catalog: Catalog) -> list[Gold]:
    """Read each distinct query once, in the order given."""
    return [read_gold(sql, catalog) for sql in dict.fromkeys(queries)]
