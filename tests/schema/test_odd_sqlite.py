"""SQLite files with virtual tables, generated columns and values that a prompt shows badly."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from text2sql.create.generator import Grammar
from text2sql.create.topics import plan_offline
from text2sql.schema import Schema, read_schema, render_schema
from text2sql.sql.database import Database
from text2sql.sql.validate import Validator

ORDINARY = """
CREATE TABLE boat (id INTEGER PRIMARY KEY, name TEXT, mast_m REAL);
INSERT INTO boat VALUES (1, 'Gull', 7.5), (2, 'Tern', 9.0), (3, 'Auk', 4.25), (4, 'Skua', 6.0);
CREATE TABLE trip (id INTEGER PRIMARY KEY, boat_id INTEGER REFERENCES boat(id), days INTEGER);
INSERT INTO trip VALUES (1, 1, 3), (2, 1, 5), (3, 2, 8), (4, 3, 1);
"""
NAMES = ["boat", "trip"]
VIRTUAL = {
    "fts5": ("CREATE VIRTUAL TABLE log USING fts5(head, body)", ["log"]),
    "fts5, no columns stored": ("CREATE VIRTUAL TABLE log USING fts5(body, content='')", ["log"]),
    "fts4": ('CREATE VIRTUAL TABLE "my log" USING fts4(body, tokenize=porter)', ["my log"]),
    "fts3": ("create virtual table if not exists log using fts3(body)", ["log"]),
    "rtree": ("CREATE VIRTUAL TABLE area USING rtree(id, x0, x1, y0, y1)", ["area"]),
    "index of another table": (
        "CREATE VIRTUAL TABLE boat_search USING fts5(name, content='boat', content_rowid='id')",
        ["boat_search"],
    ),
    "index of a table that is gone": (
        "CREATE TABLE old (id INTEGER PRIMARY KEY, t TEXT);"
        "CREATE VIRTUAL TABLE old_search USING fts4(content='old', t); DROP TABLE old",
        [],
    ),
    "pages of the file": ("CREATE VIRTUAL TABLE pages USING dbstat", []),
    "terms of an index": (
        "CREATE VIRTUAL TABLE log USING fts5(body);"
        "CREATE VIRTUAL TABLE terms USING fts5vocab(log, row)",
        ["log"],
    ),
}


def make(path: Path, script: str) -> Path:
    connection = sqlite3.connect(path)
    connection.executescript(ORDINARY + script)
    connection.close()
    return path


def names(schema: Schema) -> list[str]:
    return [table.name for table in schema.tables]


@pytest.mark.parametrize("kind", VIRTUAL)
@pytest.mark.parametrize("details", [False, True])
def test_virtual_tables_are_read_and_their_helpers_left_out(
    tmp_path: Path, kind: str, details: bool
) -> None:
    script, shown = VIRTUAL[kind]
    path = make(tmp_path / "harbour.sqlite", script)
    schema = read_schema(path, samples=3, details=details)
    assert names(schema) == NAMES + shown
    plain = read_schema(make(tmp_path / "plain.sqlite", ""), samples=3, details=details)
    assert schema.tables[:2] == plain.tables


def test_hidden_columns_of_a_virtual_table_are_not_shown(tmp_path: Path) -> None:
    path = make(
        tmp_path / "harbour.sqlite",
        "CREATE VIRTUAL TABLE log USING fts5(head, body); INSERT INTO log VALUES ('a', 'calm sea')",
    )
    log = read_schema(path, samples=1).tables[-1]
    assert [(c.name, c.examples) for c in log.columns] == [
        ("head", ("a",)),
        ("body", ("calm sea",)),
    ]


def test_a_module_that_is_not_there_takes_its_helpers_with_it(tmp_path: Path) -> None:
    path = make(tmp_path / "harbour.sqlite", "")
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute(
        "INSERT INTO sqlite_master VALUES"
        " ('table', 'mood', 'mood', 0, 'CREATE VIRTUAL TABLE mood USING vec0(sail float[2])')"
    )
    connection.commit()
    connection.close()
    connection = sqlite3.connect(path)
    for name in ("mood_chunks", "mood_rowids", "mood_vector_chunks00", "mood_of_the_day"):
        connection.execute(f"CREATE TABLE {name} (x INTEGER)")
    connection.execute("CREATE VIEW moods AS SELECT * FROM mood")
    connection.close()
    assert names(read_schema(path, samples=2)) == [*NAMES, "mood_of_the_day"]
    assert names(read_schema(path, samples=2, details=True)) == [*NAMES, "mood_of_the_day"]


def test_a_users_table_that_is_named_like_a_helper_stays(tmp_path: Path) -> None:
    script = "CREATE VIRTUAL TABLE log USING fts5(body); CREATE TABLE log_info (x INTEGER);"
    assert names(read_schema(make(tmp_path / "h.sqlite", script))) == [*NAMES, "log", "log_info"]


def test_training_pairs_leave_helper_tables_alone(tmp_path: Path) -> None:
    script = "CREATE VIRTUAL TABLE area USING rtree(id, x0, x1); INSERT INTO area VALUES (1, 0, 1)"
    path = make(tmp_path / "harbour.sqlite", script)
    schema = read_schema(path, samples=20, details=True)
    with Database(str(path)) as database:
        grammar = Grammar(schema, "sqlite", Validator(schema, "sqlite", database))
        pairs = list(grammar.generate(plan_offline(schema, 30)))
    assert len(pairs) > 20
    assert not [pair.sql for pair in pairs if "area_" in pair.sql]


def test_generated_columns_are_columns(tmp_path: Path) -> None:
    path = make(
        tmp_path / "harbour.sqlite",
        "CREATE TABLE berth (id INTEGER PRIMARY KEY, length_m REAL, width_m REAL,"
        " area_m2 REAL GENERATED ALWAYS AS (length_m * width_m) STORED,"
        " sign TEXT GENERATED ALWAYS AS ('B' || id) VIRTUAL, twice AS (length_m * 2));"
        "INSERT INTO berth (length_m, width_m) VALUES (10, 3);",
    )
    schema = read_schema(path, samples=1)
    berth = schema.tables[-1]
    assert [c.name for c in berth.columns[3:]] == ["area_m2", "sign", "twice"]
    assert [c.examples for c in berth.columns[3:]] == [(30.0,), ("B1",), (20.0,)]
    Validator(schema, "sqlite").check("SELECT sign FROM berth WHERE area_m2 > 20")


def test_a_column_that_cannot_be_read_costs_its_own_examples(tmp_path: Path) -> None:
    path = tmp_path / "harbour.sqlite"
    connection = sqlite3.connect(path)
    connection.create_function("knots", 1, lambda value: value * 2, deterministic=True)
    connection.executescript(
        "CREATE TABLE gauge (speed REAL, shown REAL GENERATED ALWAYS AS (knots(speed)) VIRTUAL);"
        "INSERT INTO gauge (speed) VALUES (4.5);"
    )
    connection.close()
    gauge = read_schema(path, samples=2).tables[0]
    assert [(c.name, c.examples) for c in gauge.columns] == [("speed", (4.5,)), ("shown", ())]


def test_examples_are_what_the_column_holds(tmp_path: Path) -> None:
    values = ["  led in", "out ", "two  blanks", "tab\tin", "line\nend", "plain", "x" * 60]
    path = make(tmp_path / "harbour.sqlite", "CREATE TABLE note (t TEXT);")
    connection = sqlite3.connect(path)
    connection.executemany("INSERT INTO note VALUES (?)", [(value,) for value in values])
    connection.commit()
    schema = read_schema(path, samples=9)
    examples = schema.tables[-1].columns[0].examples
    assert examples == ("  led in", "out ", "two  blanks", "plain", "x" * 37 + "...")
    for example in examples[:-1]:
        assert connection.execute("SELECT count(*) FROM note WHERE t = ?", (example,)).fetchone()
    connection.close()
    grammar = Grammar(schema, "sqlite", Validator(schema, "sqlite"))
    sql = " ".join(pair.sql for pair in grammar.generate(plan_offline(schema, 40)))
    assert "plain" in sql
    assert "led in" not in sql
    assert "two " not in sql


def test_infinity_is_written_as_sqlite_reads_it(tmp_path: Path) -> None:
    path = make(
        tmp_path / "h.sqlite",
        "CREATE TABLE depth (m REAL); INSERT INTO depth VALUES (9e999), (-9e999), (1.5);",
    )
    schema = read_schema(path, samples=3)
    text = render_schema(schema, "ddl-inserts")
    assert text.endswith("INSERT INTO depth (m) VALUES (9e999), (-9e999), (1.5);")
    sql = " ".join(
        pair.sql
        for pair in Grammar(schema, "sqlite", Validator(schema, "sqlite")).generate(
            plan_offline(schema, 20)
        )
    )
    assert "inf" not in sql
    assert "999" not in sql
