"""Virtual tables and table-valued functions: read everywhere, written through nowhere."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from test_suite_sql_eval.api import Report, Settings, evaluate
from test_suite_sql_eval.executor import SqlExecutor

from .conftest import make_database
from .hostile import HOSTILE as HOSTILE_ELSEWHERE
from .hostile_virtual import HOSTILE, READING, SCHEMA
from .test_hostile import _state

HONEST = "SELECT body FROM lyric5 WHERE lyric5 MATCH 'hello'"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A database folder with one id, ``library``."""
    make_database(tmp_path / "database" / "library" / "library.sqlite", SCHEMA)
    return tmp_path / "database"


def _evaluate(folder: Path, golds: list[str], preds: list[str], **settings: object) -> Report:
    gold, pred = folder.parent / "gold.txt", folder.parent / "pred.txt"
    gold.write_text("".join(f"{sql}\tlibrary\n" for sql in golds), encoding="utf-8")
    pred.write_text("\n".join(preds) + "\n", encoding="utf-8")
    return evaluate(str(gold), str(pred), str(folder), settings=Settings(**settings))  # type: ignore[arg-type]


def test_gold_queries_and_predictions_read_them(folder: Path) -> None:
    golds = list(READING)
    preds = [f"{sql} LIMIT 99" for sql in golds]
    assert [
        v["error_message"] for v in _evaluate(folder, golds, preds).verdicts if v["error"]
    ] == []


@pytest.mark.parametrize("sql", READING)
def test_executor_reads_them(folder: Path, sql: str) -> None:
    with SqlExecutor() as executor:
        result = executor.run(folder / "library" / "library.sqlite", sql)
    assert result.error is None
    assert result.rows == READING[sql]


def test_questions_on_ordinary_tables_do_not_suffer(tmp_path: Path) -> None:
    """Neither from the virtual tables that are there, nor from one whose module is missing."""
    path = make_database(tmp_path / "database" / "library" / "library.sqlite", SCHEMA)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "INSERT INTO sqlite_master(type, name, tbl_name, rootpage, sql)"
            " VALUES ('table', 'emb', 'emb', 0, 'CREATE VIRTUAL TABLE emb USING vec0(v)')"
        )
    connection.close()
    golds = ["SELECT title FROM song WHERE id > 1", "SELECT count(*) FROM song"]
    report = _evaluate(tmp_path / "database", golds, golds)
    assert report.scores["all"]["exec"] == 1.0
    assert [v["hardness"] for v in report.verdicts] == ["easy", "easy"]


def test_the_corpus_is_large_enough() -> None:
    assert len(set(HOSTILE)) == len(HOSTILE) >= 60


@pytest.mark.parametrize("corpus", [HOSTILE, HOSTILE_ELSEWHERE], ids=["virtual", "elsewhere"])
def test_nothing_is_written_and_no_file_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch, corpus: list[str]
) -> None:
    work = folder.parent / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    before = _state(folder)
    preds = [line for sql in corpus for line in (sql.replace("\n", " ").replace("\t", " "), HONEST)]
    limits = {"timeout": 0.5, "jobs": 2, "max_memory": 512 << 20}
    report = _evaluate(folder, [HONEST] * len(preds), preds, **limits)
    assert [v["exec"] for v in report.verdicts[1::2]] == [1] * len(corpus)
    assert [v["pred"][:80] for v in report.verdicts[0::2] if not v["error"]] == []
    assert _state(folder) == before
    assert list(work.iterdir()) == []


def test_hostile_queries_give_no_rows(folder: Path) -> None:
    """Refused, not merely wrong: not even a query that could read a file gives a row."""
    path = folder / "library" / "library.sqlite"
    limits = {"timeout": 0.5, "max_rows": 5}
    with SqlExecutor(max_memory=512 << 20) as executor:
        results = executor.run_many([(path, sql) for sql in HOSTILE], **limits)
    assert [(r.rows, sql[:80]) for r, sql in zip(results, HOSTILE, strict=True) if r.ok] == []


def test_suites_hold_them(folder: Path) -> None:
    pytest.importorskip("sqlglot", reason="the extra 'distill' (sqlglot) is not installed")
    from test_suite_sql_eval.distill.suite import make_suites

    golds = list(READING)
    report = _evaluate(folder, golds, golds)
    assert report.scores["all"]["exec"] == 1.0
    suites = folder.parent / "suites"
    make_suites(folder, folder.parent / "gold.txt", suites)
    report = _evaluate(suites, golds, [f"{sql} LIMIT 99" for sql in golds])
    assert report.scores["all"]["exec"] == 1.0
    assert len(list((suites / "library").glob("*.sqlite"))) > 1
