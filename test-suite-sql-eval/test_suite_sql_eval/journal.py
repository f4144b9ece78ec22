"""Answers kept as they come, so that an interrupted run goes on where it was."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3

from . import errors
from .checks import Databases
from .errors import InputError
from .inputs import Question
from .settings import METRICS_VERSION, Settings

TYPE_CHECKING = False  # importing typing takes milliseconds
if TYPE_CHECKING:
    from typing import Any

#: Settings that change no answer.
_OF_NO_ACCOUNT = ("jobs", "gold_cache", "allow_gold_errors")


def run_name(
    questions: list[Question], databases: Databases, tables: str | None, settings: Settings
) -> str:
    """Return a digest of all that decides the answers: questions, files and settings."""
    values = settings.to_dict()
    for name in _OF_NO_ACCOUNT:
        del values[name]
    paths = [path for found in databases.files.values() for path in found]
    facts = [os.stat(path) for path in (*paths, *([tables] if tables else ()))]
    parts = (
        (METRICS_VERSION, sqlite3.sqlite_version, sorted(values.items())),
        [(q.db_id, q.gold, q.pred, q.fault) for q in questions],
        [(path, fact.st_size, fact.st_mtime_ns) for path, fact in zip(paths, facts, strict=False)],
        sorted(databases.faults),
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()


class Journal:
    """A file with the run's name on its first line and an answer on each that follows.

    A journal of another run is replaced, and a line that was cut is left out.

    Args:
        path: the file.
        run: the run's name.

    Attributes:
        answers: what the file held, by number of the question.

    Raises:
        InputError: the file cannot be written.
    """

    def __init__(self, path: str, run: str) -> None:
        first, *lines = _read(path)
        kept = lines if first == {"run": run} else []
        self.answers: dict[int, Any] = {
            number: {name: value for name, value in line.items() if name != "questions"}
            for line in kept
            for number in line["questions"]
        }
        try:
            self._file = open(path, "w", encoding="utf-8")  # noqa: SIM115
        except OSError as error:
            raise InputError(f"{path}: cannot write the file ({error.strerror})") from error
        for line in ({"run": run}, *kept):
            self._write(line)

    def add(self, numbers: list[int], answer: dict[str, Any]) -> None:
        """Keep the answer to some equal questions; after a crash they are judged again."""
        if answer.get("kind") != errors.CRASH:
            self._write({"questions": numbers, **answer})

    def _write(self, value: dict[str, Any]) -> None:
        self._file.write(json.dumps(value) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _read(path: str) -> list[dict[str, Any]]:
    """Return the lines that can be read, an empty one first if there is none."""
    values = []
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                values.append(json.loads(line))
    except (OSError, ValueError):
        pass  # no such file, or the line that an interruption cut
    return values or [{}]
