"""Names in queries that are still being written, held against SQLite's own judgement."""

from __future__ import annotations

import json
import random
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from text2sql.data.sample import ensure_sample_databases
from text2sql.infer.name_choice import FEW, Draw, leave_one
from text2sql.infer.name_scope import NameScope
from text2sql.schema import Column, Schema, Table, read_schema

SHOPS = Schema(
    "shops",
    (
        Table("shop", tuple(map(Column, ("shop_id", "name", "city", "order_fee")))),
        Table("bike", tuple(map(Column, ("bike_id", "model", "price", "shop_id")))),
        Table("visit log", tuple(map(Column, ("shop_id", "at", "年份")))),
    ),
)
SCOPE = NameScope(SHOPS)
EVERY = 6  # of the sample queries, to stay quick


def accepted(text: str, scope: NameScope = SCOPE) -> str | None:
    """What of a query may be written before a character is refused; None where all may."""
    for end in range(1, len(text) + 1):
        if not scope.allows(text[:end]):
            return text[: end - 1]
    return None if scope.allows(text, True) else text


@pytest.mark.parametrize(
    "query",
    [
        "SELECT name FROM shop",
        "select T1.name , count ( * ) from shop as T1 join bike as T2 on T1.shop_id = T2.shop_id"
        " group by T1.name having count(*) > 1 order by count(*) desc limit 3;",
        "SELECT bike.model FROM shop JOIN bike ON shop.shop_id = bike.shop_id WHERE city = 'x.y'",
        'SELECT model FROM bike WHERE shop_id IN (SELECT shop_id FROM shop WHERE city = "Ghent")',
        "SELECT name FROM shop AS s"
        " WHERE EXISTS (SELECT 1 FROM bike AS b WHERE b.shop_id = s.shop_id)",
        "SELECT (SELECT max(price) FROM bike AS b WHERE b.shop_id = s.shop_id) FROM shop AS s",
        "SELECT name FROM shop UNION SELECT model FROM bike ORDER BY name",
        "SELECT count(*) FROM (SELECT count(*) AS n FROM bike GROUP BY shop_id) AS t WHERE t.n > 1",
        "SELECT max(name) FROM (SELECT name FROM shop WHERE city LIKE 'G%')",
        "WITH dear AS (SELECT * FROM bike WHERE price > 9)"
        " SELECT model FROM dear JOIN shop USING (shop_id)",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n LIMIT 3",
        'SELECT "年份", at FROM "visit log" AS v JOIN shop ON shop.shop_id = v.shop_id',
        "SELECT `at`, [at] FROM `visit log` WHERE rowid = 1",
        "SELECT CAST(price AS INTEGER), CASE WHEN price > 1 THEN 'dear' ELSE model END AS kind"
        " FROM bike",
        "SELECT model, rank() OVER (PARTITION BY shop_id ORDER BY price DESC) AS place FROM bike",
        "SELECT count(*) number, city FROM shop GROUP BY city ORDER BY number",
        "SELECT a.name, b.model FROM shop a, bike b WHERE a.shop_id = b.shop_id AND order_fee > 0",
        "SELECT name -- FROM nowhere\nFROM shop",
        "SELECT name /* of a\n colour */ FROM shop",
        "SELECT T1.name, T10.model FROM bike AS T10 JOIN shop AS T1 ON T1.shop_id = T10.shop_id",
        "SELECT 1",
    ],
)
def test_what_sqlite_resolves_may_be_written(query: str) -> None:
    assert error_of(query) is None
    assert accepted(query) is None


@pytest.mark.parametrize(
    ("query", "until"),
    [
        ("SELECT colour FROM bike", "SELECT co"),  # count could be called
        ("SELECT name FROM bike", "SELECT name FROM bike"),  # a JOIN could bring shop
        ("SELECT name FROM bike WHERE price > 1", "SELECT name FROM bike "),
        ("SELECT name FROM readers", "SELECT name FROM "),
        ("SELECT T1.name, T1.price FROM shop", "SELECT T1.name, T1."),  # no table has both
        ("SELECT T1.price FROM shop AS T1", "SELECT T1.price FROM shop AS T"),
        ("SELECT T1.name FROM shop AS T1 JOIN bike AS T2 ON T1.bike_id = 1", None),
        ("SELECT T2.name FROM shop AS T1 JOIN bike AS T2 ON 1 = 1", None),
        ("SELECT bike.name FROM shop JOIN bike", "SELECT bike."),
        ("SELECT T1.model FROM shop WHERE T1.model = 1", "SELECT T1.model FROM shop "),
        ("SELECT shop.name FROM shop AS s WHERE s.city = 1", "SELECT shop.name FROM shop AS s "),
        ("SELECT name FROM shop WHERE price > 1", "SELECT name FROM shop WHERE pr"),  # printf
        ("SELECT name FROM shop WHERE shop_id IN (SELECT model FROM shop)", None),
        ("SELECT name FROM shop ORDER BY T2.price", "SELECT name FROM shop ORDER BY T"),
        ("SELECT s.name FROM shop AS s; SELECT x", None),
        ("SELECT T2.name FROM bike AS T2ON", "SELECT T2.name FROM bike AS T"),
        ("SELECT T1.name, T2.model FROM shop AS T2", "SELECT T1.name, T2.model FROM shop AS T"),
        ("SELECT name FROM shop WHERE name(city) = 1", "SELECT name FROM shop WHERE name"),
        ("SELECT T1.name FROM shop AS T1 WHERE T1.city(1)", None),
        ("SELECT name FROM shop JOIN bike(1)", "SELECT name FROM shop JOIN bike"),
    ],
)
def test_other_names_are_refused_where_it_shows(query: str, until: str | None) -> None:
    found = accepted(query)
    if "; SELECT" in query:  # what follows is no longer the query
        assert found is None
        return
    assert error_of(query) is not None
    assert found is not None
    if until is not None:
        assert found.startswith(until)


def test_text_around_a_query_is_not_bound() -> None:
    assert SCOPE.allows("The colour is")
    assert SCOPE.allows("Here it is:\n```sql\nSELECT name FROM shop")
    assert not SCOPE.allows("Here it is:\n```sql\nSELECT colour FROM shop")
    assert SCOPE.allows("Here it is:\n```sql\nSELECT name FROM shop\n```\nThe colour is", True)
    assert SCOPE.allows("SELECT name FROM shop; the colour is", True)


def test_columns_that_a_subquery_makes_up_cannot_come_before_it() -> None:
    query = "SELECT avg(n) FROM (SELECT count(*) AS n FROM bike GROUP BY shop_id)"
    assert error_of(query) is None
    assert accepted(query) == "SELECT avg(n"


def error_of(query: str, path: Path | None = None) -> str | None:
    """What SQLite says of a query's names; None where it finds them all."""
    with closing(sqlite3.connect(path or ":memory:")) as connection:
        if path is None:
            for table in SHOPS.tables:
                columns = ", ".join(f'"{column.name}"' for column in table.columns)
                connection.execute(f'CREATE TABLE "{table.name}" ({columns})')
        try:
            connection.execute(f"EXPLAIN {query.split(';')[0]}")
        except sqlite3.OperationalError as error:
            return str(error)
    return None


def test_sample_queries_with_names_exchanged(repository: Path, tmp_path: Path) -> None:
    """What SQLite resolves may be written to its end; what may be written, SQLite resolves."""
    folder = repository / "data" / "sample"
    ensure_sample_databases(output=tmp_path)
    rows = [row for name in ("train", "dev") for row in read_rows(folder / f"{name}.json")]
    chance = random.Random(11)
    scopes, refused, resolved = {}, 0, 0
    for row in rows[::EVERY]:
        path = tmp_path / row["db_id"] / f"{row['db_id']}.sqlite"
        if row["db_id"] not in scopes:
            schema = read_schema(path, db_id=row["db_id"])
            names = [column.name for table in schema.tables for column in table.columns]
            names += [table.name for table in schema.tables]
            scopes[row["db_id"]] = NameScope(schema), names
        scope, names = scopes[row["db_id"]]
        assert accepted(row["query"], scope) is None
        for _ in range(4):
            query = exchange(row["query"], names, chance)
            wrong = re.match("no such (column|table)", error_of(query, path) or "")
            if wrong:
                assert not scope.allows(query, True), query
                refused += 1
            elif error_of(query, path) is None:
                assert accepted(query, scope) is None, query
                resolved += 1
    assert refused > 50 < resolved


def exchange(query: str, names: list[str], chance: random.Random) -> str:
    """Put another name of the schema in the place of one."""
    places = [match for match in re.finditer(r"[^\W\d]\w*", query) if match.group() in names]
    place = chance.choice(places)
    return query[: place.start()] + chance.choice(names) + query[place.end() :]


def read_rows(path: Path) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = json.loads(path.read_text(encoding="utf-8"))
    return rows


def test_nothing_makes_it_fail() -> None:
    chance = random.Random(5)
    pieces = [*"(),.;'\"`[]*1é\n", "FROM", "WHERE", "T1", "shop", "name", "AS", "JOIN", "ON"]
    pieces += ["SELECT", "UNION", "WITH"]
    for _ in range(3000):
        text = "SELECT " + " ".join(chance.choices(pieces, k=chance.randrange(12)))
        SCOPE.allows(text)
        SCOPE.allows(text, True)


def test_the_best_token_that_may_follow_is_left() -> None:
    scores = np.arange(100, dtype=np.float32)
    tried = []
    leave_one(scores, lambda token: tried.append(token) or token == 97)  # type: ignore[func-returns-value]
    assert np.flatnonzero(np.isfinite(scores)).tolist() == [97]
    assert tried == [99, 98, 97]


@pytest.mark.parametrize("draw", [None, Draw(0.1, 0.5, np.random.default_rng(1))])
def test_more_tokens_are_tried_where_none_of_the_best_may_follow(draw: Draw | None) -> None:
    scores = np.arange(5 * FEW, dtype=np.float32)
    leave_one(scores, lambda token: token in (FEW, 2 * FEW), draw)
    assert np.flatnonzero(np.isfinite(scores)).tolist() == [2 * FEW]


def test_tokens_are_drawn_by_their_share_among_those_that_may_follow() -> None:
    chance = np.random.default_rng(3)
    shares = np.array([0.5, 0.25, 0.15, 0.1], dtype=np.float32)
    counts = np.zeros(4)
    for _ in range(4000):
        scores = np.log(shares) * 0.7
        leave_one(scores, lambda token: token != 0, Draw(0.7, 1.0, chance))
        counts[scores.argmax()] += 1
    assert np.allclose(counts / 4000, [0, 0.5, 0.3, 0.2], atol=0.03)


def test_a_nucleus_leaves_out_the_least_likely() -> None:
    draw = Draw(1.0, 0.7, np.random.default_rng(3))
    scores = np.log(np.array([0.5, 0.25, 0.15, 0.1]))
    drawn = [list(draw.order(scores)) for _ in range(50)]
    assert all(sorted(tokens) == [0, 1] for tokens in drawn)


@pytest.mark.parametrize("draw", [None, Draw(1.0, 1.0, np.random.default_rng(1))])
def test_where_nothing_fits_the_model_goes_its_own_way(draw: Draw | None) -> None:
    scores = np.arange(100, dtype=np.float32)
    leave_one(scores, lambda _: False, draw)
    assert scores.tolist() == list(range(100))
