"""JSON Lines, BIRD's and Spider's JSON: one bad line costs itself, the rest goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from test_suite_sql_eval.api import Report, evaluate
from test_suite_sql_eval.cli import main
from test_suite_sql_eval.errors import InputError

GOLDS = ["SELECT count(*) FROM singer", "SELECT name FROM singer WHERE age > 30", "SELECT 'a\tb'"]


def _write(path: Path, value: Any) -> Path:
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(line) + "\n" for line in value), encoding="utf-8")
    else:
        path.write_text(json.dumps(value), encoding="utf-8")
    return path


@pytest.fixture
def gold(tmp_path: Path) -> Path:
    """Three gold queries as JSON Lines, the last with a tab."""
    return _write(tmp_path / "gold.jsonl", [{"db_id": "music", "query": sql} for sql in GOLDS])


def _execs(report: Report) -> list[int]:
    return [verdict["exec"] for verdict in report.verdicts]


def test_several_lines_and_tabs(gold: Path, db_dir: Path, tmp_path: Path) -> None:
    preds = [
        {"pred": "SELECT count(*)\n-- all of them\nFROM singer"},
        "SELECT name FROM singer\r\nWHERE age\t>= 31;",
        {"sql": "SELECT 'a\tb' AS \"\u2028\""},
    ]
    assert _execs(evaluate(gold, _write(tmp_path / "pred.jsonl", preds), db_dir)) == [1, 1, 1]
    assert _execs(evaluate(gold, _write(tmp_path / "pred.json", preds), db_dir)) == [1, 1, 1]


@pytest.mark.parametrize(
    ("line", "kind", "reason"),
    [
        (b'{"pred": "SELECT \xff"}', "unreadable", "pred.jsonl:2: byte 0xff is not UTF-8"),
        (b'{"pred": "SELECT 1"', "unreadable", "pred.jsonl:2: not JSON"),
        (b"SELECT 1", "unreadable", "pred.jsonl:2: not JSON"),
        (b'{"answer": "SELECT 1"}', "unreadable", "pred.jsonl:2: a prediction is a text"),
        (b'{"pred": null}', "unreadable", "pred.jsonl:2: a prediction is a text"),
        (b"[1]", "unreadable", "pred.jsonl:2: a prediction is a text"),
        (b'"\\ud83d"', "unreadable", "pred.jsonl:2: half of a character"),
        (b"[" * 100_000, "unreadable", "pred.jsonl:2: not JSON"),
        (b'""', "syntax", "the prediction is empty"),
        (b'{"pred": " \\n\\t"}', "syntax", "the prediction is empty"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_bad_line_costs_itself(
    gold: Path, db_dir: Path, tmp_path: Path, line: bytes, kind: str, reason: str
) -> None:
    right = [json.dumps(sql).encode() for sql in GOLDS]
    (tmp_path / "pred.jsonl").write_bytes(b"\n".join([right[0], line, right[2]]) + b"\n")
    report = evaluate(gold, tmp_path / "pred.jsonl", db_dir)
    assert _execs(report) == [1, 0, 1]
    assert report.verdicts[1]["error"] == kind
    assert reason in report.verdicts[1]["error_message"]
    assert report.verdicts[1]["hardness"] == "easy"


def test_an_empty_prediction_is_wrong_even_where_gold_is_empty(db_dir: Path) -> None:
    gold = [("SELECT name FROM singer WHERE age > 99", "music")]
    assert _execs(evaluate(gold, ["SELECT id FROM singer WHERE age < 0"], db_dir)) == [1]
    assert _execs(evaluate(gold, [""], db_dir)) == [0]


def test_all_bad_gold_lines_are_named(gold: Path, db_dir: Path, tmp_path: Path) -> None:
    lines = gold.read_bytes().splitlines()
    gold.write_bytes(b"\n".join([lines[0], b"{", b'{"query": "SELECT 1"}', b"\xff"]) + b"\n")
    with pytest.raises(InputError) as error:
        evaluate(gold, _write(tmp_path / "pred.json", ["SELECT 1"] * 4), db_dir)
    for place in (
        "gold.jsonl:2: not JSON",
        "gold.jsonl:3: a gold query",
        "gold.jsonl:4: byte 0xff",
    ):
        assert place in str(error.value)


def test_birds_files(db_dir: Path, tmp_path: Path) -> None:
    records = [
        {
            "question_id": 7 * n,
            "db_id": "music",
            "question": "?",
            "SQL": sql,
            "difficulty": "simple",
        }
        for n, sql in enumerate(GOLDS)
    ]
    gold = _write(tmp_path / "dev.json", records)
    answers = {str(n): f"{sql}\t----- bird -----\tmusic" for n, sql in enumerate(GOLDS)}
    pred = _write(tmp_path / "predict_dev.json", dict(reversed(answers.items())))
    assert _execs(evaluate(gold, pred, db_dir)) == [1, 1, 1]
    answers["1"] = 0  # type: ignore[assignment]  # what BIRD's own scripts write on a failure
    del answers["2"]
    report = evaluate(gold, _write(pred, answers), db_dir)
    assert _execs(report) == [1, 0, 0]
    assert report.verdicts[2]["error_message"].endswith("question 2: no prediction")
    with pytest.raises(InputError, match="'3' is no number of a question, 0 to 2"):
        evaluate(gold, _write(pred, {**answers, "3": "SELECT 1"}), db_dir)


def test_spiders_json_and_verdicts_are_inputs(db_dir: Path, tmp_path: Path) -> None:
    """In Spider's dev.json ``sql`` is a parse; a verdicts file holds both sides."""
    records = [{"db_id": "music", "query": sql, "sql": {"from": {}}} for sql in GOLDS]
    gold = _write(tmp_path / "dev.json", records)
    report = evaluate(gold, ["SELECT 5", "SELECT 1", GOLDS[2]], db_dir)
    verdicts = _write(tmp_path / "verdicts.jsonl", report.verdicts)
    again = evaluate(verdicts, verdicts, db_dir)
    assert _execs(again) == _execs(report) == [1, 0, 1]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("pred.json", "{", "pred.json: not a JSON file"),
        ("pred.json", "7", "pred.json: expected a JSON list"),
        ("pred.jsonl", '"SELECT 1"\n', "3 gold queries .* but 1 predictions"),
    ],
)
def test_files_that_are_wrong_as_a_whole(
    gold: Path, db_dir: Path, tmp_path: Path, name: str, text: str, message: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=message):
        evaluate(gold, tmp_path / name, db_dir)


def test_command_line_reads_them(
    gold: Path, db_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pred = _write(tmp_path / "pred.jsonl", GOLDS)
    out = tmp_path / "verdicts.jsonl"
    flags = [f"--gold={gold}", f"--pred={pred}", f"--db={db_dir}", f"--verdicts={out}"]
    assert main(flags) == 0
    assert capsys.readouterr().out.splitlines()[3].split()[-1] == "1.000"
    assert [json.loads(line)["index"] for line in out.read_text().splitlines()] == [0, 1, 2]
