"""The infer stage: journal, order, over-long prompts, and the file for the evaluator."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from text2sql.errors import UserError
from text2sql.files import json_line, read_jsonl, sha256_text, write_jsonl
from text2sql.infer.answers import Answer, Surroundings, answer
from text2sql.infer.config import InferConfig
from text2sql.infer.engine import Completion, Prompt
from text2sql.infer.predictions import Prediction, predict, write_predictions
from text2sql.infer.queries import NO_SQL
from text2sql.infer.stage import read_journal, summarize
from text2sql.prompt import load_template, render_text
from text2sql.question import Question

CONFIG = InferConfig(engine="transformers", max_new_tokens=8, max_model_len=40)
TEMPLATE = load_template("smollm2")
AROUND = Surroundings(TEMPLATE)


class EchoEngine:
    """Answers a question of n characters with ``SELECT n``, the last one first."""

    def encode(self, text: str) -> list[int]:
        asked = text.split("<|im_start|>user\n")[1].split("<|im_end|>")[0]
        return [ord(character) for character in asked]

    def generate(self, prompts: Sequence[Prompt]) -> Iterator[Completion]:
        for prompt in reversed(prompts):
            yield Completion(prompt.id, f"SELECT {len(prompt.tokens)};", 3, 0.1, "stop")

    def measurements(self) -> dict[str, Any]:
        return {}


def question(number: int, text: str) -> Question:
    return Question(number, "d", text, "SELECT 1", [{"role": "user", "content": text}])


def test_every_question_gets_a_record_that_says_what_was_asked() -> None:
    rows = [question(0, "a"), question(1, "bb"), question(2, "ccc")]
    answers = {a.id: a for a in answer(EchoEngine(), rows, CONFIG, AROUND)}
    assert [predict(answers[i]).sql for i in range(3)] == ["SELECT 1", "SELECT 2", "SELECT 3"]
    assert answers[1].texts == [predict(answers[1]).raw] == ["SELECT 2;"]
    assert answers[2].prompt_sha256 == sha256_text(render_text(rows[2].messages, TEMPLATE))
    assert answers[2].prompt_tokens == 3


def test_a_prompt_without_room_for_an_answer_is_counted_not_cut() -> None:
    rows = [question(0, "x" * 32), question(1, "x" * 33)]
    answers = {a.id: a for a in answer(EchoEngine(), rows, CONFIG, AROUND)}
    assert predict(answers[0]).sql == "SELECT 32"
    assert predict(answers[1]).finish_reason == "prompt_too_long"
    assert predict(answers[1]).sql == ""
    assert summarize(list(answers.values()))["finish_reasons"] == {"stop": 1, "prompt_too_long": 1}


def test_journal_survives_a_kill_in_the_middle_of_a_line(tmp_path: Path) -> None:
    rows = [question(i, f"p{i}") for i in range(3)]
    whole = [json_line(a).rstrip() for a in answer(EchoEngine(), rows, CONFIG, AROUND)]
    path = tmp_path / "journal.jsonl"
    path.write_text("\n".join([whole[0], whole[1], whole[2][:30]]))
    answered = read_journal(path, rows, TEMPLATE)
    assert sorted(answered) == [1, 2]
    assert len(list(read_jsonl(path))) == 2


def test_journal_of_other_prompts_is_not_used(tmp_path: Path) -> None:
    rows = [question(0, "p")]
    path = tmp_path / "journal.jsonl"
    write_jsonl(path, answer(EchoEngine(), rows, CONFIG, AROUND))
    assert list(read_journal(path, rows, TEMPLATE)) == [0]
    assert read_journal(path, [question(0, "another")], TEMPLATE) == {}


def test_predictions_are_ordered_and_an_empty_answer_is_a_line(tmp_path: Path) -> None:
    sqls = enumerate(["SELECT 1", ""])
    write_predictions(tmp_path, [Prediction(n, "d", "", sql, "stop") for n, sql in sqls])
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


def test_predictions_with_line_ends_and_tabs_are_judged_as_they_are(tmp_path: Path) -> None:
    import sqlite3

    from test_suite_sql_eval.api import evaluate

    (tmp_path / "d").mkdir()
    with sqlite3.connect(tmp_path / "d" / "d.sqlite") as connection:
        connection.execute("CREATE TABLE t (a)")
        connection.execute("INSERT INTO t VALUES (?), (?)", ("x\ty", "x\r\ny"))
    queries = ["SELECT a FROM t WHERE a = 'x\ty'", "SELECT a FROM t WHERE a = 'x\r\ny'"]
    answers = [f"```sql\n{sql}\n```" for sql in queries]
    predictions = [
        predict(Answer(n, "d", "", 1, texts=[text], finish_reasons=["stop"]))
        for n, text in enumerate(answers)
    ]
    write_predictions(tmp_path, predictions)
    assert not (tmp_path / "predict.txt").exists()
    gold = [{"query": sql, "db_id": "d"} for sql in queries]
    write_jsonl(tmp_path / "gold.jsonl", gold)
    files = (str(tmp_path / "gold.jsonl"), str(tmp_path / "predictions.jsonl"))
    assert evaluate(*files, str(tmp_path)).scores["all"]["exec"] == 1.0
