"""Example values and sample rows of a table, with what looks like personal data left out."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from text2sql.schema.model import Table, Value

SCANNED_ROWS = 200  # rows read per table to find examples: bounded, whatever the table's size
VALUE_LENGTH = 40  # longer texts are cut, so that one essay column cannot fill the prompt
PERSONAL_NAME = re.compile(
    r"e_?mail|phone|mobile|fax|ssn|social_?sec|passw|passport|credit_?card|card_?n|iban"
    r"|birth|address|street|first_?name|last_?name|surname|full_?name",
    re.IGNORECASE,
)
PERSONAL_VALUE = re.compile(r"[^@\s]+@[^@\s]+\.\w+|\+?\d[\d\s()./-]{8,}\d")


@dataclass(frozen=True)
class Wanted:
    """What to read besides names, types and keys; the fields are `read_schema`'s arguments."""

    samples: int
    personal_data: bool
    details: bool


def with_samples(table: Table, found: list[tuple[Any, ...]], wanted: Wanted) -> Table:
    """Return the table with sample rows and example values out of the rows found."""
    rows = [tuple(map(_value, row)) for row in found]
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


def _value(value: Any) -> Value:
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return None  # pictures and the like say nothing in a prompt
    text = " ".join(str(value).split())
    return text if len(text) <= VALUE_LENGTH else text[: VALUE_LENGTH - 3] + "..."


def _distinct(values: Iterable[Value], limit: int) -> tuple[Value, ...]:
    found: dict[Value, None] = {}
    for value in values:
        if value is not None and value != "":
            found.setdefault(value)
            if len(found) == limit:
                break
    return tuple(found)


def _is_personal(name: str, values: list[Value]) -> bool:
    if PERSONAL_NAME.search(name):
        return True
    return any(isinstance(v, str) and PERSONAL_VALUE.fullmatch(v) for v in values)
