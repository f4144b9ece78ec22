"""Running the queries that a model wrote, and the majority vote over their results.

The vote is the self-consistency of Wang et al. (2022, arXiv:2203.11171) with the clustering that
SQL allows: two queries agree where they return the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from test_suite_sql_eval.executor import Result, SqlExecutor

MAX_ROWS = 10_000
FLOAT_DIGITS = 6
# Stands for an answer without SQL. It must fail to run: an empty line would mean something else to
# an evaluator, and a comment runs, which would make it right wherever the gold result is empty.
NO_SQL = "NO_SQL"


class QueryRunner(Protocol):
    """What runs queries for voting and repair."""

    def run(self, db_id: str, queries: Sequence[str]) -> list[Result]:
        """Return the result of each query on one database; an empty query is an error."""


@dataclass(frozen=True)
class Databases:
    """Runs queries, read-only, on the databases of a data set."""

    folder: Path
    executor: SqlExecutor
    timeout: float

    def run(self, db_id: str, queries: Sequence[str]) -> list[Result]:
        """Return the result of each query on one database; an empty query is an error."""
        path = self.folder / db_id / f"{db_id}.sqlite"
        pairs = [(path, sql or NO_SQL) for sql in queries]
        return self.executor.run_many(pairs, self.timeout, MAX_ROWS)


@contextmanager
def open_databases(folder: Path, timeout: float) -> Iterator[Databases]:
    """Give what runs queries on ``<db_id>/<db_id>.sqlite`` of a folder, `timeout` seconds each."""
    with SqlExecutor() as executor:
        yield Databases(folder, executor, timeout)


def result_key(result: Result) -> Any:
    """Return what two results share when they are the same, whatever the order of their rows."""
    rows = [
        tuple(round(value, FLOAT_DIGITS) if isinstance(value, float) else value for value in row)
        for row in result.rows
    ]
    return frozenset(Counter(map(repr, rows)).items())


def vote(results: Sequence[Result]) -> tuple[int, dict[str, int]]:
    """Return which of several queries wins, and how the vote went.

    Queries that fail do not vote; of the results with most votes the first one met wins, and its
    first query. Where all fail, the first query stands, with no votes.

    Returns:
        The winner's place; ``samples``, ``votes`` for its result, ``distinct_results`` and
        ``failed_samples``.
    """
    keys = [result_key(result) if result.ok else None for result in results]
    votes = Counter(key for key in keys if key is not None)
    winner, count = votes.most_common(1)[0] if votes else (keys[0], 0)
    return keys.index(winner), {
        "samples": len(keys),
        "votes": count,
        "distinct_results": len(votes),
        "failed_samples": keys.count(None),
    }
