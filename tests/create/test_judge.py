"""Judging predictions on a live database."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from text2sql.cli import cli
from text2sql.create.eval_private import judge_files
from text2sql.errors import UserError
from text2sql.files import read_json, read_jsonl, write_json

GOLD = [
    "SELECT name FROM customer WHERE city = 'Oslo'",
    "SELECT count(*) FROM orders",
    "SELECT name FROM customer ORDER BY id",
    "SELECT sum(amount) FROM orders",
    "SELECT title FROM product WHERE price > 10",
    "SELECT city, count(*) FROM customer GROUP BY city",
]
PREDICTIONS = [
    "SELECT c.name FROM customer AS c WHERE c.city = 'Oslo'",  # right, other words
    "SELECT  COUNT(*)  FROM orders;",  # right but for layout
    "SELECT name FROM customer ORDER BY id DESC",  # wrong order
    "DELETE FROM orders",  # never sent
    "SELECT nosuch FROM product",  # fails
    "SELECT count(*), city FROM customer GROUP BY city",  # right, columns swapped
]


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    gold, predictions = tmp_path / "gold.sql", tmp_path / "predict.txt"
    gold.write_text("".join(f"{sql}\tshop\n" for sql in GOLD))
    predictions.write_text("".join(f"{sql}\n" for sql in PREDICTIONS))
    return gold, predictions


@pytest.mark.parametrize(
    "shop_url",
    [
        "sqlite",
        "duckdb",
        *(pytest.param(each, marks=[pytest.mark.services]) for each in ("postgres", "mysql")),
    ],
    indirect=True,
)
def test_verdicts(shop_url: str, files: tuple[Path, Path], tmp_path: Path) -> None:
    scores = judge_files(shop_url, *files, tmp_path / "out")
    verdicts = list(read_jsonl(tmp_path / "out" / "verdicts.jsonl"))
    assert [v["result_match"] for v in verdicts] == [1, 1, 0, 0, 0, 1]
    assert [v["execution_success"] for v in verdicts] == [1, 1, 1, 0, 0, 1]
    assert [v["normalized_exact_match"] for v in verdicts] == [0, 1, 0, 0, 0, 0]
    assert verdicts[1]["token_f1"] == 1
    assert "DELETE" in verdicts[3]["error"]
    assert scores["scores"]["all"]["result_match"] == 0.5
    assert scores["gold_errors"] == 0
    assert read_json(tmp_path / "out" / "scores.json") == scores


@pytest.mark.parametrize(
    "shop_url",
    [
        "sqlite",
        *(pytest.param(each, marks=[pytest.mark.services]) for each in ("postgres", "mysql")),
    ],
    indirect=True,
)
def test_files_in_the_shape_of_birds_mini_dev(shop_url: str, tmp_path: Path) -> None:
    gold, predictions = tmp_path / "mini_dev_mysql.json", tmp_path / "predict_mini_dev.json"
    levels = ["simple", "moderate", "challenging"] * 2
    rows = zip(GOLD, levels, strict=True)
    write_json(gold, [{"db_id": "shop", "SQL": sql, "difficulty": level} for sql, level in rows])
    mark = "\t----- bird -----\tshop"
    write_json(predictions, {str(n): f"{sql}{mark}" for n, sql in enumerate(PREDICTIONS)})
    scores = judge_files(shop_url, gold, predictions, tmp_path / "out")["scores"]
    verdicts = list(read_jsonl(tmp_path / "out" / "verdicts.jsonl"))
    assert [v["bird_set_ex"] for v in verdicts] == [1, 1, 1, 0, 0, 0]
    assert verdicts[5]["soft_f1"] == 1  # the columns alone are swapped
    assert list(scores) == ["simple", "moderate", "challenging", "all"]
    assert scores["simple"]["count"] == 2
    write_json(predictions, {"9": "SELECT 1"})
    with pytest.raises(UserError, match="no number of a question"):
        judge_files(shop_url, gold, predictions)


def test_large_results_are_no_match(shop_sqlite: str, files: tuple[Path, Path]) -> None:
    scores = judge_files(shop_sqlite, *files, max_rows=2)
    assert scores["gold_errors"] == 3
    assert scores["scores"]["all"]["result_match"] == pytest.approx(2 / 6, abs=1e-4)


def test_command_prints_a_table(shop_sqlite: str, files: tuple[Path, Path]) -> None:
    arguments = [
        "database",
        "eval-private",
        "--gold",
        str(files[0]),
        "--predictions",
        str(files[1]),
    ]
    result = CliRunner().invoke(cli, arguments, env={"DB_URL": shop_sqlite})
    assert result.exit_code == 0, result.output
    assert "| all" in result.output
    assert "50.0" in result.output


def test_lengths_must_agree(shop_sqlite: str, files: tuple[Path, Path], tmp_path: Path) -> None:
    short = tmp_path / "short.txt"
    short.write_text("SELECT 1\n")
    with pytest.raises(UserError, match=r"1 predictions for the 6 queries"):
        judge_files(shop_sqlite, files[0], short)
