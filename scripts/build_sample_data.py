#!/usr/bin/env python
"""Derive the generated files of data/sample from its sources, or check that they are in step.

Sources are ``database/<id>/<id>.sql`` and, in train.json and dev.json, the fields ``db_id``,
``question`` and ``query``. Derived are the token lists in these two files, tables.json,
dev_gold.sql and the counts in README.md.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from test_suite_sql_eval.hardness import LEVELS
from test_suite_sql_eval.matching import MatchJudge

from text2sql.data.sample import ensure_sample_databases
from text2sql.errors import UserError
from text2sql.files import read_json, write_text
from text2sql.paths import repository_root
from text2sql.schema import Schema, read_schema, spider_entry

Pair = dict[str, Any]

SPLITS = ("train", "dev")
SOURCE_FIELDS = ("db_id", "question", "query")
BEGIN, END = "<!-- counts: begin -->", "<!-- counts: end -->"
QUESTION_TOKEN = re.compile(r"\d{4}-\d\d-\d\d|\d+(?:\.\d+)?|\w+(?:[-']\w+)*|[^\s\w]")
QUERY_TOKEN = re.compile(r"'(?:[^']|'')*'|\d+(?:\.\d+)?|\w+(?:\.\w+)?|[<>!]=|<>|[^\s\w]")


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit with status 1 if out of step.")
def main(check: bool) -> None:
    """Write the derived files of data/sample, or check them."""
    try:
        changed = out_of_step(repository_root() / "data" / "sample", ensure_sample_databases())
        if not check:
            for path, text in changed.items():
                write_text(path, text)
    except UserError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)
    for path in changed:
        click.echo(f"{path}: {'out of step' if check else 'written'}")
    if check and changed:
        click.echo("run: python scripts/build_sample_data.py", err=True)
        sys.exit(1)
    if not changed:
        click.echo("data/sample is in step with its sources")


def out_of_step(folder: Path, databases: Path) -> dict[Path, str]:
    """Return the derived files whose text is not what the sources give, with that text.

    Args:
        folder: the sample set (``data/sample``).
        databases: folder with ``<id>/<id>.sqlite``, built from the set's .sql files.

    Raises:
        UserError: a source is missing or not as it should be; the message names file and entry.
    """
    ids = sorted(path.parent.name for path in (folder / "database").glob("*/*.sql"))
    pairs = {split: _read_pairs(folder / f"{split}.json", set(ids)) for split in SPLITS}
    schemas = [read_schema(databases / name / f"{name}.sqlite", db_id=name) for name in ids]
    readme = folder / "README.md"
    wanted = {folder / f"{split}.json": _lines(map(_with_tokens, pairs[split])) for split in SPLITS}
    wanted[folder / "tables.json"] = _lines(map(spider_entry, schemas))
    wanted[folder / "dev_gold.sql"] = "".join(f"{p['query']}\t{p['db_id']}\n" for p in pairs["dev"])
    wanted[readme] = _with_counts(readme, count_table(schemas, pairs, databases))
    return {path: text for path, text in wanted.items() if _text(path) != text}


def count_table(schemas: list[Schema], pairs: dict[str, list[Pair]], databases: Path) -> str:
    """Return the Markdown table of what the set holds, one line a database.

    Raises:
        UserError: a gold query is outside the grammar that decides hardness.
    """
    judge = MatchJudge(None, "official")
    levels: dict[str, Counter[str]] = {split: Counter() for split in SPLITS}
    asked: dict[str, Counter[str]] = {split: Counter() for split in SPLITS}
    for split in SPLITS:
        for pair in pairs[split]:
            name = pair["db_id"]
            path = str(databases / name / f"{name}.sqlite")
            found = judge.hardness(path, name, pair["query"])
            if found["hardness"] is None:
                raise UserError(f"{split}.json: no hardness: {found['parse_error']}: {pair}")
            levels[split][found["hardness"]] += 1
            asked[split][name] += 1
    lines = ["| database | tables | columns | train | dev |", "|---|---|---|---|---|"]
    for schema in schemas:
        columns = sum(len(table.columns) for table in schema.tables)
        counts = " | ".join(str(asked[split][schema.db_id]) for split in SPLITS)
        lines.append(f"| `{schema.db_id}` | {len(schema.tables)} | {columns} | {counts} |")
    totals = " | ".join(str(len(pairs[split])) for split in SPLITS)
    tables = sum(len(schema.tables) for schema in schemas)
    columns = sum(len(table.columns) for schema in schemas for table in schema.tables)
    lines += [f"| {len(schemas)} databases | {tables} | {columns} | {totals} |", ""]
    lines += [f"| hardness | {' | '.join(SPLITS)} |", "|---|---|---|"]
    lines += [f"| {x} | {' | '.join(str(levels[s][x]) for s in SPLITS)} |" for x in LEVELS]
    return "\n".join(lines)


def _read_pairs(path: Path, ids: set[str]) -> list[Pair]:
    pairs = []
    for number, entry in enumerate(read_json(path), start=1):
        for field in SOURCE_FIELDS:
            value = entry.get(field) if isinstance(entry, dict) else None
            if not isinstance(value, str) or value != " ".join(value.split()) or not value:
                raise UserError(f"{path}: entry {number}: '{field}' must be one line of text")
        if entry["db_id"] not in ids:
            raise UserError(f"{path}: entry {number}: no database '{entry['db_id']}'")
        pairs.append({field: entry[field] for field in SOURCE_FIELDS})
    return pairs


def _with_tokens(pair: Pair) -> Pair:
    return {
        **pair,
        "question_toks": QUESTION_TOKEN.findall(pair["question"]),
        "query_toks": QUERY_TOKEN.findall(pair["query"]),
    }


def _lines(values: Iterable[Any]) -> str:
    """A JSON array with one item a line, so that a diff shows the items that changed."""
    return "[\n" + ",\n".join(json.dumps(v, ensure_ascii=False) for v in values) + "\n]\n"


def _with_counts(path: Path, table: str) -> str:
    text = _text(path)
    if text is None or text.count(BEGIN) != 1 or text.count(END) != 1:
        raise UserError(f"{path}: needs one line '{BEGIN}' and, after it, one '{END}'")
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n{table}\n{END}{rest.split(END)[-1]}"


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


if __name__ == "__main__":
    main()
