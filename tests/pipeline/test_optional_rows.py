"""Rows that are made only where they are asked for: retrieval in the CPU profile."""

from __future__ import annotations

import json

import pytest

from text2sql.errors import UserError
from text2sql.pipeline.command import select_run
from text2sql.pipeline.registry import build_graph
from text2sql.pipeline.scheduler import Scheduler
from text2sql.profile import load_profile
from text2sql.run import Run, load_run
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
        assert examples.inputs["draft"].name == f"extract:{model}"
        assert graph[f"infer:{row}"].inputs["model"] is graph[f"infer:{model}"].inputs["model"]


def test_the_table_knows_each_row_of_the_same_model_without_examples() -> None:
    rows = {row["name"]: row["without_examples"] for row in graph_of("all")["table"].config["rows"]}
    assert rows["rag_best"] == rows["rag_embedding"] == "baseline"
    assert rows["rag_best_lora"] == "lora"
    assert rows["lora"] is rows["baseline"] is None


def test_a_row_with_retrieval_alone_gets_answers_of_its_own_as_drafts() -> None:
    profile = load_profile(PROFILE)
    best = next(row for row in profile.optional_rows if row.name == "rag_best_lora")
    run = Run(profile.model_copy(update={"rows": [best], "quantization": None}), "sample")
    draft = run.row("rag_best_lora-draft")
    assert (draft.recipe, draft.retrieval) == (best.recipe, None)
    with pytest.raises(UserError, match="no row 'lora'; there are: rag_best_lora"):
        run.row("lora")
    examples = build_graph(run)["infer:rag_best_lora"].inputs["examples"]
    assert examples.inputs["draft"].name == "extract:rag_best_lora-draft"


def test_the_worker_makes_the_same_run() -> None:
    overrides = {"learning_rate": 1e-4}
    run = Run(
        load_profile(PROFILE),
        "spider",
        5,
        "smollm2-135m_lora_cpu",
        PROFILE,
        overrides,
        ("rag_best",),
    )
    again = load_run(**json.loads(json.dumps(run.choices())))
    assert (again.profile, again.folder, again.rows) == (run.profile, run.folder, run.rows)
    assert again.training(again.rows[-1]) == (run.recipe_name, overrides)


@pytest.mark.parametrize(("option", "kind"), [("dataset", "data"), ("recipe", "train")])
def test_an_option_that_names_no_config(option: str, kind: str) -> None:
    names = {"dataset": "sample"} | {option: "nonesuch"}
    with pytest.raises(UserError, match=rf"configs/{kind}/nonesuch\.yaml: no such config file"):
        Run(load_profile(PROFILE), **names)


def test_a_wrong_key_for_the_data_set_names_the_profile_too() -> None:
    profile = load_profile(PROFILE).model_copy(update={"data": {"schema_stile": "ddl"}})
    with pytest.raises(UserError, match=r"'data' of profile smollm2-135m: .*mean 'schema_style'"):
        build_graph(Run(profile, "sample"))


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
