"""Tables and columns that nobody may see: not in schemas, not in answers, by no query."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import SecretStr, ValidationError

from tests.serve.conftest import Server
from text2sql.errors import UserError
from text2sql.serve.config import ServeConfig
from text2sql.serve.database import LiveDatabase

KINDS = [
    "sqlite",
    "duckdb",
    pytest.param("postgresql", marks=pytest.mark.services),
    pytest.param("mariadb", marks=pytest.mark.services),
]
SECRET = "s3cret"
DENIED = ("customers.email", "Salaries", "ORDERS.card")
SQLITE_DENIED = (*DENIED, "notes.card")
TABLES = f"""
CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT, email TEXT, city TEXT);
CREATE TABLE salaries (id INTEGER PRIMARY KEY, amount TEXT);
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER, card TEXT, email TEXT);
CREATE TABLE guesses (email TEXT, amount TEXT, card TEXT, n INTEGER);
INSERT INTO customers VALUES (1, 'Ann', '{SECRET}-1', 'Ghent'), (2, 'Bob', '{SECRET}-2', 'Bruges');
INSERT INTO salaries VALUES (1, '{SECRET}-3');
INSERT INTO orders VALUES (7, 1, '{SECRET}-4', 'o@example.org');
INSERT INTO guesses VALUES ('{SECRET}-1', '{SECRET}-3', '{SECRET}-4', 1), ('no', 'no', 'no', 2);
"""
SQLITE_TABLES = f"""
ALTER TABLE customers ADD COLUMN domain TEXT AS (substr(email, 1, 6));
CREATE VIEW people AS SELECT id, name FROM customers;
CREATE VIEW contacts AS SELECT name, email AS contact FROM customers;
CREATE VIEW guessed AS SELECT g.n FROM customers JOIN guesses AS g USING (email);
CREATE INDEX by_email ON customers (email);
CREATE VIRTUAL TABLE notes USING fts5(title, card);
INSERT INTO notes VALUES ('a title', '{SECRET}-5');
CREATE VIRTUAL TABLE found USING fts5(email, content='customers', content_rowid='id');
INSERT INTO found (found) VALUES ('rebuild');
CREATE VIRTUAL TABLE letters USING fts5(body);
INSERT INTO letters VALUES ('dear all');
ANALYZE;
"""
ATTACKS = [
    "SELECT email FROM customers",
    "SELECT c.email FROM customers AS c",
    'SELECT "c"."EMAIL" FROM Customers AS "c"',
    "SELECT t.email FROM (SELECT * FROM customers) AS t",
    "WITH t AS (SELECT * FROM customers) SELECT email FROM t",
    "WITH customers AS (SELECT email FROM customers) SELECT * FROM customers",
    "SELECT name FROM customers UNION SELECT email FROM customers",
    "SELECT id, name FROM orders UNION ALL SELECT * FROM customers",
    "SELECT name FROM customers EXCEPT SELECT name FROM customers WHERE email LIKE 's%'",
    "SELECT name FROM customers ORDER BY email",
    "SELECT count(*) FROM customers GROUP BY email",
    "SELECT name FROM customers WHERE email > 's' AND city = 'Ghent'",
    "SELECT name, (SELECT max(email) FROM customers) FROM customers",
    "SELECT g.email FROM guesses AS g JOIN customers USING (email)",
    "SELECT g.email FROM customers JOIN guesses AS g USING (email)",
    "SELECT email FROM customers FULL JOIN guesses USING (email)",
    "SELECT 1 FROM guesses AS g WHERE EXISTS"
    " (SELECT 1 FROM customers AS c WHERE c.email = g.email)",
    "SELECT * FROM salaries",
    "SELECT count(*) FROM salaries",
    "SELECT s.amount FROM customers AS c JOIN salaries AS s ON c.id = s.id",
    "SELECT 1 WHERE EXISTS (SELECT 1 FROM salaries)",
    "SELECT card FROM orders",
    "SELECT max(o.card) FROM orders AS o",
    "SELECT n FROM orders JOIN guesses USING (card)",
]
# What may be refused, or give what may be seen.
WHOLE_ROWS = [
    "WITH t(a, b, c, d) AS (SELECT * FROM customers) SELECT c FROM t",
    "SELECT * FROM customers",
    "SELECT customers.* FROM customers",
    "SELECT * FROM (SELECT * FROM customers) AS t",
    "SELECT g.email FROM guesses AS g NATURAL JOIN customers",
    "SELECT email FROM customers NATURAL JOIN guesses",
    "SELECT amount FROM guesses NATURAL JOIN salaries",
    "SELECT c FROM customers AS c",
    "SELECT x.c FROM customers AS x(a, b, c, d)",
    "SELECT #3 FROM customers",
    "SELECT COLUMNS('e.*') FROM customers",
    "FROM customers",
    "TABLE customers",
    "SELECT row_to_json(c) FROM customers AS c",
    "SELECT to_json(customers) FROM customers",
    "SELECT string_agg(c::text, '') FROM customers AS c",
]
SQLITE_ATTACKS = [
    "SELECT email FROM main.customers",
    "SELECT email FROM temp.customers",
    "SELECT g.email FROM main.customers JOIN guesses AS g USING (email)",
    "SELECT domain FROM customers",
    "SELECT contact FROM contacts",
    "SELECT count(*) FROM contacts",
    "SELECT n FROM guessed",
    "SELECT title FROM notes WHERE notes MATCH 'card:s3cret'",
    "SELECT highlight(notes, 1, '', '') FROM notes",
    "SELECT * FROM notes_content",
    "SELECT c1 FROM notes_content",
    "SELECT block FROM notes_data",
    "SELECT rowid FROM found WHERE found MATCH 's3cret'",
    "SELECT term FROM found_idx",
    "SELECT block FROM found_data",
    "SELECT name FROM customers INDEXED BY by_email",
    "SELECT sql FROM sqlite_master",
    "SELECT sql FROM sqlite_schema",
    "SELECT sql FROM sqlite_temp_master",
    "SELECT * FROM temp.sqlite_master",
    "SELECT stat FROM sqlite_stat1",
    "SELECT name FROM pragma_table_info('customers')",
    "SELECT schema FROM pragma_table_list",
    "SELECT file FROM pragma_database_list",
    "PRAGMA database_list",
    "PRAGMA table_list",
    "SELECT * FROM dbstat",
    "ATTACH 'x' AS y",
]
HARMLESS = [
    ("SELECT count(*) FROM customers", [(2,)]),
    ("SELECT name FROM customers WHERE id = 2", [("Bob",)]),
    ("SELECT c.name, o.id FROM customers AS c JOIN orders AS o ON o.customer_id = c.id",
     [("Ann", 7)]),
    ("SELECT email FROM orders", [("o@example.org",)]),
    ("WITH c AS (SELECT name, city FROM customers) SELECT city FROM c ORDER BY name",
     [("Ghent",), ("Bruges",)]),
    ("SELECT name FROM customers WHERE id IN (SELECT customer_id FROM orders)", [("Ann",)]),
    ("SELECT name FROM customers UNION SELECT city FROM customers WHERE id = 2 ORDER BY 1",
     [("Ann",), ("Bob",), ("Bruges",)]),
    ("SELECT n FROM guesses", [(1,), (2,)]),
]  # fmt: skip
SQLITE_HARMLESS = [
    ("SELECT body FROM letters WHERE letters MATCH 'dear'", [("dear all",)]),
    ("SELECT value FROM json_each('[1, 2]')", [(1,), (2,)]),
    ("SELECT rowid FROM guesses", [(1,), (2,)]),
]


def sqlite_file(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(TABLES + SQLITE_TABLES)
    return str(path)


def duckdb_file(path: Path) -> str:
    import duckdb

    with duckdb.connect(str(path)) as connection:
        connection.execute(TABLES)
    return f"duckdb:///{path}"


def fill_server(url: str) -> str:
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        for name in ("customers", "salaries", "orders", "guesses"):
            connection.exec_driver_sql(f"DROP TABLE IF EXISTS {name}")
        for statement in filter(str.strip, TABLES.split(";\n")):
            connection.exec_driver_sql(statement)
    engine.dispose()
    return url


@pytest.fixture(params=KINDS)
def denied(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LiveDatabase]:
    """A database of which DENIED is hidden."""
    kind = request.param
    if kind == "sqlite":
        url = sqlite_file(tmp_path / "shop.sqlite")
    elif kind == "duckdb":
        url = duckdb_file(tmp_path / "shop.duckdb")
    else:
        url = fill_server(request.getfixturevalue(f"{kind}_url"))
    names = SQLITE_DENIED if kind == "sqlite" else DENIED
    live = LiveDatabase(
        ServeConfig(db_url=SecretStr(url), denied=names, samples=3, personal_data=True)
    )
    yield live
    live.close()


def test_the_schema_has_nothing_of_it(denied: LiveDatabase) -> None:
    schema = denied.schema()
    shown = {table.name: [column.name for column in table.columns] for table in schema.tables}
    assert "salaries" not in shown
    assert shown["customers"] == ["id", "name", "city"]
    assert shown["orders"] == ["id", "customer_id", "email"]
    assert SECRET not in repr([table for table in schema.tables if table.name != "guesses"])


def shows(rows: list[Any]) -> bool:
    """Whether rows tell a right guess from a wrong one, or hold what is hidden."""
    text = repr(rows)
    return text.count(f"'{SECRET}-") != text.count("'no'")


def test_no_query_sees_it(denied: LiveDatabase) -> None:
    attacks = ATTACKS + WHOLE_ROWS + (SQLITE_ATTACKS if denied.dialect == "sqlite" else [])
    for sql in attacks:
        result, _ = denied.query(sql, 100)
        assert not shows(result.rows), sql
        assert result.error or sql in WHOLE_ROWS, (sql, result.rows)
        assert result.error_kind not in ("worker_crash", "timeout"), (sql, result)
    assert denied.query("SELECT count(*) FROM customers", 100)[0].ok


def test_what_is_not_denied_can_be_asked(denied: LiveDatabase) -> None:
    harmless = HARMLESS + (SQLITE_HARMLESS if denied.dialect == "sqlite" else [])
    for sql, rows in harmless:
        result, _ = denied.query(sql, 100)
        assert (result.error, [tuple(row) for row in result.rows]) == (None, rows), sql


def test_a_star_is_what_may_be_seen(denied: LiveDatabase) -> None:
    result, _ = denied.query("SELECT * FROM customers WHERE id = 1", 100)
    assert (result.columns, [tuple(row) for row in result.rows]) == (
        ["id", "name", "city"],
        [(1, "Ann", "Ghent")],
    )


def test_the_hidden_name_of_the_file_is_in_no_message(tmp_path: Path) -> None:
    url = sqlite_file(tmp_path / "shop.sqlite")
    live = LiveDatabase(ServeConfig(db_url=SecretStr(url), denied=SQLITE_DENIED))
    for sql in (*SQLITE_ATTACKS, "SELECT contact FROM contacts", "EXPLAIN SELECT * FROM customers"):
        result, _ = live.query(sql, 5)
        assert "d0" not in repr(result) and not any(
            len(word) > 30 for word in repr(result).replace("'", " ").replace(".", " ").split()
        ), result
    live.close()


def test_a_changed_file_is_hidden_again(tmp_path: Path) -> None:
    path = tmp_path / "shop.sqlite"
    live = LiveDatabase(ServeConfig(db_url=SecretStr(sqlite_file(path)), denied=("*.card",)))
    assert live.query("SELECT name FROM customers", 5)[0].ok
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("CREATE TABLE payments (id INTEGER, card TEXT)")
    assert not live.query("SELECT card FROM payments", 5)[0].ok
    assert live.query("SELECT id FROM payments", 5)[0].ok
    live.close()


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("salarys", "no salarys"),
        ("customers.mail", "no customers.mail"),
        ("*.nothing", r"no \*.nothing"),
    ],
)
@pytest.mark.parametrize("kind", ["sqlite", "duckdb"])
def test_an_entry_that_names_nothing_is_an_error(
    kind: str, entry: str, said: str, tmp_path: Path
) -> None:
    path = tmp_path / f"shop.{kind}"
    url = sqlite_file(path) if kind == "sqlite" else duckdb_file(path)
    with pytest.raises(UserError, match=said):
        LiveDatabase(ServeConfig(db_url=SecretStr(url), denied=("salaries", entry)))


@pytest.mark.parametrize("entry", ["", "*", "a.b.c", 'a."b'])
def test_an_entry_that_cannot_be_read_is_an_error(entry: str) -> None:
    with pytest.raises(ValidationError, match="is none of: table,"):
        ServeConfig(denied=(entry,))


def test_a_list_that_leaves_nothing_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "one.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("CREATE TABLE salaries (id INTEGER, amount TEXT)")
    with pytest.raises(UserError, match="hides all tables"):
        LiveDatabase(ServeConfig(db_url=SecretStr(str(path)), denied=("*.id", "*.amount")))


def test_pages_and_agents_obey(tmp_path: Path, start: Callable[..., Server]) -> None:
    url = sqlite_file(tmp_path / "shop.sqlite")
    server = start(url, denied=SQLITE_DENIED)
    shown = server.get("/schema").text
    assert "customers" in shown
    assert "salaries" not in shown and "contact" not in shown and SECRET not in shown

    async def as_agent() -> list[Any]:
        from tests.serve.test_mcp import over_http

        async with over_http(server, "auto") as client:
            return [
                await client.call_tool("list_tables", {}),
                await client.call_tool("describe_table", {"table": "customers"}),
                await client.call_tool("describe_table", {"table": "salaries"}),
                *[await client.call_tool("run", {"sql": sql}) for sql in ATTACKS + WHOLE_ROWS],
            ]

    tables, customers, salaries, *runs = asyncio.run(as_agent())
    assert not tables.is_error and not customers.is_error and salaries.is_error
    assert "email" not in repr(customers)
    for result in (tables, customers, salaries):
        assert SECRET not in repr(result)
    assert not any(shows((run.structured_content or {}).get("rows", [])) for run in runs)
