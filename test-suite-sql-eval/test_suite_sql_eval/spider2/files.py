"""The files of Spider 2.0-lite, as a checkout of xlang-ai/Spider2 has them below spider2-lite/."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError

QUESTIONS = "spider2-lite.jsonl"
GOLD = Path("evaluation_suite", "gold")
STANDARDS = GOLD / "spider2lite_eval.jsonl"
DATABASES = Path("resource", "databases")
SQLITE = "local"  # begins the ids of questions on SQLite


@dataclass(frozen=True)
class Instance:
    """A question and what it is judged by.

    Attributes:
        id: its ``instance_id``.
        db: the database's name.
        question: in plain words.
        document: the file of what one has to know besides, if there is one.
        database: the SQLite file; None where it is not on SQLite, or the file is missing.
        golds: the CSV files of gold results.
        columns: condition columns, as the standard gives them.
        ignore_order: whether the order of rows does not count.
        unscorable: why it cannot be scored; empty where it can.
    """

    id: str
    db: str
    question: str
    document: Path | None
    database: Path | None
    golds: tuple[Path, ...]
    columns: Any
    ignore_order: bool
    unscorable: str

    @property
    def single(self) -> bool:
        """Whether its gold result is in the one file of its name."""
        return [path.stem for path in self.golds] == [self.id]


def read_instances(folder: Path) -> list[Instance]:
    """Return all questions of Spider 2.0-lite, those that cannot be scored with the reason.

    Raises:
        InputError: a file is missing or not of this form.
    """
    records = _records(folder / QUESTIONS)
    standards = {record["instance_id"]: record for record in _records(folder / STANDARDS)}
    results = sorted((folder / GOLD / "exec_result").glob("*.csv"))
    golds: dict[str, list[Path]] = {}
    for path in results:
        golds.setdefault(re.sub(r"_[a-z]$", "", path.stem), []).append(path)
    try:
        return [_instance(folder, record, standards, golds) for record in records]
    except KeyError as error:
        raise InputError(f"{folder / QUESTIONS}: a record has no {error}") from error


def _instance(
    folder: Path,
    record: dict[str, Any],
    standards: dict[str, dict[str, Any]],
    golds: dict[str, list[Path]],
) -> Instance:
    name, db = record["instance_id"], record["db"]
    standard = standards.get(name)
    of_name = golds.get(name, [])
    exact = [path for path in of_name if path.stem == name]
    database = _database(folder, db)
    knowledge = record.get("external_knowledge")
    reasons = (
        ("not on SQLite", not name.startswith(SQLITE)),
        ("no standard in the evaluation suite", standard is None),
        ("no gold result", not of_name),
        (f"no database file {db}.sqlite", database is None),
    )
    return Instance(
        name,
        db,
        record["question"],
        folder / "resource" / "documents" / knowledge if knowledge else None,
        database if name.startswith(SQLITE) else None,
        tuple(exact or of_name),
        (standard or {}).get("condition_cols"),
        bool((standard or {}).get("ignore_order", False)),
        next((reason for reason, holds in reasons if holds), ""),
    )


def _database(folder: Path, db: str) -> Path | None:
    """The SQLite file, where the page says to put it or where the program looks for it."""
    places = (folder / DATABASES / "spider2-localdb", folder / DATABASES)
    return next((p / f"{db}.sqlite" for p in places if (p / f"{db}.sqlite").is_file()), None)


def _records(path: Path) -> list[dict[str, Any]]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path}: cannot read it ({error}); give the folder spider2-lite of xlang-ai/Spider2"
        ) from error
    try:
        records = [json.loads(line) for line in lines if line.strip()]
        return [record for record in records if record["instance_id"]]
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path}: not JSON Lines with an instance_id ({error!r})") from error
