"""The statistics page says what is in the rows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from text2sql.data.report import UNKNOWN_LEVEL, data_report, level_of
from text2sql.errors import UserError

DDL = "CREATE TABLE singer (id INTEGER PRIMARY KEY, name TEXT, age INTEGER);"


@pytest.mark.parametrize(
    ("sql", "level"),
    [
        ("SELECT count(*) FROM singer", "easy"),
        ("SELECT name, age FROM singer WHERE age > 3", "medium"),
        ("SELECT name FROM singer WHERE age > (SELECT avg(age) FROM singer)", "hard"),
        ("SELECT name FROM singer WHERE age > 3 GROUP BY name ORDER BY age LIMIT 1", "extra"),
        ("SELECT nothing FROM singer", UNKNOWN_LEVEL),
        ("WITH x AS (SELECT 1) SELECT * FROM x", UNKNOWN_LEVEL),
    ],
)
def test_hardness_of_a_row_by_the_schema_in_its_prompt(sql: str, level: str) -> None:
    assert level_of(sql, f"[SCHEMA]\n{DDL}\n[QUESTION]\nHow many?") == level


def test_page_counts_levels_keywords_tables_and_rows_cut(tmp_path: Path) -> None:
    queries = ["SELECT count(*) FROM singer", "SELECT DISTINCT name, age FROM singer WHERE age > 3"]
    rows = [
        {
            "conversations": [
                {"from": "human", "value": DDL * (1 + 40 * number)},
                {"from": "gpt", "value": sql},
            ],
            "system": "",
        }
        for number, sql in enumerate(queries)
    ]
    (tmp_path / "train.json").write_text(json.dumps(rows))
    text = data_report(tmp_path, tmp_path, cutoff_len=200)
    assert "2 rows. 1 (50.0%) are longer than cutoff_len 200 and are cut." in text
    assert "estimated: no tokenizer given" in text
    for line in ("| easy | 1 | 50.0% |", "| medium | 1 | 50.0% |", "| DISTINCT | 1 | 50.0% |"):
        assert line in text
    assert "| 1 | 2 | 100.0% |" in text
    assert (tmp_path / "data_report.md").read_text() == text
    assert (tmp_path / "data_report.png").read_bytes()[:4] == b"\x89PNG"


def test_folder_without_a_dataset_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="run 'text2sql dataset prepare' first"):
        data_report(tmp_path, tmp_path, 100)
