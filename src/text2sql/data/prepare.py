"""The data stage's work: sources in, training files and evaluation questions out."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from text2sql.artifacts import GOLD, GOLD_FILE, QUESTIONS
from text2sql.data.choose import RejectFile, chosen_rows
from text2sql.data.config import DataConfig, resolve
from text2sql.data.databases import ensure_databases
from text2sql.data.decontaminate import Decontaminator
from text2sql.data.held_out import held_out_databases, held_out_rows
from text2sql.data.rows import Reject, Row, read_rows
from text2sql.data.snapshot import read_schemas
from text2sql.data.spider2 import METRIC, spider2_rows, write_instances
from text2sql.data.writers import write_training
from text2sql.errors import UserError
from text2sql.files import LENIENT, sha256_file, sha256_text, write_json, write_jsonl
from text2sql.prompt import SYSTEM_PRESETS, Message, render_messages
from text2sql.question import Question, write_questions
from text2sql.schema import STYLES, Schema, prune_schema, read_schema, render_schema
from text2sql.schema.linker import Linker
from text2sql.sql.official_files import write_gold
from text2sql.sql.statement import one_line

NO_DATABASE = (
    "names no database, so that no answer could be judged; give its rows the column db_id, and"
    " where they bring schemas in other words, set evaluation_schema_style to that file"
)


def prepare(
    config: DataConfig,
    output: Path,
    limit: int | None = None,
    schemas: SchemaTexts | None = None,
) -> dict[str, Any]:
    """Write the training files and evaluation questions that a config describes.

    Args:
        config: what to read and how.
        output: folder to fill; the caller makes it appear as a whole.
        limit: at most so many training rows and evaluation questions.
        schemas: gives schemas as prompt text; by default whole or pruned ones without more.

    Returns:
        The summary that is also written as ``summary.json``: counts and hashes.

    Raises:
        UserError: a source is missing or broken, or more rows were rejected than `max_rejects`.
    """
    output.mkdir(parents=True, exist_ok=True)
    config.require_sources()
    ensure_databases(config)
    schemas = schemas or SchemaTexts(config)
    if schemas.linker and config.schema_budget:
        schemas.linker.load()  # that it does not load is no fault of the first row
    with (output / "rejects.jsonl").open("w", encoding="utf-8", errors=LENIENT) as stream:
        rejects = RejectFile(stream, config.max_rejects)
        questions = evaluation_rows(config)
        judge = Decontaminator(config.decontamination, questions, schemas.names)
        write_evaluation(questions[:limit], _asking(config, schemas), output)
        found = training_rows(config)
        with chosen_rows(config, found, schemas.schema, judge, rejects, output, limit) as rows:
            learnt = ((training_messages(row, schemas, config.system), row.sql) for row in rows)
            sharing = write_training(learnt, output)
    write_json(output / "decontamination.json", judge.report())
    summary = {
        "train_rows": sharing.rows,
        "evaluation_questions": len(questions[:limit]),
        "rows_read": judge.checked + rejects.rows,
        "rejected": rejects.rows,
        "rejected_by_reason": dict(rejects.reasons.most_common()),
        "removed_as_leaks": judge.removed,
        "shared_schema": sharing.summary(),
        "data_hash": sha256_text(
            sha256_file(output / "train.json") + sha256_file(output / QUESTIONS)
        ),
    }
    if config.metric == METRIC:
        summary |= write_instances(config, output, limit)
    write_json(output / "summary.json", summary)
    return summary


def _asking(config: DataConfig, schemas: SchemaTexts) -> SchemaTexts:
    """Return what gives evaluation questions their schemas, maybe in a style of their own."""
    style = config.evaluation_schema_style
    if style not in STYLES:
        return schemas
    return SchemaTexts(config.model_copy(update={"schema_style": style}))


def training_messages(row: Row, schemas: SchemaTexts, system: str) -> list[Message]:
    """Return what a model is trained to answer with a row's SQL.

    Args:
        row: one with a prompt of its own is shown as it is.
        schemas: gives the others theirs.
        system: the preset whose text stands before prompts that bring none.

    Raises:
        UserError: the row's database is missing.
    """
    if not row.prompt:
        return schemas.messages(row)
    return [
        {"role": "system", "content": row.system or SYSTEM_PRESETS[system]},
        {"role": "user", "content": row.prompt},
    ]


class SchemaTexts:
    """Schema of each database as prompt text, read once per database.

    `linker` is what prunes; None is word overlap.

    Args:
        config: of the data set.

    Raises:
        UserError: the config names a linker that is not there.
    """

    def __init__(self, config: DataConfig) -> None:
        self._config = config
        folder = config.linker_folder()
        self.linker = Linker(folder) if folder else None
        self._tables = read_schemas(resolve(config.tables), config.samples) if config.tables else {}
        self.schema = cache(self._read)
        self._whole = cache(lambda db_id: render_schema(self.schema(db_id), config.schema_style))

    def text(self, db_id: str, question: str) -> str:
        """Return the text for a question, pruned to the budget if there is one."""
        if self._config.schema_budget is None:
            return self._whole(db_id)
        return self.rendered(self.schema(db_id), question)

    def rendered(self, schema: Schema, question: str) -> str:
        """Return the text of a schema for a question, pruned to the budget if there is one."""
        budget, style = self._config.schema_budget, self._config.schema_style
        if budget is not None:
            schema = prune_schema(schema, question, budget, style, scorer=self.linker)
        return render_schema(schema, style)

    def messages(self, row: Row) -> list[Message]:
        """Return what a model is asked for a row; raise UserError where its database is missing."""
        text = row.schema or self.text(row.db_id, f"{row.question} {row.evidence}")
        system = self._config.system
        return render_messages(row.question, text, system, evidence=row.evidence)

    def names(self, db_id: str) -> frozenset[tuple[str, str]]:
        """Return the (table, column) pairs of a database."""
        return self.schema(db_id).names()

    def _read(self, db_id: str) -> Schema:
        config = self._config
        database = config.databases() / db_id / f"{db_id}.sqlite"
        if database.is_file():
            return read_schema(
                database, config.samples, personal_data=config.personal_data, db_id=db_id
            )
        if db_id in self._tables:
            return self._tables[db_id]
        raise UserError(f"{database}: no such database, and no tables.json that has '{db_id}'")


def evaluation_rows(config: DataConfig) -> list[Row]:
    """Return the evaluation questions; gold SQL is never left out, whatever sqlglot thinks of it.

    Raises:
        UserError: a row is bad, or its level is none of the data set's.
    """
    if config.metric == METRIC:
        return spider2_rows(config)
    rows = []
    path, fields = resolve(config.evaluation), config.fields or {}
    written = written_schemas(config)
    for row in read_rows(path, config.fields, parse_sql=False):
        if isinstance(row, Row) and "level" in fields and row.level not in config.levels:
            known = ", ".join(config.levels)
            reason = f"level '{row.level}' is none of the config's levels: {known}"
            row = Reject(row.source, row.number, reason)
        if isinstance(row, Row) and not row.db_id:
            row = Reject(row.source, row.number, NO_DATABASE)
        if isinstance(row, Reject):
            raise UserError(f"{path.parent / row.place}: {row.reason}")
        if written is not None:
            text = written.get((row.db_id, row.question))
            if text is None:
                raise UserError(
                    f"{config.evaluation_schema_style}: has no schema for '{row.question}' of"
                    f" {row.db_id}; make it with: text2sql dataset translate-ddl"
                )
            row = replace(row, schema=text)
        rows.append(row)
    return held_out_rows(config, rows) if config.held_out else rows


def written_schemas(config: DataConfig) -> dict[tuple[str, str], str] | None:
    """Return the schema texts that a file has for evaluation questions, by database and question.

    Each stands on one line, as Text2SQL-Qwen3-1.7B shows its prompts. None where the config names
    no such file.

    Raises:
        UserError: no such file, or it holds no such rows.
    """
    style = config.evaluation_schema_style
    if style is None or style in STYLES:
        return None
    rows = read_rows(resolve(style), parse_sql=False)
    return {
        (row.db_id, row.question): " ".join(row.schema.split())
        for row in rows
        if isinstance(row, Row)
    }


def write_evaluation(rows: list[Row], schemas: SchemaTexts, output: Path) -> None:
    """Write ``questions.jsonl``, ``gold.jsonl`` and, where it holds all, ``gold.sql``."""
    questions = (
        Question(
            number, row.db_id, row.question, row.sql, schemas.messages(row), row.evidence, row.level
        )
        for number, row in enumerate(rows)
    )
    write_questions(output / QUESTIONS, questions)
    gold = [(one_line(row.sql), row.db_id) for row in rows]
    write_jsonl(output / GOLD, ({"db_id": db_id, "query": sql} for sql, db_id in gold))
    reason = write_gold(output / GOLD_FILE, gold)
    if reason:
        print(f"{reason}; {GOLD} has all", file=sys.stderr, flush=True)


def training_rows(config: DataConfig) -> Iterator[Row | Reject]:
    """Yield the rows of a dataset's training sources; they are streamed.

    Those of databases held out are none of them.
    """
    held_out = held_out_databases(config)
    for name in config.train:
        rows = read_rows(
            resolve(name),
            config.fields,
            config.max_characters,
            config.parse_sql,
            workers=len(os.sched_getaffinity(0)),
        )
        yield from (r for r in rows if not (isinstance(r, Row) and r.db_id in held_out))
