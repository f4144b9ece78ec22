"""Servers with names, types, partitions and values that only they have."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from text2sql.config import load_config
from text2sql.create.eval_private import judge_files
from text2sql.create.stage import CreateOptions, create_data
from text2sql.data.config import DataConfig
from text2sql.data.prepare import SchemaTexts
from text2sql.errors import UserError
from text2sql.infer.sql_gbnf import schema_grammar
from text2sql.schema import Schema, Table, read_schema, render_schema
from text2sql.serve.config import ServeConfig
from text2sql.serve.database import LiveDatabase
from text2sql.sql.database import Database
from text2sql.sql.validate import Rejected, Validator

pytestmark = pytest.mark.services

POSTGRES = """
CREATE TYPE phase AS ENUM ('New Moon', 'full', 'it''s dark');
CREATE TYPE place AS (street text, door int);
CREATE DOMAIN grams AS numeric(8, 2) CHECK (value > 0);
CREATE DOMAIN loud AS phase;
CREATE TABLE "Reader" ("readerId" serial PRIMARY KEY, "fullName" text, "group" text, town text);
INSERT INTO "Reader" ("fullName", "group", town)
  SELECT 'Reader ' || i, 'g' || i % 3, (ARRAY['Bonn', 'Cork', 'Lodz'])[1 + i % 3]
  FROM generate_series(1, 20) i;
CREATE TABLE odd (
  id int PRIMARY KEY, moon phase, moons phase[], echo loud, tags varchar(9)[], home place,
  weight grams, span interval, at point, body xml, until timestamptz, born date, noon time,
  score numeric, doc jsonb, code char(6));
INSERT INTO odd VALUES
  (1, 'full', '{full}', 'full', '{a,"b c"}', '("x",1)', 5, '2 days', '(1,2)', '<a/>', 'infinity',
   '0044-03-15 BC', '24:00', 'NaN', '{"k": "é"}', 'AB'),
  (2, 'New Moon', '{}', 'full', '{}', NULL, 7.5, '-10 hours', NULL, NULL, '2024-05-05 10:00+00',
   'infinity', '10:00', 'Infinity', '[1]', 'CD'),
  (3, 'full', NULL, 'full', NULL, NULL, 9, '900000000 days', NULL, NULL, NULL, '2024-01-01',
   '11:00', 3, NULL, NULL);
CREATE TABLE event (id int, day date NOT NULL, note text, PRIMARY KEY (id, day))
  PARTITION BY RANGE (day);
CREATE TABLE event_q1 PARTITION OF event FOR VALUES FROM ('2024-01-01') TO ('2024-04-01');
CREATE TABLE event_rest PARTITION OF event DEFAULT PARTITION BY HASH (day);
CREATE TABLE event_rest_0 PARTITION OF event_rest FOR VALUES WITH (MODULUS 1, REMAINDER 0);
INSERT INTO event VALUES (1, '2024-02-02', 'a'), (2, '2024-07-07', 'b');
CREATE TABLE remark (event_id int, event_day date, FOREIGN KEY (event_id, event_day)
  REFERENCES event (id, day));
CREATE MATERIALIZED VIEW towns AS SELECT town, count(*) AS readers FROM "Reader" GROUP BY town;
CREATE VIEW grouped AS SELECT "group", count(*) AS n FROM "Reader" GROUP BY 1;
CREATE SCHEMA desk;
CREATE TABLE desk.loan (
  id serial PRIMARY KEY, reader int REFERENCES "Reader" ("readerId"), fee int);
INSERT INTO desk.loan (reader, fee) SELECT 1 + i % 20, i FROM generate_series(1, 40) i;
"""
POSTGRES_DROP = """
DROP SCHEMA desk CASCADE; DROP VIEW grouped; DROP MATERIALIZED VIEW towns;
DROP TABLE remark, event, odd, "Reader";
DROP DOMAIN loud, grams; DROP TYPE place, phase;
"""
MARIADB = [
    "CREATE TABLE `guest list` (id INT UNSIGNED PRIMARY KEY, `full name` VARCHAR(30)"
    " CHARACTER SET latin1 COLLATE latin1_german1_ci, mood ENUM('Sad','Very, Happy'),"
    " tags SET('a','b'), spent DECIMAL(8,2) UNSIGNED, waited TIME, address INET6, `a``b` INT)",
    "INSERT INTO `guest list` VALUES (1, 'Ana B', 'Sad', 'a,b', 5.5, '-10:00:00', '::1', 3),"
    " (2, 'Bo C', 'Very, Happy', '', 7, '30:15:00', '::2', 4), (3, 'Cy', 'Sad', 'a', 8.5,"
    " '00:00:01', NULL, 5)",
    "CREATE TABLE `order` (id INT PRIMARY KEY, guest_id INT UNSIGNED, `key` VARCHAR(9),"
    " FOREIGN KEY (guest_id) REFERENCES `guest list` (id))",
    "INSERT INTO `order` VALUES (1, 1, 'k1'), (2, 1, 'k2'), (3, 2, 'k3'), (4, 3, 'k1')",
    "CREATE VIEW spenders AS SELECT `full name`, spent FROM `guest list`",
]
MARIADB_DROP = ["DROP VIEW spenders", "DROP TABLE `order`, `guest list`"]


def execute(url: str, *statements: str) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement.replace("%", "%%"))
    engine.dispose()


@pytest.fixture
def postgres(postgresql_url: str) -> Iterator[str]:
    execute(postgresql_url, POSTGRES)
    yield postgresql_url
    execute(postgresql_url, POSTGRES_DROP)


@pytest.fixture
def mariadb(mariadb_url: str) -> Iterator[str]:
    execute(mariadb_url, *MARIADB)
    yield mariadb_url
    execute(mariadb_url, *MARIADB_DROP)


def table(schema: Schema, name: str) -> Table:
    return next(each for each in schema.tables if each.name == name)


def types(schema: Schema, name: str) -> dict[str, str]:
    return {column.name: column.type for column in table(schema, name).columns}


def test_postgresql_types_and_partitions(postgres: str) -> None:
    schema = read_schema(postgres)
    assert {t.name for t in schema.tables} == {
        *("Reader", "odd", "event", "remark", "towns", "grouped")
    }
    labels = "ENUM('New Moon', 'full', 'it''s dark')"
    assert types(schema, "odd") == {
        **{"id": "INTEGER", "moon": labels, "moons": f"{labels}[]", "echo": labels},
        **{"tags": "CHARACTER VARYING(9)[]", "home": "place", "weight": "NUMERIC(8,2)"},
        **{"span": "INTERVAL", "at": "POINT", "body": "XML", "until": "TIMESTAMP"},
        **{"born": "DATE", "noon": "TIME", "score": "NUMERIC", "doc": "JSONB", "code": "CHAR(6)"},
    }
    assert [key.ref_table for key in schema.foreign_keys] == ["event", "event"]


def test_postgresql_values_python_has_none_for(postgres: str) -> None:
    examples = {c.name: c.examples for c in table(read_schema(postgres, 3), "odd").columns}
    assert examples["until"][0] == "infinity"
    assert examples["born"] == ("0044-03-15 BC", "infinity", "2024-01-01")
    assert examples["noon"] == ("24:00:00", "10:00:00", "11:00:00")
    assert examples["span"] == ("2 days", "-10:00:00", "900000000 days")
    assert examples["score"] == ("NaN", "Infinity", 3)
    assert examples["tags"] == ('{a,"b c"}', "{}")
    assert examples["doc"] == ('{"k": "é"}', "[1]")
    assert examples["code"] == ("AB", "CD")
    with Database(postgres) as database:
        rows = database.run("SELECT born, until, noon, span, score FROM odd ORDER BY id").rows
    assert rows[0][:3] == ("0044-03-15 BC", "infinity", "24:00:00")


def test_a_result_with_infinity_is_equal_to_itself(postgres: str, tmp_path: Path) -> None:
    queries = ["SELECT score FROM odd", "SELECT until, born FROM odd", "SELECT noon, span FROM odd"]
    gold, predictions = tmp_path / "gold.sql", tmp_path / "predict.txt"
    gold.write_text("".join(f"{query}\todd\n" for query in queries))
    predictions.write_text("".join(f"{query}\n" for query in queries))
    scores = judge_files(postgres, gold, predictions)
    assert scores["scores"]["all"]["result_match"] == 1.0


def test_another_schema_of_postgresql(postgres: str) -> None:
    url = f"{postgres}?options=-csearch_path%3Ddesk"
    schema = read_schema(url, 2)
    assert [(t.name, t.schema) for t in schema.tables] == [("loan", "desk")]
    validator = Validator(schema, "postgres")
    validator.check("SELECT fee FROM desk.loan")
    validator.check("SELECT fee FROM loan")
    for sql in ("SELECT fee FROM public.loan", 'SELECT town FROM public."Reader"'):
        with pytest.raises(Rejected):
            validator.check(sql)
    both = read_schema(f"{postgres}?options=-csearch_path%3Ddesk,public")
    assert any(key.ref_table == "Reader" for key in both.foreign_keys)
    Validator(both, "postgres").check(
        'SELECT r.town FROM desk.loan AS l JOIN public."Reader" AS r ON l.reader = r."readerId"'
    )


def test_no_table_in_the_search_path(postgresql_url: str) -> None:
    execute(postgresql_url, "CREATE SCHEMA attic", "CREATE TABLE attic.box (id int)")
    try:
        with pytest.raises(UserError, match=r"tables are in: attic; .*search_path%3Dattic"):
            read_schema(postgresql_url)
    finally:
        execute(postgresql_url, "DROP SCHEMA attic CASCADE")


def test_mariadb_types_and_values(mariadb: str) -> None:
    schema = read_schema(mariadb, 3)
    assert [t.name for t in schema.tables] == ["guest list", "order", "spenders"]
    assert types(schema, "guest list") == {
        **{"id": "INTEGER UNSIGNED", "full name": "VARCHAR(30)"},
        **{"mood": "ENUM('Sad','Very, Happy')", "tags": "SET('a','b')"},
        **{
            "spent": "DECIMAL(8, 2) UNSIGNED",
            "waited": "TIME",
            "address": "INET6",
            "a`b": "INTEGER",
        },
    }
    examples = {c.name: c.examples for c in table(schema, "guest list").columns}
    assert examples["waited"] == ("-10:00:00", "30:15:00", "00:00:01")


@pytest.mark.parametrize("server", ["postgres", "mariadb"])
def test_prompts_are_the_same_in_training_and_service(
    server: str, request: pytest.FixtureRequest, build_folder: Path
) -> None:
    url = request.getfixturevalue(server)
    output, summary = create_data(CreateOptions(url=url, total=40))
    config = load_config(Path(summary["config"]), DataConfig)
    trained = SchemaTexts(config).text(summary["db_id"], "")
    live = LiveDatabase(ServeConfig(db_url=SecretStr(url)))
    try:
        served = render_schema(live.schema(), config.schema_style)
    finally:
        live.close()
    assert trained == served
    shown = (
        ('CREATE TABLE "Reader" ("readerId" INTEGER', '"fullName" TEXT', '"group" TEXT')
        if server == "postgres"
        else ("CREATE TABLE `guest list` (", "`full name` VARCHAR(30)", "`a``b` INTEGER")
    )
    assert all(part in trained for part in shown)
    rows = json.loads((output / "llamafactory" / "train.json").read_text(encoding="utf-8"))
    assert trained in rows[0]["conversations"][0]["value"]


def test_a_grammar_writes_names_in_the_servers_quotes(postgres: str) -> None:
    grammar = schema_grammar(read_schema(postgres))
    letters = " ".join(f'"{c}"' for c in "Reader")
    assert f'"\\"" {letters} "\\""' in grammar
