"""The syntax tree that exact match and hardness work on.

A column is named ``table.column`` in lower case, a table by its name, ``*`` by itself.
Method: the Spider paper (arXiv 1809.08887), "component matching" and "SQL hardness criteria".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

NO_OPERATION = "none"
SET_OPERATIONS = ("intersect", "union", "except")


@dataclass(frozen=True)
class ColumnUnit:
    """A column, perhaps under an aggregate: ``count(DISTINCT t.c)``."""

    aggregate: str
    column: str
    distinct: bool


@dataclass(frozen=True)
class ValueUnit:
    """One column, or two joined by an arithmetic sign."""

    operation: str
    left: ColumnUnit
    right: ColumnUnit | None = None

    @property
    def columns(self) -> tuple[ColumnUnit, ...]:
        return (self.left,) if self.right is None else (self.left, self.right)


@dataclass(frozen=True)
class SelectItem:
    """One result column: an aggregate (or ``none``) of a value."""

    aggregate: str
    value: ValueUnit


@dataclass(frozen=True)
class OrderBy:
    """ORDER BY; like upstream's, it has one direction for all keys (the last one written)."""

    direction: str
    keys: tuple[ValueUnit, ...]


@dataclass
class ParsedSql:
    """One SELECT with its set operation.

    Attributes:
        select_distinct: whether SELECT DISTINCT.
        select: the result columns.
        tables: table names and FROM sub-queries, in order.
        on, where, having: conditions; comparisons with ``and``/``or`` between them.
        group_by: the grouping columns.
        order_by: the ordering, or None.
        limit: whether there is a LIMIT (its number plays no part).
        intersect, union, except_: the query after the set operation, or None.
    """

    select_distinct: bool = False
    select: list[SelectItem] = field(default_factory=list)
    tables: list[str | ParsedSql] = field(default_factory=list)
    on: Condition = field(default_factory=list)
    where: Condition = field(default_factory=list)
    group_by: list[ColumnUnit] = field(default_factory=list)
    having: Condition = field(default_factory=list)
    order_by: OrderBy | None = None
    limit: bool = False
    intersect: ParsedSql | None = None
    union: ParsedSql | None = None
    except_: ParsedSql | None = None

    @property
    def conditions(self) -> tuple[Condition, Condition, Condition]:
        """The three conditions: ON, WHERE and HAVING."""
        return self.on, self.where, self.having

    @property
    def set_operands(self) -> tuple[ParsedSql | None, ParsedSql | None, ParsedSql | None]:
        """The queries after INTERSECT, EXCEPT and UNION (None where there is none)."""
        return self.intersect, self.except_, self.union


Value = float | str | ColumnUnit | ParsedSql | None


@dataclass
class Comparison:
    """``left [NOT] operator value [AND value]``; the second value is BETWEEN's."""

    negated: bool
    operator: str
    left: ValueUnit
    value: Value
    second_value: Value = None

    @property
    def subqueries(self) -> list[ParsedSql]:
        return [value for value in (self.value, self.second_value) if isinstance(value, ParsedSql)]


# Comparisons at even places, "and"/"or" at odd ones.  The official grammar lets a connector be
# left out ("a = 1 b = 2"), which shifts the places; both programs then read by place.
Condition = list[Comparison | str]


def comparisons(condition: Condition) -> list[Comparison]:
    """Returns the comparisons at the places where comparisons belong."""
    return [item for item in condition[::2] if isinstance(item, Comparison)]


def connectors(condition: Condition) -> Sequence[Comparison | str]:
    """Returns what stands at the places where ``and``/``or`` belong."""
    return condition[1::2]


def is_aligned(sql: ParsedSql) -> bool:
    """Whether no connector of any condition stands at a comparison's place.

    Looks into sub-queries of conditions and into set operations, not into FROM.
    """
    return all(
        isinstance(item, Comparison) and all(map(is_aligned, item.subqueries))
        for condition in sql.conditions
        for item in condition[::2]
    ) and all(map(is_aligned, filter(None, sql.set_operands)))


def nested_queries(sql: ParsedSql) -> Iterator[ParsedSql]:
    """Yields the sub-queries of the conditions and the operand of the set operation."""
    for condition in sql.conditions:
        for comparison in comparisons(condition):
            yield from comparison.subqueries
    yield from filter(None, sql.set_operands)
