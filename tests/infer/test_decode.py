"""Voting, repair, pruning of prompts that are too long, on real databases with scripted answers."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from test_suite_sql_eval.executor import SqlExecutor

from text2sql.data.config import DataConfig
from text2sql.infer.answers import Surroundings, answer
from text2sql.infer.config import InferConfig
from text2sql.infer.engine import Completion, Prompt
from text2sql.infer.shrink_prompt import SchemaFitter
from text2sql.infer.stage import read_journal, summarize
from text2sql.infer.vote_and_repair import Databases, result_key, vote
from text2sql.prompt import load_template, render_messages, render_text
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
def around(folder: Path) -> Iterator[Surroundings]:
    data = DataConfig.model_validate(
        {"train": ["x"], "evaluation": "x", "database": str(folder), "system": "short"}
    )
    with SqlExecutor() as executor:
        databases = Databases(folder, executor, 10.0)
        yield Surroundings(TEMPLATE, SchemaFitter(data, folder, TEMPLATE), databases)


def question(folder: Path, number: int = 0) -> dict[str, Any]:
    schema = render_schema(read_schema(folder / "zoo" / "zoo.sqlite", db_id="zoo"))
    text = "Which animal has 6 legs?"
    messages = render_messages(text, schema, "short")
    prompt = render_text(messages, TEMPLATE)
    return {
        "id": number,
        "db_id": "zoo",
        "question": text,
        "messages": messages,
        "prompt": prompt,
    }


def config(**values: Any) -> InferConfig:
    return InferConfig.model_validate(
        {"engine": "transformers", "max_new_tokens": 50, "max_model_len": 5000, **values}
    )


def test_results_are_equal_whatever_the_order_of_rows(around: Surroundings) -> None:
    assert around.databases
    one, two, three = around.databases.run(
        "zoo",
        [
            "SELECT legs FROM animal ORDER BY id",
            "SELECT legs FROM animal ORDER BY id DESC",
            "SELECT DISTINCT legs FROM animal",
        ],
    )
    assert result_key(one) == result_key(two) != result_key(three)


def test_failures_do_not_vote_and_ties_go_to_the_first(around: Surroundings) -> None:
    assert around.databases
    run = around.databases.run
    assert vote(run("zoo", ["SELEC", "SELECT 1", "SELECT 2", "SELECT 2", "bad", "bad"])) == (2, 2)
    assert vote(run("zoo", ["SELECT 1", "SELECT 2"])) == (0, 1)
    assert vote(run("zoo", ["bad", ""])) == (0, 0)


def test_the_result_most_samples_agree_on_wins(around: Surroundings, folder: Path) -> None:
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
    records = sorted(answer(engine, rows, settings, around), key=lambda row: row["id"])
    assert [row["id"] for row in records] == [0, 7]
    for row in records:
        assert row["sql"] == "SELECT name FROM animal WHERE legs > 5"
        assert (row["samples"], row["votes"], row["failed_samples"]) == (4, 2, 1)
        assert row["distinct_results"] == 2
        assert row["completion_tokens"] == 20
    assert summarize(records)["samples"] == 8
    assert sorted(prompt.sample for prompt in engine.asked) == [0, 0, 1, 1, 2, 2, 3, 3]


def test_a_failed_query_is_asked_again_with_the_error(around: Surroundings, folder: Path) -> None:
    engine = ScriptedEngine(["SELECT nam FROM animal", "SELECT name FROM animal"])
    settings = config(decoding={"repair": True})
    (row,) = answer(engine, [question(folder)], settings, around)
    assert row["sql"] == "SELECT name FROM animal"
    assert row["repair"] == "worked"
    assert "no such column: nam" in row["first_error"]
    assert row["completion_tokens"] == 10
    assert "SELECT nam FROM animal<|im_end|>" in engine.asked[1].text
    assert "no such column: nam" in engine.asked[1].text
    assert summarize([row])["repairs"] == {"worked": 1}


def test_a_second_failure_leaves_the_first_answer(around: Surroundings, folder: Path) -> None:
    engine = ScriptedEngine(["SELECT nam FROM animal", "I am sorry."])
    (row,) = answer(engine, [question(folder)], config(decoding={"repair": True}), around)
    assert (row["sql"], row["repair"]) == ("SELECT nam FROM animal", "failed")


def test_a_query_that_runs_is_not_asked_again(around: Surroundings, folder: Path) -> None:
    engine = ScriptedEngine(["SELECT name FROM animal"])
    (row,) = answer(engine, [question(folder)], config(decoding={"repair": True}), around)
    assert row["repair"] == "not needed"
    assert len(engine.asked) == 1


def test_no_room_for_a_second_turn_is_said(around: Surroundings, folder: Path) -> None:
    engine = ScriptedEngine(["SELECT nam FROM animal"])
    asked = question(folder)
    tight = config(max_model_len=len(asked["prompt"]) + 60, decoding={"repair": True})
    (row,) = answer(engine, [asked], tight, around)
    assert row["repair"] == "no room"


def test_a_long_prompt_loses_tables_it_does_not_need(around: Surroundings, folder: Path) -> None:
    engine = ScriptedEngine(["SELECT name FROM animal"])
    asked = question(folder)
    (row,) = answer(engine, [asked], config(max_model_len=500), around)
    assert row["prompt_pruned"] is True
    assert row["finish_reason"] == "stop"
    assert row["prompt_tokens"] <= 450 < len(asked["prompt"])
    sent = engine.asked[0].text
    assert "CREATE TABLE animal" in sent
    assert "remark_zzzz" not in sent
    assert sent.endswith("<|im_start|>assistant\n")
    assert summarize([row])["prompts_pruned"] == 1


def test_a_question_that_fits_nowhere_is_counted(around: Surroundings, folder: Path) -> None:
    engine = ScriptedEngine(["SELECT 1"])
    (row,) = answer(engine, [question(folder)], config(max_model_len=100), around)
    assert row["finish_reason"] == "prompt_too_long"
    assert engine.asked == []


def test_a_pruned_answer_in_the_journal_is_not_asked_for_again(
    around: Surroundings, folder: Path, tmp_path: Path
) -> None:
    import json

    asked = question(folder)
    engine = ScriptedEngine(["SELECT name FROM animal"])
    (row,) = answer(engine, [asked], config(max_model_len=500), around)
    journal = tmp_path / "journal.jsonl"
    journal.write_text(json.dumps(row) + "\n")
    assert list(read_journal(journal, {0: asked})) == [0]
