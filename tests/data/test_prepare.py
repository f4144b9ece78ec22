"""The data stage from source files to LLaMA-Factory's."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from text2sql.data.config import DataConfig
from text2sql.data.prepare import SchemaTexts, prepare, training_messages
from text2sql.data.rows import Row
from text2sql.data.sample import ensure_sample_databases
from text2sql.errors import UserError
from text2sql.prompt import Message


@pytest.fixture
def sources(tmp_path: Path) -> dict[str, Any]:
    """Three databases; 30 training rows, one of them bad and one an evaluation question."""
    for name in ("owls", "boats", "lamps"):
        (tmp_path / "db" / name).mkdir(parents=True)
        connection = sqlite3.connect(tmp_path / "db" / name / f"{name}.sqlite")
        connection.execute(f"CREATE TABLE {name} (id INTEGER PRIMARY KEY, name TEXT)")
        connection.close()
    rows = [
        {"question": f"Question {n}?", "query": f"SELECT {n} FROM x", "db_id": name}
        for n in range(14)
        for name in ("boats", "lamps")
    ]
    rows += [{"question": "bad", "query": "", "db_id": "boats"}]
    rows += [{"question": "How many owls?", "query": "SELECT 1", "db_id": "boats"}]
    (tmp_path / "train.json").write_text(json.dumps(rows))
    gold = [{"question": "How many owls?", "query": "SELECT count(*)\nFROM owls", "db_id": "owls"}]
    (tmp_path / "dev.json").write_text(json.dumps(gold))
    return {
        "train": [str(tmp_path / "train.json")],
        "evaluation": str(tmp_path / "dev.json"),
        "database": str(tmp_path / "db"),
    }


def test_files_and_counts(sources: dict[str, Any], tmp_path: Path) -> None:
    out = tmp_path / "out"
    summary = prepare(DataConfig(**sources), out)
    assert (summary["train_rows"], summary["rejected"], summary["removed_as_leaks"]) == (28, 1, 1)
    assert summary["rows_read"] == 30
    info = json.loads((out / "dataset_info.json").read_text())
    for entry in info.values():
        assert len(json.loads((out / entry["file_name"]).read_text())) == 28
    rejects = [json.loads(line) for line in (out / "rejects.jsonl").read_text().splitlines()]
    assert [(r["line"], r["reason"]) for r in rejects] == [(29, "empty sql"), (30, "leak: exact")]
    assert [r["place"] for r in rejects] == ["train.json: row 29", "train.json: row 30"]
    question = json.loads((out / "questions.jsonl").read_text())
    assert "CREATE TABLE owls (id INTEGER PRIMARY KEY, name TEXT);" in str(question["messages"])
    assert (out / "gold.sql").read_text() == "SELECT count(*) FROM owls\towls\n"
    assert not list(out.glob("*.partial"))


def test_same_seed_same_bytes(sources: dict[str, Any], tmp_path: Path) -> None:
    config = DataConfig(**sources, max_train_rows=10)
    first = prepare(config, tmp_path / "a")["data_hash"]
    assert prepare(config, tmp_path / "b")["data_hash"] == first
    other = DataConfig(**sources, max_train_rows=10, seed=1)
    assert prepare(other, tmp_path / "c")["data_hash"] != first


def test_prompts_are_made_for_the_chosen_rows_alone(
    sources: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    def asked(row: Row, schemas: SchemaTexts, system: str) -> list[Message]:
        made.append(row.number)
        return training_messages(row, schemas, system)

    monkeypatch.setattr("text2sql.data.prepare.training_messages", asked)
    prepare(DataConfig(**sources, max_train_rows=10), tmp_path / "out")
    assert len(made) == 10 == len(set(made))


def test_max_rejects_stops(sources: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"train\.json: row 29: empty sql.*max_rejects is 0"):
        prepare(DataConfig(**sources, max_rejects=0), tmp_path / "out")


def test_missing_source_is_one_line(sources: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not found"):
        prepare(DataConfig(**sources | {"evaluation": "/no/such.json"}), tmp_path / "out")


def test_sample_databases_are_built_once_and_whole(tmp_path: Path) -> None:
    script = tmp_path / "sql" / "owls" / "owls.sql"
    script.parent.mkdir(parents=True)
    script.write_text("CREATE TABLE owl (id INT); INSERT INTO owl VALUES (1);")
    built = ensure_sample_databases(tmp_path / "sql", tmp_path / "out") / "owls" / "owls.sqlite"
    before = built.stat().st_mtime_ns
    ensure_sample_databases(tmp_path / "sql", tmp_path / "out")
    assert built.stat().st_mtime_ns == before
    script.write_text("CREATE TABLE owl (id INT); INSERT nonsense")
    with pytest.raises(UserError, match=r"owls\.sql"):
        ensure_sample_databases(tmp_path / "sql", tmp_path / "out")
    assert built.stat().st_mtime_ns == before


def test_bad_evaluation_question_is_named(sources: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "dev.jsonl"
    path.write_text('\n{"question": "q", "query": "", "db_id": "owls"}\n')
    with pytest.raises(UserError, match=r"dev\.jsonl:2: empty sql"):
        prepare(DataConfig(**sources | {"evaluation": str(path)}), tmp_path / "out")
