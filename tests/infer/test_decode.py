"""Voting, repair, pruning of prompts that are too long, on real databases with scripted answers."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from text2sql.data.config import DataConfig
from text2sql.data.prepare import SchemaTexts
from text2sql.files import json_line, sha256_text, write_jsonl
from text2sql.infer.answers import Answer, Surroundings, answer, read_answers
from text2sql.infer.config import InferConfig
from text2sql.infer.engine import Completion, Prompt
from text2sql.infer.predictions import predict, write_predictions
from text2sql.infer.queries import Databases, open_databases, result_key, vote
from text2sql.infer.repair import Repairer
from text2sql.infer.shrink_prompt import SchemaFitter
from text2sql.infer.stage import read_journal, summarize
from text2sql.prompt import load_template, render_messages, render_text
from text2sql.question import Question
from text2sql.schema import read_schema, render_schema

TEMPLATE = load_template("smollm2")


class ScriptedEngine:
    """Gives the answers of a list by sample number; a token is a character."""

    def __init__(self, answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[Prompt] = []

    def encode(self, text: str) -> list[int]:
        return [ord(character) for character in text]

    def generate(self, prompts: Sequence[Prompt]) -> Iterator[Completion]:
        for prompt in reversed(prompts):
            text = self.answers[prompt.sample] if len(prompts) > 1 else self.answers[self.turn()]
            self.asked.append(prompt)
            yield Completion(prompt.id, text, 5, 0.1, "stop")

    def turn(self) -> int:
        return min(len(self.asked), len(self.answers) - 1)

    def measurements(self) -> dict[str, Any]:
        return {}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "zoo").mkdir()
    with sqlite3.connect(tmp_path / "zoo" / "zoo.sqlite") as connection:
        connection.execute("CREATE TABLE animal (id INTEGER PRIMARY KEY, name TEXT, legs INT)")
        wide = ", ".join(f"remark_{letter * 4} TEXT" for letter in "abcdefghijklmnopqrstuvwxyz")
        connection.execute(f"CREATE TABLE keeper (id INTEGER PRIMARY KEY, {wide})")
        connection.executemany(
            "INSERT INTO animal (name, legs) VALUES (?, ?)", [("ant", 6), ("cat", 4), ("cow", 4)]
        )
    return tmp_path


@pytest.fixture
def databases(folder: Path) -> Iterator[Databases]:
    with open_databases(folder, 10.0) as opened:
        yield opened


@pytest.fixture
def around(folder: Path, databases: Databases) -> Surroundings:
    data = DataConfig.model_validate({"train": ["x"], "evaluation": "x", "database": str(folder)})
    fitter = SchemaFitter(SchemaTexts(data).schema, "ddl", "short", TEMPLATE)
    return Surroundings(TEMPLATE, fitter, Repairer(databases, TEMPLATE).answers)


def question(folder: Path, number: int = 0, evidence: str = "") -> Question:
    schema = render_schema(read_schema(folder / "zoo" / "zoo.sqlite", db_id="zoo"))
    text = "Which animal has 6 legs?"
    messages = render_messages(text, schema, "short", evidence=evidence)
    return Question(number, "zoo", text, "SELECT 1", messages, evidence)


def length(asked: Question) -> int:
    return len(render_text(asked.messages, TEMPLATE))


def config(**values: Any) -> InferConfig:
    return InferConfig.model_validate(
        {"engine": "transformers", "max_new_tokens": 50, "max_model_len": 5000, **values}
    )


def test_results_are_equal_whatever_the_order_of_rows(databases: Databases) -> None:
    one, two, three = databases.run(
        "zoo",
        [
            "SELECT legs FROM animal ORDER BY id",
            "SELECT legs FROM animal ORDER BY id DESC",
            "SELECT DISTINCT legs FROM animal",
        ],
    )
    assert result_key(one) == result_key(two) != result_key(three)


def test_failures_do_not_vote_and_ties_go_to_the_first(databases: Databases) -> None:
    def outcome(*queries: str) -> tuple[int, int]:
        place, facts = vote(databases.run("zoo", queries))
        return place, facts["votes"]

    assert outcome("SELEC", "SELECT 1", "SELECT 2", "SELECT 2", "bad", "bad") == (2, 2)
    assert outcome("SELECT 1", "SELECT 2") == (0, 1)
    assert outcome("bad", "") == (0, 0)


def test_the_result_most_samples_agree_on_wins(
    around: Surroundings, folder: Path, databases: Databases
) -> None:
    engine = ScriptedEngine(
        [
            "SELECT name FROM animals",
            "SELECT name FROM animal WHERE legs = 4",
            "SELECT name FROM animal WHERE legs > 5",
            "SELECT name FROM animal WHERE legs = 6",
        ]
    )
    settings = config(temperature=0.7, decoding={"samples": 4})
    rows = [question(folder, 0), question(folder, 7)]
    answers = sorted(answer(engine, rows, settings, around), key=lambda done: done.id)
    assert [done.id for done in answers] == [0, 7]
    assert all(done.completion_tokens == 20 for done in answers)
    predictions = [predict(done, databases) for done in answers]
    for row in predictions:
        assert row.sql == "SELECT name FROM animal WHERE legs > 5"
        assert (row.samples, row.votes, row.failed_samples) == (4, 2, 1)
        assert row.distinct_results == 2
    counts = {"questions": 2, "without_sql": 0, "samples": 8, "failed_samples": 2}
    assert write_predictions(folder, predictions) == counts
    assert sorted(prompt.sample for prompt in engine.asked) == [0, 0, 1, 1, 2, 2, 3, 3]


def test_a_failed_query_is_asked_again_with_the_error(around: Surroundings, folder: Path) -> None:
    engine = ScriptedEngine(["SELECT nam FROM animal", "SELECT name FROM animal"])
    settings = config(decoding={"repair": True})
    (row,) = answer(engine, [question(folder)], settings, around)
    assert predict(row).sql == "SELECT name FROM animal"
    assert row.repairs == ["worked"]
    assert "no such column: nam" in row.first_errors[0]
    assert row.completion_tokens == 10
    assert "SELECT nam FROM animal<|im_end|>" in engine.asked[1].text
    assert "no such column: nam" in engine.asked[1].text
    assert summarize([row])["repairs"] == {"worked": 1}


def test_samples_are_repaired_before_they_vote(
    around: Surroundings, folder: Path, databases: Databases
) -> None:
    class Repairing(ScriptedEngine):
        def generate(self, prompts: Sequence[Prompt]) -> Iterator[Completion]:
            for prompt in prompts:
                self.asked.append(prompt)
                texts = second if "with this error" in prompt.text else self.answers
                yield Completion(prompt.id, texts[prompt.sample], 5, 0.1, "stop")

    right = "SELECT name FROM animal WHERE legs > 5"
    second = [right, "", "SELECT name FROM animal WHERE legs = 6"]
    first = ["SELECT nam FROM animal", "SELECT name FROM animal WHERE legs = 4", "SELECT n FROM a"]
    engine = Repairing(first)
    settings = config(temperature=0.7, decoding={"samples": 3, "repair": True})
    (row,) = answer(engine, [question(folder, 7)], settings, around)
    assert row.repairs == ["worked", "not needed", "worked"]
    assert "nam" in row.first_errors[0] and "no such table: a" in row.first_errors[1]
    assert [prompt.sample for prompt in engine.asked] == [0, 1, 2, 0, 2]
    won = predict(row, databases)
    assert (won.sql, won.votes) == (right, 2)
    assert summarize([row])["repairs"] == {"worked": 2, "not needed": 1}


def test_a_second_failure_leaves_the_first_answer(around: Surroundings, folder: Path) -> None:
    engine = ScriptedEngine(["SELECT nam FROM animal", "I am sorry."])
    (row,) = answer(engine, [question(folder)], config(decoding={"repair": True}), around)
    assert (predict(row).sql, row.repairs) == ("SELECT nam FROM animal", ["failed"])


def test_a_query_that_runs_is_not_asked_again(around: Surroundings, folder: Path) -> None:
    engine = ScriptedEngine(["SELECT name FROM animal"])
    (row,) = answer(engine, [question(folder)], config(decoding={"repair": True}), around)
    assert (row.repairs, row.first_errors) == (["not needed"], [])
    assert len(engine.asked) == 1


def test_no_room_for_a_second_turn_is_said(around: Surroundings, folder: Path) -> None:
    engine = ScriptedEngine(["SELECT nam FROM animal"])
    asked = question(folder)
    tight = config(max_model_len=length(asked) + 60, decoding={"repair": True})
    (row,) = answer(engine, [asked], tight, around)
    assert row.repairs == ["no room"]


def test_a_long_prompt_loses_tables_it_does_not_need(around: Surroundings, folder: Path) -> None:
    engine = ScriptedEngine(["SELECT name FROM animal"])
    asked = question(folder)
    (row,) = answer(engine, [asked], config(max_model_len=500), around)
    assert row.unpruned_sha256 == sha256_text(render_text(asked.messages, TEMPLATE))
    assert row.finish_reasons == ["stop"]
    assert row.prompt_tokens <= 450 < length(asked)
    sent = engine.asked[0].text
    assert "CREATE TABLE animal" in sent
    assert "remark_zzzz" not in sent
    assert sent.endswith("<|im_start|>assistant\n")
    assert summarize([row])["prompts_pruned"] == 1


def test_a_question_that_fits_nowhere_is_counted(around: Surroundings, folder: Path) -> None:
    engine = ScriptedEngine(["SELECT 1"])
    (row,) = answer(engine, [question(folder)], config(max_model_len=100), around)
    assert predict(row).finish_reason == "prompt_too_long"
    assert engine.asked == []


def test_a_pruned_answer_in_the_journal_is_not_asked_for_again(
    around: Surroundings, folder: Path, tmp_path: Path
) -> None:
    asked = question(folder)
    engine = ScriptedEngine(["SELECT name FROM animal"])
    (row,) = answer(engine, [asked], config(max_model_len=500), around)
    journal = tmp_path / "journal.jsonl"
    write_jsonl(journal, [row])
    assert list(read_journal(journal, [asked], TEMPLATE)) == [0]


def test_a_pruned_prompt_keeps_its_evidence(around: Surroundings, folder: Path) -> None:
    asked = question(folder, evidence="a bug has 6 legs")
    engine = ScriptedEngine(["SELECT name FROM animal"])
    (row,) = answer(engine, [asked], config(max_model_len=500), around)
    assert row.unpruned_sha256
    for text in (render_text(asked.messages, TEMPLATE), engine.asked[0].text):
        assert text.split("[QUESTION]")[1] == (
            "\nWhich animal has 6 legs?\n[EVIDENCE]\na bug has 6 legs\n<|im_end|>\n"
            "<|im_start|>assistant\n"
        )


def test_answers_are_read_as_they_were_written(tmp_path: Path) -> None:
    plain = Answer(0, "zoo", "a", 9, ["SELECT 1"], ["stop"], 3, 0.5)
    repaired = Answer(1, "zoo", "b", 8, [""], ["length"], 0, 0.0, "c", "failed", "no such table: t")
    write_jsonl(tmp_path / "answers.jsonl", [plain, repaired])
    assert list(read_answers(tmp_path / "answers.jsonl")) == [plain, repaired]
    assert "repair" not in json_line(plain)
