"""Exact match, partial scores and hardness on a schema of our own."""

from __future__ import annotations

import pytest
from test_suite_sql_eval.em_ast import ParsedSql
from test_suite_sql_eval.exact_match import ExactResult, exact_match
from test_suite_sql_eval.hardness import hardness
from test_suite_sql_eval.parser import ParseError, parse
from test_suite_sql_eval.report import PARTIAL_TYPES
from test_suite_sql_eval.schema import EvalSchema

MUSIC = EvalSchema(
    {
        "singer": ("id", "name", "country", "age"),
        "concert": ("id", "title", "year", "singer_id"),
    },
    {"singer.id": "singer.id", "concert.singer_id": "singer.id"},
)
JOINED = "FROM singer AS T1 JOIN concert AS T2 ON T1.id = T2.singer_id"


def judge(gold: str, pred: str) -> ExactResult:
    return exact_match(parse(gold, MUSIC), parse(pred, MUSIC), MUSIC)


@pytest.mark.parametrize(
    ("gold", "pred"),
    [
        ("SELECT name , age FROM singer", "SELECT age , name FROM singer"),
        ("SELECT name FROM singer WHERE age > 3", "SELECT name FROM singer WHERE age > 99"),
        ("SELECT DISTINCT name FROM singer", "SELECT name FROM singer"),
        ("SELECT count(DISTINCT name) FROM singer", "SELECT count(name) FROM singer"),
        (f"SELECT T1.id {JOINED}", f"SELECT T2.singer_id {JOINED}"),
        (f"SELECT name {JOINED}", "SELECT name FROM concert JOIN singer"),
        ("SELECT name FROM singer LIMIT 1", "SELECT name FROM singer LIMIT 7"),
    ],
)
def test_matches(gold: str, pred: str) -> None:
    assert judge(gold, pred).exact


@pytest.mark.parametrize(
    ("gold", "pred", "wrong"),
    [
        ("SELECT name FROM singer", "SELECT age FROM singer", {"select", "select(no AGG)"}),
        ("SELECT max(age) FROM singer", "SELECT min(age) FROM singer", {"select"}),
        (
            "SELECT name FROM singer WHERE age > 1",
            "SELECT name FROM singer WHERE age < 1",
            {"where"},
        ),
        (
            "SELECT name FROM singer WHERE age = 1 OR id = 1",
            "SELECT name FROM singer WHERE age = 1 AND id = 1",
            {"and/or", "keywords"},
        ),
        (
            "SELECT name FROM singer GROUP BY name HAVING count(*) > 1",
            "SELECT name FROM singer GROUP BY name",
            {"group", "keywords"},
        ),
        (
            "SELECT name FROM singer ORDER BY age DESC",
            "SELECT name FROM singer ORDER BY age",
            {"order", "keywords"},
        ),
        (
            "SELECT id FROM singer EXCEPT SELECT singer_id FROM concert",
            "SELECT id FROM singer EXCEPT SELECT id FROM concert",
            {"IUEN"},
        ),
        # Foreign keys of tables that the query does not read do not count.
        ("SELECT id FROM singer", "SELECT name FROM singer", {"select", "select(no AGG)"}),
    ],
)
def test_only_the_wrong_parts_fail(gold: str, pred: str, wrong: set[str]) -> None:
    result = judge(gold, pred)
    assert not result.exact
    assert {name for name, score in result.partial.items() if score.f1 == 0} == wrong
    assert tuple(result.partial) == PARTIAL_TYPES


def test_other_tables_do_not_match_though_every_part_does() -> None:
    result = judge("SELECT count(*) FROM singer", "SELECT count(*) FROM concert")
    assert not result.exact
    assert all(score.f1 == 1 for score in result.partial.values())


def test_a_prediction_that_does_not_parse_is_an_empty_query() -> None:
    gold = parse("SELECT name FROM singer WHERE age = 1", MUSIC)
    result = exact_match(gold, ParsedSql(), MUSIC)
    assert not result.exact
    assert result.partial["select"].pred_total == 0
    assert result.partial["order"].f1 == 1  # neither has the part


def test_sub_queries_in_from_count_with_values() -> None:
    gold = "SELECT count(*) FROM (SELECT name FROM singer WHERE age > 1)"
    assert judge(gold, gold).exact
    assert not judge(gold, gold.replace("1", "2")).exact


def test_arguments_are_not_changed() -> None:
    text = "SELECT DISTINCT id FROM singer WHERE age = 1"
    gold, pred = parse(text, MUSIC), parse(text, MUSIC)
    exact_match(gold, pred, MUSIC)
    assert gold == pred == parse(text, MUSIC)


# The cases of docs/exact_match.md in which the official program stops with an error.


@pytest.mark.parametrize(
    "pred",
    [
        "SELECT name FROM singer WHERE age = 1 id = 2 AND name = 'a'",
        "SELECT name FROM singer WHERE age = 1 id = (SELECT max(id) FROM singer)",
        "SELECT age FROM singer WHERE id IN (SELECT id FROM singer WHERE age = 1 id = 2 OR id = 3)",
    ],
)
def test_missing_connectors_count_as_not_parsed(pred: str) -> None:
    gold = parse("SELECT name FROM singer WHERE age = 1 AND id = 2 AND name = 'a'", MUSIC)
    assert exact_match(gold, parse(pred, MUSIC), MUSIC) == exact_match(gold, ParsedSql(), MUSIC)


@pytest.mark.parametrize("depth", [100, 200, 300, 400, 490])
@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("SELECT id FROM singer UNION ", ""),
        ("SELECT id FROM singer WHERE id IN ( ", " )"),
        ("SELECT id FROM ( ", " )"),
    ],
)
def test_deep_nesting_stops_nothing(start: str, end: str, depth: int) -> None:
    gold = parse("SELECT id FROM singer", MUSIC)
    try:
        pred = parse(start * depth + "SELECT id FROM singer" + end * depth, MUSIC)
    except ParseError:
        pred = ParsedSql()
    assert not exact_match(gold, pred, MUSIC).exact


def test_two_sub_queries_in_from_are_compared_as_a_set() -> None:
    one, other = "(SELECT id FROM singer)", "(SELECT id FROM concert)"
    gold = f"SELECT count(*) FROM {one} {other}"
    assert judge(gold, f"SELECT count(*) FROM {other} {one}").exact
    assert not judge(gold, f"SELECT count(*) FROM {one} {one}").exact


@pytest.mark.parametrize(
    ("sql", "level"),
    [
        ("SELECT name FROM singer", "easy"),
        ("SELECT name FROM singer WHERE age = 1", "easy"),
        ("SELECT name , age FROM singer WHERE age = 1", "medium"),
        (f"SELECT name {JOINED} WHERE year = 1", "medium"),
        (f"SELECT name {JOINED} WHERE year = 1 GROUP BY name", "hard"),
        ("SELECT name FROM singer WHERE id IN (SELECT singer_id FROM concert)", "hard"),
        ("SELECT name , age FROM singer WHERE id IN (SELECT singer_id FROM concert)", "extra"),
        (f"SELECT name {JOINED} WHERE year = 1 GROUP BY name ORDER BY name LIMIT 1", "extra"),
    ],
)
def test_hardness(sql: str, level: str) -> None:
    assert hardness(parse(sql, MUSIC)) == level
