"""Split files of rows, for training or for a RAG store, into those that leak and the rest."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from text2sql.data.config import DataConfig
from text2sql.data.databases import ensure_databases
from text2sql.data.decontaminate import Decontaminator
from text2sql.data.prepare import SchemaTexts, evaluation_rows
from text2sql.data.rows import Reject, Row, read_rows
from text2sql.errors import UserError
from text2sql.files import atomic_open


def decontaminate_files(
    config: DataConfig, sources: Sequence[Path], clean: Path, removed: Path
) -> dict[str, Any]:
    """Judge rows against the evaluation questions of a config; write the two halves.

    Args:
        config: names the evaluation questions, the levels and the shape of the rows.
        sources: files of rows.
        clean: gets the rows that do not leak, as JSON Lines that `read_rows` recognises.
        removed: gets those that do, each with its place, level and evaluation question.

    Returns:
        The report: that of `Decontaminator`, and the bad rows, which are in neither file.

    Raises:
        UserError: a file is missing or broken.
    """
    ensure_databases(config)
    questions = evaluation_rows(config)
    judge = Decontaminator(config.decontamination, questions, SchemaTexts(config).names)
    rejects: list[Reject] = []
    with atomic_open(clean) as kept, atomic_open(removed) as taken:
        for source in sources:
            rows = read_rows(source, config.fields, config.max_characters, parse_sql=False)
            for row in tqdm(rows, desc=source.name, unit="row", mininterval=1.0):
                if isinstance(row, Reject):
                    rejects.append(row)
                    continue
                try:
                    leak = judge.find(row)
                except UserError as error:
                    reason = f"no schema to compare: {error}"
                    rejects.append(Reject(row.source, row.number, reason, row.question))
                    continue
                record = _as_record(row)
                if leak:
                    record = {"source": row.source, "row": row.number, **record, **leak}
                (taken if leak else kept).write(json.dumps(record, ensure_ascii=False) + "\n")
    report = judge.report()
    report["rejected"] = len(rejects)
    report["rejects"] = [{"place": reject.place, "why": reject.reason} for reject in rejects]
    return report


def _as_record(row: Row) -> dict[str, Any]:
    """Return a row under column names that `read_rows` recognises."""
    if row.schema:
        return {"question": row.question, "context": row.schema, "answer": row.sql}
    return {"question": row.question, "query": row.sql, "db_id": row.db_id}
