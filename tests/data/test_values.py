"""Values that a question means, in the prompts of training and of evaluation."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from text2sql.data.config import DataConfig
from text2sql.data.prepare import SchemaTexts, prepare
from text2sql.data.rows import Row
from text2sql.data.sample import ensure_sample_databases
from text2sql.data.values import ValueTexts, index_path
from text2sql.files import read_json, read_jsonl, sha256_file, write_json

QUESTION = "How many shops are in the harbour district?"
GOLD = "SELECT count(*) FROM shops WHERE district = 'Harbour'"


@pytest.fixture
def config(tmp_path: Path, build_folder: Path) -> DataConfig:
    rows = [{"db_id": "bike_rental", "question": QUESTION, "query": GOLD}]
    more = [
        {"db_id": "bike_rental", "question": "How many?", "query": "SELECT count(*) FROM shops"}
    ]
    write_json(tmp_path / "dev.json", rows)
    write_json(tmp_path / "train.json", rows + more)
    return DataConfig.model_validate(
        {
            "train": [str(tmp_path / "train.json")],
            "evaluation": str(tmp_path / "dev.json"),
            "database": str(ensure_sample_databases()),
            "schema_style": "ddl-values",
            "decontamination": {"levels": []},
            "values": 4,
        }
    )


def last_district(config: DataConfig) -> str:
    """A value that stands in no prompt by itself."""
    path = config.databases() / "bike_rental" / "bike_rental.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        return str(connection.execute("SELECT max(district) FROM shops").fetchone()[0])


def test_training_and_evaluation_show_the_same_values(config: DataConfig, tmp_path: Path) -> None:
    value = last_district(config)
    asked = f"How many shops are in {value.lower()}?"
    row = {"db_id": "bike_rental", "question": asked, "query": "SELECT count(*) FROM shops"}
    write_json(tmp_path / "dev.json", [row])
    write_json(tmp_path / "train.json", [row])
    prepare(config, tmp_path / "with", schemas=ValueTexts(config))
    (question,) = read_jsonl(tmp_path / "with" / "questions.jsonl")
    (trained,) = read_json(tmp_path / "with" / "train.json")
    prompt = question["messages"][1]["content"]
    assert trained["conversations"][0]["value"] == prompt
    (line,) = [line for line in prompt.splitlines() if f"'{value}'" in line]
    assert line.strip().startswith("district ")
    prepare(config.model_copy(update={"values": 0}), tmp_path / "without")
    (question,) = read_jsonl(tmp_path / "without" / "questions.jsonl")
    assert f"'{value}'" not in question["messages"][1]["content"]


def test_a_question_that_means_no_value_has_the_prompt_it_had(config: DataConfig) -> None:
    plain = SchemaTexts(config).text("bike_rental", "How many?")
    assert ValueTexts(config).text("bike_rental", "How many?") == plain


def test_a_small_schema_keeps_the_column_of_the_value(config: DataConfig) -> None:
    value = last_district(config)
    small = config.model_copy(update={"schema_budget": 40})
    text = ValueTexts(small).text("bike_rental", f"Anything about {value}?")
    assert f"'{value}'" in text and "district" in text
    assert "district" not in SchemaTexts(small).text("bike_rental", f"Anything about {value}?")


def test_an_index_is_built_once_and_anew_where_it_is_damaged(config: DataConfig) -> None:
    database = config.databases() / "bike_rental" / "bike_rental.sqlite"
    path = index_path(database, config.personal_data)
    ValueTexts(config).text("bike_rental", QUESTION)
    first = sha256_file(path)
    changed = path.stat().st_mtime_ns
    ValueTexts(config).text("bike_rental", QUESTION)
    assert path.stat().st_mtime_ns == changed
    path.write_bytes(b"no index")
    ValueTexts(config).text("bike_rental", QUESTION)
    assert sha256_file(path) == first
    assert index_path(database, not config.personal_data) != path


def test_only_styles_that_show_values_take_them(config: DataConfig) -> None:
    with pytest.raises(ValueError, match="ddl-values or m-schema"):
        DataConfig.model_validate(config.model_dump() | {"schema_style": "ddl"})
    assert "values" in config.of_data()
    assert "values" not in config.model_copy(update={"values": 0}).of_data()


def test_evidence_of_birds_shape_leads_to_values_too(config: DataConfig) -> None:
    value = last_district(config)
    evidence = f"the last district refers to {value.upper()}"
    row = Row("dev.json", 0, "How many shops?", GOLD, "", "bike_rental", evidence, "simple")
    prompt = ValueTexts(config).messages(row)[1]["content"]
    schema, _, asked = prompt.partition("[QUESTION]")
    assert f"'{value}'" in schema
    assert asked.endswith(f"How many shops?\n[EVIDENCE]\n{evidence}\n")
