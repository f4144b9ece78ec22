"""Neighbour queries: what a gold query becomes with one small mistake in it.

A suite that tells a gold query from its neighbours tells it from most wrong predictions (arXiv
2010.02840, section 3).  Each change touches one place of the syntax tree.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

from sqlglot import exp

from .catalog import Catalog
from .golds import Gold, literal, place_of, table_names
from .values import near_misses

#: Neighbours of a gold query at most; a sample where there are more.
DEFAULT_LIMIT = 60
_COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE)
_AGGREGATES = (exp.Count, exp.Sum, exp.Avg, exp.Min, exp.Max)
_SET_OPERATIONS = (exp.Union, exp.Intersect, exp.Except)
_ARITHMETIC = (exp.Add, exp.Sub, exp.Mul, exp.Div)
_CLAUSES = ("where", "having", "group", "order", "limit", "distinct")

#: A change: what it is called, and what does and undoes it.
Change = tuple[str, Callable[[], None], Callable[[], None]]


def neighbours(gold: Gold, catalog: Catalog, limit: int = DEFAULT_LIMIT) -> dict[str, str]:
    """Return queries that differ from the gold query in one place.

    Args:
        gold: the query; one without a syntax tree has no neighbours.
        catalog: the schema, for the columns a query could name instead.
        limit: how many to return at most; which ones follows from the query's text.

    Returns:
        The kind of change by the SQL of the neighbour.  They need not run, and some may mean the
        same as the gold query: only running them tells.
    """
    if gold.tree is None:
        return {}
    tree = gold.tree.copy()
    seen: dict[str, str] = {}
    same = tree.sql(dialect="sqlite")
    for kind, do, undo in _changes(tree, catalog):
        do()
        sql = tree.sql(dialect="sqlite")
        undo()
        if sql != same:
            seen.setdefault(sql, kind)
    if len(seen) > limit:
        chosen = set(random.Random(gold.sql).sample(range(len(seen)), limit))
        seen = {sql: kind for i, (sql, kind) in enumerate(seen.items()) if i in chosen}
    return seen


def _changes(tree: Any, catalog: Catalog) -> Iterator[Change]:
    # The nodes are listed first, because changes put other nodes into the tree for a while.
    for node in list(tree.walk()):
        yield from _operator_changes(node)
        if isinstance(node, exp.Literal) and not isinstance(node.parent, exp.Neg):
            yield from _literal_changes(node)
        elif isinstance(node, exp.Column):
            yield from _column_changes(node, catalog)
        elif isinstance(node, _AGGREGATES):
            yield from _aggregate_changes(node)
        elif isinstance(node, exp.Ordered):
            desc = not node.args.get("desc")
            yield _argument("order direction", node, "desc", desc)
        elif isinstance(node, exp.Select):
            yield from _select_changes(node, catalog)
        elif isinstance(node, _SET_OPERATIONS):
            yield from _set_changes(node)


def _swap(kind: str, node: Any, other: Any) -> Change:
    return kind, lambda: node.replace(other), lambda: other.replace(node)


def _argument(kind: str, node: Any, name: str, value: Any) -> Change:
    old = node.args.get(name)
    return kind, lambda: node.set(name, value), lambda: node.set(name, old)


def _without(kind: str, node: Any, name: str, index: int) -> Change:
    """Drop one entry of a list argument."""
    old = list(node.args[name])
    fewer = old[:index] + old[index + 1 :]
    return kind, lambda: node.set(name, fewer), lambda: node.set(name, old)


def _operator_changes(node: Any) -> Iterator[Change]:
    family: tuple[Any, ...] = ()
    if isinstance(node, _COMPARISONS):
        family = _COMPARISONS
        if isinstance(node.this, exp.Column) and isinstance(node.expression, exp.Column):
            family = (exp.EQ, exp.NEQ) if isinstance(node, exp.EQ | exp.NEQ) else _COMPARISONS
        elif _is_text(node.this) or _is_text(node.expression):
            family = (*_COMPARISONS, exp.Like)
    elif isinstance(node, exp.And | exp.Or):
        family = (exp.And, exp.Or)
        for part in (node.this, node.expression):
            yield _swap("condition dropped", node, part.copy())
    elif isinstance(node, _ARITHMETIC):
        family = _ARITHMETIC
    elif isinstance(node, exp.Like):
        family = (exp.Like, exp.EQ)
    for other in family:
        if type(node) is not other:
            new = other(this=node.this.copy(), expression=node.expression.copy())
            yield _swap("operator", node, new)
    if isinstance(node, exp.Like | exp.In | exp.Exists | exp.Between | exp.Is):
        if isinstance(node.parent, exp.Not):
            yield _swap("negation", node.parent, node.copy())
        else:
            yield _swap("negation", node, exp.Not(this=node.copy()))
    if isinstance(node, exp.Between):
        for bound, other in (("low", exp.GTE), ("high", exp.LTE)):
            half = other(this=node.this.copy(), expression=node.args[bound].copy())
            yield _swap("condition dropped", node, half)


def _is_text(node: Any) -> bool:
    return isinstance(node, exp.Literal) and node.is_string


def _literal_changes(node: Any) -> Iterator[Change]:
    value = literal(node)
    if isinstance(node.parent, exp.Ordered):
        return  # ORDER BY 1 names a column
    if isinstance(value, str):
        for near in near_misses(value):
            yield _swap("constant", node, exp.Literal.string(near))
        if isinstance(node.parent, exp.Like):
            core = value.strip("%")
            for pattern in (core, f"%{core}", f"{core}%", f"%{core}%"):
                yield _swap("constant", node, exp.Literal.string(pattern))
    elif value is not None:
        kind = "limit" if isinstance(node.parent, exp.Limit | exp.Offset) else "constant"
        for near in near_misses(value)[:2]:
            if near >= 0:
                yield _swap(kind, node, exp.Literal.number(near))


def _column_changes(node: Any, catalog: Catalog) -> Iterator[Change]:
    place = place_of(node, catalog)
    if place is None or (isinstance(node.parent, exp.Count) and place[0]):
        # COUNT(a) and COUNT(b) are the same wherever neither column holds NULL.
        return
    select = node.find_ancestor(exp.Select)
    for column in catalog.tables[place[0]].columns:
        if column.name != place[1]:
            new = node.copy()
            new.set("this", exp.to_identifier(column.name, quoted=_needs_quotes(column.name)))
            yield _swap("column", node, new)
    # The same name from another table of the FROM clause, as id often is.
    for alias, table in table_names(select, catalog).items():
        names = {known.name.lower() for known in catalog.tables[table].columns}
        if node.table and alias != node.table.lower() and node.name.lower() in names:
            new = node.copy()
            new.set("table", exp.to_identifier(alias))
            yield _swap("table", node, new)


def _needs_quotes(name: str) -> bool:
    return not name.isidentifier() or name.upper() in ("ORDER", "GROUP", "FROM", "TO", "INDEX")


def _aggregate_changes(node: Any) -> Iterator[Change]:
    inner = node.this
    if isinstance(inner, exp.Star) or inner is None:
        return
    if isinstance(inner, exp.Distinct):
        if len(inner.expressions) == 1:
            yield _argument("aggregate distinct", node, "this", inner.expressions[0].copy())
        return
    if isinstance(node, exp.Count | exp.Sum | exp.Avg):
        distinct = exp.Distinct(expressions=[inner.copy()])
        yield _argument("aggregate distinct", node, "this", distinct)
    for other in _AGGREGATES:
        if type(node) is not other:
            yield _swap("aggregate", node, other(this=inner.copy()))
    yield _swap("aggregate dropped", node, inner.copy())


def _select_changes(node: Any, catalog: Catalog) -> Iterator[Change]:
    for name in _CLAUSES:
        if node.args.get(name) is not None:
            yield _argument(f"{name} dropped", node, name, None)
    if node.args.get("distinct") is None:
        yield _argument("distinct", node, "distinct", exp.Distinct())
    if node.args.get("order") is not None and node.args.get("limit") is None:
        yield _argument("limit", node, "limit", exp.Limit(expression=exp.Literal.number(1)))
    for name in ("group", "order"):
        clause = node.args.get(name)
        for i in range(len(clause.expressions) if clause is not None else 0):
            if len(clause.expressions) > 1:
                yield _without(f"{name} key dropped", clause, "expressions", i)
    if len(node.expressions) > 1:
        for i in range(len(node.expressions)):
            yield _without("selected column dropped", node, "expressions", i)
    for i, join in enumerate(node.args.get("joins") or []):
        yield _without("join dropped", node, "joins", i)
        if not join.args.get("side"):
            yield _argument("outer join", join, "side", "LEFT")
        if join.args.get("on") is not None:
            yield _argument("join condition dropped", join, "on", None)


def _set_changes(node: Any) -> Iterator[Change]:
    for other in _SET_OPERATIONS:
        if type(node) is not other:
            arguments = {name: value for name, value in node.args.items() if value is not None}
            new = other(**{n: v.copy() if hasattr(v, "copy") else v for n, v in arguments.items()})
            yield _swap("set operation", node, new)
    if isinstance(node, exp.Union):
        yield _argument("set operation", node, "distinct", not node.args.get("distinct"))
    for part in (node.this, node.expression):
        yield _swap("set operation dropped", node, part.copy())
