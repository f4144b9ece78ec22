"""Rows that are made only where they are asked for: retrieval in the CPU profile."""

from __future__ import annotations

import json

import pytest

from text2sql.errors import UserError
from text2sql.pipeline.command import select_run
from text2sql.pipeline.registry import build_graph
from text2sql.pipeline.scheduler import Scheduler
from text2sql.profile import load_profile
from text2sql.run import Run
from text2sql.stage import Graph

PROFILE = "smollm2-135m"


def graph_of(*optional: str) -> Graph:
    profile = load_profile(PROFILE)
    return build_graph(Run(profile, profile.dataset, optional=optional))


def test_by_default_nothing_of_retrieval_is_run() -> None:
    graph = graph_of()
    assert not [name for name in graph if name.startswith(("knowledge-base", "retrieve"))]
    assert not [name for name in graph if "rag_" in name]


def test_a_row_asked_for_brings_its_stages_and_no_others() -> None:
    graph = graph_of("rag_embedding")
    assert "infer:rag_embedding" in graph
    assert "infer:rag_best" not in graph
    assert graph["infer:rag_embedding"].inputs["examples"].name == "retrieve:minilm_embedding"
    assert graph["infer:rag_embedding"].config["examples"] == {
        "form": "reference_list",
        "order": "best_first",
    }
    assert "examples" not in graph["infer:baseline"].config
    assert list(graph["table"].inputs) == ["baseline", "lora", "full", "rag_embedding"]


def test_all_rows_share_a_store_and_drafts_come_from_the_same_model() -> None:
    graph = graph_of("all")
    assert [name for name in graph if name.startswith("knowledge-base")] == [
        "knowledge-base:minilm"
    ]
    for row, model in (("rag_best", "baseline"), ("rag_best_lora", "lora")):
        examples = graph[f"infer:{row}"].inputs["examples"]
        assert examples.inputs["draft"].name == f"infer:{model}"
        assert graph[f"infer:{row}"].inputs["model"] is graph[f"infer:{model}"].inputs["model"]


def test_the_table_knows_each_row_of_the_same_model_without_examples() -> None:
    rows = {row["name"]: row["without_examples"] for row in graph_of("all")["table"].config["rows"]}
    assert rows["rag_best"] == rows["rag_embedding"] == "baseline"
    assert rows["rag_best_lora"] == "lora"
    assert rows["lora"] is rows["baseline"] is None


def test_an_unknown_row_is_refused_with_what_there_is() -> None:
    with pytest.raises(UserError, match=r"no optional row 'rag_bets'.*rag_best"):
        graph_of("rag_bets")


def test_row_names_an_optional_row_as_well() -> None:
    options = {"profile": PROFILE, "dataset": None, "limit": None, "recipe": None}
    graph = select_run(**options, row="rag_best", rows=None)
    assert graph.run.optional == ("rag_best",)
    assert graph.select(["eval:rag_best"])[-1].name == "eval:rag_best"
    run = select_run(**options, row=None, rows="rag_best, rag_embedding").run
    assert run.optional == ("rag_best", "rag_embedding")


def test_the_worker_is_told_which_optional_rows_there_are() -> None:
    profile = load_profile(PROFILE)
    selection = Run(profile, profile.dataset, optional=("rag_embedding", "rag_best"))
    graph = build_graph(selection)
    command = Scheduler(selection, 1).command(graph["retrieve:minilm_embedding"])
    assert json.loads(command[-1])["optional"] == ["rag_embedding", "rag_best"]
