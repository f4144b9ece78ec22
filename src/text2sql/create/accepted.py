"""Pairs that users of the web service accepted or put right, checked again for training."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from text2sql.create.generator import Pair
from text2sql.errors import UserError
from text2sql.files import read_jsonl
from text2sql.schema import Schema
from text2sql.sql.hardness import eval_schema, hardness_of
from text2sql.sql.validate import Rejected, Validator

TOPIC = "accepted"


def read_accepted(
    path: Path, schema: Schema, dialect: str, validator: Validator
) -> tuple[list[Pair], dict[str, int]]:
    """Return the pairs of a file that may be trained on, and how many there were of each kind.

    Of several answers to one question the latest counts. Left out is what is of another database,
    what goes on from an earlier question, since alone it means something else, and what does not
    pass the validator any more.

    Args:
        path: lines of JSON as `text2sql.serve.accepted` writes them.
        schema: the database they are for.
        dialect: sqlglot's name of its SQL.
        validator: checks the SQL.

    Raises:
        UserError: a line is no such pair.
    """
    latest = {}
    counts: Counter[str] = Counter()
    for number, row in enumerate(read_jsonl(path), start=1):
        try:
            texts = [row[name] for name in ("question", "sql", "db_id")]
            history = row["history"]
        except (KeyError, TypeError):
            reason = "no question, sql, db_id and history; the web service writes such files"
            raise UserError(f"{path}:{number}: {reason}") from None
        question, sql, db_id = map(str, texts)
        if db_id != schema.db_id:
            counts["of another database"] += 1
        elif history:
            counts["goes on from another question"] += 1
        else:
            counts["replaced by a later one"] += question in latest
            latest[question] = sql
    pairs = []
    names = eval_schema(schema.names())
    for question, sql in latest.items():
        try:
            checked = validator.check(sql)
        except Rejected as reject:
            counts[f"rejected ({reject.layer})"] += 1
            continue
        level = hardness_of(checked.sql, dialect, names) or "extra"
        rows = len(checked.result.rows) if checked.result else None
        language = "en" if question.isascii() else "zh"
        pairs.append(Pair(question, checked.sql, language, dialect, TOPIC, level, TOPIC, rows))
    counts["kept"] = len(pairs)
    return pairs, {kind: count for kind, count in counts.items() if count}
