"""Gold results kept between runs never survive a change of the database."""

from __future__ import annotations

import marshal
import os
import sqlite3
from pathlib import Path

import pytest
from test_suite_sql_eval import databases
from test_suite_sql_eval.api import Report, Settings, evaluate
from test_suite_sql_eval.sandbox import Session


def _run(tmp_path: Path, db_dir: Path) -> Report:
    settings = Settings(jobs=1, gold_cache=str(tmp_path / "cache"))
    paths = (str(tmp_path / "gold.txt"), str(tmp_path / "pred.txt"), str(db_dir))
    return evaluate(*paths, settings=settings)


def test_kept_results_follow_the_database(tmp_path: Path, db_dir: Path, music: Path) -> None:
    (tmp_path / "gold.txt").write_text("SELECT count(*) FROM singer\tmusic\n")
    (tmp_path / "pred.txt").write_text("SELECT 5\n")
    first = _run(tmp_path, db_dir)
    kept = list((tmp_path / "cache").iterdir())
    assert [path.suffix for path in kept] == [".gold"]
    again = _run(tmp_path, db_dir)
    assert first.scores == again.scores
    assert first.scores["all"]["exec"] == 1.0
    with sqlite3.connect(music) as connection:
        connection.execute("DELETE FROM singer WHERE id = 5")
    connection.close()
    assert _run(tmp_path, db_dir).scores["all"]["exec"] == 0.0


def test_damaged_cache_is_ignored(tmp_path: Path, db_dir: Path) -> None:
    (tmp_path / "gold.txt").write_text("SELECT count(*) FROM singer\tmusic\n")
    (tmp_path / "pred.txt").write_text("SELECT 5\n")
    _run(tmp_path, db_dir)
    for path in (tmp_path / "cache").iterdir():
        path.write_bytes(b"damaged")
    assert _run(tmp_path, db_dir).scores["all"]["exec"] == 1.0


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT date('now')",
        "SELECT CURRENT_TIMESTAMP",
        "SELECT current_date, 1",
        "SELECT name FROM singer ORDER BY random() LIMIT 1",
        "SELECT hex(RandomBlob(4))",
        "SELECT strftime('%Y')",
        "SELECT count(*) FROM singer WHERE age < (SELECT julianday() - 2400000)",
        "SELECT * FROM today",
    ],
)
def test_golds_that_ask_the_clock_or_chance_are_not_kept(
    tmp_path: Path, db_dir: Path, music: Path, sql: str
) -> None:
    with sqlite3.connect(music) as connection:
        connection.execute("CREATE VIEW today AS SELECT date('now') AS day, * FROM singer")
    connection.close()
    steady = "SELECT count(*) FROM singer WHERE name <> 'date'"
    (tmp_path / "gold.txt").write_text(f"{sql}\tmusic\n{steady}\tmusic\n")
    (tmp_path / "pred.txt").write_text("SELECT 5\nSELECT 5\n")
    _run(tmp_path, db_dir)
    (kept,) = (tmp_path / "cache").glob("*.gold")
    rows = [query for kind, query in marshal.loads(kept.read_bytes()) if kind == "rows"]
    assert rows == [steady]


def test_what_varies_is_forgotten_with_the_next_query(music: Path) -> None:
    session = Session()
    session.run(str(music), "SELECT random()")
    assert session.varies
    session.run(str(music), "SELECT max(age) FROM singer")
    assert not session.varies
    session.close()


def test_a_large_file_is_hashed_once(
    tmp_path: Path, db_dir: Path, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed = []
    content_key = databases.content_key
    monkeypatch.setattr(databases, "_LARGE", 0)
    monkeypatch.setattr(
        databases, "content_key", lambda path: hashed.append(path) or content_key(path)
    )
    (tmp_path / "gold.txt").write_text("SELECT count(*) FROM singer\tmusic\n")
    (tmp_path / "pred.txt").write_text("SELECT 5\n")
    assert _run(tmp_path, db_dir).scores["all"]["exec"] == 1.0
    assert hashed == [str(music)]
    _run(tmp_path, db_dir)  # too new: the file may change again within one tick of its clock
    assert len(hashed) == 2
    os.utime(music, (1e9, 1e9))
    _run(tmp_path, db_dir)
    _run(tmp_path, db_dir)
    assert len(hashed) == 3
    with sqlite3.connect(music) as connection:
        connection.execute("DELETE FROM singer WHERE id = 5")
    connection.close()
    os.utime(music, (1e9, 1e9))
    assert _run(tmp_path, db_dir).scores["all"]["exec"] == 0.0
    assert len(hashed) == 4


def test_only_files_of_one_size_are_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed = []
    content_key = databases.content_key
    monkeypatch.setattr(
        databases, "content_key", lambda path: hashed.append(path) or content_key(path)
    )
    paths = []
    for name, text in (("a", "one"), ("b", "three"), ("c", "one"), ("d", "two")):
        (tmp_path / name).write_text(text)
        paths.append(str(tmp_path / name))
    assert databases.ContentKeys(None).distinct(paths) == [paths[0], paths[1], paths[3]]
    assert hashed == [paths[0], paths[2], paths[3]]
