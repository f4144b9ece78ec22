"""Questions with the names that their gold SQL uses: what a linker learns, and what it is worth."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlglot.errors import SqlglotError

from text2sql.data.config import DataConfig
from text2sql.data.databases import ensure_databases
from text2sql.data.prepare import SchemaTexts
from text2sql.errors import UserError
from text2sql.learn.questions import Guard, training_questions
from text2sql.question import Question
from text2sql.schema import Schema, prune_schema
from text2sql.schema.linker import Scorer, column_texts, table_texts
from text2sql.sql.gold_columns import gold_columns, gold_tables

COLUMN_NEGATIVES, TABLE_NEGATIVES = 5, 2  # of a question
HELD_OUT_SHARE = 0.1  # of the databases, for what a linker says of itself at its end
MOST_HELD_OUT = 200  # questions
BUDGETS = (128, 192, 256)


@dataclass(frozen=True)
class Linked:
    """A question with the names that its gold SQL uses, in lower case."""

    question: str
    schema: Schema
    tables: frozenset[str]
    columns: frozenset[tuple[str, str]]


def questions_to_link(config: DataConfig) -> tuple[list[Linked], dict[str, int]]:
    """Return a data set's training questions, in an order of their own, and what was left out.

    Raises:
        UserError: there is no question.
    """
    # Prompts are not what is wanted; and the linker that a config names need not be there yet.
    plain = config.model_copy(update={"linker": None, "schema_budget": None, "values": 0})
    ensure_databases(plain)
    schemas = SchemaTexts(plain)
    questions, left_out = training_questions(plain, schemas, Guard(plain, schemas))
    linked, unparsed = linked_questions(questions, schemas.schema)
    return linked, left_out | {"gold SQL that does not parse": unparsed}


def linked_questions(
    questions: Iterable[Question], schema_of: Callable[[str], Schema]
) -> tuple[list[Linked], int]:
    """Return questions with what their gold SQL names, and how many could not be parsed.

    Args:
        questions: with their gold SQL.
        schema_of: the schema of a database.
    """
    linked, unparsed = [], 0
    for each in questions:
        schema = schema_of(each.db_id)
        try:
            columns = frozenset(gold_columns(each.gold, schema))
            tables = frozenset(gold_tables(each.gold, schema))
        except SqlglotError:
            unparsed += 1
            continue
        asked = f"{each.question} {each.evidence}".strip()
        linked.append(Linked(asked, schema, tables, columns))
    return linked, unparsed


def hold_out(linked: Sequence[Linked], seed: int) -> tuple[list[Linked], list[Linked]]:
    """Return the questions to train on, and some of the databases that are held out.

    Raises:
        UserError: there are fewer than two databases.
    """
    databases = sorted({each.schema.db_id for each in linked})
    if len(databases) < 2:
        raise UserError(
            f"a schema linker needs training questions on two databases or more, here are"
            f" {len(databases)}"
        )
    random.Random(seed).shuffle(databases)
    kept_apart = set(databases[: max(1, round(HELD_OUT_SHARE * len(databases)))])
    trained = [each for each in linked if each.schema.db_id not in kept_apart]
    held_out = [each for each in linked if each.schema.db_id in kept_apart]
    return trained, held_out[:MOST_HELD_OUT]


def training_rows(linked: Iterable[Linked], seed: int) -> list[tuple[str, str, float]]:
    """Return (question, text of a table or column, 1 or 0) for each gold name and some others.

    Half of the columns that are no gold are of the gold query's tables, where there are so many.
    """
    chance = random.Random(seed)
    rows: list[tuple[str, str, float]] = []
    for each in linked:
        tables = table_texts(each.schema)
        needed = [text for table, text in tables.items() if table.casefold() in each.tables]
        others = [text for table, text in tables.items() if table.casefold() not in each.tables]
        near: list[str] = []
        far: list[str] = []
        for (table, column), text in column_texts(each.schema).items():
            if (table.casefold(), column.casefold()) in each.columns:
                needed.append(text)
            else:
                (near if table.casefold() in each.tables else far).append(text)
        others = _sample(chance, others, TABLE_NEGATIVES)
        close = _sample(chance, near, max(COLUMN_NEGATIVES // 2, COLUMN_NEGATIVES - len(far)))
        others += close + _sample(chance, far, COLUMN_NEGATIVES - len(close))
        rows += [(each.question, text, 1.0) for text in needed]
        rows += [(each.question, text, 0.0) for text in others]
    return rows


def _sample(chance: random.Random, texts: list[str], most: int) -> list[str]:
    return chance.sample(texts, min(most, len(texts)))


def worth(
    linked: Sequence[Linked], linker: Scorer, style: str, budgets: Sequence[int] = BUDGETS
) -> dict[str, Any]:
    """Return what pruning leaves of the gold columns, by the linker and by word overlap.

    Args:
        linked: the questions.
        linker: what scores a schema for a question.
        style: schema style that is counted.
        budgets: in estimated tokens.

    Returns:
        The counts of questions and their gold columns, and for each budget how many questions are
        pruned and, by scorer, the recall of gold columns and how many questions lose one.
    """
    total = sum(len(each.columns) for each in linked)
    rows = []
    for budget in budgets:
        row: dict[str, Any] = {"budget": budget}
        for name, scorer in (("linker", linker), ("word_overlap", None)):
            pruned = kept = lost = tables = 0
            for each in linked:
                small = prune_schema(each.schema, each.question, budget, style, scorer=scorer)
                left = each.columns & small.names()
                pruned += small is not each.schema
                kept += len(left)
                lost += left != each.columns
                tables += any(small.table(table) is None for table in each.tables)
            row["pruned"] = pruned
            row[name] = {"recall": kept / total, "lose_a_column": lost, "lose_a_table": tables}
        rows.append(row)
    return {"questions": len(linked), "gold_columns": total, "budgets": rows}


def in_batches(
    rows: Sequence[tuple[str, str, float]], size: int, seed: int
) -> list[tuple[str, str, float]]:
    """Return rows so ordered that those of a batch are of like length, the batches by chance."""
    chance = random.Random(seed)
    shuffled = list(rows)
    chance.shuffle(shuffled)
    shuffled.sort(key=lambda row: len(row[0]) + len(row[1]))
    batches = [shuffled[start : start + size] for start in range(0, len(shuffled), size)]
    chance.shuffle(batches)
    return [row for batch in batches for row in batch]
