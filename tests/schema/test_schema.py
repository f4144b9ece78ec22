"""Schemas: read, rendered and pruned."""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa

from text2sql.errors import UserError
from text2sql.schema import (
    STYLES,
    ForeignKey,
    Schema,
    prune_schema,
    read_schema,
    read_tables_json,
    render_schema,
)
from text2sql.schema.prune import estimate_tokens

SPIDER = Path(os.environ.get("SPIDER_DIR") or Path(__file__).parents[3] / "shared" / "spider")
SCRIPT = """
CREATE TABLE nest (id INTEGER PRIMARY KEY, "home town" VARCHAR(20), "order" INT);
CREATE TABLE owl (id INTEGER PRIMARY KEY, name TEXT, email TEXT, picture BLOB,
                  nest_id INT REFERENCES NEST(ID));
CREATE TABLE visit (owl_id INT, nest_id INT, note TEXT, PRIMARY KEY (owl_id, nest_id));
INSERT INTO nest VALUES (1, 'Oslo', 3), (2, 'Oslo', NULL);
INSERT INTO owl VALUES (1, 'It''s Ann', 'ann@owls.example', x'ff', 1);
"""


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "owls.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript(SCRIPT)
    connection.execute("INSERT INTO visit VALUES (1, 1, ?)", ("x" * 500,))
    connection.commit()
    connection.close()
    return path


def test_ddl_is_one_line_a_table(database: Path) -> None:
    assert render_schema(read_schema(database)) == (
        'CREATE TABLE nest (id INTEGER PRIMARY KEY, "home town" VARCHAR(20), "order" INT);\n'
        "CREATE TABLE owl (id INTEGER PRIMARY KEY, name TEXT, email TEXT, picture BLOB,"
        " nest_id INT, FOREIGN KEY (nest_id) REFERENCES nest(id));\n"
        "CREATE TABLE visit (owl_id INT, nest_id INT, note TEXT, PRIMARY KEY (owl_id, nest_id));"
    )


def test_m_schema(database: Path) -> None:
    text = render_schema(read_schema(database, samples=2), "m-schema")
    assert text.startswith("【DB_ID】 owls\n【Schema】\n# Table: nest\n[\n")
    assert "(id:INTEGER, Primary Key, Examples: [1, 2]),\n(home town:VARCHAR(20)" in text
    assert text.endswith("【Foreign keys】\nowl.nest_id=nest.id")


def test_samples_are_short_and_distinct(database: Path) -> None:
    schema = read_schema(database, samples=3)
    examples = {(t.name, c.name): c.examples for t in schema.tables for c in t.columns}
    assert examples["nest", "home town"] == ("Oslo",)
    assert examples["owl", "picture"] == ()
    assert len(str(examples["visit", "note"][0])) == 40


def test_personal_data_can_be_left_out(database: Path) -> None:
    for style in STYLES:
        assert "ann@" not in render_schema(read_schema(database, 3, personal_data=False), style)
    assert "ann@" in render_schema(read_schema(database, 3), "ddl-values")


@pytest.mark.parametrize("style", ["ddl", "ddl-values", "ddl-inserts"])
def test_ddl_styles_run_in_sqlite(database: Path, style: str) -> None:
    connection = sqlite3.connect(":memory:")
    connection.executescript(render_schema(read_schema(database, 3), style))
    tables = {
        row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE sql <> ''")
    }
    connection.close()
    assert tables == {"nest", "owl", "visit"}


def test_url_and_file_give_the_same(database: Path) -> None:
    assert read_schema(f"sqlite:///{database}", db_id="owls") == read_schema(database)


@pytest.mark.services
@pytest.mark.parametrize("server", ["postgresql_url", "mariadb_url"])
def test_schema_from_a_server(server: str, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue(server)
    engine = sa.create_engine(url)
    metadata = sa.MetaData()
    sa.Table("nest", metadata, sa.Column("id", sa.Integer, primary_key=True))
    sa.Table(
        "owl",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(20)),
        sa.Column("nest_id", sa.Integer, sa.ForeignKey("nest.id")),
    )
    metadata.create_all(engine)
    try:
        with engine.begin() as connection:
            connection.execute(metadata.tables["nest"].insert().values(id=1))
            connection.execute(metadata.tables["owl"].insert().values(id=1, name="Ann", nest_id=1))
        schema = read_schema(url, samples=2, db_id="owls")
    finally:
        metadata.drop_all(engine)
        engine.dispose()
    tables = {table.name: table for table in schema.tables}
    assert [column.name for column in tables["owl"].columns] == ["id", "name", "nest_id"]
    assert tables["owl"].primary_key == ("id",)
    assert tables["owl"].columns[1].examples == ("Ann",)
    assert schema.foreign_keys == (ForeignKey("owl", "nest_id", "nest", "id"),)


@pytest.mark.parametrize("target", ["missing.sqlite", "nosuch://host/db"])
def test_unreadable_is_one_line(target: str) -> None:
    with pytest.raises(UserError) as caught:
        read_schema(target)
    assert "\n" not in str(caught.value)


def test_not_a_database(tmp_path: Path) -> None:
    (tmp_path / "x.sqlite").write_text("this is no database, whatever its name may say" * 50)
    with pytest.raises(UserError, match="cannot read the schema"):
        read_schema(tmp_path / "x.sqlite")


def test_tables_json(tmp_path: Path) -> None:
    entry = {
        "db_id": "owls",
        "table_names_original": ["nest", "owl"],
        "column_names_original": [[-1, "*"], [0, "id"], [1, "id"], [1, "nest_id"]],
        "column_types": ["text", "number", "number", "number"],
        "primary_keys": [1, [2, 3]],
        "foreign_keys": [[3, 1]],
    }
    path = tmp_path / "tables.json"
    path.write_text(json.dumps([entry]))
    schema = read_tables_json(path)["owls"]
    assert render_schema(schema) == (
        "CREATE TABLE nest (id INT PRIMARY KEY);\n"
        "CREATE TABLE owl (id INT, nest_id INT, PRIMARY KEY (id, nest_id),"
        " FOREIGN KEY (nest_id) REFERENCES nest(id));"
    )
    path.write_text(json.dumps([{"db_id": "owls"}]))
    with pytest.raises(UserError, match="entry 1"):
        read_tables_json(path)


def test_pruning_fits_and_keeps_what_is_asked_for(database: Path) -> None:
    schema = read_schema(database)
    assert prune_schema(schema, "?", 1000) is schema
    small = prune_schema(schema, "What are the names of all owls?", 60)
    assert estimate_tokens(render_schema(small)) <= 60
    assert ("owl", "name") in small.names()
    assert small.names() < schema.names()


@pytest.mark.skipif(not (SPIDER / "tables.json").is_file(), reason=f"no Spider at {SPIDER}")
def test_every_spider_schema_renders_to_running_ddl() -> None:
    def runs(schema: Schema) -> bool:
        connection = sqlite3.connect(":memory:")
        connection.executescript(render_schema(schema))
        connection.close()
        return True

    schemas = read_tables_json(SPIDER / "tables.json")
    assert len(schemas) == 166
    assert all(runs(schema) for schema in schemas.values())


@pytest.mark.services
@pytest.mark.parametrize("server", ["postgresql_url", "mariadb_url"])
def test_details_from_a_server(server: str, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue(server)
    engine = sa.create_engine(url)
    metadata = sa.MetaData()
    owl = sa.Table(
        "owl",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("ring", sa.String(20), nullable=False, comment="number on its leg"),
        sa.UniqueConstraint("ring"),
        comment="birds of the night",
    )
    metadata.create_all(engine)
    try:
        with engine.begin() as connection:
            connection.execute(owl.insert().values(id=1, ring="A1"))
            connection.exec_driver_sql("CREATE VIEW rings AS SELECT ring FROM owl")
        schema = read_schema(url, 2, details=True, timeout=10)
    finally:
        with engine.begin() as connection:
            connection.exec_driver_sql("DROP VIEW rings")
        metadata.drop_all(engine)
        engine.dispose()
    table, view = schema.table("owl"), schema.table("rings")
    assert table
    assert view
    assert (table.comment, table.row_count, table.is_view) == ("birds of the night", 1, False)
    assert table.unique == (("ring",),)
    assert (table.columns[1].comment, table.columns[1].nullable) == ("number on its leg", False)
    assert (view.is_view, view.row_count, view.columns[0].examples) == (True, 1, ("A1",))
