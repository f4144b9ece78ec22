"""Decoding with the database at hand: majority vote over results, and one repair turn.

Voting by execution result is the self-consistency of Wang et al. (2022, arXiv:2203.11171) with the
clustering that SQL allows: two queries agree where they return the same. The repair turn is the
"execution feedback" of self-debugging (Chen et al., 2023, arXiv:2304.05128).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from test_suite_sql_eval.executor import Result, SqlExecutor

from text2sql.infer.engine import Completion
from text2sql.sql.extract import extract_sql

MAX_ROWS = 10_000
FLOAT_DIGITS = 6


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
        pairs = [(path, sql or "NO_SQL") for sql in queries]
        return self.executor.run_many(pairs, self.timeout, MAX_ROWS)


@dataclass(frozen=True)
class Choice:
    """The answer that counts for a question, and what it took to get there."""

    completion: Completion
    sql: str
    facts: dict[str, Any]


def result_key(result: Result) -> Any:
    """Return what two results share when they are the same, whatever the order of their rows."""
    rows = [
        tuple(round(value, FLOAT_DIGITS) if isinstance(value, float) else value for value in row)
        for row in result.rows
    ]
    return frozenset(Counter(map(repr, rows)).items())


def vote(results: Sequence[Result]) -> tuple[int, int]:
    """Return which of several queries wins, and how many votes its result has.

    Queries that fail do not vote; of the results with most votes the first one met wins, and its
    first query. Where all fail, the first query stands, with no votes.
    """
    keys = [result_key(result) if result.ok else None for result in results]
    votes = Counter(key for key in keys if key is not None)
    if not votes:
        return 0, 0
    winner, count = votes.most_common(1)[0]
    return keys.index(winner), count


def choose(answers: Sequence[Completion], db_id: str, databases: QueryRunner) -> Choice:
    """Let the samples of one question vote.

    Args:
        answers: completions, in the order of their sample numbers.
        db_id: the question's database.
        databases: where the queries are run.

    Returns:
        The winner, with tokens and time of all samples; facts: samples, votes, distinct results,
        samples whose SQL failed.
    """
    queries = [extract_sql(answer.text) for answer in answers]
    results = databases.run(db_id, queries)
    place, votes = vote(results)
    good = [result_key(result) for result in results if result.ok]
    facts = {
        "samples": len(answers),
        "votes": votes,
        "distinct_results": len(set(good)),
        "failed_samples": len(results) - len(good),
    }
    won = answers[place]
    total = Completion(
        won.id,
        won.text,
        sum(answer.completion_tokens for answer in answers),
        round(sum(answer.seconds for answer in answers), 4),
        won.finish_reason,
    )
    return Choice(total, queries[place], facts)


def repair(
    completions: Iterator[Completion],
    ask: Callable[[Sequence[tuple[int, str, str]]], Iterator[Completion]],
    db_of: Callable[[int], str],
    databases: QueryRunner,
) -> Iterator[Choice]:
    """Run each answer's SQL; ask once more, with the error, for those that fail.

    Args:
        completions: first answers.
        ask: gives second answers for (id, first answer, error); it may leave ids out, where the
            longer prompt does not fit.
        db_of: the database of an id.
        databases: where the queries are run.

    Yields:
        A choice for every first answer. A second answer replaces the first one where it runs;
        its tokens and time are added either way.
    """
    failed: dict[int, tuple[Completion, str]] = {}
    for done in completions:
        sql = extract_sql(done.text)
        (result,) = databases.run(db_of(done.id), [sql])
        if result.ok:
            yield Choice(done, sql, {"repair": "not needed"})
        else:
            failed[done.id] = (done, result.error or "no SQL in the answer")
    requests = [(number, done.text, error) for number, (done, error) in failed.items()]
    for second in ask(requests) if requests else ():
        first, error = failed.pop(second.id)
        yield _repaired(first, second, error, db_of(second.id), databases)
    for done, error in failed.values():
        yield Choice(done, extract_sql(done.text), {"repair": "no room", "first_error": error})


def _repaired(
    first: Completion, second: Completion, error: str, db_id: str, databases: QueryRunner
) -> Choice:
    sql = extract_sql(second.text)
    (result,) = databases.run(db_id, [sql])
    kept = second if result.ok else first
    total = Completion(
        kept.id,
        kept.text,
        first.completion_tokens + second.completion_tokens,
        round(first.seconds + second.seconds, 4),
        kept.finish_reason,
    )
    facts = {"repair": "worked" if result.ok else "failed", "first_error": error}
    return Choice(total, sql if result.ok else extract_sql(first.text), facts)
