"""A wrong verdict names the database and the rows on which gold and prediction differ."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from test_suite_sql_eval.api import Settings, evaluate

from .conftest import SCHEMA, make_database


def judge(db_dir: Path, gold: str, pred: str, **settings: bool) -> dict[str, object]:
    gold_file, pred_file = db_dir.with_name("gold.sql"), db_dir.with_name("pred.sql")
    gold_file.write_text(f"{gold}\tmusic\n")
    pred_file.write_text(f"{pred}\n")
    report = evaluate(str(gold_file), str(pred_file), str(db_dir), settings=Settings(**settings))
    verdict: dict[str, object] = report.verdicts[0]
    json.dumps(verdict, allow_nan=False)
    return verdict


@pytest.mark.parametrize(
    ("gold", "pred", "gold_only", "pred_only"),
    [
        ("age > 31", "age > 45", [["Cy"]], []),
        ("age > 45", "age > 31", [], [["Cy"]]),
        ("age > 45", "1", [], [["Ana"], ["Bo"]]),
        ("age = 31", "age = 45", [["Ana"]], [["Cy"]]),
    ],
)
def test_rows_that_only_one_side_has(
    db_dir: Path, gold: str, pred: str, gold_only: list[object], pred_only: list[object]
) -> None:
    query = "SELECT name FROM singer WHERE "
    verdict = judge(db_dir, query + gold, query + pred)
    assert verdict["witness"] == {
        "database": "music.sqlite",
        "gold_only": gold_only,
        "pred_only": pred_only,
    }


def test_the_witness_is_the_variant_that_rejects(db_dir: Path) -> None:
    script = SCHEMA + "INSERT INTO singer VALUES (6,'Flo','Peru',46);"
    make_database(db_dir / "music" / "music_1.sqlite", script)
    verdict = judge(
        db_dir, "SELECT name FROM singer WHERE age > 45", "SELECT name FROM singer WHERE age > 46"
    )
    assert verdict["witness"] == {
        "database": "music_1.sqlite",
        "gold_only": [["Flo"]],
        "pred_only": [],
    }


def test_none_where_the_prediction_is_right_or_does_not_run(db_dir: Path) -> None:
    assert judge(db_dir, "SELECT 1", "SELECT 1")["witness"] is None
    verdict = judge(db_dir, "SELECT 1", "SELECT nme FROM singer")
    assert verdict["error"] == "no_such_column"
    assert verdict["witness"] is None


def test_plugged_values_leave_the_witness_of_the_prediction_as_written(db_dir: Path) -> None:
    verdict = judge(
        db_dir,
        "SELECT name FROM singer WHERE age = 31",
        "SELECT country FROM singer WHERE age = 45",
        plug_value=True,
    )
    assert verdict["witness"] == {
        "database": "music.sqlite",
        "gold_only": [["Ana"]],
        "pred_only": [["France"]],
    }


def test_what_json_cannot_hold_is_shown_as_text(db_dir: Path) -> None:
    verdict = judge(db_dir, "SELECT 1", "SELECT 9e999, x'00ff'")
    assert verdict["witness"] is not None
    verdict = judge(db_dir, "SELECT 1, 2", "SELECT 9e999, x'00ff'")
    assert verdict["witness"]["pred_only"] == [["inf", "<2 bytes>"]]  # type: ignore[index]
