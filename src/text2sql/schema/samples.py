"""Example values and sample rows of a table, with what looks like personal data left out."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from text2sql.schema.model import Column, Table, Value

SCANNED_ROWS = 200  # rows read per table to find examples: bounded, whatever the table's size
VALUE_LENGTH = 40  # longer texts are cut, so that one essay column cannot fill the prompt
PERSONAL_NAME = re.compile(
    r"e_?mail|phone|mobile|fax|ssn|social_?sec|passw|passport|credit_?card|card_?n|iban"
    r"|birth|address|street|first_?name|last_?name|surname|full_?name",
    re.IGNORECASE,
)
CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
PADDED = re.compile(r"N?CHAR\b|BPCHAR", re.IGNORECASE)
PERSONAL_VALUE = re.compile(r"[^@\s]+@[^@\s]+\.\w+|\+?\d[\d\s()./-]{8,}\d")


@dataclass(frozen=True)
class Wanted:
    """What to read besides names, types and keys; the fields are `read_schema`'s arguments."""

    samples: int
    personal_data: bool
    details: bool


def with_samples(table: Table, found: list[tuple[Any, ...]], wanted: Wanted, dialect: str) -> Table:
    """Return the table with sample rows and example values out of the rows found."""
    rows = [
        tuple(_value(value, c, dialect) for value, c in zip(row, table.columns, strict=True))
        for row in found
    ]
    hidden = [
        not wanted.personal_data and _is_personal(c.name, [row[i] for row in rows])
        for i, c in enumerate(table.columns)
    ]
    shown = [tuple(None if h else v for h, v in zip(hidden, row, strict=True)) for row in rows]
    columns = tuple(
        replace(c, examples=_distinct((row[i] for row in shown), wanted.samples))
        for i, c in enumerate(table.columns)
    )
    return replace(table, columns=columns, rows=tuple(shown[: wanted.samples]))


def _value(value: Any, column: Column, dialect: str) -> Value:
    """A value as a prompt may show it: one that a condition would find, or visibly cut short.

    None stands for what says nothing there, and for short texts with line ends, tabs and the like,
    which a line of a prompt cannot show.
    """
    if isinstance(value, Decimal):
        exact = value.is_finite() and value == value.to_integral_value()
        value = int(value) if exact else float(value)
    if isinstance(value, float) and not math.isfinite(value) and dialect != "sqlite":
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return None  # pictures and the like say nothing in a prompt
    text = _text(value, column, dialect)
    if dialect != "sqlite" and PADDED.match(column.type):
        text = text.rstrip(" ")  # the server's comparisons leave them out as well
    is_line = not CONTROL.search(text)
    if len(text) <= VALUE_LENGTH and is_line:
        return text
    text = text if is_line else " ".join(text.split())
    return text[: VALUE_LENGTH - 3] + "..." if len(text) > VALUE_LENGTH else None


def _text(value: Any, column: Column, dialect: str) -> str:
    """A value as the database would write it."""
    if isinstance(value, timedelta):
        return _duration(value, dialect)
    if isinstance(value, list) and dialect == "postgres" and not column.type.startswith("JSON"):
        return _postgres_array(value)
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def _duration(value: timedelta, dialect: str) -> str:
    sign = "-" if value < timedelta() else ""
    rest = abs(value)
    days = 0 if dialect == "mysql" else rest.days
    seconds = rest.seconds + 86_400 * (rest.days - days)
    clock = f"{sign}{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    clock += f".{rest.microseconds:06}" if rest.microseconds else ""
    whole = f"{sign}{days} day{'s' * (days != 1)}"
    if not days:
        return clock
    return f"{whole} {clock}" if seconds or rest.microseconds else whole


def _postgres_array(values: list[Any]) -> str:
    parts = (
        _postgres_array(value)
        if isinstance(value, list)
        else "NULL"
        if value is None
        else _array_element(json.dumps(value) if isinstance(value, dict) else str(value))
        for value in values
    )
    return "{" + ",".join(parts) + "}"


def _array_element(text: str) -> str:
    if re.fullmatch(r"[^\s{},\"\\]+", text) and text.upper() != "NULL":
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _distinct(values: Iterable[Value], limit: int) -> tuple[Value, ...]:
    found: dict[Value, None] = {}
    for value in values:
        if value is not None and value != "":
            found.setdefault(value)
            if len(found) == limit:
                break
    return tuple(found)


def looks_personal(name: str, values: list[str]) -> bool:
    """Return whether a column looks by its name or its values like personal data."""
    return _is_personal(name, list(values))


def _is_personal(name: str, values: list[Value]) -> bool:
    if PERSONAL_NAME.search(name):
        return True
    return any(isinstance(v, str) and PERSONAL_VALUE.fullmatch(v) for v in values)
