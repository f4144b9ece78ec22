"""A schema in a file, so that later steps work without the database."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from text2sql.errors import UserError
from text2sql.files import read_json, write_json
from text2sql.records import canonical_hash
from text2sql.schema import Schema, read_tables_json
from text2sql.schema.quoting import DIALECTS

FORMAT = "text2sql-snapshot-1"


@dataclass(frozen=True)
class Snapshot:
    """A schema with its samples."""

    schema: Schema

    @property
    def dialect(self) -> str:
        """The SQL dialect that the database speaks."""
        return self.schema.dialect

    @property
    def hash(self) -> str:
        """SHA-256 of all that the snapshot holds."""
        return canonical_hash({"dialect": self.dialect, "schema": asdict(self.schema)})


def write_snapshot(snapshot: Snapshot, path: Path) -> None:
    """Write a snapshot as JSON."""
    head = {"format": FORMAT, "dialect": snapshot.dialect, "hash": snapshot.hash}
    write_json(path, head | {"schema": asdict(snapshot.schema)})


def read_snapshot(path: Path) -> Snapshot:
    """Read what `write_snapshot` wrote.

    Raises:
        UserError: no such file, or not a snapshot.
    """
    value = read_json(path)
    if not _is_snapshot(value):
        raise UserError(f"{path}: not a snapshot that 'text2sql database create-data' wrote")
    return _snapshot(path, value)


def read_schemas(path: Path, samples: int = 0) -> dict[str, Schema]:
    """Return the schemas in a file by database id: Spider's tables.json, or a snapshot.

    Args:
        path: the file.
        samples: most example values a column and sample rows a table to keep of a snapshot's.

    Raises:
        UserError: no such file, or neither of the two.
    """
    value = read_json(path)
    if not _is_snapshot(value):
        return read_tables_json(path)
    schema = _snapshot(path, value).schema
    tables = tuple(
        replace(
            table,
            columns=tuple(replace(c, examples=c.examples[:samples]) for c in table.columns),
            rows=table.rows[:samples],
        )
        for table in schema.tables
    )
    return {schema.db_id: replace(schema, tables=tables)}


def _is_snapshot(value: Any) -> bool:
    return isinstance(value, dict) and value.get("format") == FORMAT


def _snapshot(path: Path, value: dict[str, Any]) -> Snapshot:
    if value.get("dialect") not in DIALECTS:
        raise UserError(f"{path}: unknown dialect {value.get('dialect')!r}")
    try:
        schema = TypeAdapter(Schema).validate_python(value.get("schema"))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise UserError(f"{path}: not a snapshot: schema.{place}: {first['msg']}") from None
    return Snapshot(replace(schema, dialect=value["dialect"]))
