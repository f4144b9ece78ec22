"""Limits: settings that have no meaning, large results, and verdicts that are no judgement."""

from __future__ import annotations

import math
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from test_suite_sql_eval import cli, handler, pool, sandbox
from test_suite_sql_eval.api import Settings, evaluate
from test_suite_sql_eval.cli import main
from test_suite_sql_eval.errors import TOO_BIG, InputError, QueryError
from test_suite_sql_eval.sandbox import Session

from .conftest import make_database


@pytest.mark.parametrize(
    "values",
    [
        {"timeout": math.nan},
        {"timeout": math.inf},
        {"timeout": 1e12},
        {"timeout": 0},
        {"timeout": -1},
        {"timeout": "60"},
        {"timeout": True},
        {"jobs": 0},
        {"jobs": 1.5},
        {"jobs": 10**9},
        {"max_memory": 1024},
        {"max_memory": 1e9},
        {"plug_value": "yes"},
        {"keep_distinct": 1},
        {"extra": None},
        {"etype": "both"},
        {"em": None},
        {"gold_cache": Path("cache")},
    ],
    ids=str,
)
def test_settings_without_meaning_are_refused(values: dict[str, Any]) -> None:
    (name,) = values
    with pytest.raises(InputError, match=f"^{name} must be "):
        Settings(**values)


@pytest.fixture
def flags(tmp_path: Path, db_dir: Path) -> list[str]:
    """Flags of an evaluation with one right and one endless prediction."""
    (tmp_path / "gold.txt").write_text("SELECT count(*) FROM singer\tmusic\n" * 2)
    (tmp_path / "pred.txt").write_text(
        "SELECT 5\nSELECT zeroblob(60000000) FROM singer a, singer b\n"
    )
    names = ("gold.txt", "pred.txt", "database")
    paths = [str(tmp_path / name) for name in names]
    return ["--gold", paths[0], "--pred", paths[1], "--db", paths[2], "--gold_cache=none"]


@pytest.mark.parametrize("timeout", ["nan", "inf", "1e12", "-inf"])
def test_such_flags_are_one_line(
    flags: list[str], timeout: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*flags, f"--timeout={timeout}"]) == 2
    assert capsys.readouterr().err.startswith("error: timeout must be more than 0")


def test_verdicts_without_a_result_are_counted(
    flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pred.txt").write_text(
        "SELECT group_concat(zeroblob(30000000)) FROM singer a, singer b\n"
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c\n"
    )
    assert main([*flags, "--timeout=0.5", "--max_memory=96"]) == 0
    assert "without a result: 1 timeout, 1 memory\n" in capsys.readouterr().err


def test_a_crash_shows_in_the_exit_status(
    flags: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def crash(*_: object) -> None:
        raise RuntimeError("a fault of this program")

    monkeypatch.setattr(pool, "_may_fork", lambda: True)  # so that the workers have it, too
    monkeypatch.setattr(handler.ExecutionJudge, "judge", crash)
    assert main(flags) == cli.CRASHED == 3
    assert "without a result: 2 worker_crash" in capsys.readouterr().err


def test_large_right_answers_are_judged_within_the_memory_limit(tmp_path: Path) -> None:
    path = tmp_path / "database" / "large" / "large.sqlite"
    make_database(path, "CREATE TABLE wide (" + ", ".join(f"c{i}" for i in range(1100)) + ");")
    with sqlite3.connect(path) as connection:
        row = ", ".join(str(i * 31 % 7) for i in range(1100))
        connection.execute(f"INSERT INTO wide VALUES ({row}), ({row})")
        connection.execute("CREATE TABLE long (a, b, c)")
        connection.executemany(
            "INSERT INTO long VALUES (?, ?, ?)",
            (
                (f"name {i * 7919 % 1000003}", f"street {i * 10007 % 1000003}", i % 100)
                for i in range(1_000_000)
            ),
        )
    connection.close()
    backwards = ", ".join(f"c{i}" for i in reversed(range(1100)))
    pairs = {
        "SELECT * FROM wide": f"SELECT {backwards} FROM wide",
        "SELECT a, b, c FROM long": "SELECT c, a, b FROM long",
    }
    (tmp_path / "gold.txt").write_text("".join(f"{sql}\tlarge\n" for sql in pairs))
    (tmp_path / "pred.txt").write_text("".join(f"{sql}\n" for sql in pairs.values()))
    paths = [str(tmp_path / name) for name in ("gold.txt", "pred.txt", "database")]
    report = evaluate(*paths, settings=Settings(timeout=600, jobs=1))
    assert [v["error_message"] for v in report.verdicts] == [None, None]
    assert report.failures == {}


def test_temporary_files_are_limited(music: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = ", ".join(f"singer s{i}" for i in range(7))
    query = f"SELECT count(*) FROM (SELECT hex(zeroblob(200)) || s1.id z FROM {rows} ORDER BY 1)"
    session = Session()
    monkeypatch.setattr(sandbox, "_LOOK_EVERY", 0.0)
    monkeypatch.setattr(sandbox, "_MAX_TEMPORARY", 1 << 20)
    with pytest.raises(QueryError, match="temporary files exceed 1 MB") as caught:
        session.run(str(music), query.replace("count(*)", "min(z)"))
    assert caught.value.kind == TOO_BIG
    assert session.run(str(music), "SELECT count(*) FROM singer")[0] == [(5,)]
    session.close()
