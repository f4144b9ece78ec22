"""Hostile predictions: files unchanged, no hang, no crash, other questions unaffected."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest
from test_suite_sql_eval.api import Settings, evaluate
from test_suite_sql_eval.errors import FORBIDDEN
from test_suite_sql_eval.executor import SqlExecutor

from .hostile import _OTHER_WRITES, _PRAGMAS, HOSTILE

GOLD = "SELECT name FROM singer WHERE age > 30 AND country = 'France' OR age < 25"


def _state(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_corpus_is_large_enough() -> None:
    assert len(set(HOSTILE)) == len(HOSTILE) >= 200


@pytest.mark.parametrize("plug_value", [False, True])
def test_evaluation_survives_the_corpus(
    db_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plug_value: bool
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    before = _state(db_dir)
    tmp_before = {name for name in os.listdir(tmp_path) if "evil" in name}
    gold, pred = [], []
    for sql in HOSTILE:  # every second question is an honest one
        gold += [f"{GOLD}\tmusic", f"{GOLD}\tmusic"]
        pred += [sql.replace("\n", " ").replace("\t", " "), GOLD]
    (tmp_path / "gold.txt").write_text("\n".join(gold) + "\n", encoding="utf-8")
    (tmp_path / "pred.txt").write_text("\n".join(pred) + "\n", encoding="utf-8")
    start = time.monotonic()
    report = evaluate(
        str(tmp_path / "gold.txt"),
        str(tmp_path / "pred.txt"),
        str(db_dir),
        settings=Settings(timeout=0.5, jobs=2, plug_value=plug_value, max_memory=512 << 20),
    )
    seconds = time.monotonic() - start
    assert [v["exec"] for v in report.verdicts[1::2]] == [1] * len(HOSTILE)
    hostile = report.verdicts[0::2]
    assert [v["pred"][:80] for v in hostile if v["exec"]] == []
    assert all(v["error"] for v in hostile)
    assert seconds < 300, f"{seconds:.0f} s"
    assert _state(db_dir) == before
    assert os.listdir(work) == []
    assert {name for name in os.listdir(tmp_path) if "evil" in name} == tmp_before


def test_executor_forbids_everything_but_reading(music: Path) -> None:
    with SqlExecutor() as executor:
        for sql in {*_OTHER_WRITES, *_PRAGMAS} - {"REINDEX"}:  # no index: nothing to forbid
            result = executor.run(music, sql, timeout=2)
            assert not result.ok, sql
            assert result.rows == []
            named = {"no_such_table", "no_such_column", "syntax", "too_big", "other_error"}
            assert result.error_kind in {FORBIDDEN, *named}, (sql, result)


def test_killed_worker_costs_only_its_query(music: Path) -> None:
    slow = "SELECT printf('%.*c', 2000000000, 'x')"
    fast = "SELECT count(*) FROM singer"
    with SqlExecutor(jobs=2) as executor:
        results = executor.run_many([(music, fast), (music, slow), (music, fast)], timeout=1.0)
    assert [r.rows for r in results] == [[(5,)], [], [(5,)]]
    assert results[1].error_kind == "timeout"


def test_wall_clock_limit_holds(music: Path) -> None:
    endless = (
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"
    )
    with SqlExecutor() as executor:
        start = time.monotonic()
        result = executor.run(music, endless, timeout=0.3)
        assert time.monotonic() - start < 30
        assert result.error_kind == "timeout"
        assert executor.run(music, "SELECT 1").rows == [(1,)]


def test_row_cap_says_so(music: Path) -> None:
    with SqlExecutor() as executor:
        result = executor.run(music, "SELECT id FROM singer ORDER BY id", max_rows=2)
    assert result.rows == [(1,), (2,)]
    assert result.truncated


def test_missing_database_is_an_error_and_makes_no_file(tmp_path: Path) -> None:
    path = tmp_path / "absent.sqlite"
    with SqlExecutor() as executor:
        result = executor.run(path, "SELECT 1")
    assert result.error_kind == "database"
    assert str(path) in (result.error or "")
    assert not path.exists()


def test_undecodable_text_is_read_as_upstream_reads_it(music: Path) -> None:
    with SqlExecutor() as executor:
        result = executor.run(music, "SELECT CAST(x'41ff42' AS TEXT), name FROM singer LIMIT 1")
    assert result.rows == [("AB", "Ana")]


def test_works_with_threads_running(music: Path) -> None:
    """With threads the workers are started as programs, not forked."""
    import threading

    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        with SqlExecutor() as executor:
            assert executor.run(music, "SELECT count(*) FROM singer").rows == [(5,)]
    finally:
        stop.set()
        thread.join()
