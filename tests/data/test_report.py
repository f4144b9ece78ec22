"""The statistics of a prepared dataset, counted by hand on a few rows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from safetensors.numpy import save_file

from text2sql.cli import cli

pytest.importorskip("matplotlib", reason="matplotlib is not installed")

from text2sql.data.report import data_report
from text2sql.data.statistics import Statistics, keywords_of, tables_of
from text2sql.errors import UserError
from text2sql.profile import load_profile
from text2sql.prompt import load_template, render_messages, render_text
from text2sql.question import Question, write_questions

DDL = (
    "CREATE TABLE owl (id INTEGER PRIMARY KEY, name TEXT, weight REAL, nest_id INT);\n"
    "CREATE TABLE nest (id INTEGER PRIMARY KEY, town TEXT);"
)
EASY = "SELECT name FROM owl"
MEDIUM = "SELECT name, weight FROM owl WHERE weight > 2"
HARD = "SELECT name FROM owl WHERE nest_id IN (SELECT id FROM nest)"
EXTRA = (
    "SELECT T2.town, count(*) FROM owl AS T1 JOIN nest AS T2 ON T1.nest_id = T2.id"
    " WHERE T1.weight > 2 GROUP BY T2.town ORDER BY count(*) DESC LIMIT 1"
)
FOREIGN = "SELECT name, row_number() OVER (ORDER BY weight) FROM owl"


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    """A prepared folder of five training rows and one evaluation question."""
    rows = []
    for sql in (EASY, MEDIUM, HARD, EXTRA, FOREIGN):
        system, user = render_messages("Which owls?", DDL, "short")
        turns = [
            {"from": "human", "value": user["content"]},
            {"from": "gpt", "value": sql},
        ]
        rows.append({"conversations": turns, "system": system["content"]})
    (tmp_path / "train.json").write_text(json.dumps(rows))
    asked = Question(0, "owls", "All owls?", EASY, render_messages("All owls?", DDL, "short"))
    write_questions(tmp_path / "questions.jsonl", [asked])
    return tmp_path


@pytest.mark.parametrize(
    ("sql", "level", "tables"),
    [
        (EASY, "easy", 1),
        (MEDIUM, "medium", 1),
        (HARD, "hard", 2),
        (EXTRA, "extra", 2),
        (FOREIGN, "not parsed", 1),
        ("WITH a AS (SELECT id FROM owl) SELECT * FROM a, nest", "not parsed", 2),
        ("SELECT FROM (", "not parsed", "not parsed"),
    ],
)
def test_hardness_and_tables(sql: str, level: str, tables: int | str) -> None:
    counted = Statistics("training")
    counted.add(1, DDL, f"[ANSWER]\n{sql}")
    assert (counted.hardness, counted.tables) == ({level: 1}, {tables: 1})
    assert tables_of(sql) == tables


def test_keywords_are_not_looked_for_in_literals() -> None:
    assert keywords_of("SELECT a FROM t WHERE b = 'order by, limit'") == ["WHERE"]
    assert keywords_of("select a from t where b in ( select c from u ) limit 1") == [
        "WHERE",
        "LIMIT",
        "IN (SELECT",
    ]


def test_page_and_chart(prepared: Path) -> None:
    text = data_report(prepared, prepared / "out", cutoff_len=100)
    assert "- training: 5 rows; 5 (100.0%) are longer than cutoff_len 100 and are cut." in text
    assert "**estimated** tokens" in text
    for line in ("| easy | 1 | 20.0% | 1 | 100.0% |", "| hard | 1 | 20.0% | 0 | 0.0% |"):
        assert line in text
    assert "| not parsed | 1 | 20.0% | 0 | 0.0% |" in text
    assert (prepared / "out" / "data_report.md").read_text() == text
    assert (prepared / "out" / "data_report.png").read_bytes().startswith(b"\x89PNG")


def test_lengths_are_those_of_the_tokenizer(prepared: Path, tmp_path: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers", reason="tokenizers is not installed")
    model = tmp_path / "model"
    model.mkdir()
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel({"?": 0}, unk_token="?"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    made.save(str(model / "tokenizer.json"))
    text = data_report(prepared, prepared, 100, template="qwen3", tokenizer=str(model))
    sent = render_text(render_messages("All owls?", DDL, "short"), load_template("qwen3")) + EASY
    words = len(sent.split())
    assert "estimated" not in text and "tokens of `model`" in text
    assert f"| evaluation | {words} | {words} |" in text


def test_mistakes_are_one_line(prepared: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot load tokenizer\.json"):
        data_report(prepared, prepared, 100, tokenizer=str(tmp_path / "none"))
    (prepared / "train.json").unlink()
    with pytest.raises(UserError, match="no prepared dataset"):
        data_report(prepared, prepared, 100)


def test_a_runs_data_are_brought_up_to_date_and_counted_in_its_models_tokens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizers = pytest.importorskip("tokenizers", reason="tokenizers is not installed")
    monkeypatch.setenv("TEXT2SQL_BUILD", str(tmp_path / "build"))
    model = tmp_path / "words"
    model.mkdir()
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel({"?": 0}, unk_token="?"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    made.save(str(model / "tokenizer.json"))
    (model / "config.json").write_text("{}")
    save_file({"weight": np.zeros(8)}, model / "model.safetensors")
    values = load_profile("smollm2-135m").model_dump(mode="json")
    values["model"] |= {"name": "words", "path_or_hub_id": str(model), "packaged_gguf": None}
    profile = tmp_path / "tiny.yaml"
    profile.write_text(yaml.safe_dump(values))
    command = ["dataset", "report", "--profile", str(profile), "--dataset", "sample"]
    results = [CliRunner().invoke(cli, [*command, "--limit", "5"]) for _ in range(2)]
    assert [result.exit_code for result in results] == [0, 0], results[0].output
    assert "data: up to date" in results[1].output
    assert "- training: 5 rows" in results[0].output
    assert "tokens of `words`" in results[0].output and "template `smollm2`" in results[0].output
    (page,) = (tmp_path / "build" / "runs").glob("*/sample-limit5/data-report/data_report.md")
    assert f"wrote {page}" in results[0].output
    result = CliRunner().invoke(cli, ["dataset", "report", "--dataset", "no-such-config"])
    assert result.exit_code == 2
    assert len(result.output.strip().splitlines()) == 1
