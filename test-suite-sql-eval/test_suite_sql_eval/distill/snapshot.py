"""Read a schema snapshot: a database's schema and safe samples of it, without the database.

The format is ``text2sql-snapshot-1``, the JSON that ``text2sql create-data`` writes: under
``schema`` a ``db_id``, ``tables`` with ``columns`` (name, type, primary_key, nullable, examples),
``unique`` keys and sample ``rows``, and ``foreign_keys``.
"""

from __future__ import annotations

import json
import re
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from ..errors import InputError
from .names import quote

FORMAT = "text2sql-snapshot-1"
#: The part of a type that SQLite's grammar takes; other databases have ENUM('a') and INT[].
_TYPE = re.compile(r"[A-Za-z_][\w ]*(\(\s*\d+\s*(,\s*\d+\s*)?\))?")


def load_schema(path: Path) -> dict[str, Any]:
    """Return the schema a snapshot holds.

    Raises:
        InputError: no such file, or not a snapshot.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        schema: dict[str, Any] = value["schema"] if value["format"] == FORMAT else {}
        if schema["db_id"] and schema["tables"]:
            return schema
    except OSError as error:
        raise InputError(f"{path}: cannot read the file ({error.strerror})") from error
    except (ValueError, KeyError, TypeError):
        pass
    raise InputError(f"{path}: not a schema snapshot ({FORMAT})")


def script(schema: dict[str, Any]) -> str:
    """Return the CREATE TABLE statements of a snapshot's schema; views are left out."""
    return "\n".join(_create(table, schema) for table in _tables(schema))


def sample_rows(schema: dict[str, Any]) -> dict[str, list[tuple[Any, ...]]]:
    """Return rows by table in lower case: the sample rows, and rows made of column examples."""
    found = {}
    for table in _tables(schema):
        examples = [column.get("examples") or [] for column in table["columns"]]
        length = max(map(len, examples), default=0)
        columns = [islice(cycle(some or [None]), length) for some in examples]
        rows = [tuple(row) for row in table.get("rows") or []]
        found[table["name"].lower()] = rows + list(zip(*columns, strict=True))
    return found


def _tables(schema: dict[str, Any]) -> list[dict[str, Any]]:
    return [table for table in schema["tables"] if not table.get("is_view")]


def _create(table: dict[str, Any], schema: dict[str, Any]) -> str:
    lines = [
        f"{quote(column['name'])} {_type(column['type'])}"
        + ("" if column.get("nullable", True) else " NOT NULL")
        for column in table["columns"]
    ]
    primary = [column["name"] for column in table["columns"] if column.get("primary_key")]
    if primary:
        lines.append(f"PRIMARY KEY ({_list(primary)})")
    lines += [f"UNIQUE ({_list(key)})" for key in table.get("unique") or []]
    lines += [
        f"FOREIGN KEY ({quote(key['column'])}) REFERENCES {quote(key['ref_table'])}"
        f" ({quote(key['ref_column'])})"
        for key in schema["foreign_keys"]
        if key["table"].lower() == table["name"].lower()
    ]
    return f"CREATE TABLE {quote(table['name'])} ({', '.join(lines)});"


def _type(text: str) -> str:
    match = _TYPE.match(text)
    return match.group() if match else ""


def _list(names: list[str]) -> str:
    return ", ".join(map(quote, names))
