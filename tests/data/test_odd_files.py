"""Source files laid out in other ways: read, or refused by name; never nothing, silently."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from text2sql.cli import cli
from text2sql.data.config import DataConfig
from text2sql.data.prepare import prepare
from text2sql.data.rows import Reject, Row, read_rows
from text2sql.errors import UserError
from text2sql.files import read_json, read_jsonl, sha256_text, write_jsonl

ROWS = [
    {"question": f"Which ferries carry {n} cars?",
     "query": f"SELECT name FROM ferry WHERE cars = {n}", "db_id": "port"}
    for n in (10, 20, 30)
]  # fmt: skip
BOM = b"\xef\xbb\xbf"
dumps = json.dumps


def lines(rows: list[dict[str, str]] = ROWS, **more: Any) -> bytes:
    return b"".join(dumps(row | more).encode() + b"\n" for row in rows)


def csv(sign: str = ",") -> bytes:
    head = sign.join(ROWS[0]).encode() + b"\r\n"
    return head + b"".join(sign.join(row.values()).encode() + b"\r\n" for row in ROWS)


READ: dict[str, tuple[str, bytes]] = {
    "array with a mark": ("r.json", BOM + dumps(ROWS).encode()),
    "lines with a mark": ("r.jsonl", BOM + lines()),
    "CSV with a mark": ("r.csv", BOM + csv()),
    "CSV with semicolons": ("r.csv", csv(";")),
    "CSV with tabs": ("r.csv", csv("\t")),
    "lines in .json": ("r.json", lines()),
    "array in .jsonl": ("r.jsonl", dumps(ROWS).encode()),
    "array over lines in .jsonl": ("r.jsonl", b"\n\n" + dumps(ROWS, indent=1).encode()),
    "two arrays": ("r.json", dumps(ROWS[:1]).encode() + b"\n" + dumps(ROWS[1:]).encode()),
    "objects over lines": ("r.json", b"\n".join(dumps(r, indent=2).encode() for r in ROWS)),
    "objects over lines in .jsonl": (
        "r.jsonl", b"".join(dumps(r, indent=1).encode() for r in ROWS)),
    "wrapped": ("r.json", dumps({"version": "2", "data": ROWS}).encode()),
    "wrapped over lines": ("r.json", BOM + dumps({"items": ROWS, "count": 3}, indent=2).encode()),
    "columns": ("r.json", dumps({k: [r[k] for r in ROWS] for k in ROWS[0]}).encode()),
    "wrapped columns": (
        "r.json", dumps({"d": {k: [r[k] for r in ROWS] for k in ROWS[0]}}).encode()),
    "pandas' columns": (
        "r.json",
        dumps({k: {str(i): r[k] for i, r in enumerate(ROWS)} for k in ROWS[0]}).encode(),
    ),
    "pandas' index": ("r.json", dumps({str(i): r for i, r in enumerate(ROWS)}).encode()),
    "pandas' split": (
        "r.json",
        dumps({"columns": list(ROWS[0]), "data": [list(r.values()) for r in ROWS]}).encode(),
    ),
    "rows of a viewer": (
        "r.json", dumps({"rows": [{"row_idx": 1, "row": r} for r in ROWS]}).encode()),
    "NaN in an array": ("r.json", dumps([r | {"score": float("nan")} for r in ROWS]).encode()),
    "NaN in lines": ("r.jsonl", lines(score=float("inf"))),
    "old Mac's and Windows' line ends": ("r.jsonl", lines().replace(b"\n", b"\r\n")),
}  # fmt: skip
REFUSED: dict[str, tuple[str, bytes, str]] = {
    "nothing": ("r.jsonl", b"", "holds no rows"),
    "blanks": ("r.json", b" \n\n", "holds no rows"),
    "empty array": ("r.json", b"[]", "holds no rows"),
    "empty array in .jsonl": ("r.jsonl", b"[]", "holds no rows"),
    "empty list": ("r.json", b'{"data": []}', "holds no rows"),
    "only a heading": ("r.csv", b"question,query,db_id\r\n", "holds no rows"),
    "UTF-16": ("r.json", dumps(ROWS).encode("utf-16"), "UTF-16; convert it: iconv"),
    "UTF-16 CSV": ("r.csv", csv().decode().encode("utf-16"), "UTF-16"),
    "GBK": ("r.jsonl", '{"question": "轮渡"}'.encode("gbk"), "r.jsonl:1: not UTF-8"),
    "comma at the end": ("r.json", dumps(ROWS)[:-1].encode() + b",]", "after row 3: a comma"),
    "broken off": ("r.json", dumps(ROWS)[:-1].encode(), "after row 3: the array does not end"),
    "no JSON": ("r.json", b"question: none", "not valid JSON: begins with"),
    "several lists": (
        "r.json", dumps({"a": ROWS, "b": ROWS}).encode(), "several lists of rows (a, b)"),
    "no rows in it": ("r.json", b'{"name": "set", "size": {"a": 1}}', "r.json"),
    "conversations": (
        "r.json",
        dumps([{"conversations": [{"from": "human", "value": "q"}]}]).encode(),
        "conversations: holds 1 turns; one question and its answer are read",
    ),
    "Alpaca without input": (
        "r.json",
        dumps([{"instruction": "t (a)\nHow many?", "input": "", "output": "SELECT 1"}]).encode(),
        "none of its 1 rows can be used; r.json: row 1: empty question: input holds nothing",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", READ)
def test_read(tmp_path: Path, kind: str) -> None:
    name, data = READ[kind]
    (tmp_path / name).write_bytes(data)
    rows = list(read_rows(tmp_path / name))
    assert [row.question for row in rows if isinstance(row, Row)] == [r["question"] for r in ROWS]


@pytest.mark.parametrize("kind", REFUSED)
def test_refused_by_name(tmp_path: Path, kind: str) -> None:
    name, data, message = REFUSED[kind]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError) as caught:
        list(read_rows(tmp_path / name))
    assert str(tmp_path / name) in str(caught.value)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_bad_first_line_costs_itself(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_bytes(b'{"question": \n' + lines())
    kinds = [type(row) for row in read_rows(tmp_path / "r.jsonl")]
    assert kinds == [Reject, Row, Row, Row]


@pytest.mark.parametrize("size", [1, 7, 64])
def test_arrays_are_read_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr("text2sql.data.json_rows.READ_SIZE", size)
    (tmp_path / "r.json").write_bytes(dumps(ROWS * 20, indent=1).encode())
    assert len(list(read_rows(tmp_path / "r.json"))) == 60


@pytest.fixture
def config(tmp_path: Path) -> Callable[..., DataConfig]:
    folder = tmp_path / "db" / "port"
    folder.mkdir(parents=True)
    connection = sqlite3.connect(folder / "port.sqlite")
    connection.execute("CREATE TABLE ferry (name TEXT, cars INTEGER)")
    connection.close()
    (tmp_path / "train.jsonl").write_bytes(lines())
    (tmp_path / "dev.json").write_text(
        dumps([{"question": "How many?", "query": "SELECT count(*) FROM ferry", "db_id": "port"}])
    )

    def make(**values: Any) -> DataConfig:
        default = {"train": [f"{tmp_path}/train.jsonl"], "evaluation": f"{tmp_path}/dev.json"}
        return DataConfig(database=f"{tmp_path}/db", **(default | values))

    return make


@pytest.mark.parametrize("which", ["train", "evaluation"])
@pytest.mark.parametrize("data", [b"", b"[]", b'{"a": 1}', b'{"question": []}'])
def test_a_source_without_a_good_row_is_an_error(
    tmp_path: Path, config: Callable[..., DataConfig], which: str, data: bytes
) -> None:
    path = tmp_path / "odd.json"
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"odd\.json"):
        prepare(config(**{which: [str(path)] if which == "train" else str(path)}), tmp_path / "out")


def test_rows_of_databases_that_are_not_there_are_none(
    tmp_path: Path, config: Callable[..., DataConfig]
) -> None:
    (tmp_path / "train.jsonl").write_bytes(lines(db_id="elsewhere"))
    with pytest.raises(UserError, match="no training row is left: 3 rejected"):
        prepare(config(), tmp_path / "out")


HALF = b'{"question": "List \\ud83d ferries", "query": "SELECT name FROM ferry", "db_id": "port"}\n'


@pytest.mark.parametrize("name", ["train.jsonl", "train.json"])
def test_half_a_character_costs_its_row(
    tmp_path: Path, config: Callable[..., DataConfig], name: str
) -> None:
    (tmp_path / name).write_bytes(lines() + HALF)
    summary = prepare(config(train=[f"{tmp_path}/{name}"]), tmp_path / "out")
    assert (summary["train_rows"], summary["rejected"]) == (3, 1)
    (reject,) = read_jsonl(tmp_path / "out" / "rejects.jsonl")
    assert "half a character" in reject["reason"]
    assert "List \ufffd ferries" in str(reject["row"])


def test_half_a_character_stops_no_writer(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "a.jsonl", [{"raw": "cut \ud83d"}])
    assert next(iter(read_jsonl(tmp_path / "a.jsonl"))) == {"raw": "cut \ufffd"}
    (tmp_path / "b.json").write_bytes(BOM + b'{"a\\udc00": ["\\ud83d", "\\ud83d\\ude00"]}')
    assert read_json(tmp_path / "b.json") == {"a\ufffd": ["\ufffd", "\U0001f600"]}
    assert sha256_text("\ud83d") == sha256_text("\ufffd")


def test_lines_in_another_encoding_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "ddl.jsonl"
    path.write_bytes(b'{"instruction": "a", "table_creating": "b"}\n{"instruction": "\xe9"}\n')
    with pytest.raises(UserError, match=r"ddl\.jsonl:2: not UTF-8 at byte 17"):
        list(read_jsonl(path))
    result = CliRunner().invoke(cli, ["dataset", "check-ddl", str(path)])
    assert isinstance(result.exception, UserError | SystemExit)


def test_decontaminate_takes_half_characters(
    tmp_path: Path, config: Callable[..., DataConfig], build_folder: Path
) -> None:
    settings = config().model_dump(mode="json", exclude_unset=True)
    (tmp_path / "data.yaml").write_text(dumps(settings))
    (tmp_path / "rows.jsonl").write_bytes(lines() + HALF)
    arguments = [
        "dataset",
        "decontaminate",
        str(tmp_path / "data.yaml"),
        str(tmp_path / "rows.jsonl"),
    ]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0, result.output
    assert "1 bad rows left out" in result.output


def test_gold_travels_in_a_form_that_changes_no_query(
    tmp_path: Path, config: Callable[..., DataConfig]
) -> None:
    queries = [
        "SELECT name -- what it's called\nFROM ferry\nWHERE cars > 1 /* some */",
        "SELECT name FROM ferry WHERE name = 'A  1'",
        "SELECT name\tFROM ferry WHERE name = 'A\tB'",
        "SELECT name FROM ferry WHERE name = 'two\nlines';",
    ]
    rows = [{"question": f"q{n}", "query": q, "db_id": "port"} for n, q in enumerate(queries)]
    (tmp_path / "dev.json").write_text(dumps(rows))
    prepare(config(), tmp_path / "out")
    assert [row["query"] for row in read_jsonl(tmp_path / "out" / "gold.jsonl")] == [
        "SELECT name FROM ferry WHERE cars > 1",
        "SELECT name FROM ferry WHERE name = 'A  1'",
        "SELECT name FROM ferry WHERE name = 'A\tB'",
        "SELECT name FROM ferry WHERE name = 'two\nlines';",
    ]
    # The official form cannot hold two of them, and is not written with others in their place.
    assert not (tmp_path / "out" / "gold.sql").exists()
    (tmp_path / "dev.json").write_text(dumps(rows[:2]))
    prepare(config(), tmp_path / "out")
    assert (tmp_path / "out" / "gold.sql").read_text().splitlines()[1].endswith("'A  1'\tport")
