"""A judge that stays: the evaluator's verdicts on strings, whatever happens to its workers."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_suite_sql_eval import InputError, Judge, Settings, evaluate
from test_suite_sql_eval import pool as pool_module

from .hostile import HOSTILE
from .test_hostile import _state

GOLDS = [
    "SELECT name FROM singer WHERE age > 30",
    "SELECT count(*) FROM concert",
    "SELECT DISTINCT country FROM singer",
    "SELECT T1.name FROM singer AS T1 JOIN concert AS T2 ON T1.id = T2.singer_id WHERE year = 2014",
    "SELECT name FROM singer WHERE country = 'Peru'",
    "SELECT name FROM singer ORDER BY age LIMIT 1",
    "SELECT nothing FROM singer",
]
PREDS = [
    *GOLDS,
    *(gold.lower() + ";" for gold in GOLDS),
    "SELECT name FROM singer WHERE age > 3",
    "SELECT 5",
    "SELECT name, age FROM singer",
    "SELECT country FROM singer",
    "DROP TABLE singer",
    "SELECT",
    "",
    "SELECT random() FROM singer",
]
TRIPLES = [("music", gold, pred) for gold in GOLDS for pred in PREDS]


SMALL = Settings(jobs=1, timeout=0.3, max_steps=1_000_000, max_memory=128 << 20)


@pytest.fixture
def judge(db_dir: Path) -> Iterator[Judge]:
    """A judge with one worker that remembers nothing."""
    with Judge(db_dir, SMALL, remembered=0) as it:
        yield it


@pytest.mark.parametrize("forked", [True, False])
@pytest.mark.parametrize("plug_value", [False, True])
def test_outcomes_are_the_evaluators_verdicts(
    db_dir: Path, monkeypatch: pytest.MonkeyPatch, plug_value: bool, forked: bool
) -> None:
    monkeypatch.setattr(pool_module, "_may_fork", lambda: forked)
    settings = Settings(plug_value=plug_value, allow_gold_errors=True, jobs=2)
    golds = [(gold, db_id) for db_id, gold, _ in TRIPLES]
    report = evaluate(golds, [pred for *_, pred in TRIPLES], db_dir, settings=settings)
    wanted = [(v["exec"] == 1, v["error"], v["error_message"]) for v in report.verdicts]
    with Judge(db_dir, settings) as judge:
        for _ in range(2):  # the second time most are remembered
            outcomes = judge.score(TRIPLES)
            assert [(o.right, o.error, o.message) for o in outcomes] == wanted
        streamed = dict(judge.stream(TRIPLES))
    assert [streamed[index].right for index in range(len(TRIPLES))] == [w[0] for w in wanted]


def test_workers_stay_and_killed_ones_are_replaced(judge: Judge) -> None:
    triple = ("music", GOLDS[0], PREDS[0])
    assert judge.score([triple])[0].right
    (worker,) = judge._pool._workers
    assert judge.score([triple] * 3)[2].right
    assert [one.pid for one in judge._pool._workers] == [worker.pid]
    os.kill(worker.pid, signal.SIGKILL)  # while it has nothing to do: nobody is to blame
    outcomes = judge.score([("music", GOLDS[0], pred) for pred in PREDS[:9]])
    assert {outcome.error for outcome in outcomes}.isdisjoint(("memory", "worker_crash"))
    assert [one.pid for one in judge._pool._workers] != [worker.pid]


def test_workers_killed_in_the_middle_lose_no_verdict(db_dir: Path) -> None:
    triples = [
        ("music", gold, f"SELECT name FROM singer WHERE age > {age}")
        for gold in GOLDS[:6]
        for age in range(40)
    ]
    with Judge(db_dir, Settings(jobs=2), remembered=0) as judge:
        expected = [(outcome.right, outcome.error) for outcome in judge.score(triples)]
        verdicts = {}
        busy = []
        for index, outcome in judge.stream(triples):
            if not verdicts:
                busy = [worker.pid for worker in judge._pool._workers if worker.pending]
                for pid in busy:
                    os.kill(pid, signal.SIGKILL)
            verdicts[index] = (outcome.right, outcome.error)
        assert len(busy) == 2
        assert set(busy).isdisjoint(worker.pid for worker in judge._pool._workers)
    assert [verdicts[index] for index in range(len(triples))] == expected
    assert {right for right, _ in expected} == {True, False}


def test_a_stream_left_in_the_middle_holds_nobody_up(judge: Judge) -> None:
    triples = [("music", "SELECT name FROM singer", f"SELECT {number}") for number in range(40)]
    stream = judge.stream(triples)
    next(stream)
    with pytest.raises(RuntimeError, match="another stream of this thread"):
        judge.score(triples)
    judge.close()
    stream.close()
    assert len(judge.score(triples)) == len(triples)


def test_a_prediction_that_kills_its_worker_costs_only_itself(judge: Judge) -> None:
    endless = "SELECT instr(printf('%.*c', 9000000, 'a'), printf('%.*c', 4000000, 'a') || 'b') x"
    preds = [GOLDS[1], endless, "SELECT 5", "SELECT count(*) FROM concert WHERE 1"]
    outcomes = judge.score([("music", GOLDS[1], pred) for pred in preds])
    assert [outcome.right for outcome in outcomes] == [True, False, True, True]
    assert outcomes[1].error == "timeout"


def test_what_a_prediction_reads_is_told(judge: Judge) -> None:
    def facts(gold: str, pred: str) -> tuple[float, float, bool]:
        (outcome,) = judge.score([("music", gold, pred)])
        return outcome.touched, outcome.used, outcome.beyond

    join = GOLDS[3]
    assert facts(join, join.lower()) == (1.0, 1.0, False)
    assert facts(join, "SELECT name FROM singer") == (0.5, 0.5, False)
    assert facts(GOLDS[1], "SELECT count(*) FROM concert") == (1.0, 0.0, False)
    assert facts(GOLDS[0], "SELECT 1 FROM singer") == (1.0, 0.0, False)
    assert facts(GOLDS[0], "SELECT name FROM singer, concert") == (1.0, 1.0, True)
    assert facts(GOLDS[0], "SELECT sql FROM sqlite_master") == (0.0, 0.0, True)
    assert facts(GOLDS[0], "SELECT 1") == (0.0, 0.0, False)
    assert facts("SELECT 1", "SELECT 1 + 0") == (1.0, 1.0, False)


def test_no_more_is_remembered_than_asked_for(db_dir: Path) -> None:
    with Judge(db_dir, Settings(jobs=1), remembered=5) as judge:
        judge.score(TRIPLES)
        assert len(judge._known) == 5
        judge.score([("music", "SELECT 1", "SELECT random() > 5 OR 1")])
        assert not any("random" in pred for *_, pred in judge._known)


def test_unknown_databases_are_named(db_dir: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        Judge(db_dir / "nowhere")
    with Judge(db_dir) as judge:
        with pytest.raises(InputError, match="unknown db_id 'films'"):
            judge.score([("films", "SELECT 1", "SELECT 1")])
        assert judge.score([("music", "SELECT 1", "SELECT 1")])[0].right


def test_hostile_predictions_change_nothing(judge: Judge, db_dir: Path) -> None:
    before = _state(db_dir)
    triples = [("music", GOLDS[0], pred) for sql in HOSTILE for pred in (sql, GOLDS[0])]
    outcomes = judge.score(triples)
    assert not any(outcome.right for outcome in outcomes[::2])
    assert all(outcome.right for outcome in outcomes[1::2])
    assert _state(db_dir) == before


def _memory(pid: int) -> int:
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


@pytest.mark.slow
def test_memory_is_steady_over_a_million_verdicts(db_dir: Path, music: Path) -> None:
    """Ever new predictions and gold queries, in calls of 64."""
    with sqlite3.connect(music) as connection:
        rows = ((f"name {n}", n % 90) for n in range(1000))
        connection.executemany("INSERT INTO singer (name, age) VALUES (?, ?)", rows)
    connection.close()
    with Judge(db_dir, Settings(jobs=1), remembered=1000) as judge:
        sizes = {}
        for call in range(1_000_000 // 64):
            gold = f"SELECT name FROM singer WHERE age > {call % 5000}"
            preds = (f"SELECT name FROM singer WHERE age > {call} + {n}" for n in range(64))
            judge.score([("music", gold, pred) for pred in preds])
            if call % 1000 == 999:
                sizes[call] = (_memory(judge._pool._workers[0].pid), _memory(os.getpid()))
        worker, own = zip(*list(sizes.values())[4:], strict=True)
    assert max(worker) - worker[0] < 8 << 20
    assert max(own) - own[0] < 8 << 20
