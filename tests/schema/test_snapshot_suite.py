"""A private database's suite needs its schema snapshot and safe samples only."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from test_suite_sql_eval.api import evaluate
from test_suite_sql_eval.distill.choose import Options
from test_suite_sql_eval.distill.suite import make_suites

from text2sql.schema import read_schema, render_schema


def test_a_rendered_schema_with_sample_rows_is_enough(tmp_path: Path) -> None:
    private = tmp_path / "shop.sqlite"
    connection = sqlite3.connect(private)
    connection.executescript(
        "CREATE TABLE customer (id INTEGER PRIMARY KEY, city TEXT, secret TEXT);"
        "CREATE TABLE sale (id INTEGER PRIMARY KEY, customer_id INTEGER, amount REAL,"
        " FOREIGN KEY (customer_id) REFERENCES customer (id));"
    )
    rows = [(i, ("Bonn", "Oslo")[i % 2], f"secret {i}") for i in range(50)]
    connection.executemany("INSERT INTO customer VALUES (?, ?, ?)", rows)
    connection.executemany(
        "INSERT INTO sale VALUES (?, ?, ?)", [(i, i % 50, i / 2) for i in range(200)]
    )
    connection.commit()
    connection.close()
    snapshot = tmp_path / "snapshot" / "shop.sql"
    snapshot.parent.mkdir()
    text = render_schema(read_schema(private, 2), "ddl-inserts")
    snapshot.write_text(text, encoding="utf-8")
    gold = tmp_path / "gold.sql"
    query = (
        "SELECT T1.city, sum(T2.amount) FROM customer AS T1 JOIN sale AS T2"
        " ON T1.id = T2.customer_id WHERE T1.city != 'Rome' GROUP BY T1.city"
    )
    gold.write_text(f"{query}\tshop\n", encoding="utf-8")
    made = make_suites(snapshot, gold, tmp_path / "suites", Options(max_variants=5))
    assert made["shop"]["gold_without_rows"] == []
    wrong = tmp_path / "wrong.sql"
    wrong.write_text(query.replace("!=", "=") + "\n", encoding="utf-8")
    assert evaluate(str(gold), str(wrong), str(tmp_path / "suites")).scores["all"]["exec"] == 0.0
    files = sorted((tmp_path / "suites" / "shop").glob("*.sqlite"))
    assert len(files) > 1
    for file in files:
        assert b"secret 40" not in file.read_bytes(), "a row that is no sample left the database"
