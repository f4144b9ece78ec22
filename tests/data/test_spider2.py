"""Spider 2.0-lite's questions through the data stage and the evaluation, on a sample database."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from text2sql import evaluate
from text2sql.data.sample import ensure_sample_databases
from text2sql.errors import UserError
from text2sql.files import read_json, read_jsonl, write_jsonl, write_text
from text2sql.pipeline.registry import build_graph
from text2sql.pipeline.run_stage import run_stage
from text2sql.profile import EvalConfig
from text2sql.progress import Progress
from text2sql.records import write_manifest
from text2sql.run import load_run
from text2sql.stage import Graph, Job

QUESTIONS = [
    {
        "instance_id": "local001",
        "db": "library",
        "question": "How many?",
        "external_knowledge": None,
    },
    {"instance_id": "local002", "db": "library", "question": "Who?", "external_knowledge": "m.md"},
    {"instance_id": "local003", "db": "gone", "question": "Where?"},
    {"instance_id": "sf_bq001", "db": "GA", "question": "When?"},
]


@pytest.fixture
def graph(tmp_path: Path, build_folder: Path) -> Graph:
    samples = ensure_sample_databases()
    root = tmp_path / "spider2-lite"
    gold = root / "evaluation_suite" / "gold"
    databases = root / "resource" / "databases" / "spider2-localdb"
    for place in (gold / "exec_result", databases, root / "resource" / "documents"):
        place.mkdir(parents=True)
    shutil.copy(samples / "library" / "library.sqlite", databases)
    write_text(root / "resource" / "documents" / "m.md", "Members read.\n")
    write_jsonl(root / "spider2-lite.jsonl", QUESTIONS)
    ids = [question["instance_id"] for question in QUESTIONS]
    standards = ({"instance_id": i, "condition_cols": [], "ignore_order": True} for i in ids)
    write_jsonl(gold / "spider2lite_eval.jsonl", standards)
    for name in ids[:3]:
        write_text(gold / "exec_result" / f"{name}.csv", "n\n1\n")
    config = {
        "train": ["data/sample/train.json"],
        "evaluation": str(root / "spider2-lite.jsonl"),
        "database": [str(databases), str(samples)],
        "metric": "spider2",
        "decontamination": {"levels": []},
        "max_train_rows": 5,
    }
    write_text(tmp_path / "lite.yaml", yaml.safe_dump(config))
    return build_graph(load_run("smollm2-135m", dataset=str(tmp_path / "lite.yaml")))


def make(graph: Graph, name: str) -> Path:
    stage = graph[name]
    stage.output.with_name(f"{stage.output.name}.partial").mkdir(parents=True)
    run_stage(stage)
    return stage.output


def test_from_the_files_to_scores(graph: Graph, capsys: pytest.CaptureFixture[str]) -> None:
    data = make(graph, "data")
    questions = list(read_jsonl(data / "questions.jsonl"))
    assert [(q["question"], q.get("evidence", "")) for q in questions] == [
        ("How many?", ""),
        ("Who?", "Members read."),
    ]
    assert questions[1]["messages"][1]["content"].endswith("Who?\n[EVIDENCE]\nMembers read.\n")
    assert read_json(data / "summary.json")["unscored"] == {
        "no database file gone.sqlite": ["local003"],
        "not on SQLite": ["sf_bq001"],
    }
    assert "not scored, not on SQLite: 1" in capsys.readouterr().err
    extract = graph["extract:baseline"].output
    extract.mkdir(parents=True)
    sql = ["SELECT 1", "SELECT count(*) FROM no_table"]
    write_jsonl(extract / "predictions.jsonl", ({"id": n, "sql": q} for n, q in enumerate(sql)))
    write_manifest(
        extract,
        stage="extract:baseline",
        key="",
        config={},
        inputs={},
        seed=None,
        started=datetime.now(UTC),
        details={},
    )
    output = make(graph, "eval:baseline")
    scores = read_json(output / "scores.json")
    assert scores["scores"]["all"]["spider2"] == scores["metrics"]["execution_success"] == 0.5
    verdicts = list(read_jsonl(output / "verdicts.jsonl"))
    assert [(v["instance_id"], v["exec"], v["error"]) for v in verdicts] == [
        ("local001", 1, None),
        ("local002", 0, "no_such_table"),
    ]


def test_without_databases_it_says_so(graph: Graph, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "spider2-lite" / "resource" / "databases" / "spider2-localdb")
    (tmp_path / "spider2-lite" / "resource" / "databases" / "spider2-localdb").mkdir()
    with pytest.raises(UserError, match="no question can be scored"):
        make(graph, "data")


def test_a_test_suite_is_refused(graph: Graph) -> None:
    profile = graph.run.profile.model_copy(update={"evaluation": EvalConfig(test_suite="suites")})
    stage = build_graph(replace(graph.run, profile=profile))["eval:baseline"]
    with pytest.raises(UserError, match="leave test_suite out"):
        evaluate.run(Job(stage, {}, stage.output, Progress(stage.output)))
