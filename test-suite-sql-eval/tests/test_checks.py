"""Bad database files: each is named before anything is judged, and costs its own questions only."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest
from test_suite_sql_eval.api import Settings, evaluate
from test_suite_sql_eval.cli import main
from test_suite_sql_eval.errors import InputError

from .conftest import make_database

BAD_FILES = {
    "text": (b"id,name\n1,Ana\n", "not a SQLite database, or it is encrypted"),
    "encrypted": (bytes(range(256)) * 16, "not a SQLite database, or it is encrypted"),
    "pointer": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
        "a Git LFS pointer",
    ),
    "cut": (b"SQLite format 3\0" + b"\xff" * 4000, "cannot open"),
}


@pytest.fixture
def files(tmp_path: Path, db_dir: Path) -> list[str]:
    """Flags of an evaluation with two good questions and one on each bad file."""
    for name, (content, _) in BAD_FILES.items():
        (db_dir / name).mkdir()
        (db_dir / name / f"{name}.sqlite").write_bytes(content)
    ids = ["music", *BAD_FILES, "music"]
    (db_dir / "music" / "notes.txt").write_text("not a database, and not one by its name")
    (tmp_path / "gold.txt").write_text("".join(f"SELECT 1\t{id_}\n" for id_ in ids))
    (tmp_path / "pred.txt").write_text("SELECT 1 + 0\n" * len(ids))
    paths = ("gold.txt", "pred.txt", "database")
    return [str(tmp_path / path) for path in paths]


def test_all_are_named_before_anything_is_judged(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--gold", files[0], "--pred", files[1], "--db", files[2]]
    assert main(flags) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    for number, (name, (_, reason)) in enumerate(BAD_FILES.items(), 2):
        line = next(line for line in captured.err.splitlines() if f"gold.txt:{number}:" in line)
        assert f"{name}.sqlite" in line
        assert reason in line
    assert main([*flags, "--check"]) == 1
    assert all(reason in capsys.readouterr().out for _, reason in [BAD_FILES["pointer"]])


def test_with_the_flag_each_costs_its_own_questions(files: list[str]) -> None:
    gold, pred, db_dir = files
    report = evaluate(gold, pred, db_dir, settings=Settings(allow_gold_errors=True, extra=True))
    assert [v["exec"] for v in report.verdicts] == [1, 0, 0, 0, 0, 1]
    assert [v["error"] for v in report.verdicts] == [None, *["database"] * 4, None]
    assert len([w for w in report.warnings if "its questions (1) count as wrong" in w]) == 4
    assert report.to_dict()["database_set"]["databases"]["music"]["variants"] == 1


def test_a_missing_database_is_one_of_them(files: list[str], db_dir: Path) -> None:
    (db_dir / "text" / "text.sqlite").unlink()
    report = evaluate(*files, settings=Settings(allow_gold_errors=True))
    assert [v["exec"] for v in report.verdicts] == [1, 0, 0, 0, 0, 1]
    assert "text" not in report.to_dict()["database_set"]["databases"]


def test_a_folder_of_bad_files_alone_is_an_error(files: list[str], db_dir: Path) -> None:
    (db_dir / "music" / "music.sqlite").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"music\.sqlite is not a SQLite database"):
        evaluate(*files, settings=Settings(allow_gold_errors=True))


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read every file")
def test_an_unreadable_file_is_named(files: list[str], music: Path) -> None:
    music.chmod(0)
    with pytest.raises(InputError, match=r"Permission denied.*music\.sqlite"):
        evaluate(*files)


def test_a_bad_variant_spoils_its_suite_only(files: list[str], db_dir: Path) -> None:
    (db_dir / "music" / "variant.sqlite").write_bytes(b"nothing at all, really")
    with pytest.raises(InputError, match=r"variant\.sqlite is not a SQLite database"):
        evaluate(*files)


def test_a_table_that_lacks_its_module_is_said(
    tmp_path: Path, db_dir: Path, music: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_database(db_dir / "plain" / "plain.sqlite")
    with sqlite3.connect(music) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "INSERT INTO sqlite_master(type, name, tbl_name, rootpage, sql)"
            " VALUES ('table', 'emb', 'emb', 0, 'CREATE VIRTUAL TABLE emb USING vec0(v)')"
        )
    connection.close()
    (tmp_path / "gold.txt").write_text("SELECT count(*) FROM singer\tmusic\n")
    (tmp_path / "pred.txt").write_text("SELECT count(id) FROM singer\n")
    gold, pred = tmp_path / "gold.txt", tmp_path / "pred.txt"
    flags = ["--gold", str(gold), "--pred", str(pred), "--db", str(db_dir)]
    assert main(flags) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines()[3].split()[-1] == "1.000"
    assert "music.sqlite: table emb: no such module: vec0" in captured.err
    assert main([*flags, "--check"]) == 1
    assert "no such module: vec0" in capsys.readouterr().out
