"""What of Spider 1.0 is on this machine, and what its missing parts disable."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from text2sql.schema.quoting import quote_name

# Databases whose tables, all or some, have no rows in the 1.0 release itself.
_RELEASED_EMPTY = "academic formula_1 geo imdb music_2 restaurants sakila_1 scholar yelp"
RELEASED_EMPTY = frozenset(_RELEASED_EMPTY.split())


@dataclass(frozen=True)
class Part:
    """One part of the dataset: its state and what does not work without it."""

    name: str
    state: str
    disables: str

    @property
    def present(self) -> bool:
        """Whether nothing is missing."""
        return not self.disables


def check_spider(folder: Path) -> list[Part]:
    """Return the state of each part of Spider below a folder.

    Counts are compared with those of the 1.0 release (Yu et al., EMNLP 2018); databases are those
    that dev and train questions name.
    """
    parts = [
        _questions(folder / "train_spider.json", 7000, "training on Spider"),
        _questions(folder / "train_others.json", 1659, "training on the older sets in Spider"),
        _questions(folder / "dev.json", 1034, "evaluation on Spider dev"),
        _questions(folder / "tables.json", 166, "schemas where a database is missing"),
    ]
    for split, names in (
        ("dev", ("dev.json",)),
        ("train", ("train_spider.json", "train_others.json")),
    ):
        parts.append(_databases(folder, split, names))
    for name, use in (
        ("test_database", "evaluation on the test-suite databases (test-suite accuracy)"),
        ("dev_sql.json", "the prose schemas of DB-GPT-Hub (translate-ddl)"),
    ):
        there = (folder / name).exists()
        parts.append(Part(name, "present" if there else "missing", "" if there else use))
    return parts


def _questions(path: Path, expected: int, use: str) -> Part:
    if not path.is_file():
        return Part(path.name, "missing", use)
    try:
        count = len(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError):
        return Part(path.name, "not valid JSON", use)
    if count != expected:
        return Part(path.name, f"{count} entries, expected {expected}", f"comparable {use}")
    return Part(path.name, f"{count} entries", "")


def _databases(folder: Path, split: str, files: tuple[str, ...]) -> Part:
    wanted: set[str] = set()
    for name in files:
        try:
            rows = json.loads((folder / name).read_text(encoding="utf-8"))
            wanted |= {row["db_id"] for row in rows}
        except (OSError, ValueError, TypeError, KeyError):
            continue
    label = f"database/ ({split})"
    if not wanted:
        return Part(label, "unknown: no questions", f"{split} databases")
    paths = {i: folder / "database" / i / f"{i}.sqlite" for i in sorted(wanted)}
    missing = [i for i, path in paths.items() if not path.is_file()]
    faults = [
        fault
        for i, path in paths.items()
        if i not in missing and i not in RELEASED_EMPTY
        for fault in _faults(path)
    ]
    state = f"{len(paths) - len(missing)} of {len(paths)}"
    lost = []
    if missing:
        state += f"; missing: {_few(missing)}"
        lost.append(f"execution and values on {len(missing)}")
    if faults:
        state += f"; no rows in: {_few(faults)}"
        lost.append(f"results and values from {len(faults)} of their tables")
    return Part(label, state, "; ".join(lost))


def _few(names: list[str]) -> str:
    return ", ".join(names[:5]) + (" ..." if len(names) > 5 else "")


def _faults(path: Path) -> list[str]:
    """Tables of a database that hold no rows, as ``database.table``."""
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as base:
            query = (
                "SELECT name FROM sqlite_master"
                " WHERE type = 'table' AND substr(name, 1, 7) <> 'sqlite_'"
            )
            return [
                f"{path.stem}.{name}"
                for (name,) in base.execute(query).fetchall()
                if not base.execute(f"SELECT 1 FROM {quote_name(name)} LIMIT 1").fetchone()
            ]
    except sqlite3.Error as error:
        return [f"{path.stem} ({error})"]


def as_table(parts: list[Part]) -> str:
    """Return the parts as a Markdown table."""
    lines = ["| part | state | disables |", "|---|---|---|"]
    lines += [f"| {p.name} | {p.state} | {p.disables or 'nothing'} |" for p in parts]
    return "\n".join(lines)
