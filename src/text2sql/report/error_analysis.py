"""Verdicts for readers: the error analysis of a row, and what a second row fixed and broke."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import sqlglot
from sqlglot import exp

from text2sql.errors import UserError
from text2sql.report.formats import Table, markdown_text
from text2sql.report.joins_and_names import count_joins_and_names, joins_and_names_table
from text2sql.report.uncertainty import mcnemar, p_text

EXAMPLES_PER_CLASS = 3
FORGIVEN_EXAMPLES = 10
FEATURES: dict[str, tuple[Any, ...]] = {
    "join": (exp.Join,),
    "aggregation": (exp.AggFunc,),
    "GROUP BY": (exp.Group,),
    "HAVING": (exp.Having,),
    "ORDER BY": (exp.Order,),
    "LIMIT": (exp.Limit,),
    "DISTINCT": (exp.Distinct,),
    "set operation": (exp.SetOperation,),
    "value": (exp.Literal,),
}


def sql_features(query: str) -> set[str]:
    """Return what a query uses: names of `FEATURES`, ``nesting``, or ``none of these``.

    A query that sqlglot cannot parse gives ``not parsed``.
    """
    try:
        tree = sqlglot.parse_one(query, read="sqlite")
    except (sqlglot.errors.SqlglotError, RecursionError):
        return {"not parsed"}
    found = {name for name, kinds in FEATURES.items() if tree.find(*kinds)}
    inner = [node for node in tree.find_all(exp.Select) if node is not tree]
    if any(node.find_ancestor(exp.Subquery, exp.In, exp.Exists) for node in inner):
        found.add("nesting")
    return found or {"none of these"}


def error_report(
    title: str,
    verdicts: Sequence[dict[str, Any]],
    questions: Sequence[str],
    columns_of: Callable[[str], frozenset[str]],
) -> str:
    """Return a row's error analysis as Markdown.

    Args:
        title: name of the row.
        verdicts: the evaluator's verdicts, one a question.
        questions: the questions in plain words, in the same order.
        columns_of: returns the names of all columns of a database, in lower case.
    """
    wrong = [(v, q) for v, q in zip(verdicts, questions, strict=True) if not v["exec"]]
    parts = [
        f"# Errors: {title}",
        f"{len(wrong)} of {len(verdicts)} answers are wrong.",
        "## Classes",
        markdown_text(_classes(verdicts)),
        "## Accuracy by what the gold query uses",
        markdown_text(_features(verdicts)),
        "## Joins without need, and names out of place",
        markdown_text(joins_and_names_table({title: count_joins_and_names(verdicts, columns_of)})),
        "## Examples",
        *_examples(wrong),
        *_forgiven(verdicts, questions),
    ]
    return "\n\n".join(parts) + "\n"


def _classes(verdicts: Sequence[dict[str, Any]]) -> Table:
    counts = Counter(v["error"] for v in verdicts if not v["exec"])
    rows = [[str(k), str(n), f"{100 * n / len(verdicts):.1f}"] for k, n in counts.most_common()]
    return Table(["class", "answers", "% of all"], rows)


def _features(verdicts: Sequence[dict[str, Any]]) -> Table:
    outcomes: dict[str, list[int]] = defaultdict(list)
    for verdict in verdicts:
        for feature in sql_features(verdict["gold"]):
            outcomes[feature].append(verdict["exec"])
    rows = [
        [name, str(len(of)), f"{100 * sum(of) / len(of):.1f}"]
        for name, of in sorted(outcomes.items(), key=lambda item: sum(item[1]) / len(item[1]))
    ]
    return Table(["gold query uses", "questions", "accuracy %"], rows)


def _examples(wrong: Sequence[tuple[dict[str, Any], str]]) -> list[str]:
    """The first few wrong answers of each class, the most frequent class first."""
    by_class: dict[str, list[tuple[dict[str, Any], str]]] = defaultdict(list)
    for verdict, question in wrong:
        by_class[str(verdict["error"])].append((verdict, question))
    parts = []
    for name, answers in sorted(by_class.items(), key=lambda item: -len(item[1])):
        parts.append(f"### {name}")
        parts += [_example(*answer) for answer in answers[:EXAMPLES_PER_CLASS]]
    return parts


def _forgiven(verdicts: Sequence[dict[str, Any]], questions: Sequence[str]) -> list[str]:
    """Answers that the plain database forgives and the test suite does not."""
    found = [
        (verdict | verdict["test_suite"], question)
        for verdict, question in zip(verdicts, questions, strict=True)
        if verdict["exec"] and not verdict.get("test_suite", {"exec": 1})["exec"]
    ]
    if not found:
        return []
    return [
        "## Right on the plain database, wrong on the test suite",
        f"{len(found)} answers, {100 * len(found) / len(verdicts):.1f} % of all.",
        *(_example(*answer) for answer in found[:FORGIVEN_EXAMPLES]),
    ]


def _witness(verdict: dict[str, Any]) -> str:
    """The database and rows that show an answer to be wrong, as comments in SQL."""
    witness = verdict.get("witness")
    if not witness:
        return ""
    lines = [f"\n-- on {witness['database']}"]
    for side, name in (("gold_only", "gold"), ("pred_only", "prediction")):
        lines += [f"\n-- only the {name} gives {tuple(row)}" for row in witness[side]]
    return "".join(lines)


def _example(verdict: dict[str, Any], question: str) -> str:
    message = f"\n-- {verdict['error_message']}" if verdict["error_message"] else ""
    message += _witness(verdict)
    return (
        f"Question {verdict['index']} ({verdict['db_id']}, {verdict['hardness']}): {question}\n\n"
        f"```sql\n-- gold\n{verdict['gold']}\n-- prediction\n{verdict['pred']}{message}\n```"
    )


def compare(first: Sequence[dict[str, Any]], second: Sequence[dict[str, Any]]) -> str:
    """Return as Markdown which questions only one of two runs has right, and the exact p-value.

    Raises:
        UserError: the verdicts are not about the same questions.
    """
    if [(v["db_id"], v["gold"]) for v in first] != [(v["db_id"], v["gold"]) for v in second]:
        raise UserError("the two files are not about the same questions in the same order")
    pairs = list(zip(first, second, strict=True))
    fixed = [_change(old, new) for old, new in pairs if new["exec"] > old["exec"]]
    broken = [_change(old, new) for old, new in pairs if old["exec"] > new["exec"]]
    right = [sum(v["exec"] for v in verdicts) for verdicts in (first, second)]
    parts = [
        f"{len(pairs)} questions; right: {right[0]} before, {right[1]} after;"
        f" fixed {len(fixed)}, broken {len(broken)};"
        f" exact McNemar p {p_text(mcnemar(len(broken), len(fixed)))}.",
        "## Fixed",
        *fixed,
        "## Broken",
        *broken,
    ]
    return "\n\n".join(parts) + "\n"


def _change(before: dict[str, Any], after: dict[str, Any]) -> str:
    return (
        f"{before['index']} ({before['db_id']}, {before['hardness']})\n\n```sql\n"
        f"-- gold\n{before['gold']}\n-- before\n{before['pred']}\n-- after\n{after['pred']}\n```"
    )
