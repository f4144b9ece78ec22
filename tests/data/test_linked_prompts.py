"""Prompts of training, evaluation and inference whose schemas a trained linker has pruned."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tiny_models import hollow_linker

from text2sql.config import check_config
from text2sql.data.config import DataConfig
from text2sql.data.prepare import SchemaTexts, prepare
from text2sql.data.sample import ensure_sample_databases
from text2sql.data.values import ValueTexts
from text2sql.errors import UserError
from text2sql.files import read_json, read_jsonl, write_json
from text2sql.infer.shrink_prompt import SchemaFitter
from text2sql.pipeline.keys import stage_key
from text2sql.pipeline.registry import build_graph
from text2sql.profile import load_profile
from text2sql.prompt import load_template, render_text
from text2sql.question import read_questions
from text2sql.run import Run
from text2sql.schema import Schema
from text2sql.schema.linker import FILE, Linker, Relevance
from text2sql.stage import Graph

QUESTION = "Which models of bikes are there in each shop?"  # words of other tables
NEEDED = ("customers", "home_city")  # what the linker says in spite of them
TEMPLATE = load_template("smollm2")


@pytest.fixture
def linker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A linker's folder; what it says needs no model."""

    def score(self: Linker, schema: Schema, question: str) -> Relevance:
        names = [(table.name, column.name) for table in schema.tables for column in table.columns]
        tables = {table.name: float(table.name == NEEDED[0]) for table in schema.tables}
        return Relevance(tables, {name: float(name == NEEDED) for name in names})

    monkeypatch.setattr(Linker, "_score", score)
    monkeypatch.setattr(Linker, "load", lambda self: None)
    return hollow_linker(tmp_path / "linker")


@pytest.fixture
def config(tmp_path: Path, build_folder: Path, linker: Path) -> DataConfig:
    row = {"db_id": "bike_rental", "question": QUESTION, "query": "SELECT count(*) FROM shops"}
    write_json(tmp_path / "dev.json", [row])
    write_json(tmp_path / "train.json", [row])
    values = {
        "train": [str(tmp_path / "train.json")],
        "evaluation": str(tmp_path / "dev.json"),
        "database": str(ensure_sample_databases()),
        "schema_style": "ddl-values",
        "decontamination": {"levels": []},
        "schema_budget": 40,
        "linker": str(linker),
    }
    return DataConfig.model_validate(values)


def shown_schema(config: DataConfig) -> str:
    return SchemaTexts(config).text("bike_rental", QUESTION)


def test_training_evaluation_and_inference_show_what_the_linker_leaves(
    config: DataConfig, tmp_path: Path
) -> None:
    text = shown_schema(config)
    assert "home_city" in text and "CREATE TABLE shops" not in text
    assert "home_city" not in shown_schema(config.model_copy(update={"linker": None}))
    prepare(config, tmp_path / "out")
    (question,) = read_questions(tmp_path / "out" / "questions.jsonl")
    (trained,) = read_json(tmp_path / "out" / "train.json")
    prompt = question.messages[1]["content"]
    assert trained["conversations"][0]["value"] == prompt
    assert f"[SCHEMA]\n{text}\n" in prompt
    assert ValueTexts(config).text("bike_rental", QUESTION) == text
    # As many tokens as that prompt has, where the whole schema was to be shown.
    texts = SchemaTexts(config)
    fitter = SchemaFitter(texts.schema, "ddl-values", "p2", TEMPLATE, linker=texts.linker)
    room = len(render_text(question.messages, TEMPLATE)) + 2
    fitted = fitter.fit(question, room, lambda text: [ord(letter) for letter in text])
    assert fitted is not None and fitted.messages == question.messages


def test_a_linker_that_is_not_there_is_named_with_what_makes_it(
    config: DataConfig, tmp_path: Path, linker: Path
) -> None:
    missing = config.model_copy(update={"linker": str(tmp_path / "none")})
    with pytest.raises(UserError, match=r"none: no schema linker here; .*make train-linker"):
        prepare(missing, tmp_path / "out")
    (linker / FILE).unlink()
    with pytest.raises(UserError, match=r"linker: not a schema linker; .*make train-linker"):
        prepare(config, tmp_path / "out")
    assert not (tmp_path / "out" / "rejects.jsonl").exists()


def test_keys_without_a_linker_are_what_they_were(config: DataConfig) -> None:
    assert "linker" in config.of_data()
    assert "linker" not in config.model_copy(update={"linker": None}).of_data()
    with pytest.raises(UserError, match=r"unknown key 'linkers'; did you mean 'linker'\?"):
        check_config(config.model_dump() | {"linkers": "x"}, DataConfig, "data")


@pytest.fixture
def graph_of(config: DataConfig, tmp_path: Path) -> Callable[..., Graph]:
    """Gives the graph of a run on that data set, some of its keys replaced."""

    def graph(**values: Any) -> Graph:
        path = tmp_path / "linked.yaml"
        path.write_text(yaml.safe_dump(config.model_dump(mode="json") | values))
        profile = load_profile("smollm2-135m").model_copy(update={"data": {}})
        return build_graph(Run(profile, str(path)))

    return graph


def test_a_changed_linker_is_another_key_where_it_prunes(
    graph_of: Callable[..., Graph], linker: Path
) -> None:
    graph = graph_of()
    before = stage_key(graph["data"])
    assert stage_key(graph["data"]) == before
    write_json(linker / FILE, read_json(linker / FILE) | {"questions": 1})
    assert stage_key(graph["data"]) != before
    files = (linker / FILE, linker)
    assert graph["infer:baseline"].sources == files
    assert graph_of(linker=None)["infer:baseline"].sources == ()
    trained = [stage for stage in graph.values() if stage.kind.startswith("train")]
    assert trained and not any(set(files) & set(stage.sources) for stage in trained)


def test_a_plan_says_what_makes_the_linker(graph_of: Callable[..., Graph], tmp_path: Path) -> None:
    graph = graph_of(linker=str(tmp_path / "none"))
    with pytest.raises(UserError, match=r"stage 'data' reads it; make one with 'make train-linker"):
        stage_key(graph["data"])


def test_rows_are_written_without_a_linker_where_nothing_is_pruned(
    config: DataConfig, tmp_path: Path, linker: Path
) -> None:
    whole = config.model_copy(update={"schema_budget": None})
    prepare(whole, tmp_path / "out")
    (question,) = read_jsonl(tmp_path / "out" / "questions.jsonl")
    assert "CREATE TABLE shops" in question["messages"][1]["content"]
