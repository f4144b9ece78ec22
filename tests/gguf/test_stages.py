"""The quantization stages of a profile, and the table made from their records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from text2sql.errors import UserError
from text2sql.files import write_json
from text2sql.gguf.table import run as make_table
from text2sql.graph import Selection, Stage, build_graph, select
from text2sql.plan import launch_line
from text2sql.profile import Profile, load_profile
from text2sql.progress import Progress
from text2sql.worker import STAGE_MODULES, Job


def changed(**values: Any) -> Profile:
    return Profile.model_validate(load_profile("smollm2-135m").model_dump() | values)


def test_every_type_is_answered_and_judged_as_its_row_is(build_folder: Path) -> None:
    profile = load_profile("smollm2-135m")
    graph = build_graph(Selection(profile, "sample"))
    assert profile.quantization
    row = graph[f"eval:{profile.quantization.row}"]
    for name in ("F16", *profile.quantization.types):
        judged = graph[f"quantized-eval:{name}"]
        assert (judged.config, judged.databases, judged.code) == (
            row.config,
            row.databases,
            row.code,
        )
        assert judged.inputs["predictions"].config["engine"] == "llama.cpp"
    assert graph["quantize:Q4_K_M"].inputs["gguf"].inputs["model"].kind == "merge"


def test_other_targets_do_not_need_llama_cpp(build_folder: Path) -> None:
    graph = build_graph(Selection(load_profile("smollm2-135m"), "sample"))
    kinds = {stage.kind for stage in select(graph, ["infer", "table", "figures"])}
    assert not kinds & {"gguf", "quantize", "quantized-infer", "quantized-eval"}
    assert {stage.kind for stage in graph.values()} <= STAGE_MODULES.keys()
    assert launch_line(graph["quantized-infer:F16"]) == "text2sql quantization-table"


def test_a_row_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match=r"quantization\.row 'none' is none of: baseline, lora"):
        changed(quantization={"row": "none", "infer": "smollm2-135m_greedy_llamacpp"})


def adapter_config(folder: Path) -> str:
    path = folder / "adapter.yaml"
    path.write_text("engine: vllm\nadapter: true\n")
    return str(path)


def test_an_adapter_is_used_beside_its_base_model(build_folder: Path, tmp_path: Path) -> None:
    rows = [{"name": "lora", "label": "LoRA", "recipe": "smollm2-135m_lora_cpu"}]
    profile = changed(rows=rows, infer=adapter_config(tmp_path), quantization=None)
    graph = build_graph(Selection(profile, "sample"))
    inputs = graph["infer:lora"].inputs
    assert (inputs["model"].kind, inputs["adapter"].kind) == ("model", "train-lora")
    assert "merge:smollm2-135m_lora_cpu" not in {
        stage.name for stage in select(graph, ["infer:lora"])
    }


def test_an_adapter_needs_a_lora_recipe(build_folder: Path, tmp_path: Path) -> None:
    rows = [{"name": "base", "label": "Base"}]
    profile = changed(rows=rows, infer=adapter_config(tmp_path), quantization=None)
    with pytest.raises(UserError, match="row 'base': adapter: true needs a LoRA recipe"):
        build_graph(Selection(profile, "sample"))


def records(folder: Path, name: str, size: float, queries: list[str]) -> dict[str, Path]:
    """The outputs of one type's stages, as far as the table reads them."""
    made, inferred, judged = (folder / f"{kind}-{name}" for kind in ("file", "infer", "eval"))
    details = {"megabytes": size, "bits_per_weight": size / 10, "tensor_types": {"F16": 1}}
    write_json(made / "manifest.json", {"details": details | {"perplexity": 1.5}})
    speed = {"prompt_tokens_per_second": 400.4, "generation_tokens_per_second": None}
    machine = {"cpu": "A CPU", "cores": 2}
    write_json(
        inferred / "manifest.json",
        {"details": speed, "peak_memory_mb": 321, "hardware": machine},
    )
    lines = [f'{{"sql": "{query}"}}\n' for query in queries]
    (inferred / "predictions.jsonl").write_text("".join(lines))
    level = {"count": 2, "exec": 0.5}
    scores = dict.fromkeys(("easy", "medium", "hard", "extra", "all"), level)
    write_json(judged / "scores.json", {"scores": scores})
    write_json(judged / "manifest.json", {"git": {"sha": "abc"}})
    return {f"file:{name}": made, f"infer:{name}": inferred, f"eval:{name}": judged}


def test_the_table_says_what_the_records_say(tmp_path: Path) -> None:
    inputs = records(tmp_path, "F16", 160.0, ["SELECT 1", "SELECT 2"])
    inputs |= records(tmp_path, "Q4_K_M", 60.0, ["SELECT 1", "SELECT 3"])
    stage = Stage(
        "quantization-table",
        "quantization-table",
        {"title": "Model", "dataset": "sample", "types": ["F16", "Q4_K_M"]},
        tmp_path / "out",
        settings={"threads": 1},
    )
    make_table(Job(stage, inputs, tmp_path / "out", Progress(tmp_path)))
    text = (tmp_path / "out" / "quantization.md").read_text()
    line = next(line for line in text.splitlines() if line.startswith("| Q4_K_M"))
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells == [
        *("Q4_K_M", "60", "6.00", "50.0", "50.0", "50.0", "50.0", "50.0"),
        *("50.0 %", "1.500", "400", "not measured", "321"),
    ]
    assert "of 2 questions" in text and "Threads: 1 of A CPU" in text
