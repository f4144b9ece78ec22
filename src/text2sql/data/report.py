"""Statistics of a prepared dataset, as Markdown and PNG."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import ijson
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from test_suite_sql_eval.hardness import LEVELS, hardness
from test_suite_sql_eval.parser import ParseError, parse
from test_suite_sql_eval.schema import EvalSchema
from tqdm import tqdm

from text2sql.data.ddl import schema_names
from text2sql.errors import UserError
from text2sql.files import read_jsonl, write_text
from text2sql.prompt import Message, render_text
from text2sql.schema.prune import estimate_tokens

KEYWORDS = (
    "WHERE",
    "JOIN",
    "GROUP BY",
    "HAVING",
    "ORDER BY",
    "LIMIT",
    "DISTINCT",
    "UNION",
    "INTERSECT",
    "EXCEPT",
    "LIKE",
    "IN (SELECT",
)
LITERAL = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"")
SCHEMA_TEXT = re.compile(r"\[SCHEMA\]\n(.*)\n\[QUESTION\]\n", re.DOTALL)
UNKNOWN = "not parsed"
QUANTILES = (0.0, 0.5, 0.9, 0.99, 1.0)


@dataclass
class Statistics:
    """Counts over the rows of one file."""

    name: str
    lengths: list[int] = field(default_factory=list)
    hardness: Counter[str] = field(default_factory=Counter)
    keywords: Counter[str] = field(default_factory=Counter)
    tables: Counter[int | str] = field(default_factory=Counter)

    def add(self, length: int, schema_text: str, sql: str) -> None:
        """Count one row."""
        self.lengths.append(length)
        self.hardness[hardness_of(sql, schema_text)] += 1
        self.keywords.update(keywords_of(sql))
        self.tables[tables_of(sql)] += 1

    def share(self, count: int) -> float:
        """A count as a share of the rows."""
        return count / len(self.lengths)

    def cut(self, cutoff: int) -> int:
        """How many rows are longer than the cutoff."""
        return sum(length > cutoff for length in self.lengths)


def data_report(
    folder: Path,
    output: Path,
    cutoff_len: int,
    template: str = "qwen3",
    tokenizer: str | None = None,
) -> str:
    """Write ``data_report.md`` and ``data_report.png`` for a prepared dataset.

    Hardness is Spider's, by the evaluator's own function (`test_suite_sql_eval.hardness`).

    Args:
        folder: output of `prepare`.
        output: folder for the two files.
        cutoff_len: LLaMA-Factory's cutoff; longer rows are cut in training.
        template: prompt template that the rows are counted in.
        tokenizer: path of a model's folder with its ``tokenizer.json``; without one, lengths are
            estimates and the report says so.

    Returns:
        The Markdown text.

    Raises:
        UserError: no prepared dataset there, or the tokenizer cannot be loaded.
    """
    path = folder / "train.json"
    if not path.is_file():
        raise UserError(f"{path}: no prepared dataset; run 'text2sql dataset prepare' first")
    count = _counter(tokenizer)
    sets = [
        _count(name, rows, template, count)
        for name, rows in (
            ("training", _training_rows(path)),
            ("evaluation", _evaluation_rows(folder / "questions.jsonl")),
        )
    ]
    sets = [found for found in sets if found.lengths]
    if not sets:
        raise UserError(f"{path}: holds no rows")
    from text2sql.data.report_page import markdown, plot  # loads matplotlib

    text = markdown(sets, cutoff_len, template, tokenizer)
    plot(sets, cutoff_len, estimated=tokenizer is None, path=output / "data_report.png")
    write_text(output / "data_report.md", text)
    return text


def hardness_of(sql: str, schema_text: str) -> str:
    """Return Spider's hardness level, or ``not parsed`` for SQL outside of Spider's grammar.

    Args:
        sql: the query.
        schema_text: CREATE TABLE statements that hold the tables it uses.
    """
    schema = _eval_schema(schema_text)
    try:
        return hardness(parse(sql.removeprefix("[ANSWER]\n"), schema))
    except ParseError:
        return UNKNOWN


@lru_cache(maxsize=256)
def _eval_schema(ddl: str) -> EvalSchema:
    tables: dict[str, list[str]] = {}
    for table, column in sorted(schema_names(ddl)):
        tables.setdefault(table, []).append(column)
    return EvalSchema({name: tuple(columns) for name, columns in tables.items()})


def keywords_of(sql: str) -> list[str]:
    """Return which of `KEYWORDS` a query uses, those inside of literals not counted."""
    plain = " ".join(LITERAL.sub("''", sql).upper().replace("( ", "(").split())
    return [k for k in KEYWORDS if re.search(rf"(?<!\w){re.escape(k)}\b", plain)]


def tables_of(sql: str) -> int | str:
    """Return how many different tables a query reads, or ``not parsed``."""
    try:
        tree = sqlglot.parse_one(sql.removeprefix("[ANSWER]\n"), read="sqlite")
    except (SqlglotError, RecursionError):
        return UNKNOWN
    defined = {cte.alias.casefold() for cte in tree.find_all(exp.CTE)}
    return len({table.name.casefold() for table in tree.find_all(exp.Table)} - defined)


def _count(
    name: str,
    rows: Iterator[tuple[list[Message], str]],
    template: str,
    count: Callable[[str], int],
) -> Statistics:
    found = Statistics(name)
    for messages, sql in tqdm(rows, desc=f"{name} rows", unit="row", mininterval=1.0):
        schema = SCHEMA_TEXT.search(next(m["content"] for m in messages if m["role"] == "user"))
        length = count(render_text(messages, template) + sql)
        found.add(length, schema.group(1) if schema else "", sql)
    return found


def _training_rows(path: Path) -> Iterator[tuple[list[Message], str]]:
    with path.open("rb") as stream:
        for row in ijson.items(stream, "item"):
            human, answer = (turn["value"] for turn in row["conversations"])
            yield (
                [
                    {"role": "system", "content": row["system"]},
                    {"role": "user", "content": human},
                ],
                answer,
            )


def _evaluation_rows(path: Path) -> Iterator[tuple[list[Message], str]]:
    for row in read_jsonl(path):
        yield row["messages"], row["gold"]


def _counter(tokenizer: str | None) -> Callable[[str], int]:
    if tokenizer is None:
        return estimate_tokens
    try:
        from tokenizers import Tokenizer

        made: Any = Tokenizer.from_file(str(Path(tokenizer) / "tokenizer.json"))
    except ImportError:
        raise UserError("the package 'tokenizers' is needed to count tokens") from None
    except Exception as error:  # the Rust library raises nothing more precise
        raise UserError(f"{tokenizer}: cannot load tokenizer.json: {error}") from None
    return lambda text: len(made.encode(text, add_special_tokens=False).ids)


def levels() -> tuple[str, ...]:
    """The hardness levels in the order in which they are shown."""
    return (*LEVELS, UNKNOWN)
