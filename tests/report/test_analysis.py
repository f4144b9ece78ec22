"""Error report, comparison of runs, ledger, and rescoring of published files."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from text2sql.errors import UserError
from text2sql.report.error_analysis import compare, error_report, sql_features
from text2sql.report.record import append_to_ledger
from text2sql.report.rescore import rescore


def verdict(index: int, right: int, gold: str = "SELECT a FROM t", **more: Any) -> dict[str, Any]:
    error = None if right else "wrong_rows"
    base = {"index": index, "db_id": "d", "hardness": "easy", "exec": right, "gold": gold}
    return base | {"pred": "SELECT 1", "error": error, "error_message": None} | more


@pytest.mark.parametrize(
    ("query", "features"),
    [
        ("SELECT a FROM t", {"none of these"}),
        ("SELECT count(*) FROM t JOIN u ON t.a = u.a", {"aggregation", "join"}),
        ("SELECT DISTINCT a FROM t ORDER BY a LIMIT 1", {"DISTINCT", "ORDER BY", "LIMIT", "value"}),
        (
            "SELECT a FROM t GROUP BY a HAVING max(b) > 2",
            {"GROUP BY", "HAVING", "aggregation", "value"},
        ),
        ("SELECT a FROM t WHERE a IN (SELECT a FROM u)", {"nesting"}),
        ("SELECT a FROM t EXCEPT SELECT a FROM u", {"set operation"}),
        ("SELECT FROM WHERE", {"not parsed"}),
    ],
)
def test_features_of_sql(query: str, features: set[str]) -> None:
    assert sql_features(query) == features


def test_error_report_counts_classes_and_shows_examples() -> None:
    verdicts = [verdict(i, 0, error="syntax", error_message="near x") for i in range(5)]
    verdicts += [verdict(5, 0), verdict(6, 1, gold="SELECT count(*) FROM t")]
    words = [f"question {i}?" for i in range(7)]
    text = error_report("Baseline", verdicts, words, lambda _: frozenset())
    assert "6 of 7 answers are wrong." in text
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]
    assert ["syntax", "5", "71.4"] in cells
    assert ["aggregation", "1", "100.0"] in cells
    assert text.count("-- near x") == 3
    assert "question 5?" in text and "question 6?" not in text


def test_comparison_lists_fixed_and_broken() -> None:
    before = [verdict(i, right) for i, right in enumerate([1, 0, 0, 0])]
    after = [verdict(i, right) for i, right in enumerate([0, 1, 1, 0])]
    text = compare(before, after)
    assert "right: 1 before, 2 after; fixed 2, broken 1; exact McNemar p 1.000" in text
    fixed, broken = text.split("## Broken")
    assert "1 (d, easy)" in fixed and "2 (d, easy)" in fixed and "0 (d, easy)" in broken


def test_comparison_of_other_questions_is_refused() -> None:
    with pytest.raises(UserError, match="not about the same questions"):
        compare([verdict(0, 1)], [verdict(0, 1, gold="SELECT b FROM t")])


def run_record(dirty: bool, accuracy: float) -> dict[str, Any]:
    manifest = {
        "finished": "2026-01-01T00:00:00+00:00",
        "config_hash": "c",
        "output_hash": "o",
        "git": {"sha": "abc", "dirty": dirty},
        "hardware": {"cores": 2},
    }
    return {
        "profile": "p",
        "dataset": "d",
        "metric": {"name": "execution accuracy"},
        "rows": [{"name": "baseline", "accuracy": {"all": accuracy}}],
        "levels": ["easy"],
        "database_set": {"sha256": "s"},
        "stages": {"data": manifest},
    }


def test_ledger_keeps_every_run_once_and_marks_dirty_ones(tmp_path: Path) -> None:
    assert append_to_ledger(tmp_path, run_record(False, 50.0))
    assert append_to_ledger(tmp_path, run_record(True, 10.0))
    assert not append_to_ledger(tmp_path, run_record(False, 50.0))
    lines = [json.loads(line) for line in (tmp_path / "ledger.jsonl").read_text().splitlines()]
    assert [line["accuracy"] for line in lines] == [{"baseline": 50.0}, {"baseline": 10.0}]
    assert [line["dirty"] for line in lines] == [False, True]


def test_rescore_names_each_metric_and_puts_the_published_scores_beside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = tmp_path / "database" / "d"
    database.mkdir(parents=True)
    with sqlite3.connect(database / "d.sqlite") as connection:
        connection.executescript("CREATE TABLE t (a); INSERT INTO t VALUES (1), (1), (2);")
    tables = {
        "db_id": "d",
        "table_names": ["t"],
        "table_names_original": ["t"],
        "column_names": [[-1, "*"], [0, "a"]],
        "column_names_original": [[-1, "*"], [0, "a"]],
        "column_types": ["text", "number"],
        "primary_keys": [],
        "foreign_keys": [],
    }
    (tmp_path / "tables.json").write_text(json.dumps([tables]))
    predictions = tmp_path / "predictions"
    predictions.mkdir()
    (predictions / "gold.txt").write_text("SELECT a FROM t\td\nSELECT count(*) FROM t\td\n")
    (predictions / "x.txt").write_text("SELECT DISTINCT a FROM t\nSELECT count(a) FROM t\n")
    levels = dict.fromkeys(("easy", "medium", "hard", "extra", "all"), 12.34)
    published = {
        "metric": "TS",
        "settings": "s",
        "source": "a paper",
        "rows": {"x": {"scores": levels}},
    }
    (tmp_path / "published.json").write_text(json.dumps(published))
    suite = tmp_path / "suites" / "d"
    shutil.copytree(database, suite)
    with sqlite3.connect(suite / "d_1.sqlite") as connection:
        connection.executescript("CREATE TABLE t (a); INSERT INTO t VALUES (1), (NULL);")
    text = rescore(
        predictions,
        predictions / "gold.txt",
        tmp_path / "database",
        tmp_path / "tables.json",
        tmp_path / "published.json",
        5.0,
        tmp_path / "suites",
    )
    rows = {
        line.split("|")[2].strip(): line.split("|")[-2].strip() for line in text.splitlines()[2:10]
    }
    assert rows["TS"] == rows["TS + plug_value"] == "50.0"
    assert rows["EX"] == "100.0"
    assert rows["strict EX"] == "50.0"
    assert rows["EX + keep_distinct"] == "50.0"
    assert rows["published"] == "12.3"
    assert "Published: TS, s; source: a paper." in text
    assert "test-suite-sql-eval on database/ (TS: on suites/)." in text
    header, _, counts = text[text.index("| Predictions   |   gold without") :].splitlines()[:3]
    assert [cell.strip() for cell in counts.split("|")[1:-1]] == [
        *("x", "2", "0", "100.0", "-", "0", "0", "0", "0")
    ], header
    assert "the limit is 500,000,000 steps of SQLite" in text
    told = capsys.readouterr().err
    assert "x, EX + plug_value" in told and "x, TS" in told


def test_rescore_without_files_says_so(tmp_path: Path) -> None:
    (tmp_path / "published.json").write_text("{}")
    with pytest.raises(UserError, match="no prediction files"):
        rescore(tmp_path, tmp_path / "g", tmp_path, tmp_path, tmp_path / "published.json", 1.0)
