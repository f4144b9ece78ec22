"""Extraction of SQL from what models answer."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from text2sql.sql.extract import extract_sql

QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`|\$(\w*)\$.*?\$\1\$", re.DOTALL)
QUERY = "SELECT name FROM singer WHERE age > 20"


@pytest.mark.parametrize(
    "answer",
    [
        QUERY,
        f"{QUERY};",
        f"  {QUERY} ;  ",
        f"```sql\n{QUERY}\n```",
        f"```\n{QUERY};\n```",
        f"```SQL\n{QUERY}",
        f"Here is the query:\n\n```sql\n{QUERY};\n```\nIt lists the singers.",
        f"<think>\nSELECT nothing yet\n</think>\n\n{QUERY}",
        f"</think>\n{QUERY}",
        f"[ANSWER]\n{QUERY}",
        f"I would write SQL: {QUERY};\nThis selects the names.",
        f"{QUERY}\n\nThis query selects the names of all singers.",
        f"{QUERY}; DROP TABLE singer",
        f"{QUERY};\n{QUERY} AND 1;",
        "SELECT name\nFROM singer\nWHERE age > 20",
        "SELECT name -- the singer's name\nFROM singer /* all */ WHERE age > 20",
        "SELECT name\n\nFROM singer\n\nWHERE age > 20;",
        f"```python\nprint('hi')\n```\n```sql\n{QUERY}\n```",
        f"The query with the right columns is:\n{QUERY}",
    ],
)
def test_finds_the_query(answer: str) -> None:
    assert extract_sql(answer) == QUERY


@pytest.mark.parametrize(
    ("answer", "sql"),
    [
        ("", ""),
        ("We have 1000 singers.", ""),
        ("<think>SELECT 1 and I never came to an end", ""),
        ("SELECT ';' AS a; SELECT 2", "SELECT ';' AS a"),
        ("SELECT 'a  b',\n  \"c  d\"", "SELECT 'a  b', \"c  d\""),
        ("SELECT 'it''s; fine' ; x", "SELECT 'it''s; fine'"),
        ("SELECT '-- no comment'", "SELECT '-- no comment'"),
        ("with x as (select 1) select * from x;", "with x as (select 1) select * from x"),
        (
            "WITH RECURSIVE t(n) AS (SELECT 1 UNION SELECT n+1 FROM t) SELECT n FROM t",
            "WITH RECURSIVE t(n) AS (SELECT 1 UNION SELECT n+1 FROM t) SELECT n FROM t",
        ),
        ("Come with me as (a friend", "with me as (a friend"),
        ("SELECT a FROM b\n\nUNION\n\nSELECT c FROM d", "SELECT a FROM b UNION SELECT c FROM d"),
        ("SELECT 'unclosed", "SELECT 'unclosed"),
    ],
)
def test_particular_answers(answer: str, sql: str) -> None:
    assert extract_sql(answer) == sql


@given(st.text())
def test_never_fails_and_gives_one_line(answer: str) -> None:
    sql = extract_sql(answer)
    assert "\n" not in QUOTED.sub("", sql)
    assert sql == sql.strip()


@given(st.text(alphabet="selctwihaor ('\"`;\n-/*x", max_size=200))
def test_extracting_twice_changes_nothing(answer: str) -> None:
    once = extract_sql(answer)
    assert extract_sql(once) == once


def corpus() -> list[tuple[str, str, str]]:
    """Name, answer and SQL of each case in answers.txt."""
    text = Path(__file__).with_name("answers.txt").read_text(encoding="utf-8")
    cases = []
    for block in re.split(r"^=== ", text, flags=re.MULTILINE)[1:]:
        name, rest = block.split("\n", 1)
        answer, sql = rest.rsplit("\n---\n", 1)
        cases.append((name, answer, sql.strip()))
    return cases


def test_corpus_is_whole() -> None:
    assert len(corpus()) >= 100
    assert len({name for name, _, _ in corpus()}) == len(corpus())


@pytest.mark.parametrize(("name", "answer", "sql"), corpus(), ids=[case[0] for case in corpus()])
def test_corpus(name: str, answer: str, sql: str) -> None:
    assert extract_sql(answer) == sql
    assert extract_sql(answer.replace("\n", "\r\n")) == sql, f"{name} with Windows line ends"
