"""Spider's hardness levels.

Three counts decide: clauses and joins, nested queries, and "others" (several aggregates, result
columns, conditions or grouping columns).  Method: arXiv 1809.08887, section on hardness, in the
form of the official program (e97acc5), which differs from the paper in details kept here.
"""

from __future__ import annotations

from .em_ast import (
    NO_OPERATION,
    Comparison,
    Condition,
    ParsedSql,
    comparisons,
    connectors,
    nested_queries,
)

TYPE_CHECKING = False  # importing typing takes milliseconds
if TYPE_CHECKING:
    from typing import Literal

    Hardness = Literal["easy", "medium", "hard", "extra"]

LEVELS: tuple[Hardness, ...] = ("easy", "medium", "hard", "extra")


def hardness(sql: ParsedSql) -> Hardness:
    """Returns the hardness level of a gold query.

    Args:
        sql: the query, from `parser.parse`.
    """
    clauses = _count_clauses(sql)
    nested = sum(1 for _ in nested_queries(sql))
    others = _count_others(sql)
    if nested == 0:
        if clauses <= 1 and others == 0:
            return "easy"
        if (clauses <= 1 and others <= 2) or (clauses <= 2 and others < 2):
            return "medium"
        if (clauses <= 2 and others > 2) or (clauses == 3 and others <= 2):
            return "hard"
        return "extra"
    return "hard" if clauses <= 1 and others == 0 and nested == 1 else "extra"


def _count_clauses(sql: ParsedSql) -> int:
    """Counts WHERE, GROUP BY, ORDER BY, LIMIT, the joins, and every OR and LIKE."""
    count = bool(sql.where) + bool(sql.group_by) + (sql.order_by is not None) + sql.limit
    count += max(len(sql.tables) - 1, 0)
    for condition in filter(None, sql.conditions):
        count += list(connectors(condition)).count("or")
        count += [item.operator for item in comparisons(condition)].count("like")
    return count


def _count_others(sql: ParsedSql) -> int:
    return (
        (_count_aggregates(sql) > 1)
        + (len(sql.select) > 1)
        + (len(sql.where) > 1)
        + (len(sql.group_by) > 1)
    )


def _count_aggregates(sql: ParsedSql) -> int:
    """Counts aggregates as the official program does.

    Its test for "has an aggregate" also holds for a negated comparison and, in HAVING, for every
    AND and OR; published levels depend on it.
    """
    names = [item.aggregate for item in sql.select]
    names += [unit.aggregate for unit in sql.group_by]
    if sql.order_by:
        names += [unit.aggregate for key in sql.order_by.keys for unit in key.columns]
    plain = names.count(NO_OPERATION)
    return len(names) - plain + _count_flagged(sql.where[::2]) + _count_flagged(sql.having)


def _count_flagged(items: Condition) -> int:
    return sum([item.negated if isinstance(item, Comparison) else True for item in items])
