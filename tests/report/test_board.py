"""Public prediction files are judged alike, whatever form they have; a record keeps it."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from text2sql.errors import UserError
from text2sql.files import write_json
from text2sql.paths import repository_root
from text2sql.report import board

GOLD = "SELECT name FROM singer WHERE age > 30"
OTHER = "SELECT name FROM singer WHERE age > 99"


def row(file: str, **more: Any) -> dict[str, Any]:
    return {"label": file, "file": file, "repository": "owner/repo", "note": "a note"} | more


@pytest.fixture
def spider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data set of one database and two questions, and a checkout with a board of four files."""
    root = tmp_path / "checkout"
    (root / "configs").mkdir(parents=True)
    monkeypatch.setenv("TEXT2SQL_ROOT", str(root))
    rows = {
        "lines": row("lines.sql"),
        "table": row("results/table.csv", published={"exec": 99.5, "exact": 12.3}),
        "missing": row("missing.txt"),
    }
    write_json(root / board.REFERENCE, {"title": "A board", "rows": rows})
    folder = tmp_path / "spider"
    database = folder / "database" / "music" / "music.sqlite"
    database.parent.mkdir(parents=True)
    with sqlite3.connect(database) as connection:
        connection.executescript(
            "CREATE TABLE singer (name TEXT, age INTEGER);"
            "INSERT INTO singer VALUES ('Ana', 31), ('Bo', 24);"
        )
    connection.close()
    tables = {
        "db_id": "music",
        "table_names_original": ["singer"],
        "table_names": ["singer"],
        "column_names_original": [[-1, "*"], [0, "name"], [0, "age"]],
        "column_names": [[-1, "*"], [0, "name"], [0, "age"]],
        "column_types": ["text", "text", "number"],
        "primary_keys": [],
        "foreign_keys": [],
    }
    write_json(folder / "tables.json", [tables])
    (folder / "dev_gold.sql").write_text(f"{GOLD}\tmusic\n" * 2)
    return folder


def files(tmp_path: Path) -> Path:
    folder = tmp_path / "files" / "repo"
    (folder / "results").mkdir(parents=True)
    (folder / "lines.sql").write_text(f"   {GOLD}\n\n")  # the second answer is none
    (folder / "results" / "table.csv").write_text(
        f'NLQ,PREDICTED SQL,GOLD SQL\nq,"{GOLD}\n -- and so on",x\nq,{OTHER},x\n'
    )
    return tmp_path / "files"


def test_lines_and_tables_are_judged_alike(
    spider: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEXT2SQL_BUILD", str(tmp_path / "build"))
    monkeypatch.setattr(board, "git_state", lambda: {"sha": "0123456789ab", "dirty": False})
    record = board.measure(files(tmp_path), spider, jobs=1, timeout=5.0)
    assert [one["name"] for one in record["rows"]] == ["lines", "table"]
    for one in record["rows"]:
        assert one["accuracy"]["all"] == 50.0 and one["exact"] >= 50.0
    lines, table = record["rows"]
    assert (lines["with_plug_value"], table["with_plug_value"]) == (50.0, 100.0)
    assert (lines["execution_success"], table["execution_success"]) == (50.0, 100.0)
    assert record["questions"] == 2
    path = repository_root() / board.RECORD
    assert board.board_block() == ""
    write_json(path, record)
    text = " ".join(board.board_block().split())
    assert "| results/table.csv | 50.0 |" in text and "| 50.0 | 99.5 | 100.0 |" in text
    assert "- lines.sql: owner/repo, `lines.sql`; a note." in text


def test_mistakes_are_one_line(spider: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="none of the board's files is here"):
        board.measure(tmp_path, spider, 1, 5.0)
    folder = files(tmp_path)
    (folder / "repo" / "lines.sql").write_text(f"{GOLD}\n")
    with pytest.raises(UserError, match=r"^lines: "):
        board.measure(folder, spider, 1, 5.0)
