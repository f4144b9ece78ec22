"""Training of the schema linker: what it learns from, what it leaves out, what it is worth."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner
from tiny_models import hollow_linker

from text2sql.cli import cli
from text2sql.config import load_config
from text2sql.data.config import DataConfig
from text2sql.errors import UserError
from text2sql.files import read_json
from text2sql.learn import linker
from text2sql.learn.linker import LinkerOptions, train_linker
from text2sql.learn.linking import (
    Linked,
    hold_out,
    in_batches,
    linked_questions,
    questions_to_link,
    training_rows,
    worth,
)
from text2sql.paths import config_path, repository_root
from text2sql.question import Question
from text2sql.schema import Column, Schema, Table
from text2sql.schema.linker import FILE, Linker, Relevance, column_texts, table_texts
from text2sql.sql.gold_columns import gold_columns, gold_tables

SCHEMA = Schema(
    "zoo",
    (
        Table("animal", tuple(map(Column, ("id", "name", "legs", "house_id")))),
        Table("house", tuple(map(Column, ("id", "street", "city", "year")))),
        Table("keeper", tuple(map(Column, ("id", "salary", "age")))),
    ),
)
GOLD = "SELECT T1.name FROM animal AS T1 JOIN house AS T2 ON T1.house_id = T2.id WHERE city = 'x'"


def asked(gold: str, number: int = 0, db_id: str = "zoo") -> Question:
    return Question(number, db_id, f"Question {number}?", gold, [], "with evidence")


def test_gold_names_of_a_query() -> None:
    assert gold_tables(GOLD, SCHEMA) == {"animal", "house"}
    names = {("animal", "name"), ("animal", "house_id"), ("house", "id"), ("house", "city")}
    assert gold_columns(GOLD, SCHEMA) == names
    assert gold_columns("SELECT count(*) FROM keeper", SCHEMA) == set()
    (linked,), unparsed = linked_questions([asked(GOLD), asked("SELECT (")], lambda _: SCHEMA)
    assert (linked.columns, unparsed) == (names, 1)
    assert linked.question == "Question 0? with evidence"


def test_rows_are_all_gold_names_and_some_others() -> None:
    (linked,), _ = linked_questions([asked(GOLD)], lambda _: SCHEMA)
    rows = training_rows([linked], seed=1)
    labels = {text: label for _, text, label in rows}
    assert len(labels) == len(rows)
    tables, columns = table_texts(SCHEMA), column_texts(SCHEMA)
    assert set(labels) <= {*tables.values(), *columns.values()}
    gold = {tables[name] for name in linked.tables} | {columns[name] for name in linked.columns}
    assert {text for text, label in labels.items() if label} == gold
    assert Counter(labels.values()) == {1.0: 6, 0.0: 6}
    assert rows == training_rows([linked], seed=1)


def test_batches_hold_texts_of_like_length_and_all_rows() -> None:
    rows = [("q" * (number % 50), "t", float(number)) for number in range(100)]
    ordered = in_batches(rows, 10, seed=3)
    assert sorted(ordered) == sorted(rows) and ordered != rows
    for start in range(0, 100, 10):
        lengths = [len(question) for question, *_ in ordered[start : start + 10]]
        assert max(lengths) - min(lengths) <= 5


def test_databases_are_held_out_as_wholes() -> None:
    schemas = [Schema(f"d{number}", SCHEMA.tables) for number in range(20)]
    linked = [Linked(f"{n}", schemas[n % 20], frozenset(), frozenset()) for n in range(100)]
    trained, held_out = hold_out(linked, seed=1)
    names = [{each.schema.db_id for each in part} for part in (trained, held_out)]
    assert not names[0] & names[1] and [len(each) for each in names] == [18, 2]
    assert len(trained) + len(held_out) == 100
    with pytest.raises(UserError, match="two databases or more"):
        hold_out(linked[:1], seed=1)


def test_the_worth_is_counted_for_linker_and_words() -> None:
    columns = frozenset({("house", "street"), ("keeper", "age")})
    linked = [Linked("animal name legs", SCHEMA, frozenset({"house"}), columns)]

    def right(schema: Schema, question: str) -> Relevance:
        names = {(t.name, c.name) for t in schema.tables for c in t.columns}
        return Relevance(
            {table.name: float(table.name == "house") for table in schema.tables},
            {name: float(name in columns) for name in names},
        )

    result = worth(linked, right, "ddl", budgets=(24, 200))
    small, large = result["budgets"]
    assert (result["questions"], result["gold_columns"]) == (1, 2)
    assert small["linker"] == {"recall": 1.0, "lose_a_column": 0, "lose_a_table": 0}
    assert small["word_overlap"] == {"recall": 0.0, "lose_a_column": 1, "lose_a_table": 1}
    assert (small["pruned"], large["pruned"]) == (1, 0)
    assert large["linker"] == large["word_overlap"] == small["linker"]


def test_no_question_of_an_evaluation_database_is_learnt_from(
    tmp_path: Path, build_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, str, float]] = []

    def fit(rows: list[tuple[str, str, float]], folder: Path, options: LinkerOptions) -> None:
        seen.extend(rows)
        hollow_linker(folder)

    monkeypatch.setattr(linker, "_fit", fit)
    monkeypatch.setattr(linker, "worth", lambda *_: {"questions": 0})
    config = load_config(config_path("data", "sample"), DataConfig)
    # A linker that is named already, and is not there, is what is to be made.
    config = config.model_copy(update={"linker": "build/none", "schema_budget": 64})
    facts = train_linker(config, tmp_path / "linker", LinkerOptions(questions=30))
    assert read_json(tmp_path / "linker" / FILE) == facts
    assert (facts["questions"], facts["rows"]) == (30, len(seen))
    assert facts["left_out"]["asked of an evaluation database"] > 0
    evaluated = read_json(repository_root() / "data" / "sample" / "dev.json")
    asked_there = {row["question"] for row in evaluated}
    assert not asked_there & {question for question, *_ in seen}
    Linker(tmp_path / "linker")


def test_a_model_that_is_not_there_is_a_line(tmp_path: Path, build_folder: Path) -> None:
    options = ["--model", str(tmp_path), "--questions", "5", "--output", str(tmp_path / "linker")]
    result = CliRunner().invoke(cli, ["dataset", "train-linker", "sample", *options])
    assert result.exit_code == 2
    assert result.output.splitlines()[-1].startswith(f"error: {tmp_path}: no config.json")
    assert not (tmp_path / "linker").exists()


@pytest.mark.slow
def test_a_linker_of_the_sample_data_beats_chance(tmp_path: Path, build_folder: Path) -> None:
    """MiniLM of the package, on 150 questions; judged on the questions of other databases."""
    output = tmp_path / "linker"
    command = ["dataset", "train-linker", "sample", "--output", str(output), "--questions", "150"]
    result = CliRunner().invoke(cli, command)
    assert result.exit_code == 0, result.output
    assert "recall of their gold columns:" in result.output
    assert not (output / "trainer").exists()
    facts = read_json(output / FILE)
    smallest = facts["held_out"]["budgets"][0]
    assert smallest["pruned"] > 0

    chance = random.Random(1)

    def guess(schema: Schema, question: str) -> Relevance:
        names = [(table.name, column.name) for table in schema.tables for column in table.columns]
        tables = {table.name: chance.random() for table in schema.tables}
        return Relevance(tables, {name: chance.random() for name in names})

    config = load_config(config_path("data", "sample"), DataConfig)
    linked, _ = questions_to_link(config)
    _, held_out = hold_out(linked, LinkerOptions().seed)
    guessed = worth(held_out, guess, config.schema_style)["budgets"][0]
    assert smallest["linker"]["recall"] > guessed["linker"]["recall"] + 0.05
