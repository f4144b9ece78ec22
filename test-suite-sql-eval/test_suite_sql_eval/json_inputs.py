"""Gold queries and predictions in JSON Lines and in BIRD's and Spider's JSON files.

A record of gold queries holds ``db_id`` and the SQL under ``query``, ``SQL``, ``sql`` or ``gold``;
a prediction is the SQL itself, or a record with it under ``pred``, ``SQL``, ``sql`` or ``query``.
JSON Lines have one of them a line, JSON files a list.  BIRD's predictions are an object: the number
of the question, from 0, and the SQL with the database id behind a mark.

A prediction that cannot be read counts as wrong and the others are judged; gold queries must all
be readable.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from .entries import Entry, read_bytes
from .errors import InputError

TYPE_CHECKING = False  # importing typing takes milliseconds
if TYPE_CHECKING:
    from typing import Any

_GOLD_KEYS = ("query", "SQL", "sql", "gold")
_PREDICTION_KEYS = ("pred", "SQL", "sql", "query")
_BIRD_MARK = "\t----- bird -----\t"


def read_golds(path: str) -> list[Entry]:
    """Read the gold queries of a JSON Lines or JSON file.

    Raises:
        InputError: the file cannot be read, or a record is not one of a gold query.
    """
    golds = []
    problems = []
    for place, record, fault in _records(path):
        sql = _first_text(record, _GOLD_KEYS)
        db_id = record.get("db_id") if isinstance(record, dict) else None
        if fault is None and (sql is None or not isinstance(db_id, str)):
            fault = f"a gold query needs a text db_id and one of {', '.join(_GOLD_KEYS)}"
        if fault is not None:
            problems.append(f"{place}: {fault}")
        else:
            golds.append(Entry(place, str(sql), str(db_id)))
    if problems:
        raise InputError("\n".join(problems))
    return golds


def read_predictions(path: str, count: int) -> list[Entry]:
    """Read the predictions of a JSON Lines or JSON file.

    Args:
        path: the file.
        count: how many gold queries there are.

    Raises:
        InputError: the file cannot be read, or it numbers questions that there are not.
    """
    if path.endswith(".json"):
        value = _load(path)
        if isinstance(value, dict):
            return list(_bird_predictions(path, value, count))
    predictions = []
    for place, record, fault in _records(path):
        sql = record if isinstance(record, str) else _first_text(record, _PREDICTION_KEYS)
        if fault is None and sql is None:
            fault = f"a prediction is a text, or a record with one of {', '.join(_PREDICTION_KEYS)}"
        predictions.append(Entry(place, sql or "", fault=fault and f"{place}: {fault}"))
    return predictions


def _bird_predictions(path: str, answers: dict[str, Any], count: int) -> Iterator[Entry]:
    unknown = answers.keys() - {str(number) for number in range(count)}
    if unknown:
        raise InputError(f"{path}: {min(unknown)!r} is no number of a question, 0 to {count - 1}")
    for number in range(count):
        place = f"{path}: question {number}"
        answer = answers.get(str(number))
        if isinstance(answer, str):
            yield Entry(place, answer.split(_BIRD_MARK)[0])
        else:
            yield Entry(place, "", fault=f"{place}: no prediction")


def _first_text(record: Any, keys: tuple[str, ...]) -> str | None:
    values = (record.get(key) for key in keys) if isinstance(record, dict) else ()
    return next((value for value in values if isinstance(value, str)), None)


def _records(path: str) -> Iterator[tuple[str, Any, str | None]]:
    """Yield place, value and fault of each record; one of value and fault is None."""
    if path.endswith(".json"):
        value = _load(path)
        if not isinstance(value, list):
            raise InputError(f"{path}: expected a JSON list of records")
        for number, record in enumerate(value):
            yield f"{path}: record {number}", record, None
        return
    for number, line in enumerate(read_bytes(path).splitlines(), 1):
        place = f"{path}:{number}"
        if not line.strip():
            continue
        try:
            yield place, json.loads(line.decode("utf-8-sig")), None
        except UnicodeDecodeError as error:
            yield place, None, f"byte 0x{line[error.start]:02x} is not UTF-8"
        except (ValueError, RecursionError) as error:
            yield place, None, f"not JSON ({error})"


def _load(path: str) -> Any:
    try:
        return json.loads(read_bytes(path).decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not a JSON file ({error})") from error
