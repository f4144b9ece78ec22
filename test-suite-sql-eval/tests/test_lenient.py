"""The lenient parser: what language models write, judged by the same exact match."""

from __future__ import annotations

import pytest
from test_suite_sql_eval.exact_match import exact_match
from test_suite_sql_eval.parser import ParseError, parse
from test_suite_sql_eval.schema import EvalSchema

pytest.importorskip("sqlglot", reason="the extra 'lenient' (sqlglot) is not installed")
from test_suite_sql_eval.lenient import parse_lenient

MUSIC = EvalSchema(
    {
        "singer": ("id", "name", "country", "age"),
        "concert": ("id", "title", "year", "singer_id"),
    },
    {"singer.id": "singer.id", "concert.singer_id": "singer.id"},
)
JOINED = "FROM singer AS T1 JOIN concert AS T2 ON T1.id = T2.singer_id"


def match(gold: str, pred: str) -> bool:
    return exact_match(parse_lenient(gold, MUSIC), parse_lenient(pred, MUSIC), MUSIC).exact


@pytest.mark.parametrize(
    "sql",
    [
        f"SELECT T1.name , count(*) {JOINED} GROUP BY T1.name ORDER BY count(*) DESC LIMIT 1",
        "SELECT name FROM singer WHERE age > 3 AND country NOT LIKE '%x' OR id BETWEEN 1 AND 2",
        "SELECT max(age - id) FROM singer",
        'SELECT count(DISTINCT name) FROM singer WHERE country = "France"',
        "SELECT name FROM singer WHERE id NOT IN (SELECT singer_id FROM concert WHERE year > 1)",
        "SELECT id FROM singer INTERSECT SELECT id FROM concert UNION SELECT age FROM singer",
        "SELECT count(*) FROM (SELECT name FROM singer GROUP BY name HAVING count(*) > 1)",
    ],
)
def test_gives_the_official_tree(sql: str) -> None:
    assert parse_lenient(sql, MUSIC) == parse(sql, MUSIC)


@pytest.mark.parametrize(
    ("gold", "pred"),
    [
        (f"SELECT T1.name {JOINED}", "SELECT s.name FROM singer s JOIN concert c ON c.id=s.id"),
        ("SELECT name FROM singer WHERE age = 1", 'SELECT "name" FROM `singer` WHERE [age]=2'),
        ("SELECT name FROM singer WHERE age = 1", "SELECT name FROM singer WHERE (1 = age)"),
        (
            "SELECT country , count(*) FROM singer GROUP BY country ORDER BY count(*)",
            "SELECT country, COUNT(*) AS n FROM singer GROUP BY 1 ORDER BY n",
        ),
        (
            "SELECT count(*) FROM (SELECT name FROM singer)",
            "WITH c AS (SELECT name FROM singer) SELECT count(*) FROM c",
        ),
        ("SELECT name FROM singer WHERE age IS NULL", "select name from singer where age is null"),
        (
            "SELECT CASE WHEN age > 1 THEN 'a' END FROM singer",
            "SELECT CASE WHEN singer.age > 7 THEN 'b' END FROM singer",
        ),
        (
            "SELECT rank() OVER (PARTITION BY country ORDER BY age) FROM singer",
            "SELECT rank() OVER (PARTITION BY s.country ORDER BY s.age) AS r FROM singer s",
        ),
    ],
)
def test_matches(gold: str, pred: str) -> None:
    assert match(gold, pred)


@pytest.mark.parametrize(
    ("gold", "pred"),
    [
        (f"SELECT name {JOINED}", f"SELECT name {JOINED}".replace("JOIN", "LEFT JOIN")),
        ("SELECT name FROM singer WHERE age IS NULL", "SELECT name FROM singer WHERE age NOT NULL"),
        ("SELECT upper(name) FROM singer", "SELECT lower(name) FROM singer"),
        ("SELECT name FROM singer WHERE name LIKE 'a'", "SELECT name FROM singer WHERE name NOT "
         "LIKE 'a'"),
        ("SELECT CASE WHEN age > 1 THEN 1 END FROM singer",
         "SELECT CASE WHEN id > 1 THEN 1 END FROM singer"),
    ],
)  # fmt: skip
def test_does_not_match(gold: str, pred: str) -> None:
    assert not match(gold, pred)


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT shoe FROM singer", "no such column"),
        ("SELECT name FROM nobody", "no such table"),
        ("DROP TABLE singer", "not a SELECT"),
        ("SELECT name FROM singer; SELECT 1", "one statement"),
        ("SELECT FROM WHERE", "Expected|Invalid"),
        ("", "one statement"),
        ("SELECT " + "(" * 20000 + "1", "nested|Expected"),
    ],
)
def test_rejected_with_the_reason(sql: str, reason: str) -> None:
    with pytest.raises(ParseError, match=reason):
        parse_lenient(sql, MUSIC)
