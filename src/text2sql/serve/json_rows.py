"""Rows of any database as JSON takes them."""

from __future__ import annotations

import datetime
import json
import math
from decimal import Decimal
from typing import Any

from test_suite_sql_eval.executor import Result

LARGEST_EXACT = 2**53  # above it, numbers in JSON are not exact in a browser
MAX_CELL_CHARACTERS = 2000
MAX_ANSWER_CHARACTERS = 4_000_000


def json_rows(result: Result) -> tuple[list[list[Any]], bool]:
    """Return rows as JSON takes them, and whether all are there in full.

    Long texts are cut and rows end where the answer would get too large. Blobs become SQL literals
    in hexadecimal; numbers that JSON or a browser cannot hold exactly become texts, as do dates.
    """
    rows: list[list[Any]] = []
    size, whole = 0, not result.truncated
    for row in result.rows:
        cells = [_cell(value) for value in row]
        size += sum(len(str(cell)) for cell in cells)
        if size > MAX_ANSWER_CHARACTERS:
            return rows, False
        rows.append(cells)
    return rows, whole


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Decimal):
        value = _number(value)
    if isinstance(value, int | float):
        exact = math.isfinite(value) if isinstance(value, float) else abs(value) <= LARGEST_EXACT
        return value if exact else str(value)
    text = _text(value)
    return text if len(text) <= MAX_CELL_CHARACTERS else text[:MAX_CELL_CHARACTERS] + "..."


def _number(value: Decimal) -> int | float | str:
    """Return a decimal as the number that is equal to it, else as text."""
    if value.is_finite() and abs(value) <= LARGEST_EXACT:
        if value == value.to_integral_value():
            return int(value)
        if Decimal(repr(float(value))) == value:
            return float(value)
    return str(value)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return f"x'{bytes(value[:MAX_CELL_CHARACTERS]).hex()}'"
    if isinstance(value, datetime.datetime):
        return value.isoformat(" ")
    if isinstance(value, dict | list | tuple):  # JSON, arrays, structs
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)
