"""Gold results kept between runs never survive a change of the database."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from test_suite_sql_eval.api import Report, Settings, evaluate


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
