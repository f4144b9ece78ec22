"""A data set of BIRD's shape goes from one YAML to a table of its levels and its metric."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from safetensors.numpy import save_file

from text2sql.config import load_config
from text2sql.data.config import DataConfig
from text2sql.data.prepare import evaluation_rows
from text2sql.errors import UserError
from text2sql.files import read_json, read_jsonl, write_text
from text2sql.infer import stage as infer_stage
from text2sql.infer.engine import Completion, Prompt
from text2sql.pipeline.keys import is_current
from text2sql.pipeline.registry import build_graph
from text2sql.pipeline.run_stage import run_stage
from text2sql.profile import EvalConfig
from text2sql.question import read_questions
from text2sql.report.figure import draw_accuracy
from text2sql.run import load_run
from text2sql.stage import Graph

FOLDER = Path(__file__).parent / "bird_shaped"
DATASET = str(FOLDER / "bird_shaped.yaml")
# What the model says: right; right as a set, with rows twice; columns swapped; nothing.
ANSWERS = {
    "How many old shops are there?": "SELECT count(*) FROM shops WHERE opened_year < 2012;",
    "In which districts are shops?": (
        "SELECT district FROM shops UNION ALL SELECT district FROM shops"
    ),
    "Name and district of the small shops?": (
        "SELECT district, shop_name FROM shops WHERE staff_count < 4"
    ),
    "Which shop has most staff?": "I do not know.",
}
PROFILE = """
name: tiny
title: Tiny
model: {name: tiny, path_or_hub_id: MODEL, template: smollm2}
dataset: sample
infer: smollm2-135m_greedy_cpu
rows: [{name: baseline, label: Baseline}]
"""


class Scripted:
    """Stands in for a model: says what `ANSWERS` holds; a token is four characters."""

    prompts: list[str] = []

    def encode(self, text: str) -> list[int]:
        return [0] * (len(text) // 4)

    def generate(self, prompts: Sequence[Prompt]) -> Iterator[Completion]:
        for prompt in prompts:
            self.prompts.append(prompt.text)
            (said,) = (said for asked, said in ANSWERS.items() if f"\n{asked}\n" in prompt.text)
            yield Completion(prompt.id, said, 7, 0.1, "stop")

    def measurements(self) -> dict[str, Any]:
        return {}


@pytest.fixture
def graph(tmp_path: Path, build_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Graph:
    """A run of the data set with a model that is scripted and all else real."""
    model = tmp_path / "model"
    model.mkdir()
    write_text(model / "config.json", "{}")
    save_file({"weight": np.zeros(8)}, model / "model.safetensors")
    write_text(tmp_path / "tiny.yaml", PROFILE.replace("MODEL", str(model)))
    monkeypatch.setattr(infer_stage, "load_engine", lambda *_: Scripted())
    monkeypatch.setattr(Scripted, "prompts", [])
    return build_graph(load_run(str(tmp_path / "tiny.yaml"), dataset=DATASET))


def make_table(graph: Graph) -> None:
    for stage in graph.select(["table"]):
        if not is_current(stage):
            stage.output.with_name(f"{stage.output.name}.partial").mkdir(parents=True)
            run_stage(stage)


def test_from_one_yaml_to_the_table(graph: Graph, tmp_path: Path) -> None:
    make_table(graph)
    questions = read_questions(graph["data"].output / "questions.jsonl")
    assert [q.level for q in questions] == ["simple", "challenging", "moderate", "simple"]
    assert questions[0].evidence == "old shops refers to opened_year < 2012"
    for question, prompt in zip(questions, Scripted.prompts, strict=True):
        asked = f"[QUESTION]\n{question.question}\n"
        asked += f"[EVIDENCE]\n{question.evidence}\n" if question.evidence else ""
        assert f"{asked}<|im_end|>" in prompt
    trained = [row["conversations"][0] for row in read_json(graph["data"].output / "train.json")]
    assert {"from": "human", "value": questions[0].messages[1]["content"]} in trained
    verdicts = list(read_jsonl(graph["eval:baseline"].output / "verdicts.jsonl"))
    assert [(v["exec"], v["bird_set"]) for v in verdicts] == [(1, 1), (0, 1), (1, 0), (0, 0)]
    # By the place of rows: columns swapped cost nothing, an answer that does not run all.
    assert [v["soft_f1"] for v in verdicts] == [1.0, 1.0, 1.0, 0.0]
    judged = read_json(graph["eval:baseline"].output / "scores.json")
    assert judged["bird"]["scores"]["moderate"] == {"count": 1, "ex": 0.0, "soft_f1": 1.0}
    assert judged["metrics"]["soft_f1"] == 0.75 and "r_ves" not in judged["metrics"]
    scores = judged["scores"]
    assert scores["simple"] == {"count": 2, "exec": 0.5, "strict": 0.5, "bird_set": 0.5}
    assert scores["challenging"]["bird_set"] == 1.0
    table = (graph["table"].output / "table.md").read_text()
    assert "BIRD execution accuracy in per cent" in table
    lines = [line for line in table.splitlines() if line.startswith("|") and set(line) - set("|:-")]
    assert [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[:3]] == [
        ["Model", "Simple", "Moderate", "Challenging", "All"],
        ["*questions*", "2", "1", "1", "4"],
        ["Baseline", "50.0", "0.0", "100.0", "50.0"],
    ]
    assert " Soft-F1 % |" in table and "R-VES" not in table
    record = read_json(graph["table"].output / "record.json")
    assert (record["rows"][0]["outcomes"], record["metric"]["verdict"]) == ("1100", "bird_set")
    draw_accuracy(record, tmp_path / "chart.png")
    assert (tmp_path / "chart.png").is_file()


def test_r_ves_is_measured_where_the_profile_asks_for_it(graph: Graph) -> None:
    evaluation = EvalConfig(r_ves_iterations=2)
    profile = graph.run.profile.model_copy(update={"evaluation": evaluation})
    asked = build_graph(replace(graph.run, profile=profile))
    assert asked["eval:baseline"].alone and not graph["eval:baseline"].alone
    make_table(asked)
    verdicts = list(read_jsonl(asked["eval:baseline"].output / "verdicts.jsonl"))
    assert [v["reward"] > 0 for v in verdicts] == [True, True, False, False]
    table = (asked["table"].output / "table.md").read_text()
    assert re.search(r" Soft-F1 % \| +R-VES \|", table)
    with pytest.raises(ValueError, match="at least 2"):
        EvalConfig(r_ves_iterations=1)


def test_the_documented_data_set_is_of_this_shape(repository: Path) -> None:
    page = (repository / "docs" / "extending.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```yaml\n(# configs/data/bird.*?)```", page, re.DOTALL)
    documented = DataConfig.model_validate(yaml.safe_load(block))
    ours = load_config(DATASET, DataConfig)
    for key in ("fields", "levels", "metric"):
        assert getattr(documented, key) == getattr(ours, key)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        (
            "fields",
            {"question": "question", "SQL": "SQL"},
            "key 'fields.SQL.[key]': there is no such column; there are: question, sql",
        ),
        ("fields", {"question": "question", "sql": "SQL"}, "fields needs question, sql and db_id"),
        ("fields", None, "levels needs the name of their column"),
        ("levels", ["simple", "all"], "levels must differ from each other and from 'all'"),
        ("metric", "bird", "key 'metric'"),
        ("levels", ["simple", "moderate"], "row 2: level 'challenging' is none of the config's"),
        (
            "fields",
            {"question": "question", "sql": "SQL", "db_id": "db_id", "evidence": "evidnce"}
            | {"level": "difficulty"},
            "missing field: evidnce",
        ),
    ],
)
def test_a_mistake_in_the_yaml_is_one_line(
    key: str, value: Any, words: str, tmp_path: Path
) -> None:
    values = yaml.safe_load(Path(DATASET).read_text()) | {key: value}
    write_text(tmp_path / "own.yaml", yaml.safe_dump(values))
    with pytest.raises(UserError) as refused:
        evaluation_rows(load_config(tmp_path / "own.yaml", DataConfig))
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
