"""Metrics from the same pass as execution accuracy: strict EX, BIRD's set EX, execution success."""

from __future__ import annotations

import re

from . import lexer
from .compare import bird_set_equal, strict_equal
from .errors import QueryError
from .judge import ExecutionJudge, fix_year
from .sandbox import Session

_SPLIT_OPERATOR = re.compile(r"('(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`)|([<>!]) =")


def as_written(sql: str) -> str:
    """Return the query to run: operators that stand apart joined, what is in quotes left alone.

    Nothing is put for the word ``value``, which names have in them.
    """
    joined = _SPLIT_OPERATOR.sub(lambda found: found[1] or f"{found[2]}=", sql)
    return fix_year(joined)


def extra_metrics(
    judge: ExecutionJudge,
    session: Session,
    paths: list[str],
    gold_sql: str,
    pred_sql: str,
) -> dict[str, int]:
    """Judge one question by the metrics that --extra adds.

    Strict EX keeps DISTINCT and duplicates, wants the columns in the gold query's order, and
    compares row order only if the gold query has an ORDER BY at its top level.

    Args:
        judge: gives the gold results.
        session: where the prediction runs.
        paths: the database files of the question.
        gold_sql: the gold query.
        pred_sql: the prediction, as the model wrote it.

    Raises:
        GoldError: the gold query failed.
    """
    gold_text, pred_text = as_written(gold_sql), as_written(pred_sql)
    ordered = orders_result(gold_text)
    out = {"strict": 1, "bird_set": 1, "executes": 1, "both_empty": 0}
    golds = [judge.gold(path, gold_text) for path in paths]
    out["gold_empty"] = int(not any(gold.rows for gold in golds))
    judge.begin()
    for path, gold in zip(paths, golds, strict=True):
        try:
            rows, _, _ = session.run(path, pred_text)
        except QueryError:
            return {**out, "strict": 0, "bird_set": 0, "executes": 0}
        out["strict"] &= int(strict_equal(gold.rows, rows, ordered))
        out["bird_set"] &= int(bird_set_equal(gold.rows, rows))
        out["both_empty"] |= int(not rows and out["gold_empty"] == 1)
    return out


def orders_result(sql: str) -> bool:
    """Whether the query has an ORDER BY outside all parentheses."""
    depth = 0
    for kind, text in lexer.first_statement(sql):
        if text == "(":
            depth += 1
        elif text == ")":
            depth -= 1
        elif depth == 0 and kind == lexer.WORD and text.upper().split() == ["ORDER", "BY"]:
            return True
    return False
