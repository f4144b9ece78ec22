"""What wrong answers have in common beside their class: joins without need, names out of place.

A model that joins where the gold query reads one table, or takes a column from a table that has
none of that name, has learned queries rather than the schema before it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import sqlglot
from sqlglot import exp

from text2sql.report.formats import Table

NO_COLUMN = re.compile(r"no such column: (.+)", re.IGNORECASE)
NO_TABLE = re.compile(r"no such table: ", re.IGNORECASE)
# Headings, each with what writes its cell.
COLUMNS: dict[str, Callable[[JoinsAndNames], str]] = {
    "gold without a join": lambda counts: str(counts.gold_without_join),
    "joined all the same": lambda counts: str(counts.needless_joins),
    "right there %": lambda counts: _share(counts.right_without_join, counts.gold_without_join),
    "right with a join in the gold %": lambda counts: _share(
        counts.right_with_join, counts.gold_with_join
    ),
    "column of another table": lambda counts: str(counts.column_elsewhere),
    "column of no table": lambda counts: str(counts.column_nowhere),
    "table that is not there": lambda counts: str(counts.unknown_table),
    "stopped by the limit": lambda counts: str(counts.over_limit),
}


@dataclass(frozen=True)
class JoinsAndNames:
    """Counts over the answers to a set of questions.

    Attributes:
        gold_without_join: questions whose gold query reads one table only.
        needless_joins: of those, how many answers join.
        right_without_join: of those, how many answers are right.
        gold_with_join: questions whose gold query joins.
        right_with_join: of those, how many answers are right.
        column_elsewhere: answers that fail for a column that another table has.
        column_nowhere: answers that fail for a column that no table has.
        unknown_table: answers that fail for a table.
        over_limit: answers that were stopped by the limit of steps or of time.
    """

    gold_without_join: int
    needless_joins: int
    right_without_join: int
    gold_with_join: int
    right_with_join: int
    column_elsewhere: int
    column_nowhere: int
    unknown_table: int
    over_limit: int


def count_joins_and_names(
    verdicts: Iterable[Mapping[str, Any]], columns_of: Callable[[str], frozenset[str]]
) -> JoinsAndNames:
    """Count needless joins and misplaced names.

    Args:
        verdicts: the evaluator's, one a question.
        columns_of: returns the names of all columns of a database, in lower case.
    """
    verdicts = list(verdicts)
    single = [verdict for verdict in verdicts if not joins(verdict["gold"])]
    joined = [verdict for verdict in verdicts if joins(verdict["gold"])]
    missing = [
        (verdict["db_id"], _bare(match[1]))
        for verdict in verdicts
        if (match := NO_COLUMN.search(verdict["error_message"] or ""))
    ]
    elsewhere = sum(name in columns_of(db_id) for db_id, name in missing)
    return JoinsAndNames(
        gold_without_join=len(single),
        needless_joins=sum(joins(verdict["pred"]) for verdict in single),
        right_without_join=sum(bool(verdict["exec"]) for verdict in single),
        gold_with_join=len(joined),
        right_with_join=sum(bool(verdict["exec"]) for verdict in joined),
        column_elsewhere=elsewhere,
        column_nowhere=len(missing) - elsewhere,
        unknown_table=sum(
            bool(NO_TABLE.search(verdict["error_message"] or "")) for verdict in verdicts
        ),
        over_limit=sum(verdict["error"] == "timeout" for verdict in verdicts),
    )


@cache
def joins(query: str) -> bool:
    """Whether a query joins tables, in any of its parts; False where it cannot be parsed."""
    try:
        return sqlglot.parse_one(query, read="sqlite").find(exp.Join) is not None
    except (sqlglot.errors.SqlglotError, RecursionError):  # models also write brackets for ever
        return False


def joins_and_names_table(counts: Mapping[str, JoinsAndNames]) -> Table:
    """Return the counts of several rows, by their names, as a table."""
    rows = [[name, *(write(each) for write in COLUMNS.values())] for name, each in counts.items()]
    return Table(["Predictions", *COLUMNS], rows)


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}" if whole else "-"


def _bare(name: str) -> str:
    """Return a column's name without its table and quotes, in lower case."""
    parts: Sequence[str] = name.strip().rsplit(".", 1)
    return parts[-1].strip("\"'`[] ").casefold()
