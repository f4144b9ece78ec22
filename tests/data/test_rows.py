"""Readers: every source shape, and every kind of bad row found without stopping."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from text2sql.data.rows import Reject, Row, read_rows
from text2sql.errors import UserError

DDL = "CREATE TABLE owl (id INT)"


@pytest.mark.parametrize(
    ("names", "schema"),
    [
        (("question", "query", "db_id"), False),
        (("sql_prompt", "sql", "sql_context"), True),
        (("prompt", "answer", "context"), True),
        (("question", "answer", "context"), True),
        (("input", "output", "instruction"), True),
    ],
)
@pytest.mark.parametrize("kind", ["json", "jsonl", "csv", "parquet"])
def test_shapes(tmp_path: Path, kind: str, names: tuple[str, str, str], schema: bool) -> None:
    row = dict(zip(names, ("How many owls?", "SELECT count(*) FROM owl", DDL), strict=True))
    path = tmp_path / f"rows.{kind}"
    if kind == "json":
        path.write_text(json.dumps([row, row]))
    elif kind == "jsonl":
        path.write_text(f"{json.dumps(row)}\n{json.dumps(row)}\n")
    elif kind == "csv":
        line = ",".join(f'"{v}"' for v in row.values())
        path.write_text(f"{','.join(row)}\n{line}\n{line}\n")
    else:
        pq.write_table(pa.Table.from_pylist([row, row]), path)
    rows = list(read_rows(path))
    assert len(rows) == 2
    assert all(isinstance(r, Row) for r in rows)
    first = rows[0]
    assert isinstance(first, Row)
    assert (first.question, first.sql) == ("How many owls?", "SELECT count(*) FROM owl")
    assert (first.schema if schema else first.db_id) == DDL


GOOD = {"question": "q", "query": "SELECT 1", "db_id": "d"}
BAD_LINES = [
    (b'{"question": "q", "db_id": "d"}', "missing field"),
    (b'{"question": "\xff", "query": "SELECT 1", "db_id": "d"}', "not UTF-8"),
    (b'{"question": "q", "query": "  ", "db_id": "d"}', "empty sql"),
    (b'{"question": "q", "query": "SELECT FROM WHERE (", "db_id": "d"}', "does not parse"),
    (b'{"question": "' + b"x" * 200 + b'", "query": "SELECT 1", "db_id": "d"}', "characters"),
    (b'{"question": 5, "query": "SELECT 1", "db_id": "d"}', "not a text"),
    (b'{"question": "q"', "not valid JSON"),
    (b"[1]", "not an object"),
]


@pytest.mark.parametrize(("line", "reason"), BAD_LINES)
def test_bad_row_is_told_and_skipped(tmp_path: Path, line: bytes, reason: str) -> None:
    path = tmp_path / "rows.jsonl"
    good = json.dumps(GOOD).encode()
    path.write_bytes(b"\n".join([good, line, good]))
    rows = list(read_rows(path, max_characters=100))
    assert [type(r) for r in rows] == [Row, Reject, Row]
    reject = rows[1]
    assert isinstance(reject, Reject)
    assert reason in reject.reason
    assert (reject.source, reject.line) == ("rows.jsonl", 2)


def test_bad_bytes_in_a_json_array(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    good = json.dumps(GOOD).encode()
    path.write_bytes(b"[" + good + b"," + good.replace(b'"q"', b'"\xff"') + b"," + good + b"]")
    assert [type(r) for r in read_rows(path)] == [Row, Reject, Row]


def test_broken_off_json_names_the_row(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_text("[" + json.dumps(GOOD) + ', {"question": ')
    with pytest.raises(UserError, match="after row 1"):
        list(read_rows(path))


def test_processes_give_the_same_rows_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "rows.json"
    bad = {"question": "q", "query": "SELECT FROM (", "db_id": "d"}
    rows = [bad if n % 100 == 7 else GOOD | {"query": f"SELECT {n}"} for n in range(1500)]
    path.write_text(json.dumps(rows))
    alone = list(read_rows(path))
    monkeypatch.setattr("text2sql.data.rows.LARGE_FILE", 0)
    assert list(read_rows(path, workers=2)) == alone
    assert [type(row) for row in alone].count(Reject) == 15


def test_processes_pass_on_a_broken_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rows.json"
    path.write_text("[" + json.dumps(GOOD) + ', {"question": ')
    monkeypatch.setattr("text2sql.data.rows.LARGE_FILE", 0)
    with pytest.raises(UserError, match="after row 1"):
        list(read_rows(path, workers=2))
