"""Training questions are sampled, judged and sorted; none of an evaluation database among them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from scripted_answers import Scripted, graph_of, make_database, staff

from text2sql.data.prepare import SchemaTexts
from text2sql.data.stage import data_config
from text2sql.errors import UserError
from text2sql.files import read_json, read_jsonl, write_jsonl
from text2sql.learn.questions import ON_EVALUATION, Guard
from text2sql.learn.sample import RECORD, show
from text2sql.pipeline.keys import is_current
from text2sql.pipeline.run_stage import run_stage
from text2sql.question import Question, read_questions
from text2sql.records import read_manifest
from text2sql.stage import Graph

OLDER, COUNT, NOBODY = "Who is older than 30?", "How many are there?", "Who is older than 300?"


def make(graph: Graph, wanted: Sequence[str] = ("sample",)) -> None:
    for stage in graph.select(wanted):
        if not is_current(stage):
            partial = stage.output.with_name(f"{stage.output.name}.partial")
            partial.mkdir(parents=True, exist_ok=True)
            run_stage(stage)


def records(graph: Graph) -> dict[str, dict[str, Any]]:
    return {row["question"]: row for row in read_jsonl(graph["sample"].output / RECORD)}


def rows_of(graph: Graph, objective: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = read_json(graph["sample"].output / objective / "train.json")
    return rows


def test_only_questions_that_give_nothing_away_are_asked(
    profile: dict[str, Any], tmp_path: Path
) -> None:
    graph = graph_of(profile, tmp_path)
    make(graph, ("sample-questions",))
    questions = read_questions(graph["sample-questions"].output / "questions.jsonl")
    assert {each.question for each in questions} == {OLDER, COUNT, NOBODY}
    assert {each.db_id for each in questions} == {"shop"}
    manifest = read_manifest(graph["sample-questions"].output)
    assert manifest is not None
    assert manifest["details"]["left_out"] == {
        ON_EVALUATION: 1,
        "leak (exact)": 1,
        "without a database": 1,
    }


def test_what_must_stay_out_is_refused_wherever_it_comes_from(
    profile: dict[str, Any], tmp_path: Path
) -> None:
    graph = graph_of(profile, tmp_path)
    config = data_config(graph.run)
    guard = Guard(config, SchemaTexts(config))
    good = Question(0, "shop", OLDER, "SELECT 1", [])
    guard.require([good])
    with pytest.raises(UserError, match="question 1 on database 'music': asked of an evaluation"):
        guard.require([good, Question(1, "music", "Anything?", "SELECT 1", [])])
    with pytest.raises(UserError, match=r"question 2 on database 'shop': leak \(normalized\)"):
        guard.require([Question(2, "shop", "which SONGS are there", "SELECT 1", [])])
    make(graph)
    path = graph["sample-questions"].output / "questions.jsonl"
    write_jsonl(path, [Question(0, "music", "Anything?", "SELECT 1", [])])
    with pytest.raises(UserError, match="asked of an evaluation database"):
        graph.kinds["sample"].run(_job(graph))


def _job(graph: Graph) -> Any:
    from text2sql.progress import Progress
    from text2sql.stage import Job

    stage = graph["sample"]
    inputs = {name: needed.output for name, needed in stage.inputs.items()}
    return Job(stage, inputs, stage.output, Progress(stage.output))


def test_the_record_says_of_each_question_what_was_right_and_why_not(
    profile: dict[str, Any], tmp_path: Path
) -> None:
    graph = graph_of(profile, tmp_path)
    make(graph)
    record = records(graph)
    assert [a["sql"] for a in record[OLDER]["chosen"]] == [
        "SELECT name FROM staff WHERE age > 30",
        "SELECT name FROM staff WHERE name IN ('Ana', 'Cy')",
    ]
    assert [(a["why"], a["reward"]) for a in record[OLDER]["rejected"]] == [("no_such_column", 0.0)]
    assert record[OLDER]["verdicts"] == {"right": 3, "no_such_column": 1}
    # A constant that is the right number earns nothing, and is what training learns to avoid.
    assert record[COUNT]["chosen"] == []
    verdicts = {"right_by_accident": 2, "wrong_rows": 1, "syntax": 1}
    assert sum(record[COUNT]["verdicts"].values()) == 4
    assert record[COUNT]["verdicts"]["right_by_accident"] == verdicts["right_by_accident"]
    # Any query without rows would be right here: nothing is learnt from it.
    assert record[NOBODY]["verdicts"] == {"gold_empty": 4}
    assert record[NOBODY]["chosen"] == record[NOBODY]["rejected"] == []
    assert show(graph.run) == (
        "3 questions, 12 answers; 33.3 % of the questions with at least one right answer; 2 right"
        " answers, 2 pairs, 5 labelled answers to learn from"
    )


def test_training_rows_hold_each_query_once(profile: dict[str, Any], tmp_path: Path) -> None:
    graph = graph_of(profile, tmp_path)
    make(graph)
    right = rows_of(graph, "rft")
    assert [row["conversations"][1]["value"] for row in right] == [
        "SELECT name FROM staff WHERE age > 30",
        "SELECT name FROM staff WHERE name IN ('Ana', 'Cy')",
    ]
    assert all(OLDER in row["conversations"][0]["value"] for row in right)
    pairs = rows_of(graph, "dpo")
    assert {row["rejected"]["value"] for row in pairs} == {"SELECT surname FROM staff"}
    assert [row["chosen"]["value"] for row in pairs] == [
        row["conversations"][1]["value"] for row in right
    ]
    labels = [row["label"] for row in rows_of(graph, "kto")]
    assert sorted(labels) == [False, False, False, True, True]
    index = read_json(graph["sample"].output / "dpo" / "dataset_info.json")["train"]
    assert index["ranking"] is True
    assert {"chosen", "rejected"} <= index["columns"].keys()


def test_on_suites_a_query_that_is_right_by_accident_is_wrong(
    profile: dict[str, Any], tmp_path: Path
) -> None:
    suites = tmp_path / "suites"
    make_database(suites, "shop", staff(("Ana", 31), ("Bo", 24), ("Cy", 45)))
    make_database(suites, "shop@1", staff(("Ana", 31), ("Di", 50)))
    profile["learning"]["suites"] = str(suites)
    graph = graph_of(profile, tmp_path)
    make(graph)
    record = records(graph)[OLDER]
    assert [a["sql"] for a in record["chosen"]] == ["SELECT name FROM staff WHERE age > 30"]
    assert [a["why"] for a in record["rejected"]] == ["wrong_rows", "no_such_column"]


def test_missing_suites_are_told_in_a_line(profile: dict[str, Any], tmp_path: Path) -> None:
    profile["learning"]["suites"] = str(tmp_path / "none")
    graph = graph_of(profile, tmp_path)
    with pytest.raises(UserError, match="no databases here; make suites with 'make test-suite'"):
        make(graph)


def test_an_interrupted_run_asks_only_for_what_is_missing(
    profile: dict[str, Any], tmp_path: Path, scripted: type[Scripted]
) -> None:
    graph = graph_of(profile, tmp_path)
    scripted.patience = 8
    try:
        with pytest.raises(KeyboardInterrupt):
            make(graph)
    finally:
        scripted.patience = 10**9
    assert len(scripted.asked) == 8
    assert not graph["sample-answers"].output.exists()
    make(graph)
    assert len(scripted.asked) == 12
    assert len(records(graph)) == 3


def test_the_number_of_questions_is_the_profiles_or_the_limit(
    profile: dict[str, Any], tmp_path: Path
) -> None:
    profile["learning"]["questions"] = 2
    graph = graph_of(profile, tmp_path)
    assert graph["sample-questions"].config["limit"] == 2
    make(graph, ("sample-questions",))
    assert len(read_questions(graph["sample-questions"].output / "questions.jsonl")) == 2


def test_a_profile_without_the_key_has_no_such_stages(
    profile: dict[str, Any], tmp_path: Path
) -> None:
    del profile["learning"]
    graph = graph_of(profile, tmp_path)
    assert not [name for name in graph if name.startswith("sample")]
    with pytest.raises(UserError, match="no stage 'sample' in this profile"):
        graph.select(["sample"])


def test_a_data_set_without_databases_is_refused(profile: dict[str, Any], tmp_path: Path) -> None:
    rows = [{"question": "Where?", "query": "SELECT 1", "db_id": "nowhere"}]
    rows += [{"question": "Who?", "query": "SELECT title FROM song", "db_id": "music"}]
    from text2sql.files import write_json

    write_json(tmp_path / "train.json", rows)
    graph = graph_of(profile, tmp_path)
    with pytest.raises(UserError, match="no training question can be sampled: 1 without a databas"):
        run_stage_of(graph, "sample-questions")


def run_stage_of(graph: Graph, name: str) -> None:
    from text2sql.progress import Progress
    from text2sql.stage import Job

    stage = graph[name]
    stage.output.mkdir(parents=True, exist_ok=True)
    graph.kinds[stage.kind].run(Job(stage, {}, stage.output, Progress(stage.output)))
