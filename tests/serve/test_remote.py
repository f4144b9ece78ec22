"""Databases other than SQLite: rows, limits, and what a hostile model cannot do there.

DuckDB always; PostgreSQL and MariaDB as real servers with `-m services`.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from test_suite_sql_eval.pool import Pool

from tests.serve.conftest import Server
from text2sql.infer.engine import Completion, Prompt
from text2sql.serve.query_worker import MAX_MEMORY

Start = Callable[..., Server]
duckdb: Any = pytest.importorskip("duckdb", reason="duckdb is not installed; run: make setup")

TABLES = """
CREATE TABLE shop (shop_id INTEGER PRIMARY KEY, name VARCHAR(20), opened DATE);
INSERT INTO shop VALUES (1, 'Hub', '2020-02-29'), (2, 'Spoke', '2021-01-01'), (3, 'Chain', NULL);
CREATE TABLE bike (bike_id INTEGER PRIMARY KEY, price DECIMAL(20, 2), shop_id INTEGER,
    FOREIGN KEY (shop_id) REFERENCES shop(shop_id));
INSERT INTO bike VALUES (1, 900.50, 1), (2, 1200, 1), (3, 123456789012345678.91, 3);
"""
KINDS = [
    "duckdb",
    pytest.param("postgres", marks=pytest.mark.services),
    pytest.param("mysql", marks=pytest.mark.services),
]
SLOW = f"SELECT count(*) FROM {', '.join(f'bike b{n}' for n in range(30))}"


class Obedient:
    """Stands in for a model that writes whatever SQL it is told; the databases are real."""

    def encode(self, text: str) -> list[int]:
        return [1] * (len(text) // 10)

    def generate(self, prompts: Sequence[Prompt]) -> Iterator[Completion]:
        for prompt in prompts:
            text = prompt.text.split("[QUESTION]\n")[-1].split("\n<|im_end|>")[0]
            yield Completion(prompt.id, f"```sql\n{text}\n```", 5, 0.0, "stop")

    def measurements(self) -> dict[str, Any]:
        return {}


class Database:
    """A shop's database and what its owner may do with it."""

    def __init__(self, kind: str, url: str) -> None:
        self.kind, self.url = kind, url

    def execute(self, *statements: str) -> list[Any]:
        """Run statements as the owner; return the rows of the last."""
        if self.kind == "duckdb":
            connection = duckdb.connect(self.url.removeprefix("duckdb:///"))
            try:
                for statement in statements:
                    connection.execute(statement)
                return list(connection.fetchall())
            finally:
                connection.close()
        engine = sa.create_engine(self.url)
        with engine.begin() as connection:
            for statement in statements:
                cursor = connection.exec_driver_sql(statement)
            rows = list(cursor) if cursor.returns_rows else []
        engine.dispose()
        return rows


@pytest.fixture
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """The shop in a database of the kind that the test's parameter names."""
    kind = request.param
    made = Database(kind, f"duckdb:///{tmp_path / 'shop.duckdb'}")
    drop = ["DROP TABLE IF EXISTS bike", "DROP TABLE IF EXISTS shop"]
    if kind != "duckdb":
        server = "postgresql_url" if kind == "postgres" else "mariadb_url"
        made = Database(kind, request.getfixturevalue(server))
        made.execute(*drop)
    made.execute(*[one for one in TABLES.split(";\n") if one.strip()])
    yield made
    if kind != "duckdb":
        made.execute(*drop)


@pytest.fixture
def ask(start: Start) -> Callable[..., Any]:
    """Return what starts a service on a shop and asks it to run SQL."""

    def begin(shop: Database, **settings: Any) -> Callable[..., httpx.Response]:
        server = start(shop.url, engine=Obedient(), **settings)
        return lambda sql, **more: server.ask(sql, **({"execute": True} | more))

    return begin


@pytest.mark.parametrize("shop", KINDS, indirect=True)
def test_rows_of_every_type(shop: Database, ask: Any) -> None:
    sql = "SELECT name, opened, price FROM shop JOIN bike ON bike.shop_id = shop.shop_id ORDER BY 3"
    answer = ask(shop)(sql).json()
    assert (answer["valid"], answer["warnings"]) == (True, [])
    assert answer["result"]["columns"] == ["name", "opened", "price"]
    assert answer["result"]["rows"] == [
        ["Hub", "2020-02-29", 900.5],
        ["Hub", "2020-02-29", 1200],
        ["Chain", None, "123456789012345678.91"],
    ]


@pytest.mark.parametrize("shop", KINDS, indirect=True)
def test_rows_are_capped(shop: Database, ask: Any) -> None:
    run = ask(shop, max_rows=2)
    for sql, count, truncated in (
        ("SELECT shop_id FROM shop ORDER BY shop_id", 2, True),
        ("SELECT shop_id FROM shop ORDER BY shop_id LIMIT 100000000", 2, True),
        ("SELECT shop_id FROM shop ORDER BY shop_id LIMIT 2", 2, False),
        ("SELECT shop_id FROM shop UNION ALL SELECT shop_id FROM shop", 2, True),
        ("SELECT shop_id FROM shop WHERE shop_id = 1", 1, False),
    ):
        result = run(sql).json()["result"]
        assert (len(result["rows"]), result["truncated"]) == (count, truncated), sql


@pytest.mark.parametrize("shop", KINDS, indirect=True)
def test_names_are_checked(shop: Database, ask: Any) -> None:
    run = ask(shop)
    for sql, reason in (
        ("SELECT colour FROM bike", "colour"),
        ("SELECT name FROM boat", "no such table: boat"),
        ("SELECT shop_id FROM shop, bike", "shop_id"),
    ):
        answer = run(sql).json()
        assert (answer["valid"], answer["result"]) == (False, None), sql
        assert reason in answer["warnings"][0]


# Where a server, which may be another user, could write.
COPIED = Path(tempfile.gettempdir()) / f"text2sql-test-copy-{os.getpid()}"
HOSTILE = [
    "DELETE FROM bike",
    "INSERT INTO shop VALUES (9, 'x', NULL)",
    "SELECT 1; DROP TABLE bike",
    "WITH gone AS (DELETE FROM bike RETURNING *) SELECT * FROM gone",
    "SELECT * INTO copied FROM shop",
    "SELECT * FROM shop FOR UPDATE",
    "CREATE TABLE more (a INTEGER)",
    "TRUNCATE bike",
    "SET default_transaction_read_only = off",
    "BEGIN",
    f"COPY shop TO '{COPIED}'",
    "COPY (SELECT 1) TO PROGRAM 'true'",
    "EXPLAIN ANALYZE DELETE FROM bike",
    "CALL pg_sleep(60)",
    "SELECT pg_sleep(60)",
    "SELECT sleep(60)",
    "SELECT benchmark(1000000000, md5('x'))",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT load_file('/etc/passwd')",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM read_text('/etc/passwd')",
    f"SELECT name FROM shop INTO OUTFILE '{COPIED}'",
    "SELECT set_config('default_transaction_read_only', 'off', false)",
    "SELECT nextval('s')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT get_lock('x', 60)",
    "SELECT query_to_xml('DELETE FROM bike', true, true, '')",
    "SELECT * FROM query('DELETE FROM bike')",
    "SELECT dblink('host=127.0.0.1', 'DELETE FROM bike')",
    "SELECT usename, passwd FROM pg_catalog.pg_shadow",
    "SELECT user, authentication_string FROM mysql.user",
    "SELECT * FROM information_schema.tables",
    "SELECT @@version",
    "SELECT @a := 1",
    "ATTACH 'other.duckdb' AS other",
    "INSTALL httpfs",
    "PRAGMA database_list",
]


@pytest.mark.parametrize("shop", KINDS, indirect=True)
def test_only_a_query_that_reads_its_tables_is_run(shop: Database, ask: Any) -> None:
    run = ask(shop)
    for sql in HOSTILE:
        answer = run(sql).json()
        # Of several statements the first is taken, which may be harmless.
        if answer["sql"] == "SELECT 1":
            continue
        assert (answer["valid"], answer["result"]) == (False, None), sql
        assert answer["warnings"], sql
    assert shop.execute("SELECT count(*) FROM bike") == [(3,)]
    assert shop.execute("SELECT count(*) FROM shop") == [(3,)]
    assert not COPIED.exists()


@pytest.mark.parametrize("shop", KINDS, indirect=True)
def test_the_session_itself_cannot_write(shop: Database) -> None:
    """What stands behind the check, should it ever let something through."""
    settings = {"url": shop.url, "seconds": 5.0, "max_memory": MAX_MEMORY}
    with Pool("text2sql.serve.query_worker", settings, 1) as pool:
        for sql in ("DELETE FROM bike", "CREATE TABLE more (a INTEGER)"):
            ((_, answer),) = pool.map([[(0, (sql, 10))]])
            rows, _, error, kind, *_ = answer
            assert (rows, kind) == ([], "forbidden"), error
    assert shop.execute("SELECT count(*) FROM bike") == [(3,)]


def count_bikes(run: Callable[..., httpx.Response]) -> Any:
    """Ask until a busy machine is through with it within the time that stops a slow query."""
    while (result := run("SELECT count(*) FROM bike").json()["result"])["error_kind"] == "timeout":
        pass
    return result["rows"]


@pytest.mark.parametrize("shop", KINDS, indirect=True)
def test_a_slow_query_is_stopped_and_holds_nobody_up(shop: Database, ask: Any) -> None:
    run = ask(shop, query_seconds=1)
    assert count_bikes(run) == [[3]]
    answers: list[Any] = []
    slow = threading.Thread(target=lambda: answers.append(run(SLOW).json()))
    slow.start()
    assert count_bikes(run) == [[3]]
    slow.join()
    assert answers[0]["result"]["error"] == "the query was stopped after 1 seconds"
    assert answers[0]["result"]["error_kind"] == "timeout"
    assert count_bikes(run) == [[3]]


@pytest.mark.parametrize("shop", KINDS, indirect=True)
def test_its_owner_may_change_it_meanwhile(shop: Database, ask: Any) -> None:
    run = ask(shop, schema_seconds=0)
    assert run("SELECT count(*) FROM bike").json()["result"]["rows"] == [[3]]
    shop.execute("DELETE FROM bike WHERE bike_id = 3", "ALTER TABLE bike ADD COLUMN bell INTEGER")
    result = run("SELECT count(*), max(bell) FROM bike").json()["result"]
    assert result["rows"] == [[2, None]]


@pytest.mark.parametrize("shop", KINDS, indirect=True)
def test_an_error_while_it_runs_is_said(shop: Database, ask: Any) -> None:
    result = ask(shop)("SELECT CAST(name AS DATE) FROM shop").json()["result"]
    if shop.kind != "mysql":  # MySQL makes NULL of what it cannot convert
        assert result["error"] and result["rows"] == []


@pytest.mark.parametrize("shop", KINDS, indirect=True)
def test_a_huge_value_costs_only_its_own_query(shop: Database, ask: Any) -> None:
    run = ask(shop, query_seconds=4)
    result = run("SELECT lpad('x', 900000000, 'x'), lpad('y', 900000000, 'y')").json()["result"]
    text = str(result["rows"])
    assert result["error"] or len(text) < 10_000
    assert count_bikes(run) == [[3]]


@pytest.mark.parametrize("shop", ["duckdb"], indirect=True)
def test_a_file_that_is_gone_is_said_so_and_survived(shop: Database, ask: Any) -> None:
    run = ask(shop)
    path = Path(shop.url.removeprefix("duckdb:///"))
    content = path.read_bytes()
    path.unlink()
    refused = run("SELECT count(*) FROM bike")
    assert (refused.status_code, refused.json()["error"]["kind"]) == (503, "database")
    assert str(path) not in refused.text
    path.write_bytes(content)
    assert run("SELECT count(*) FROM bike").json()["result"]["rows"] == [[3]]


@pytest.mark.services
@pytest.mark.parametrize("shop", ["postgres"], indirect=True)
def test_texts_end_where_the_check_thinks_they_end(shop: Database, ask: Any) -> None:
    """On a server with backslash escapes, the second statement would run."""
    shop.url += "?options=-cstandard_conforming_strings%3Doff"
    rest = "; COMMIT; BEGIN READ WRITE; DELETE FROM bike; COMMIT; SELECT 1 --"
    sql = rf"SELECT 'a\' , '{rest}'"
    assert ask(shop)(sql).json()["result"]["rows"] == [["a\\", rest]]
    assert shop.execute("SELECT count(*) FROM bike") == [(3,)]


@pytest.mark.services
@pytest.mark.parametrize("shop", ["mysql"], indirect=True)
def test_mysql_too_reads_texts_as_the_check_does(shop: Database) -> None:
    url = shop.url + "?init_command=SET%20sql_mode%3D%27NO_BACKSLASH_ESCAPES%27"
    settings = {"url": url, "seconds": 5.0, "max_memory": MAX_MEMORY}
    with Pool("text2sql.serve.query_worker", settings, 1) as pool:
        ((_, answer),) = pool.map([[(0, ("SELECT @@sql_mode", 1))]])
    assert "NO_BACKSLASH_ESCAPES" not in answer[0][0][0]


@pytest.mark.services
@pytest.mark.parametrize("shop", ["postgres"], indirect=True)
def test_a_lost_connection_is_opened_again(shop: Database, ask: Any) -> None:
    run = ask(shop)
    assert run("SELECT count(*) FROM bike").json()["result"]["rows"] == [[3]]
    killed = shop.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )
    assert killed
    assert run("SELECT count(*) FROM bike").json()["result"]["rows"] == [[3]]


def test_a_server_that_is_not_there_is_one_line(start: Start) -> None:
    from text2sql.errors import UserError

    with pytest.raises(UserError) as error:
        start("postgresql://owl:hidden-word@127.0.0.1:1/none", engine=Obedient())
    assert "hidden-word" not in str(error.value)
