"""The infer stage: journal, order, over-long prompts, and the file for the evaluator."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from text2sql.errors import UserError
from text2sql.files import read_jsonl, sha256_text
from text2sql.infer.answers import Surroundings, answer
from text2sql.infer.config import InferConfig
from text2sql.infer.engine import Completion, Prompt
from text2sql.infer.stage import NO_SQL, read_journal, summarize, write_predictions
from text2sql.prompt import load_template

CONFIG = InferConfig(engine="transformers", max_new_tokens=8, max_model_len=40)
AROUND = Surroundings(load_template("smollm2"))


class EchoEngine:
    """Answers a prompt of n characters with ``SELECT n``, the last one first."""

    def encode(self, text: str) -> list[int]:
        return [ord(character) for character in text]

    def generate(self, prompts: Sequence[Prompt]) -> Iterator[Completion]:
        for prompt in reversed(prompts):
            yield Completion(prompt.id, f"SELECT {len(prompt.tokens)};", 3, 0.1, "stop")

    def measurements(self) -> dict[str, Any]:
        return {}


def question(number: int, prompt: str) -> dict[str, Any]:
    return {"id": number, "db_id": "d", "prompt": prompt}


def test_every_question_gets_a_record_that_says_what_was_asked() -> None:
    rows = [question(0, "a"), question(1, "bb"), question(2, "ccc")]
    records = {r["id"]: r for r in answer(EchoEngine(), rows, CONFIG, AROUND)}
    assert [records[i]["sql"] for i in range(3)] == ["SELECT 1", "SELECT 2", "SELECT 3"]
    assert records[1]["raw"] == "SELECT 2;"
    assert records[2]["prompt_sha256"] == sha256_text("ccc")
    assert records[2]["prompt_tokens"] == 3


def test_a_prompt_without_room_for_an_answer_is_counted_not_cut() -> None:
    rows = [question(0, "x" * 32), question(1, "x" * 33)]
    records = {r["id"]: r for r in answer(EchoEngine(), rows, CONFIG, AROUND)}
    assert records[0]["sql"] == "SELECT 32"
    assert records[1]["finish_reason"] == "prompt_too_long"
    assert records[1]["sql"] == ""
    assert summarize(list(records.values()))["finish_reasons"] == {"stop": 1, "prompt_too_long": 1}


def test_journal_survives_a_kill_in_the_middle_of_a_line(tmp_path: Path) -> None:
    rows = {i: question(i, f"p{i}") for i in range(3)}
    whole = [json.dumps(r) for r in answer(EchoEngine(), rows.values(), CONFIG, AROUND)]
    path = tmp_path / "journal.jsonl"
    path.write_text("\n".join([whole[0], whole[1], whole[2][:30]]))
    answered = read_journal(path, rows)
    assert sorted(answered) == [1, 2]
    assert len(list(read_jsonl(path))) == 2


def test_journal_of_other_prompts_is_not_used(tmp_path: Path) -> None:
    rows = {0: question(0, "p")}
    path = tmp_path / "journal.jsonl"
    path.write_text(
        "".join(json.dumps(r) + "\n" for r in answer(EchoEngine(), rows.values(), CONFIG, AROUND))
    )
    assert read_journal(path, {0: question(0, "another")}) == {}


def test_predictions_are_ordered_and_an_empty_answer_is_a_line(tmp_path: Path) -> None:
    write_predictions(tmp_path, [{"id": 0, "sql": "SELECT 1"}, {"id": 1, "sql": ""}])
    assert (tmp_path / "predict.txt").read_text() == f"SELECT 1\n{NO_SQL}\n"
    assert [r["id"] for r in read_jsonl(tmp_path / "predictions.jsonl")] == [0, 1]


def test_no_sql_is_never_right(tmp_path: Path) -> None:
    """Even where the gold result is empty, which a comment or an empty statement would match."""
    import sqlite3

    from test_suite_sql_eval.api import evaluate

    (tmp_path / "d").mkdir()
    with sqlite3.connect(tmp_path / "d" / "d.sqlite") as connection:
        connection.execute("CREATE TABLE t (a)")
    (tmp_path / "gold").write_text("SELECT a FROM t\td\n")
    (tmp_path / "pred").write_text(f"{NO_SQL}\n")
    report = evaluate(str(tmp_path / "gold"), str(tmp_path / "pred"), str(tmp_path))
    assert report.scores["all"]["exec"] == 0


def test_a_broken_line_names_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text('{"id": 0}\nnot json\n')
    with pytest.raises(UserError, match=r"q\.jsonl:2: not valid JSON"):
        list(read_jsonl(path))
