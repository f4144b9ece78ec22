"""The distiller: legal variants, the same bytes for the same seed, suites that tell SQL apart."""

from __future__ import annotations

import contextlib
import json
import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_suite_sql_eval.api import evaluate
from test_suite_sql_eval.distill.__main__ import main
from test_suite_sql_eval.distill.catalog import Catalog, read_catalog
from test_suite_sql_eval.distill.choose import Options
from test_suite_sql_eval.distill.golds import read_gold, read_golds
from test_suite_sql_eval.distill.names import quote
from test_suite_sql_eval.distill.neighbours import neighbours
from test_suite_sql_eval.distill.rows import Variant
from test_suite_sql_eval.distill.suite import make_suites
from test_suite_sql_eval.distill.ties import cuts, settle
from test_suite_sql_eval.distill.values import near_misses
from test_suite_sql_eval.errors import InputError

from .conftest import REPOSITORY, make_database

SAMPLE = REPOSITORY / "data" / "sample"
SAMPLES = sorted((SAMPLE / "database").glob("*/*.sql"))
#: Every constraint a variant must respect, in one schema.
HARD_SCHEMA = """
CREATE TABLE region (code TEXT PRIMARY KEY, head INTEGER REFERENCES person (id));
CREATE TABLE person (
  id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, boss INTEGER REFERENCES person (id),
  region TEXT NOT NULL REFERENCES region (code), age INTEGER CHECK (age BETWEEN 18 AND 99),
  state TEXT NOT NULL CHECK (state IN ('new', 'old')), joined DATE,
  double_age INTEGER GENERATED ALWAYS AS (age * 2));
CREATE TABLE visit (
  person INTEGER, day TEXT, place TEXT, cost REAL CHECK (cost >= 0),
  PRIMARY KEY (person, day), FOREIGN KEY (person) REFERENCES person (id)) WITHOUT ROWID;
CREATE TABLE bill (person INTEGER, day TEXT, paid INT NOT NULL CHECK (paid IN (0, 1)),
  FOREIGN KEY (person, day) REFERENCES visit (person, day)) STRICT;
CREATE UNIQUE INDEX one_place ON visit (place, day);
CREATE VIEW open_bill AS SELECT * FROM bill WHERE paid = 0;
CREATE TRIGGER no_more BEFORE INSERT ON region BEGIN SELECT RAISE(ABORT, 'closed'); END;
"""
HARD_ROWS = """
INSERT INTO region VALUES ('N', NULL), ('S', NULL), ('W', NULL);
INSERT INTO person (id, email, boss, region, age, state, joined) VALUES
  (1, 'a@x', NULL, 'N', 30, 'new', '2020-01-05'), (2, 'b@x', 1, 'S', 44, 'old', NULL);
INSERT INTO visit VALUES (1, '2024-01-01', 'Oslo', 10.5), (2, '2024-01-02', NULL, 0);
INSERT INTO bill VALUES (1, '2024-01-01', 0), (2, '2024-01-02', 1);
"""


@pytest.fixture()
def hard(tmp_path: Path) -> Path:
    """A database with every kind of constraint."""
    tables, trigger = HARD_SCHEMA.split("CREATE TRIGGER")
    script = tables + HARD_ROWS + "CREATE TRIGGER" + trigger
    return make_database(tmp_path / "source" / "hard" / "hard.sqlite", script)


def golds_of(db_id: str) -> list[str]:
    lines = (SAMPLE / "dev_gold.sql").read_text(encoding="utf-8").splitlines()
    return [line.split("\t")[0] for line in lines if line.endswith(f"\t{db_id}")]


def variants_of(path: Path, count: int = 8, **options: bool) -> Iterator[Variant]:
    catalog = read_catalog(path)
    golds = read_golds(golds_of(path.stem), catalog)
    for number in range(count):
        variant = Variant(catalog, golds[number : number + 6], f"test/{number}", **options)
        with contextlib.closing(variant):
            yield variant


def check_legal(connection: sqlite3.Connection, catalog: Catalog) -> None:
    """Fail where a row breaks a constraint; SQLite's own checks, and NULL in a primary key."""
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    for table in catalog.tables.values():
        for column in (c.name for c in table.columns if c.not_null):
            sql = f"SELECT count(*) FROM {quote(table.name)} WHERE {quote(column)} IS NULL"
            assert connection.execute(sql).fetchone() == (0,), f"{table.name}.{column}"


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_variants_of_the_sample_databases_are_legal_and_filled(path: Path) -> None:
    catalog = read_catalog(path)
    for variant in variants_of(path):
        check_legal(variant.connection, catalog)
        for table in catalog.tables.values():
            rows = variant.connection.execute(f"SELECT count(*) FROM {quote(table.name)}")
            assert rows.fetchone()[0] > 0, table.name


@pytest.mark.parametrize("any_null", [False, True])
def test_every_kind_of_constraint_is_respected(hard: Path, any_null: bool) -> None:
    catalog = read_catalog(hard)
    filled = dict.fromkeys(catalog.tables, 0)
    for variant in variants_of(hard, 30, any_null=any_null):
        check_legal(variant.connection, catalog)
        for name in filled:
            filled[name] += variant.connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
        names = {name for (name,) in variant.connection.execute("SELECT name FROM sqlite_master")}
        assert {"open_bill", "no_more", "one_place"} <= names
    assert all(rows > 100 for rows in filled.values()), filled


def test_duplicates_ties_nulls_and_empty_groups_occur(hard: Path) -> None:
    questions = {
        "NULL": "SELECT 1 FROM person WHERE joined IS NULL",
        "tie": "SELECT 1 FROM person GROUP BY age HAVING count(*) > 1",
        "tie at the top": "SELECT 1 FROM person GROUP BY age ORDER BY age DESC LIMIT 1",
        "empty group": "SELECT 1 FROM region WHERE code NOT IN (SELECT region FROM person)",
        "self reference": "SELECT 1 FROM person WHERE boss != id",
        "cycle": "SELECT 1 FROM region WHERE head IS NOT NULL",
    }
    seen = set()
    for variant in variants_of(hard, 20):
        seen |= {
            name for name, sql in questions.items() if variant.connection.execute(sql).fetchone()
        }
    assert seen == set(questions)


def test_null_only_where_the_database_has_it_unless_asked(hard: Path) -> None:
    sql = "SELECT count(*) FROM person WHERE age IS NULL"
    plain = [v.connection.execute(sql).fetchone()[0] for v in variants_of(hard, 10)]
    asked = [v.connection.execute(sql).fetchone()[0] for v in variants_of(hard, 10, any_null=True)]
    assert not any(plain)
    assert any(asked)


def test_gold_constants_and_their_near_misses_occur(tmp_path: Path) -> None:
    path = make_database(
        tmp_path / "m.sqlite", "CREATE TABLE t (id INTEGER PRIMARY KEY, n INT, s TEXT)"
    )
    catalog = read_catalog(path)
    gold = read_gold("SELECT id FROM t WHERE n > 1234 AND s LIKE '%abc%' OR s = \"Peru\"", catalog)
    constants = {place: sorted(values) for place, values in gold.constants.items()}
    assert constants == {("t", "n"): [1234], ("t", "s"): ["%abc%", "Peru"]}
    found: set[object] = set()
    for number in range(30):
        with contextlib.closing(Variant(catalog, [gold], str(number))) as variant:
            found |= {
                value for row in variant.connection.execute("SELECT n, s FROM t") for value in row
            }
    assert {1233, 1234, 1235, "abc", "Peru", "Per", "pERU", ""} <= found


def test_near_misses_keep_the_form_of_a_value() -> None:
    assert near_misses(7) == [8, 6, 9, 5]
    assert near_misses("2014") == ["2015", "2013", "2016", "2012"]
    assert near_misses("2020-02-28 10:00") == [
        "2020-02-29 10:00",
        "2020-02-27 10:00",
        "2020-03-30 10:00",
    ]
    assert near_misses(None) == []


def test_neighbours_change_one_thing_each() -> None:
    catalog = read_catalog(SAMPLE / "database" / "library" / "library.sql")
    table = next(iter(catalog.tables.values()))
    name = table.columns[0].name
    gold = read_gold(
        f"SELECT {name} FROM {table.name} WHERE {name} > 3 ORDER BY {name} DESC LIMIT 2", catalog
    )
    found = neighbours(gold, catalog, 1000)
    assert set(found.values()) >= {
        "operator",
        "constant",
        "column",
        "order direction",
        "where dropped",
        "order dropped",
        "limit dropped",
        "limit",
        "distinct",
    }
    assert (
        f"SELECT {name} FROM {table.name} WHERE {name} >= 3 ORDER BY {name} DESC LIMIT 2" in found
    )
    assert list(neighbours(gold, catalog, 5)) == list(neighbours(gold, catalog, 5))


def test_a_limit_never_cuts_through_a_tie(hard: Path) -> None:
    catalog = read_catalog(hard)
    gold = read_gold("SELECT email FROM person ORDER BY age DESC, id LIMIT 3", catalog)
    oldest = read_gold("SELECT email FROM person WHERE state = 'new' ORDER BY age LIMIT 1", catalog)
    wanted = [*cuts(gold, catalog), *cuts(oldest, catalog)]
    assert len(wanted) == 2
    tied = 0
    for number in range(10):
        with contextlib.closing(Variant(catalog, [gold], f"tie/{number}")) as variant:
            rows = "SELECT age FROM person WHERE state = 'new' ORDER BY age LIMIT 2"
            before = variant.connection.execute(rows).fetchall()
            tied += len(before) == 2 and before[0] == before[1]
            if not settle(variant.connection, wanted, catalog, random.Random(1)):
                after = variant.connection.execute(rows).fetchall()
                assert len(after) < 2 or after[0] != after[1]
            check_legal(variant.connection, catalog)
    assert tied


def make_sample_suite(output: Path, *ids: str, **options: int) -> dict[str, dict[str, object]]:
    gold = output.with_name("gold.sql")
    gold.write_text("".join(f"{sql}\t{i}\n" for i in ids for sql in golds_of(i)), encoding="utf-8")
    return make_suites(SAMPLE / "database", gold, output, Options(**options))


def contents(folder: Path) -> dict[str, bytes]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_same_seed_same_bytes_in_every_process(tmp_path: Path) -> None:
    make_sample_suite(tmp_path / "a", "library", max_variants=3)
    command = [sys.executable, "-m", "test_suite_sql_eval.distill", "--max_variants", "3"]
    command += ["--db", str(SAMPLE / "database"), "--gold", str(tmp_path / "gold.sql")]
    for number in ("1", "2"):
        subprocess.run(
            [*command, "--output", str(tmp_path / number)],
            check=True,
            env={
                **os.environ,
                "PYTHONHASHSEED": number,
                "PYTHONPATH": str(REPOSITORY / "test-suite-sql-eval"),
            },
            capture_output=True,
        )
        assert contents(tmp_path / number) == contents(tmp_path / "a")
    make_sample_suite(tmp_path / "b", "library", max_variants=3, seed=1)
    assert contents(tmp_path / "b") != contents(tmp_path / "a")


def test_worker_processes_give_the_same_files_and_tell_progress(tmp_path: Path) -> None:
    make_sample_suite(tmp_path / "a", "library", "observatory", max_variants=2)
    told: list[tuple[int, int, str]] = []
    make_suites(
        SAMPLE / "database",
        tmp_path / "gold.sql",
        tmp_path / "b",
        Options(max_variants=2),
        jobs=2,
        progress=lambda *done: told.append(done),
    )
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert [done for done, _, _ in told] == [1, 2]
    assert {total for _, total, _ in told} == {2}


@pytest.mark.parametrize("db_id", ["library", "hotel_group", "observatory"])
def test_suites_tell_neighbours_apart_and_every_gold_query_has_rows(
    tmp_path: Path, db_id: str
) -> None:
    made = make_sample_suite(tmp_path / "suites", db_id)[db_id]
    assert made["gold_failing"] == {}
    assert made["gold_unparsed"] == []
    assert made["gold_without_rows"] == []
    told, total = made["told_apart"], made["neighbours"]
    assert isinstance(told, list) and isinstance(total, int)
    assert told == sorted(told)
    assert told[-1] > 0.9 * total
    gold = tmp_path / "gold.sql"
    pred = tmp_path / "pred.sql"
    pred.write_text("\n".join(golds_of(db_id)) + "\n", encoding="utf-8")
    report = evaluate(str(gold), str(pred), str(tmp_path / "suites"))
    assert report.scores["all"]["exec"] == 1.0
    variants = report.to_dict()["database_set"]["databases"][db_id]["variants"]
    assert variants == made["variants"] + 1  # type: ignore[operator]


def test_a_suite_rejects_what_the_plain_database_forgives(tmp_path: Path, db_dir: Path) -> None:
    gold, pred = tmp_path / "gold.sql", tmp_path / "pred.sql"
    gold.write_text("SELECT name FROM singer WHERE age > 45\tmusic\n")
    pred.write_text("SELECT name FROM singer WHERE age >= 46\n")
    make_suites(db_dir, gold, tmp_path / "suites")
    wrong = tmp_path / "wrong.sql"
    wrong.write_text("SELECT name FROM singer WHERE age > 46\n")
    assert evaluate(str(gold), str(wrong), str(db_dir)).scores["all"]["exec"] == 1.0
    suites = str(tmp_path / "suites")
    assert evaluate(str(gold), str(wrong), suites).scores["all"]["exec"] == 0.0
    assert evaluate(str(gold), str(pred), suites).scores["all"]["exec"] == 1.0


def test_a_second_run_keeps_what_is_there_and_makes_again_what_changed(tmp_path: Path) -> None:
    output = tmp_path / "suites"
    make_sample_suite(output, "library", "observatory", max_variants=2)
    stamps = {path: path.stat().st_mtime_ns for path in output.rglob("*.sqlite")}
    (output / "library.partial").mkdir()  # as a stopped run leaves it
    (output / "observatory" / "suite.json").write_text("{", encoding="utf-8")
    make_sample_suite(output, "library", "observatory", max_variants=2)
    for path, stamp in stamps.items():
        assert (path.stat().st_mtime_ns == stamp) == (path.parent.name == "library")


def test_without_gold_queries_and_without_rows(tmp_path: Path, hard: Path) -> None:
    made = make_suites(hard, None, tmp_path / "suites", Options(max_variants=4), schema_only=True)
    assert made["hard"]["variants"] == 4
    nulls = 0
    for path in (tmp_path / "suites" / "hard").glob("*.sqlite"):
        with contextlib.closing(sqlite3.connect(path)) as connection:
            check_legal(connection, read_catalog(hard))
            emails = {email for (email,) in connection.execute("SELECT email FROM person")}
            assert not emails & {"a@x", "b@x"}, "a value of the database left it"
            sql = "SELECT count(*) FROM person WHERE joined IS NULL"
            nulls += connection.execute(sql).fetchone()[0]
    assert nulls, "without rows NULL is where the schema allows it"
    assert (tmp_path / "suites" / "hard" / "hard.sqlite").is_file()


def test_a_schema_snapshot_stands_in_for_the_database(tmp_path: Path) -> None:
    def column(name: str, type_: str, *examples: object, **more: bool) -> dict[str, object]:
        return {"name": name, "type": type_, "examples": examples, **more}

    shop = [column("id", "INT", 1, 2, primary_key=True), column("city", "VARCHAR(9)", "Oslo")]
    sale = [
        column("shop", "INT", 7, nullable=False),
        column("code", "TEXT", "x-1", "x-2"),
        column("price", "NUMERIC(6,2)", 9.5),
        column("state", "ENUM('new','old')", "new", nullable=False),
    ]
    tables = [
        {"name": "sale", "columns": sale, "rows": [[1, "y-3", 2.5, "old"]], "unique": [["code"]]},
        {"name": "shop", "columns": shop, "rows": [], "unique": []},
        {"name": "seen", "columns": shop, "rows": [], "is_view": True},
    ]
    key = {"table": "sale", "column": "shop", "ref_table": "shop", "ref_column": "id"}
    schema = {"db_id": "shops", "tables": tables, "foreign_keys": [key]}
    path = tmp_path / "snapshot.json"
    path.write_text(json.dumps({"format": "text2sql-snapshot-1", "schema": schema}))
    gold = tmp_path / "gold.sql"
    gold.write_text(
        "SELECT sum(price) FROM sale JOIN shop ON shop = id WHERE city = 'Oslo'\tshops\n"
    )
    made = make_suites(path, gold, tmp_path / "suites", Options(max_variants=5))
    assert made["shops"]["gold_without_rows"] == []
    codes: set[str] = set()
    for file in (tmp_path / "suites" / "shops").glob("*.sqlite"):
        with contextlib.closing(sqlite3.connect(file)) as connection:
            check_legal(connection, read_catalog(path))
            codes |= {code for (code,) in connection.execute("SELECT code FROM sale")}
    assert {"x-1", "y-3"} <= codes
    path.write_text("{}")
    with pytest.raises(InputError, match=r"snapshot\.json: not a schema snapshot"):
        make_suites(path, gold, tmp_path / "other")


def test_a_users_mistake_gives_one_line(
    tmp_path: Path, db_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gold = tmp_path / "gold.sql"
    gold.write_text("SELECT 1\tmusic\n\nSELECT 2\tmusik\n")
    output = ["--output", str(tmp_path / "out")]
    assert main(["--db", str(tmp_path / "none"), *output]) == 2
    assert "no database here" in capsys.readouterr().err
    make_database(db_dir / "other" / "other.sqlite")
    assert main(["--db", str(db_dir), "--gold", str(gold), *output]) == 2
    assert capsys.readouterr().err == f"error: {gold}:3: no database for the id 'musik'\n"
    assert main(["--db", str(db_dir), "--output", str(db_dir)]) == 2
    assert "must not be the database's own folder" in capsys.readouterr().err
    (tmp_path / "bad.sqlite").write_text("not a database, though long enough to look like one")
    assert main(["--db", str(tmp_path / "bad.sqlite"), *output]) == 2
    assert "not a SQLite database" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_gold_query_that_fails_is_named_not_fatal(tmp_path: Path, db_dir: Path) -> None:
    gold = tmp_path / "gold.sql"
    gold.write_text("SELECT nme FROM singer\tmusic\nSELECT name FROM singer\tmusic\n")
    made = make_suites(db_dir, gold, tmp_path / "suites", Options(max_variants=2))["music"]
    assert made["gold_failing"] == {"SELECT nme FROM singer": "no such column: nme"}
    saved = json.loads((tmp_path / "suites" / "music" / "suite.json").read_text())
    assert saved == made


def test_raises_where_the_database_has_no_table(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no table"):
        read_catalog(make_database(tmp_path / "empty.sqlite", "PRAGMA user_version=1"))
