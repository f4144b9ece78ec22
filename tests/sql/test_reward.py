"""The reward is the evaluator's verdict, and there is nothing to farm."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_suite_sql_eval import Judge, Settings, evaluate

from text2sql.errors import UserError
from text2sql.sql.extract import extract_sql
from text2sql.sql.reward import RIGHT, TOUCHES, SqlReward, reward_of

GOLD = "SELECT name FROM singer WHERE age > 30"
EMPTY = "SELECT name FROM singer WHERE age > 300"
SCHEMA = """
CREATE TABLE singer (id INTEGER PRIMARY KEY, name TEXT, country TEXT, age INTEGER);
CREATE TABLE concert (id INTEGER PRIMARY KEY, title TEXT, year INTEGER, singer_id INTEGER);
INSERT INTO singer VALUES (1,'Ana','France',31),(2,'Bo','Norway',24),(3,'Cy','France',45);
INSERT INTO concert VALUES (1,'Spring',2014,1),(2,'Summer',2014,2),(3,'Autumn',2015,1);
"""
SPIDER = "SPIDER_DIR"
PREDICTIONS = "PREDICTIONS_DIR"


@pytest.fixture
def databases(tmp_path: Path) -> Path:
    """A folder with one database, ``music``."""
    path = tmp_path / "database" / "music" / "music.sqlite"
    path.parent.mkdir(parents=True)
    with sqlite3.connect(path) as connection:
        connection.executescript(SCHEMA)
    connection.close()
    return tmp_path / "database"


@pytest.fixture
def reward(databases: Path) -> Iterator[SqlReward]:
    """The reward on that folder."""
    settings = Settings(jobs=1, timeout=0.3, max_steps=1_000_000, max_memory=128 << 20)
    with SqlReward(databases, settings) as function:
        yield function


@pytest.mark.parametrize(
    ("gold", "completion", "value"),
    [
        (GOLD, GOLD, RIGHT),
        (GOLD, f"Thinking.\n```sql\n{GOLD.lower()};\n```", RIGHT),
        (GOLD, "SELECT name FROM singer WHERE age IN (31, 45)", RIGHT),
        (GOLD, "SELECT name FROM singer WHERE age > 40", TOUCHES),
        (GOLD, "SELECT name FROM singer WHERE age < 30", TOUCHES),
        (f"{GOLD} ORDER BY age", f"{GOLD} ORDER BY age DESC", TOUCHES),
        (GOLD, "SELECT name FROM singer", 0.0),
        (GOLD, "SELECT * FROM singer", 0.0),
        (GOLD, "SELECT name FROM singer WHERE age = 1", 0.0),
        ("SELECT count(*) FROM concert", "SELECT count(*) FROM concert", RIGHT),
        ("SELECT count(*) FROM concert", "SELECT 3", 0.0),
        ("SELECT count(*) FROM concert", "SELECT count(*) FROM singer", 0.0),
        (GOLD, f"<think>{'Hm. ' * 9000}</think>{GOLD}", RIGHT),
        (GOLD, f"{GOLD} OR {' OR '.join(['age > 30'] * 2000)}", 0.0),
        (GOLD, "SELECT 1", 0.0),
        (GOLD, "SELECT 1 FROM singer", 0.0),
        (GOLD, "SELECT * FROM singer, concert", 0.0),
        (GOLD, "SELECT sql FROM sqlite_master", 0.0),
        (GOLD, "SELECT name FROM pragma_table_info('singer')", 0.0),
        (GOLD, SCHEMA, 0.0),
        (GOLD, SCHEMA.split(";")[0], 0.0),
        (GOLD, "SELECT nothing FROM singer", 0.0),
        (GOLD, "DELETE FROM singer", 0.0),
        (GOLD, "", 0.0),
        (GOLD, "I do not know.", 0.0),
        (EMPTY, "SELECT name FROM singer WHERE age > 301", 0.0),
        (EMPTY, "SELECT id FROM concert WHERE 0", 0.0),
        (EMPTY, EMPTY, 0.0),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_earns_how_much(reward: SqlReward, gold: str, completion: str, value: float) -> None:
    assert reward([completion], [gold], ["music"]) == [value]
    message = [{"role": "assistant", "content": completion}]
    assert reward([message], query=[gold], db_id=["music"], prompts=["?"]) == [value]


def test_mistakes_are_one_line(reward: SqlReward, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="2 completions, 1 gold queries and 1 database ids"):
        reward(["SELECT 1", "SELECT 2"], [GOLD], ["music"])
    with pytest.raises(UserError, match="unknown db_id 'films'"):
        reward(["SELECT 1"], [GOLD], ["films"])
    with pytest.raises(UserError, match="no such folder"):
        SqlReward(tmp_path / "nowhere")


def _hostile(repository: Path) -> list[str]:
    path = repository / "test-suite-sql-eval" / "tests" / "hostile.py"
    spec = importlib.util.spec_from_file_location("hostile", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return list(module.HOSTILE)


def _state(folder: Path) -> dict[str, str]:
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_hostile_predictions_earn_nothing_and_change_nothing(
    databases: Path, reward: SqlReward, repository: Path
) -> None:
    hostile = _hostile(repository)
    before = _state(databases)
    golds, ids = [GOLD] * len(hostile), ["music"] * len(hostile)
    earned = dict(zip(hostile, reward(hostile, golds, ids), strict=True))
    assert {sql: value for sql, value in earned.items() if value} == {}
    others = [sql for sql in hostile if len(sql) > 20_000 or extract_sql(sql) != sql]
    outcomes = reward._judge.score(("music", GOLD, sql) for sql in others)
    assert [sql for sql, one in zip(others, outcomes, strict=True) if reward_of(one)] == []
    assert reward([GOLD], [GOLD], ["music"]) == [RIGHT]
    assert _state(databases) == before


def _folder(variable: str, fallback: Path) -> Path:
    path = Path(os.environ.get(variable) or fallback)
    if not path.is_dir():
        pytest.skip(f"set {variable}: there is no {path}")
    return path


def test_reward_is_the_evaluators_verdict_on_ten_thousand_answers(repository: Path) -> None:
    """Nine models' answers to the dev questions, but those on the slow database."""
    shared = repository.parent / "shared"
    databases = _folder(SPIDER, shared / "spider") / "database"
    folder = _folder(PREDICTIONS, shared / "predictions")
    golds = [line.split("\t") for line in (folder / "gold.txt").read_text().splitlines()]
    judged = unrewarded = 0
    for plug_value, names in ((False, "*"), (True, "full*")):
        settings = Settings(plug_value=plug_value)
        with Judge(databases, settings) as judge:
            for path in sorted(folder.glob(f"{names}.txt")):
                if path.name == "gold.txt":
                    continue
                answers = [line.split("\t")[0] for line in path.read_text().splitlines()]
                pairs = zip(golds, answers, strict=True)
                triples = [(db, sql, text) for (sql, db), text in pairs if db != "wta_1"]
                gold = [(sql, db_id) for db_id, sql, _ in triples]
                preds = [text for *_, text in triples]
                verdicts = evaluate(gold, preds, databases, settings=settings).verdicts
                for verdict, outcome in zip(verdicts, judge.score(triples), strict=True):
                    judged += 1
                    assert outcome.right == bool(verdict["exec"])
                    if outcome.gold_empty or (outcome.right and not outcome.touched):
                        assert reward_of(outcome) == 0.0
                        unrewarded += outcome.right
                    else:
                        assert (reward_of(outcome) == RIGHT) == bool(verdict["exec"])
    assert judged >= 10_000
    assert unrewarded < judged / 10  # right on gold queries without rows, or by accident


def test_judging_on_several_machines_says_what_it_needs(
    databases: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "test_suite_sql_eval.ray_judge", raising=False)
    with pytest.raises(UserError, match="make setup-ray"):
        SqlReward(databases, ray=True)
