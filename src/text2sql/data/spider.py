"""What of Spider 1.0 is on this machine, and what its missing parts disable."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from text2sql.files import sha256_file
from text2sql.paths import repository_root
from text2sql.schema.render import quote

CHECKSUMS = "configs/data/spider-1.0.sha256"
HOME = "https://yale-lily.github.io/spider"


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
    parts += [_release(folder), _empty_tables(folder)]
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
    missing = sorted(i for i in wanted if not (folder / "database" / i / f"{i}.sqlite").is_file())
    state = f"{len(wanted) - len(missing)} of {len(wanted)}"
    if not missing:
        return Part(label, state, "")
    shown = ", ".join(missing[:5]) + (" ..." if len(missing) > 5 else "")
    return Part(label, f"{state}; missing: {shown}", f"execution and values on {len(missing)}")


def _release(folder: Path) -> Part:
    """Whether the files are those of the release, as far as its checksums are known."""
    label = "files as released"
    known = release_checksums()
    there = {name: folder / name for name in known if (folder / name).is_file()}
    changed = sorted(name for name, path in there.items() if sha256_file(path) != known[name])
    state = f"{len(there) - len(changed)} of {len(known)} by SHA-256"
    if not changed:
        return Part(label, state, "")
    shown = ", ".join(Path(name).stem for name in changed[:5])
    more = " ..." if len(changed) > 5 else ""
    return Part(label, f"{state}; changed: {shown}{more}", "comparison with published scores")


def release_checksums() -> dict[str, str]:
    """Return the SHA-256 of files of the release, by their path in its folder."""
    lines = (repository_root() / CHECKSUMS).read_text(encoding="utf-8").splitlines()
    pairs = (line.split(maxsplit=1) for line in lines if not line.startswith("#"))
    return {name.strip(): digest for digest, name in pairs}


def _empty_tables(folder: Path) -> Part:
    """Databases in which a table has no rows: answers about it are empty whatever the SQL."""
    empty: dict[str, list[str]] = {}
    for path in sorted(folder.glob("database/*/*.sqlite")):
        names = _tables_without_rows(path)
        if names:
            empty[path.stem] = names
    if not empty:
        return Part("rows", "no empty table", "")
    tables = sum(len(names) for names in empty.values())
    shown = ", ".join(f"{db} ({len(names)})" for db, names in list(empty.items())[:8])
    more = " ..." if len(empty) > 8 else ""
    use = "telling right from wrong SQL by results on these tables"
    return Part("rows", f"{tables} empty tables in {len(empty)} databases: {shown}{more}", use)


def _tables_without_rows(path: Path) -> list[str]:
    uri = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            query = "SELECT name FROM sqlite_master WHERE type='table' AND name NOT LIKE 'sqlite_%'"
            names = [name for (name,) in connection.execute(query)]
            return [
                name
                for name in names
                if not connection.execute(f"SELECT 1 FROM {quote(name)} LIMIT 1").fetchone()
            ]
    except sqlite3.Error as error:
        return [f"unreadable: {error}"]


def as_table(parts: list[Part]) -> str:
    """Return the parts as a Markdown table."""
    lines = ["| part | state | disables |", "|---|---|---|"]
    lines += [f"| {p.name} | {p.state} | {p.disables or 'nothing'} |" for p in parts]
    return "\n".join(lines)
