"""Rows of any supported source, one at a time, and what is wrong with the bad ones."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import starmap
from pathlib import Path
from typing import Any

import sqlglot
from sqlglot.errors import SqlglotError

from text2sql.data.instruction_rows import CHAT_KEYS, read_chat, read_instruction
from text2sql.data.json_rows import json_rows, refuse_utf16
from text2sql.data.parallel import ordered_map
from text2sql.errors import UserError
from text2sql.files import HALF

# Column names of the datasets we know, by the names we use.
ALPACA = {"question": "input", "schema": "instruction", "sql": "output"}
ALPACA_HINT = ": input holds nothing; put the schema into instruction and the question into input"
SHAPES: tuple[dict[str, str], ...] = (
    {"question": "SpiderSynQuestion", "sql": "query", "db_id": "db_id"},  # Spider-Syn
    {"question": "question", "sql": "query", "db_id": "db_id"},  # Spider
    {"question": "sql_prompt", "schema": "sql_context", "sql": "sql"},  # gretel
    {"question": "prompt", "schema": "context", "sql": "answer"},  # fahmiaziz/text2sql-dataset
    {"question": "question", "schema": "context", "sql": "answer"},  # sql-create-context
    {"question": "input", "schema": "table_creating", "sql": "output"},  # `dataset translate-ddl`
    ALPACA,  # and DB-GPT-Hub
)
MAY_BE_EMPTY = frozenset({"evidence", "level", "system"})
BATCH = 1024
LARGE_FILE = 16 << 20  # bytes; below it, starting processes costs more than they save
DAMAGED = "\ufffd"  # stands where bytes were not UTF-8


@dataclass(frozen=True)
class Row:
    """A question with its SQL and either the schema as text or the id of its database.

    A row for training may instead bring the whole `prompt` that its SQL answers, with the `system`
    text before it where it has one; `question` is then the part that asks, if that can be told.
    """

    source: str
    number: int
    question: str
    sql: str
    schema: str = ""
    db_id: str = ""
    evidence: str = ""
    level: str = ""
    prompt: str = ""
    system: str = ""


@dataclass(frozen=True)
class Reject:
    """A row left out, and why. `line` is the line in the file, or the row number in formats
    that have no lines of their own (JSON arrays, Parquet)."""

    source: str
    line: int
    reason: str
    row: Any = None

    @property
    def place(self) -> str:
        """Where the row is: ``file:line``, or ``file: row N`` where rows have no lines."""
        has_lines = self.source.endswith((".jsonl", ".csv"))
        return f"{self.source}:{self.line}" if has_lines else f"{self.source}: row {self.line}"


def read_rows(
    path: Path,
    fields: dict[str, str] | None = None,
    max_characters: int = 20_000,
    parse_sql: bool = True,
    workers: int = 1,
) -> Iterator[Row | Reject]:
    """Yield the rows of a .json, .jsonl, .csv or .parquet file, bad ones as `Reject`.

    Memory use does not grow with the file, but for JSON that is neither an array nor JSON Lines.

    Args:
        path: the file.
        fields: names of its columns (see `DataConfig`); by default they are recognised (Spider,
            gretel, sql-create-context, Alpaca and alike). A row may be without a ``level``.
        max_characters: longest question, schema or SQL taken.
        parse_sql: also refuse SQL that sqlglot cannot parse as SQLite.
        workers: processes that check the rows of a large file, when `parse_sql` is on.

    Raises:
        UserError: file missing or of another kind, JSON that breaks off (with the row), or not a
            single good row.
    """
    readers = {".json": json_rows, ".jsonl": json_rows, ".csv": _csv, ".parquet": _parquet}
    if path.suffix not in readers:
        raise UserError(f"{path}: unknown kind of file; known: {', '.join(readers)}")
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    check = partial(
        _check, path.name, fields=fields, max_characters=max_characters, parse_sql=parse_sql
    )
    read = readers[path.suffix](path)
    if workers > 1 and parse_sql and path.stat().st_size >= LARGE_FILE:
        checked = ordered_map(check, read, workers)
    else:
        checked = starmap(check, read)
    yield from _some_good(path, checked)


def _some_good(path: Path, rows: Iterable[Row | Reject]) -> Iterator[Row | Reject]:
    """Yield the rows; raise UserError at the end where none was good."""
    good = bad = 0
    first = None
    for row in rows:
        if isinstance(row, Row):
            good += 1
        else:
            bad, first = bad + 1, first or row
        yield row
    if good:
        return
    if first is None:
        raise UserError(f"{path}: holds no rows")
    raise UserError(f"{path}: none of its {bad} rows can be used; {first.place}: {first.reason}")


def _check(
    source: str,
    number: int,
    value: Any,
    fields: dict[str, str] | None,
    max_characters: int,
    parse_sql: bool,
) -> Row | Reject:
    if isinstance(value, str):
        return Reject(source, number, value)
    if not isinstance(value, dict):
        return Reject(source, number, "not an object", value)
    if fields is None and (turns := next((k for k in CHAT_KEYS if k in value), None)):
        read: dict[str, str] | str = read_chat(value, turns)
        if isinstance(read, str):
            return Reject(source, number, read, value)
        return _row(source, number, read, max_characters, parse_sql)
    shape = fields or next((s for s in SHAPES if all(n in value for n in s.values())), None)
    if shape is None:
        has = ", ".join(map(str, value))[:200]
        return Reject(source, number, f"missing field: question and SQL (it has: {has})", value)
    missing = [n for ours, n in shape.items() if n not in value and ours != "level"]
    if missing:
        return Reject(source, number, f"missing field: {', '.join(missing)}", value)
    taken: dict[str, Any] = {ours: value.get(theirs) for ours, theirs in shape.items()}
    taken |= {ours: taken[ours] or "" for ours in ("evidence", "level") if ours in taken}
    if "instruction" in value and fields is None:
        taken = read_instruction(taken, value)
    return _row(source, number, taken, max_characters, parse_sql, shape == ALPACA)


def _row(
    source: str,
    number: int,
    taken: dict[str, Any],
    max_characters: int,
    parse_sql: bool,
    is_alpaca: bool = False,
) -> Row | Reject:
    reason = _fault(taken, max_characters, parse_sql, is_alpaca)
    if reason:
        return Reject(source, number, reason, {k: str(v)[:500] for k, v in taken.items()})
    return Row(source, number, **{k: v.strip() for k, v in taken.items()})


def _fault(
    taken: dict[str, Any], max_characters: int, parse_sql: bool, is_alpaca: bool
) -> str | None:
    for name, value in taken.items():
        if not isinstance(value, str):
            return f"{name} is not a text"
        if not value.strip() and name not in MAY_BE_EMPTY:
            return f"empty {name}" + (ALPACA_HINT if name == "question" and is_alpaca else "")
        if len(value) > max_characters:
            return f"{name} has {len(value)} characters, more than {max_characters}"
        if DAMAGED in value:
            return f"{name} is not UTF-8"
        if HALF.search(value):
            return f"{name} holds half a character (a lone surrogate)"
    return _parse_fault(taken["sql"]) if parse_sql else None


@lru_cache(maxsize=4096)  # data sets ask for the same SQL in several wordings, close together
def _parse_fault(sql: str) -> str | None:
    try:
        sqlglot.parse(sql, read="sqlite")
    except (SqlglotError, RecursionError) as error:
        return f"SQL does not parse: {str(error).splitlines()[0]}"
    return None


def _csv(path: Path) -> Iterator[tuple[int, Any]]:
    refuse_utf16(path)
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
        heading = stream.readline()
        stream.seek(0)
        # Where the language's decimal sign is a comma, spreadsheets part columns in other ways.
        parted_by = next((sign for sign in ",;\t" if sign in heading), ",")
        reader = csv.DictReader(stream, delimiter=parted_by)
        try:
            for value in reader:
                yield reader.line_num, {k: v for k, v in value.items() if v is not None}
        except csv.Error as error:
            raise UserError(f"{path}:{reader.line_num}: not valid CSV: {error}") from None


def _parquet(path: Path) -> Iterator[tuple[int, Any]]:
    import pyarrow.parquet as pq  # large, and the processes that check rows do without it

    number = 0
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(BATCH):
                for value in batch.to_pylist():
                    number += 1
                    yield number, value
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot read Parquet after row {number}: {error}") from None
