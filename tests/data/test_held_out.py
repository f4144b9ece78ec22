"""Databases held out of training, so that a recipe is chosen without a look at the evaluation."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from text2sql.data.config import DataConfig
from text2sql.data.held_out import held_out_databases
from text2sql.data.prepare import evaluation_rows, prepare, training_rows
from text2sql.data.rows import Row
from text2sql.errors import UserError
from text2sql.files import read_json
from text2sql.question import read_questions

ROOT = Path(__file__).resolve().parents[2]


def config(**keys: Any) -> DataConfig:
    values = yaml.safe_load((ROOT / "configs" / "data" / "sample.yaml").read_text())
    return DataConfig.model_validate(values | {"evaluation": values["train"][0]} | keys)


def test_questions_are_of_databases_that_are_not_trained_on(tmp_path: Path) -> None:
    chosen = config(held_out={"databases": 3, "questions": 5})
    prepare(chosen, tmp_path / "out")
    asked = Counter(each.db_id for each in read_questions(tmp_path / "out" / "questions.jsonl"))
    assert asked == dict.fromkeys(held_out_databases(chosen), 5)
    trained = {row.db_id for row in training_rows(chosen) if isinstance(row, Row)}
    everything = {row.db_id for row in training_rows(config()) if isinstance(row, Row)}
    assert trained == everything - asked.keys()
    rows = read_json(tmp_path / "out" / "train.json")
    assert 0 < len(rows) == read_json(tmp_path / "out" / "summary.json")["train_rows"]


def test_the_same_seed_draws_the_same_in_the_order_of_the_file() -> None:
    chosen = config(held_out={"databases": 3, "questions": 5})
    first, again = evaluation_rows(chosen), evaluation_rows(chosen)
    assert first == again
    assert [row.number for row in first] == sorted(row.number for row in first)
    other = config(held_out={"databases": 3, "questions": 5}, seed=7)
    assert held_out_databases(other) != held_out_databases(chosen)
    all_of_them = evaluation_rows(config(held_out={"databases": 3}))
    assert len(all_of_them) > len(first)
    assert {row.db_id for row in all_of_them} == held_out_databases(chosen)


def test_nothing_left_to_train_on_is_one_line() -> None:
    with pytest.raises(UserError, match=r"held_out.databases is 1000, and .*: nothing would"):
        evaluation_rows(config(held_out={"databases": 1000}))


def test_data_sets_without_it_keep_their_key() -> None:
    assert "held_out" not in config().of_data()
    kept = config(held_out={"databases": 2}).of_data()["held_out"]
    assert kept == {"databases": 2, "questions": None}
