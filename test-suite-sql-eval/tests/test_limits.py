"""Limits: settings that have no meaning, large results, and verdicts that are no judgement."""

from __future__ import annotations

import math
import sqlite3
import subprocess
import sys
import time
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


def _evaluate(folder: Path, table: str, pairs: dict[str, str]) -> list[Any]:
    golds = [(sql, table) for sql in pairs]
    report = evaluate(golds, list(pairs.values()), folder, settings=Settings(timeout=600, jobs=1))
    return [verdict["error_message"] for verdict in report.verdicts]


def test_many_permuted_columns_are_judged(tmp_path: Path) -> None:
    names = [f"c{place}" for place in range(1100)]
    path = make_database(tmp_path / "wide" / "wide.sqlite", f"CREATE TABLE t ({', '.join(names)});")
    with sqlite3.connect(path) as connection:
        row = ", ".join(str(place * 31 % 7) for place in range(1100))
        connection.execute(f"INSERT INTO t VALUES ({row}), ({row})")
    connection.close()
    pairs = {"SELECT * FROM t": f"SELECT {', '.join(reversed(names))} FROM t"}
    assert _evaluate(tmp_path, "wide", pairs) == [None]


@pytest.mark.slow
def test_a_million_rows_are_judged_within_the_memory_limit(tmp_path: Path) -> None:
    path = make_database(tmp_path / "long" / "long.sqlite", "CREATE TABLE t (a, b, c);")
    numbers = range(1_000_000)
    rows = ((f"name {n * 7919 % 1000003}", f"road {n * 10007 % 1000003}", n % 100) for n in numbers)
    with sqlite3.connect(path) as connection:
        connection.executemany("INSERT INTO t VALUES (?, ?, ?)", rows)
    connection.close()
    pairs = {"SELECT a, b, c FROM t": "SELECT c, a, b FROM t"}
    assert _evaluate(tmp_path, "long", pairs) == [None]


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


ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"
#: Takes some 1.5 million steps.
LONG = ENDLESS.replace("FROM c) SELECT", "FROM c LIMIT 100000) SELECT")


def _judge(music: Path, pred: str, **settings: Any) -> dict[str, Any]:
    gold = [("SELECT 100000", "music")]
    report = evaluate(gold, [pred], music.parents[1], settings=Settings(**settings))
    return report.verdicts[0]


def test_steps_decide_what_is_too_slow(music: Path) -> None:
    assert _judge(music, LONG)["exec"] == 1
    verdict = _judge(music, LONG, max_steps=400_000)
    assert (verdict["error"], verdict["error_message"]) == ("timeout", "step limit reached")
    assert _judge(music, ENDLESS, max_steps=400_000)["error_message"] == "step limit reached"
    assert _judge(music, ENDLESS, timeout=0.2)["error_message"] == "time limit reached"


def test_many_small_statements_count_as_well(music: Path) -> None:
    """Values in slots make a million statements of a few steps each."""
    slots = " AND ".join(f"'{n}' <> '{n}'" for n in range(8))
    gold = "SELECT 1 WHERE " + " OR ".join(f"'{value}' = ''" for value in "abcdef")
    settings = Settings(plug_value=True, max_steps=100_000)
    pred = f"SELECT count(*) FROM singer WHERE {slots}"
    (verdict,) = evaluate([(gold, "music")], [pred], music.parents[1], settings=settings).verdicts
    assert verdict["error_message"] == "step limit reached after 100 value assignments"


def test_the_limit_is_the_same_in_every_run_and_under_load(music: Path) -> None:
    """Found by halving: the least budget that suffices does not move."""

    def least(low: int, high: int) -> int:
        while high - low > 1000:
            middle = (low + high) // 2
            if _judge(music, LONG, max_steps=middle, jobs=1)["exec"]:
                high = middle
            else:
                low = middle
        return high

    alone = least(100_000, 10_000_000)
    load = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(4)]
    try:
        assert least(100_000, 10_000_000) == alone
    finally:
        for process in load:
            process.kill()
            process.wait()


def test_time_on_the_wall_does_not_count(music: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Session.run

    def slow_run(*arguments: Any, **more: Any) -> Any:
        time.sleep(0.4)
        return run(*arguments, **more)

    monkeypatch.setattr(pool, "_may_fork", lambda: True)  # so that the workers have it, too
    monkeypatch.setattr(Session, "run", slow_run)
    verdict = _judge(music, "SELECT 50000 + 50000", timeout=0.3)
    assert (verdict["exec"], verdict["error"]) == (1, None)
    assert verdict["seconds"] < 0.3


def test_one_step_that_never_ends_is_killed(music: Path) -> None:
    blow_up = (
        "SELECT instr(printf('%.*c', 9000000, 'a'), printf('%.*c', 4000000, 'a') || 'b') AS found"
    )
    verdict = _judge(music, blow_up, timeout=0.3)
    assert verdict["error"] == "timeout"
