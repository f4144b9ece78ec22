"""Rows of JSON files, however they are laid out: told by what is in the file, not by its name.

An array of objects, JSON Lines, objects one after the other, an object around the rows
(``{"data": [...]}``), and columns instead of rows (``{"question": [...], ...}``), as pandas and
other tools write them.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from text2sql.errors import UserError

READ_SIZE = 1 << 20
LONGEST_VALUE = 1 << 24  # characters; what is longer and still no JSON is none
HEAD = 4096
BOM = b"\xef\xbb\xbf"
UTF16 = (b"\xff\xfe", b"\xfe\xff")
WHITESPACE = re.compile(r"[ \t\r\n]*")
Numbered = tuple[int, Any]


def refuse_utf16(path: Path) -> None:
    """Raise UserError for a file in UTF-16."""
    with path.open("rb") as stream:
        if stream.read(2) in UTF16:
            raise UserError(f"{path}: is UTF-16; convert it: iconv -f UTF-16 -t UTF-8")


def json_rows(path: Path) -> Iterator[Numbered]:
    """Yield the number and the value of each row; a text instead of a value says what is wrong.

    Rows of JSON Lines are numbered by their lines. Memory does not grow with arrays and JSON Lines;
    other layouts are read as a whole.

    Raises:
        UserError: the JSON breaks off, or holds no rows that we know how to find.
    """
    refuse_utf16(path)
    with path.open("rb") as stream:
        head = stream.read(HEAD).removeprefix(BOM).decode("utf-8", "replace").lstrip()
    if not head:
        return
    inner = head[1:].lstrip()[:1]
    if head[0] == "[" and (inner in ("{", "]", "[", "") or path.suffix == ".json"):
        yield from _array(path)
    elif head[0] == "{":
        yield from _objects(path)
    elif path.suffix == ".jsonl":
        yield from _lines(path)
    else:
        raise UserError(f"{path}: not valid JSON: begins with {head[:20]!r}, not with [ or {{")


def _lines(path: Path) -> Iterator[Numbered]:
    with path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            if number == 1:
                line = line.removeprefix(BOM)
            if not line.strip():
                continue
            try:
                yield number, json.loads(line.decode("utf-8"))
            except UnicodeDecodeError as error:
                yield number, f"not UTF-8 at byte {error.start}"
            except (json.JSONDecodeError, RecursionError) as error:
                yield number, f"not valid JSON: {error}"


def _objects(path: Path) -> Iterator[Numbered]:
    """Rows of a file that begins with an object."""
    with path.open("rb") as stream:
        lines = (line.removeprefix(BOM) for line in stream if line.removeprefix(BOM).strip())
        first, another = next(lines), next(lines, None)
    try:
        value = json.loads(first.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        value = None
    if value is not None and (another is not None or (path.suffix == ".jsonl" and _is_row(value))):
        yield from _lines(path)
        return
    try:
        values = list(_values(_Text(path)))
        rows = values if len(values) > 1 else rows_within(path, values[0])
    except UserError:
        if path.suffix != ".jsonl":
            raise
        yield from _lines(path)  # each line says what is wrong with it
        return
    yield from enumerate(rows, start=1)


def _array(path: Path) -> Iterator[Numbered]:
    """Rows of an array, or of several one after the other."""
    text = _Text(path)
    number = 0
    while text.next_sign():
        if text.next_sign() == "[":
            text.skip()
            if text.next_sign() == "]":
                text.skip()
                continue
            while True:
                value = text.value(number)
                number += 1
                yield number, value
                sign = text.next_sign()
                text.skip()
                if sign == "]":
                    break
                if sign != ",":
                    raise text.broken(number, "no comma" if sign else "the array does not end")
                if text.next_sign() == "]":
                    raise text.broken(number, "a comma before the end of the array")
        else:
            raise text.broken(number, "something stands behind the array")


def _values(text: _Text) -> Iterator[Any]:
    number = 0
    while text.next_sign():
        yield text.value(number)
        number += 1


class _Text:
    """A file's text, read on as it is asked for. Bytes that are not UTF-8 come as U+FFFD."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stream = io.TextIOWrapper(path.open("rb"), "utf-8-sig", "replace", newline="")
        self._text, self._place, self._is_whole = "", 0, False
        self._decoder = json.JSONDecoder()

    def _read_on(self) -> None:
        more = self._stream.read(READ_SIZE)
        if not more:
            self._is_whole = True
            self._stream.close()
        self._text, self._place = self._text[self._place :] + more, 0

    def next_sign(self) -> str:
        """Return the next sign that is no white space, "" at the end."""
        while True:
            space = WHITESPACE.match(self._text, self._place)
            self._place = space.end() if space else self._place
            if self._place < len(self._text) or self._is_whole:
                return self._text[self._place : self._place + 1]
            self._read_on()

    def skip(self) -> None:
        """Go on behind the next sign."""
        self._place += 1

    def value(self, number: int) -> Any:
        """Return the next value; `number` are the rows before it."""
        self.next_sign()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._place)
                if end < len(self._text) or self._is_whole:
                    self._place = end
                    return value
            except json.JSONDecodeError as error:
                if self._is_whole or error.pos < len(self._text) - LONGEST_VALUE:
                    raise self.broken(number, error.msg) from None
            except RecursionError:
                raise self.broken(number, "nested too deeply") from None
            self._read_on()

    def broken(self, number: int, reason: str) -> UserError:
        """Return the error for a text that breaks off."""
        return UserError(f"{self._path}: not valid JSON after row {number}: {reason}")


def _is_row(value: Any) -> bool:
    """Whether an object is a row: its values are no lists and no objects, but for a few."""
    if not isinstance(value, dict):
        return False
    plain = sum(not isinstance(part, list | dict) for part in value.values())
    return plain >= 2


def rows_within(path: Path, value: Any) -> list[Any]:
    """Return the rows that an object holds under one of its keys, or as columns.

    Raises:
        UserError: it holds none, or several lists of rows.
    """
    if not isinstance(value, dict) or (_is_row(value) and not _row_lists(value)):
        return [value]
    lists = _row_lists(value)
    if len(lists) > 1:
        names = ", ".join(map(str, lists))
        raise UserError(f"{path}: holds several lists of rows ({names}); make a file of the one")
    if lists:
        (rows,) = lists.values()
        inner = [row["row"] for row in rows if isinstance(row, dict) and _holds(row, "row")]
        return inner if len(inner) == len(rows) else rows
    parts = list(value.values())
    if isinstance(value.get("columns"), list) and isinstance(value.get("data"), list):
        return [dict(zip(value["columns"], row, strict=False)) for row in value["data"]]
    columns = {name: part for name, part in value.items() if isinstance(part, list)}
    if len(columns) > 1 and len({len(part) for part in columns.values()}) == 1:
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    if len(parts) == 1 and isinstance(parts[0], dict):
        return rows_within(path, parts[0])
    if parts and all(isinstance(part, dict) for part in parts):
        # Of pandas: rows by their index, or columns by their names. Indexes are numbers.
        if all(str(name).isdigit() for name in value):
            return parts
        return [{name: part.get(index) for name, part in value.items()} for index in parts[0]]
    if not any(parts):
        return []
    raise UserError(f"{path}: a JSON object without rows in it; its keys: {', '.join(value)[:200]}")


def _row_lists(value: dict[str, Any]) -> dict[str, list[Any]]:
    return {
        name: part
        for name, part in value.items()
        if isinstance(part, list)
        and part
        and all(isinstance(row, dict) for row in part)
        and name not in ("messages", "conversations")  # the turns of one row
    }


def _holds(row: dict[str, Any], name: str) -> bool:
    return isinstance(row.get(name), dict)
