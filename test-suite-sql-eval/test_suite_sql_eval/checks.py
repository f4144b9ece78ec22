"""What is looked at before anything is judged: every database file, and tables.json."""

from __future__ import annotations

import os

from .databases import variants
from .errors import InputError, QueryError
from .inputs import Question
from .sandbox import unreadable_tables

_LFS_POINTER = b"version https://git-lfs"
_SQLITE_HEADER = b"SQLite format 3\0"


class Databases:
    """The database files of all questions, each of them opened once.

    Attributes:
        files: the files by id; none for an id that cannot be judged.
        faults: why an id cannot be judged, by id, with the place of its first gold query.
        remarks: tables of usable files that cannot be read.
    """

    def __init__(self, questions: list[Question], db_dir: str) -> None:
        self.files: dict[str, list[str]] = {}
        self.faults: dict[str, str] = {}
        self.remarks: list[str] = []
        for question in questions:
            if question.db_id not in self.files:
                self._add(question, db_dir)

    def _add(self, question: Question, db_dir: str) -> None:
        try:
            paths = variants(db_dir, question.db_id)
            remarks = [remark for path in paths for remark in examine(path)]
        except (InputError, OSError) as error:
            self.files[question.db_id] = []
            self.faults[question.db_id] = f"{question.gold_place}: {error}"
            return
        self.files[question.db_id] = paths
        self.remarks += remarks


def examine(path: str) -> list[str]:
    """Open a database file and return which of its tables cannot be read.

    Raises:
        InputError, OSError: nothing in the file can be read.
    """
    with open(path, "rb") as file:
        start = file.read(len(_LFS_POINTER))
    if start.startswith(_LFS_POINTER):
        raise InputError(f"{path} is a Git LFS pointer, not the database; run git lfs pull")
    if start and not start.startswith(_SQLITE_HEADER):
        raise InputError(f"{path} is not a SQLite database, or it is encrypted")
    try:
        return [f"{path}: table {reason}" for reason in unreadable_tables(path)]
    except QueryError as error:
        raise InputError(error.message) from error


def check_tables(questions: list[Question], tables: str | None, etype: str) -> list[str]:
    """Return a message for each db_id that tables.json should describe but does not."""
    if etype == "exec":
        return []
    if tables is None:
        return [f"--etype {etype} needs --table, the tables.json file with the foreign keys"]
    if not os.path.isfile(tables):
        return [f"{tables}: cannot read the file; --table must name a tables.json"]
    from .matching import load_tables

    try:
        known = load_tables(tables)
    except (ValueError, KeyError, TypeError) as error:
        return [f"{tables}: not a Spider tables.json ({error})"]
    missing = {q.db_id: q.gold_place for q in reversed(questions) if q.db_id not in known}
    return [f"{place}: db_id {db_id!r} is not in {tables}" for db_id, place in missing.items()]
