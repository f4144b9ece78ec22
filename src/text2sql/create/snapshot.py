"""A schema in a file, so that later steps work without the database."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from text2sql.errors import UserError
from text2sql.files import read_json, write_json
from text2sql.records import canonical_hash
from text2sql.schema import Schema
from text2sql.schema.quoting import DIALECTS

FORMAT = "text2sql-snapshot-1"


@dataclass(frozen=True)
class Snapshot:
    """A schema with its samples, and the SQL dialect its database speaks."""

    schema: Schema
    dialect: str

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
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise UserError(f"{path}: not a snapshot that 'text2sql database create-data' wrote")
    if value.get("dialect") not in DIALECTS:
        raise UserError(f"{path}: unknown dialect {value.get('dialect')!r}")
    try:
        return Snapshot(TypeAdapter(Schema).validate_python(value.get("schema")), value["dialect"])
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise UserError(f"{path}: not a snapshot: schema.{place}: {first['msg']}") from None
