"""The syntax tree that exact match and hardness work on.

A column is named ``table.column`` in lower case, a table by its name, ``*`` by itself.
Method: the Spider paper (arXiv 1809.08887), "component matching" and "SQL hardness criteria".
"""

from __future__ import annotations

TYPE_CHECKING = False  # importing typing, let alone dataclasses, would cost milliseconds
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any, Self

NO_OPERATION = "none"
SET_OPERATIONS = ("intersect", "union", "except")


class _Node:
    """Two nodes are equal when they are of one class and their parts are equal."""

    __slots__: tuple[str, ...] = ()

    def _parts(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in self.__slots__)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Node) or type(self) is not type(other):
            return NotImplemented
        return self._parts() == other._parts()

    def __hash__(self) -> int:
        return hash(self._parts())

    def __repr__(self) -> str:
        parts = zip(self.__slots__, self._parts(), strict=True)
        return f"{type(self).__name__}({', '.join(f'{name}={part!r}' for name, part in parts)})"

    def replace(self, **changes: Any) -> Self:
        """Return a copy with other values for the parts named."""
        return type(self)(**(dict(zip(self.__slots__, self._parts(), strict=True)) | changes))


class ColumnUnit(_Node):
    """A column, perhaps under an aggregate: ``count(DISTINCT t.c)``."""

    __slots__ = ("aggregate", "column", "distinct")

    def __init__(self, aggregate: str, column: str, distinct: bool) -> None:
        self.aggregate = aggregate
        self.column = column
        self.distinct = distinct


class ValueUnit(_Node):
    """One column, or two joined by an arithmetic sign."""

    __slots__ = ("operation", "left", "right")

    def __init__(self, operation: str, left: ColumnUnit, right: ColumnUnit | None = None) -> None:
        self.operation = operation
        self.left = left
        self.right = right

    @property
    def columns(self) -> tuple[ColumnUnit, ...]:
        return (self.left,) if self.right is None else (self.left, self.right)


class SelectItem(_Node):
    """One result column: an aggregate (or ``none``) of a value."""

    __slots__ = ("aggregate", "value")

    def __init__(self, aggregate: str, value: ValueUnit) -> None:
        self.aggregate = aggregate
        self.value = value


class OrderBy(_Node):
    """ORDER BY; like upstream's, it has one direction for all keys (the last one written)."""

    __slots__ = ("direction", "keys")

    def __init__(self, direction: str, keys: tuple[ValueUnit, ...]) -> None:
        self.direction = direction
        self.keys = keys


class ParsedSql(_Node):
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

    __slots__ = (
        "select_distinct",
        "select",
        "tables",
        "on",
        "where",
        "group_by",
        "having",
        "order_by",
        "limit",
        "intersect",
        "union",
        "except_",
    )

    def __init__(
        self,
        select_distinct: bool = False,
        select: list[SelectItem] | None = None,
        tables: list[str | ParsedSql] | None = None,
        on: Condition | None = None,
        where: Condition | None = None,
        group_by: list[ColumnUnit] | None = None,
        having: Condition | None = None,
        order_by: OrderBy | None = None,
        limit: bool = False,
        intersect: ParsedSql | None = None,
        union: ParsedSql | None = None,
        except_: ParsedSql | None = None,
    ) -> None:
        self.select_distinct = select_distinct
        self.select = [] if select is None else select
        self.tables = [] if tables is None else tables
        self.on: Condition = [] if on is None else on
        self.where: Condition = [] if where is None else where
        self.group_by = [] if group_by is None else group_by
        self.having: Condition = [] if having is None else having
        self.order_by = order_by
        self.limit = limit
        self.intersect = intersect
        self.union = union
        self.except_ = except_

    @property
    def conditions(self) -> tuple[Condition, Condition, Condition]:
        """The three conditions: ON, WHERE and HAVING."""
        return self.on, self.where, self.having

    @property
    def set_operands(self) -> tuple[ParsedSql | None, ParsedSql | None, ParsedSql | None]:
        """The queries after INTERSECT, EXCEPT and UNION (None where there is none)."""
        return self.intersect, self.except_, self.union


Value = float | str | ColumnUnit | ParsedSql | None


class Comparison(_Node):
    """``left [NOT] operator value [AND value]``; the second value is BETWEEN's."""

    __slots__ = ("negated", "operator", "left", "value", "second_value")

    def __init__(
        self,
        negated: bool,
        operator: str,
        left: ValueUnit,
        value: Value,
        second_value: Value = None,
    ) -> None:
        self.negated = negated
        self.operator = operator
        self.left = left
        self.value = value
        self.second_value = second_value

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
    for condition in filter(None, sql.conditions):
        for comparison in comparisons(condition):
            yield from comparison.subqueries
    yield from filter(None, sql.set_operands)
