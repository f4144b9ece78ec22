"""The grammar of a schema, read by llama.cpp itself: what may be written under it and what not."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from grammar_coverage import refused_after

from text2sql.data.sample import ensure_sample_databases
from text2sql.infer.llamacpp import open_llama
from text2sql.infer.sql_gbnf import schema_grammar
from text2sql.schema import Column, Schema, Table, read_schema

Refusal = Callable[[str, str], str | None]
EVERY = 6  # of the sample queries, to stay quick
BOOKS = Schema(
    "library",
    (
        Table("books", (Column("book_id", "INTEGER"), Column("Title", "TEXT"))),
        Table("order", (Column("unit price", "REAL"), Column("年份", "INTEGER"))),
    ),
    (),
)


@pytest.fixture(scope="module")
def refused(smollm2_gguf: Path) -> Refusal:
    """What of a query was accepted before the grammar refused a token; None where all was."""
    pytest.importorskip("llama_cpp", reason="llama.cpp is not set up (make setup-gguf)")
    return partial(refused_after, open_llama(smollm2_gguf, vocab_only=True))


@pytest.mark.parametrize(
    "query",
    [
        "SELECT title FROM books",
        "select TITLE ,  count(*) from books group by title order by Count(*) desc limit 3;",
        'SELECT T1.title FROM books AS T1 JOIN "order" AS T2 ON T1.book_id  =  T2."unit price"',
        "SELECT book_id - 1 FROM books WHERE book_id > -1 AND title LIKE '%it''s%'",
        'SELECT title FROM books WHERE book_id NOT IN (SELECT "unit price" FROM "order")',
        "SELECT a.title FROM books a, books b WHERE a.book_id IS NOT NULL",
        "SELECT count(*) FROM (SELECT title FROM books GROUP BY title HAVING count(*) > 2)",
        'SELECT "年份" FROM "order" UNION SELECT book_id FROM books',
    ],
)
def test_queries_over_the_schema_may_be_written(refused: Refusal, query: str) -> None:
    assert refused(schema_grammar(BOOKS), query) is None


@pytest.mark.parametrize(
    ("query", "accepted"),
    [
        ("SELECT title FROM readers", "SELECT title FROM"),
        ("SELECT price FROM books", "SELECT"),
        ("DELETE FROM books", ""),
        ("SELECT title --1 FROM books", "SELECT title"),  # would begin a comment
        ("SELECT title FROM books; DROP", "SELECT title FROM books;"),
        ("SELECT title", "SELECT title"),
        ('SELECT title FROM "order"', "SELECT title FROM"),  # a column of the other table
        ("SELECT T1.title FROM books WHERE T1.book_id = 1", "SELECT T1.title FROM books"),
    ],
)
def test_other_names_statements_and_comments_may_not(
    refused: Refusal, query: str, accepted: str
) -> None:
    found = refused(schema_grammar(BOOKS), query)
    assert found is not None and found.startswith(accepted)


def test_the_sample_queries_may_be_written_with_any_spacing(
    refused: Refusal, repository: Path, tmp_path: Path
) -> None:
    folder = repository / "data" / "sample"
    ensure_sample_databases(output=tmp_path)
    rows = [row for name in ("train", "dev") for row in read_rows(folder / f"{name}.json")]
    grammars = {
        db_id: schema_grammar(read_schema(tmp_path / db_id / f"{db_id}.sqlite", db_id=db_id))
        for db_id in {row["db_id"] for row in rows}
    }
    for row in rows[::EVERY]:
        spread = row["query"].replace(", ", " ,  ").replace(" = ", "  =  ")
        for query in (row["query"], spread):
            assert refused(grammars[row["db_id"]], query) is None, query


def read_rows(path: Path) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = json.loads(path.read_text(encoding="utf-8"))
    return rows


def test_a_grammar_llama_cpp_does_not_read_is_said(refused: Refusal) -> None:
    with pytest.raises(ValueError, match="does not read the grammar"):
        refused("root ::= nothing", "SELECT 1")
