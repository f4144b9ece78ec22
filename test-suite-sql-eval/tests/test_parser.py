"""The official grammar: what it accepts, what it rejects, and the tree it gives."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_suite_sql_eval.em_ast import ColumnUnit, Comparison, OrderBy, SelectItem, ValueUnit
from test_suite_sql_eval.em_lexer import QuoteError, tokenize
from test_suite_sql_eval.parser import ParseError, parse
from test_suite_sql_eval.schema import EvalSchema, load_foreign_keys, load_schemas

MUSIC = EvalSchema(
    {
        "singer": ("id", "name", "country", "age"),
        "concert": ("id", "title", "year", "singer_id"),
    },
    {"singer.id": "singer.id", "concert.singer_id": "singer.id"},
)


def column(name: str, aggregate: str = "none", distinct: bool = False) -> ValueUnit:
    return ValueUnit("none", ColumnUnit(aggregate, name, distinct))


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT Name", ["select", "name"]),
        ("a = 'It is'", ["a", "=", '"It is"']),
        ("a=1", ["a=1"]),
        ("a >= 1 and b ! = 2", ["a", ">=", "1", "and", "b", "!=", "2"]),
        ("a >=1", ["a", ">", "=1"]),
        ("limit 1,2", ["limit", "1,2"]),
        ("a,b", ["a", ",", "b"]),
        ("a,,b", ["a", ",", ",b"]),
        ("from t.", ["from", "t", "."]),
        ("t1.a..b", ["t1.a", "..", "b"]),
        ("a---b", ["a", "--", "-b"]),
        ("cannot", ["can", "not"]),
        ("x'a'", ["x__val_1_3__"]),
    ],
)
def test_words_are_cut_where_upstream_cuts_them(sql: str, words: list[str]) -> None:
    assert tokenize(sql) == words


def test_odd_quotes_are_an_error() -> None:
    with pytest.raises(QuoteError):
        tokenize("select 'a")


def test_tree_of_a_full_query() -> None:
    sql = parse(
        "SELECT DISTINCT T1.name , count(*) FROM singer AS T1 JOIN concert AS T2 "
        "ON T1.id = T2.singer_id WHERE T1.age > 20 OR country NOT LIKE '%a' "
        "GROUP BY T1.name HAVING count(*) > 1 ORDER BY max(year) DESC LIMIT 3",
        MUSIC,
    )
    assert sql.select_distinct
    assert sql.select == [
        SelectItem("none", column("singer.name")),
        SelectItem("count", column("*")),
    ]
    assert sql.tables == ["singer", "concert"]
    join_key = ColumnUnit("none", "concert.singer_id", False)
    assert sql.on == [Comparison(False, "=", column("singer.id"), join_key)]
    assert sql.where == [
        Comparison(False, ">", column("singer.age"), 20.0),
        "or",
        Comparison(True, "like", column("singer.country"), '"%a"'),
    ]
    assert sql.group_by == [ColumnUnit("none", "singer.name", False)]
    assert sql.having == [Comparison(False, ">", column("*", "count"), 1.0)]
    assert sql.order_by == OrderBy("desc", (column("concert.year", "max"),))
    assert sql.limit


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT name FROM singer ; ; trailing words are ignored",
        "SELECT name age FROM singer",
        "SELECT name FROM singer WHERE age = 1 country = 'x'",
        "SELECT name FROM singer WHERE age = id + 1 or nothing at all",
        "SELECT name FROM (SELECT name FROM singer) JOIN singer",
        "(SELECT name FROM singer) UNION SELECT title FROM concert",
        "SELECT name FROM singer WHERE age BETWEEN 1 AND 2 AND id IN (SELECT id FROM concert)",
        "SELECT T1.name FROM singer WHERE age IN (SELECT T1.age FROM singer AS T1)",
        "SELECT name FROM singer ORDER BY",
        "SELECT * FROM",
    ],
)
def test_accepted(sql: str) -> None:
    parse(sql, MUSIC)


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("", "unexpected end"),
        ("SELECT 1", "no FROM"),
        ("UPDATE singer SET age = 1", "no FROM"),
        ("SELECT name FROM nobody", "no such table"),
        ("SELECT shoe FROM singer", "no such column"),
        ("SELECT T1.shoe FROM singer AS T1", "no such column"),
        ("SELECT T1.name FROM singer T1", "no such table"),
        ("SELECT name FROM singer LEFT JOIN concert", "no such table"),
        ("SELECT name FROM singer, concert", "no such table"),
        ("SELECT name FROM singer WHERE age IS NULL", "no such column"),
        ("SELECT name FROM singer WHERE (age = 1 OR id = 2)", 'expected "\\)"'),
        ("SELECT name FROM singer WHERE age=1", "no such column"),
        ("SELECT count(*) AS singer FROM singer", "name of a table"),
        ("SELECT name FROM singer WHERE name = 'O'Hara'", "odd"),
        ("SELECT name FROM singer LIMIT", "unexpected end"),
        ("SELECT name FROM singer AS", "nothing after AS"),
        ("SELECT CASE WHEN age > 1 THEN 2 END FROM singer", "no such column"),
    ],
)
def test_rejected_with_the_reason(sql: str, reason: str) -> None:
    with pytest.raises(ParseError, match=reason):
        parse(sql, MUSIC)


def test_deep_nesting_is_a_parse_error() -> None:
    with pytest.raises(ParseError, match="nested"):
        parse("SELECT * FROM (" * 5000 + "singer" + ")" * 5000, MUSIC)


def test_schema_from_sqlite_opens_read_only(music: Path) -> None:
    before = music.read_bytes()
    schema = EvalSchema.from_sqlite(music)
    assert schema.tables == MUSIC.tables
    assert music.read_bytes() == before


def test_schema_of_a_missing_file_creates_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"gone\.sqlite"):
        EvalSchema.from_sqlite(tmp_path / "gone.sqlite")
    assert list(tmp_path.iterdir()) == []


def test_tables_json(tmp_path: Path) -> None:
    path = tmp_path / "tables.json"
    path.write_text(
        '[{"db_id": "m", "table_names_original": ["Singer", "Concert"],'
        ' "column_names_original": [[-1, "*"], [0, "Id"], [1, "Singer_ID"], [1, "Boss"]],'
        ' "foreign_keys": [[2, 1], [3, 2]]}]'
    )
    schema = load_schemas(path)["m"]
    assert schema.tables == {"singer": ("id",), "concert": ("singer_id", "boss")}
    classes = dict.fromkeys(("singer.id", "concert.singer_id", "concert.boss"), "singer.id")
    assert schema.foreign_keys == load_foreign_keys(path)["m"] == classes


@pytest.mark.parametrize(("text", "message"), [("{}", "list"), ("[{}]", "entry 0"), ("[", "JSON")])
def test_wrong_tables_json_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "tables.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        load_schemas(path)
