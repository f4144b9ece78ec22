"""Exact set match and partial matching, with the official program's verdicts.

Two queries match when their parts match as sets and they read the same tables.  Values, DISTINCT
(of columns and of SELECT) and the condition of a join do not count; columns tied by a foreign key
of tables.json count as one.  What upstream leaves out of this is left out here too: inside a FROM
sub-query everything counts, inside a condition's sub-query only values are ignored.

Method: arXiv 1809.08887 ("component matching", "exact matching").
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .em_ast import (
    ColumnUnit,
    Comparison,
    Condition,
    OrderBy,
    ParsedSql,
    SelectItem,
    ValueUnit,
    comparisons,
    connectors,
    is_aligned,
)
from .schema import EvalSchema

_RECURSION_LIMIT = 20_000


@dataclass(frozen=True)
class PartialScore:
    """The score of one part of a query, 0 or 1.

    Attributes:
        acc, rec, f1: all 1 where the part matches wholly, else all 0.
        label_total, pred_total: the part's size in the gold query and in the prediction; the
            report averages accuracy over predictions that have the part, recall over gold queries
            that have it.
    """

    acc: int
    rec: int
    f1: int
    label_total: int
    pred_total: int


@dataclass(frozen=True)
class ExactResult:
    """The verdict on one prediction: exact match, and the parts in the order of the report."""

    exact: bool
    partial: dict[str, PartialScore]


def exact_match(gold: ParsedSql, pred: ParsedSql, schema: EvalSchema) -> ExactResult:
    """Compares a prediction with its gold query.

    Args:
        gold: the gold query, from `parser.parse`.
        pred: the prediction; `ParsedSql()` for one that does not parse.
        schema: the database's schema with its foreign-key classes.

    Returns:
        The verdict.  A prediction whose conditions lack a connector in a way that stops upstream
        with an error counts as one that does not parse.
    """
    with _deep_recursion():
        if not is_aligned(pred) or not _has_comparable_connectors(gold, pred):
            pred = ParsedSql()
        return _compare(_normalised(gold, schema), _normalised(pred, schema))


@contextmanager
def _deep_recursion() -> Iterator[None]:
    """Lets the comparison recurse into every query that the parser could.

    The parser runs under Python's usual limit, which bounds the nesting; comparing takes more
    calls for each level than parsing does.
    """
    usual = sys.getrecursionlimit()
    sys.setrecursionlimit(max(usual, _RECURSION_LIMIT))
    try:
        yield
    finally:
        sys.setrecursionlimit(usual)


def _has_comparable_connectors(gold: ParsedSql, pred: ParsedSql) -> bool:
    """Whether no comparison with a sub-query stands at the place of a WHERE connector."""
    here = all(isinstance(item, str) or not item.subqueries for item in connectors(pred.where))
    return here and all(
        _has_comparable_connectors(left, right)
        for left, right in zip(gold.set_operands, pred.set_operands, strict=True)
        if left and right
    )


# Leaving out what does not count


def _normalised(sql: ParsedSql, schema: EvalSchema) -> ParsedSql:
    """Returns the query without values and DISTINCT and with foreign-key classes for columns.

    The tables of the outermost FROM decide which columns foreign keys may replace, also in the
    operands of set operations, as upstream has it.
    """
    tables = {table for table in sql.tables if isinstance(table, str)}

    def column(name: str) -> str:
        table, dot, _ = name.partition(".")
        return schema.foreign_keys.get(name, name) if dot and table in tables else name

    return _mapped(_without_values(sql), column)


def _without_values(sql: ParsedSql) -> ParsedSql:
    """Drops the values of all conditions, set operations and condition sub-queries included."""
    intersect, except_, union = (part and _without_values(part) for part in sql.set_operands)
    on, where, having = map(_condition_without_values, sql.conditions)
    return sql.replace(
        on=on, where=where, having=having, intersect=intersect, except_=except_, union=union
    )


def _condition_without_values(condition: Condition) -> Condition:
    def strip(item: Comparison | str) -> Comparison | str:
        if not isinstance(item, Comparison):
            return item
        kept = [
            _without_values(value) if isinstance(value, ParsedSql) else None
            for value in (item.value, item.second_value)
        ]
        return item.replace(value=kept[0], second_value=kept[1])

    return _at_comparison_places(condition, strip)


def _at_comparison_places(
    condition: Condition, change: Callable[[Comparison | str], Comparison | str]
) -> Condition:
    return [change(item) if place % 2 == 0 else item for place, item in enumerate(condition)]


def _mapped(sql: ParsedSql, column: Callable[[str], str]) -> ParsedSql:
    """Renames columns and drops DISTINCT, set operations included, sub-queries not."""

    def unit(old: ColumnUnit) -> ColumnUnit:
        return ColumnUnit(old.aggregate, column(old.column), False)

    def value(old: ValueUnit) -> ValueUnit:
        return ValueUnit(old.operation, unit(old.left), old.right and unit(old.right))

    def comparison(old: Comparison | str) -> Comparison | str:
        return old.replace(left=value(old.left)) if isinstance(old, Comparison) else old

    on, where, having = (_at_comparison_places(each, comparison) for each in sql.conditions)
    intersect, except_, union = (part and _mapped(part, column) for part in sql.set_operands)
    order = sql.order_by
    return ParsedSql(
        select_distinct=False,
        select=[SelectItem(item.aggregate, value(item.value)) for item in sql.select],
        tables=sql.tables,
        on=on,
        where=where,
        group_by=[unit(each) for each in sql.group_by],
        having=having,
        order_by=order and OrderBy(order.direction, tuple(map(value, order.keys))),
        limit=sql.limit,
        intersect=intersect,
        union=union,
        except_=except_,
    )


# Comparing the parts


def _compare(gold: ParsedSql, pred: ParsedSql) -> ExactResult:
    partial = {
        "select": _as_bags(gold.select, pred.select),
        "select(no AGG)": _as_bags(
            [item.value for item in gold.select], [item.value for item in pred.select]
        ),
        "where": _as_bags(gold.where[::2], pred.where[::2]),
        "where(no OP)": _as_bags(
            [item.left for item in comparisons(gold.where)],
            [item.left for item in comparisons(pred.where)],
        ),
        "group(no Having)": _as_bags(_group_names(gold), _group_names(pred)),
        "group": _group_and_having(gold, pred),
        "order": _order(gold, pred),
        "and/or": _and_or(gold, pred),
        "IUEN": _set_operations(gold, pred),
        "keywords": _as_bags(list(_keywords(gold)), list(_keywords(pred))),
    }
    exact = all(score.f1 == 1 for score in partial.values())
    if exact and gold.tables:
        exact = _common(gold.tables, pred.tables) == len(gold.tables) == len(pred.tables)
    return ExactResult(exact, partial)


def _score(matched: int, label_total: int, pred_total: int) -> PartialScore:
    whole = int(label_total == pred_total == matched)
    return PartialScore(whole, whole, whole, label_total, pred_total)


def _common(gold: Iterable[Any], pred: Iterable[Any]) -> int:
    """Counts the members two bags share; the members need not be hashable."""
    left = list(gold)
    matched = 0
    for item in pred:
        if item in left:
            left.remove(item)
            matched += 1
    return matched


def _as_bags(gold: Sequence[Any], pred: Sequence[Any]) -> PartialScore:
    return _score(_common(gold, pred), len(gold), len(pred))


def _group_names(sql: ParsedSql) -> list[tuple[str, bool]]:
    """Returns the grouping columns' names without their tables.

    A name that itself holds a dot is cut at it and equals no name that holds none, as upstream.
    """
    cut = [unit.column.split(".") for unit in sql.group_by]
    return [(parts[1] if len(parts) > 1 else parts[0], len(parts) == 2) for parts in cut]


def _group_and_having(gold: ParsedSql, pred: ParsedSql) -> PartialScore:
    same = [unit.column for unit in gold.group_by] == [
        unit.column for unit in pred.group_by
    ] and gold.having == pred.having
    both = bool(gold.group_by) and bool(pred.group_by)
    return _score(int(both and same), int(bool(gold.group_by)), int(bool(pred.group_by)))


def _order(gold: ParsedSql, pred: ParsedSql) -> PartialScore:
    same = gold.order_by is not None and gold.order_by == pred.order_by and gold.limit == pred.limit
    return _score(int(same), int(gold.order_by is not None), int(pred.order_by is not None))


def _and_or(gold: ParsedSql, pred: ParsedSql) -> PartialScore:
    """Compares which connectors WHERE uses.

    The two totals of a mismatch are exchanged, as upstream has them; the averages depend on it.
    """
    in_gold, in_pred = _distinct(connectors(gold.where)), _distinct(connectors(pred.where))
    if _as_bags(in_gold, in_pred).f1:
        return PartialScore(1, 1, 1, 1, 1)
    return _score(0, label_total=len(in_pred), pred_total=len(in_gold))


def _distinct(items: Iterable[Any]) -> list[Any]:
    kept: list[Any] = []
    for item in items:
        if item not in kept:
            kept.append(item)
    return kept


def _set_operations(gold: ParsedSql, pred: ParsedSql) -> PartialScore:
    pairs = list(zip(gold.set_operands, pred.set_operands, strict=True))
    matched = sum(1 for left, right in pairs if left and right and _compare(left, right).exact)
    return _score(
        matched,
        sum(part is not None for part in gold.set_operands),
        sum(part is not None for part in pred.set_operands),
    )


def _keywords(sql: ParsedSql) -> set[str]:
    present: Mapping[str, object] = {
        "where": sql.where,
        "group": sql.group_by,
        "having": sql.having,
        "order": sql.order_by is not None,
        "limit": sql.limit,
        "except": sql.except_,
        "union": sql.union,
        "intersect": sql.intersect,
    }
    words = {word for word, value in present.items() if value}
    if sql.order_by is not None:
        words.add(sql.order_by.direction)
    for condition in sql.conditions:
        if "or" in connectors(condition):
            words.add("or")
        for item in comparisons(condition):
            if item.negated:
                words.add("not")
            if item.operator in ("in", "like"):
                words.add(item.operator)
    return words
