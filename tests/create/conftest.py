"""A small shop's database, made in any dialect."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from text2sql.schema.quoting import quote_name

TABLES = {
    "customer": "id INTEGER PRIMARY KEY, name VARCHAR(20), city VARCHAR(20), email VARCHAR(40)",
    "orders": "id INTEGER PRIMARY KEY, customer_id INTEGER, amount FLOAT, {Order Date} DATE,"
    " FOREIGN KEY (customer_id) REFERENCES customer(id)",
    "product": "id INTEGER PRIMARY KEY, title VARCHAR(20), price FLOAT, category VARCHAR(20)",
    "order_item": "order_id INTEGER, product_id INTEGER, quantity INTEGER,"
    " PRIMARY KEY (order_id, product_id), FOREIGN KEY (order_id) REFERENCES orders(id),"
    " FOREIGN KEY (product_id) REFERENCES product(id)",
    "order": "{key} INTEGER PRIMARY KEY, {中文} VARCHAR(20)",
}
ROWS = {
    "customer": "(1, 'Ann', 'Oslo', NULL), (2, 'Bo', 'Oslo', 'bo@shop.example'),"
    " (3, 'Cy', 'Bergen', 'cy@shop.example'), (4, 'Di', 'Malmo', NULL), (5, 'Eve', 'Bergen', NULL)",
    "orders": "(1, 1, 12.5, '2024-01-05'), (2, 1, 30, '2024-02-11'), (3, 2, 7, '2024-02-20'),"
    " (4, 3, 55, '2024-03-01'), (5, 4, 18, '2024-05-09'), (6, 3, 3.5, '2024-06-30')",
    "product": "(1, 'lamp', 12.5, 'home'), (2, 'chair', 40, 'home'), (3, 'pen', 3.5, 'office'),"
    " (4, 'paper', 7, 'office'), (5, 'kettle', 25, 'kitchen')",
    "order_item": "(1, 1, 1), (2, 2, 1), (2, 3, 4), (3, 4, 1), (4, 5, 2), (5, 3, 5), (6, 3, 1)",
    "order": "(1, '猫'), (2, '狗')",
}


def statements(dialect: str) -> list[str]:
    """CREATE and INSERT statements of the shop."""
    made = []
    for name, definition in TABLES.items():
        for word in ("Order Date", "key", "中文"):
            definition = definition.replace("{" + word + "}", quote_name(word, dialect))
        table = quote_name(name, dialect)
        options = " CHARSET utf8mb4" if dialect == "mysql" else ""
        made += [
            f"CREATE TABLE {table} ({definition}){options}",
            f"INSERT INTO {table} VALUES {ROWS[name]}",
        ]
    return made


def make_sqlite(path: Path) -> str:
    """Make the shop as a SQLite file; return its URL."""
    connection = sqlite3.connect(path)
    connection.executescript(";\n".join(statements("sqlite")))
    connection.close()
    return f"sqlite:///{path}"


def make_duckdb(path: Path) -> str:
    """Make the shop as a DuckDB file; return its URL."""
    import duckdb

    connection: Any = duckdb.connect(str(path))
    for statement in statements("duckdb"):
        connection.execute(statement)
    connection.close()
    return f"duckdb:///{path}"


def make_on_server(url: str, dialect: str) -> str:
    """Make the shop in an empty database of a server; return the URL."""
    engine = sa.create_engine(url)
    drop_from_server(url, dialect)
    with engine.begin() as connection:
        for statement in statements(dialect):
            connection.exec_driver_sql(statement)
    engine.dispose()
    return url


def drop_from_server(url: str, dialect: str) -> None:
    """Leave the server's database as empty as it was."""
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        for name in ("order_item", "orders", "customer", "product", "order"):
            connection.exec_driver_sql(f"DROP TABLE IF EXISTS {quote_name(name, dialect)}")
    engine.dispose()


@pytest.fixture
def shop_sqlite(tmp_path: Path) -> str:
    """URL of the shop as a SQLite file."""
    return make_sqlite(tmp_path / "shop.sqlite")


@pytest.fixture
def shop_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of the shop in the dialect that the test's parameter names."""
    dialect = request.param
    if dialect == "sqlite":
        yield make_sqlite(tmp_path / "shop.sqlite")
    elif dialect == "duckdb":
        yield make_duckdb(tmp_path / "shop.duckdb")
    else:
        server = "postgresql_url" if dialect == "postgres" else "mariadb_url"
        url = request.getfixturevalue(server)
        yield make_on_server(url, dialect)
        drop_from_server(url, dialect)
