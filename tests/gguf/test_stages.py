"""The quantization stages of a profile, and the table made from their records."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from text2sql.cli import cli
from text2sql.errors import UserError
from text2sql.files import read_json, write_json, write_jsonl
from text2sql.models.gguf_types import TABLE_TYPES
from text2sql.pipeline.command import select_run
from text2sql.pipeline.plan import launch_line
from text2sql.pipeline.registry import build_graph
from text2sql.profile import Profile, load_profile
from text2sql.progress import Progress
from text2sql.report import pages, publish
from text2sql.report.doc_blocks import inference_block
from text2sql.report.quantization import run as make_table
from text2sql.report.quantization import storage_text
from text2sql.report.record import LEVELS
from text2sql.run import Run, load_run
from text2sql.stage import Job, Stage

PROFILES = Path(__file__).resolve().parents[2] / "configs" / "profiles"


def changed(**values: Any) -> Profile:
    return Profile.model_validate(load_profile("smollm2-135m").model_dump() | values)


def test_every_type_is_answered_and_judged_as_its_row_is(build_folder: Path) -> None:
    profile = load_profile("smollm2-135m")
    graph = build_graph(Run(profile, "sample"))
    assert profile.quantization
    row = graph[f"eval:{profile.quantization.row}"]
    for name in ("F16", *profile.quantization.types):
        judged = graph[f"quantized-eval:{name}"]
        assert (judged.config, judged.databases, judged.code) == (
            row.config,
            row.databases,
            row.code,
        )
        assert judged.inputs["predictions"].inputs["answers"].config["engine"] == "llama.cpp"
    assert graph["quantize:Q4_K_M"].inputs["gguf"].inputs["model"].kind == "merge"


def test_other_targets_do_not_need_llama_cpp(build_folder: Path) -> None:
    graph = build_graph(Run(load_profile("smollm2-135m"), "sample"))
    kinds = {stage.kind for stage in graph.select(["infer", "table", "figures"])}
    assert not kinds & {"gguf", "quantize", "quantized-infer", "quantized-eval"}
    line = launch_line(graph, graph["quantized-infer:F16"])
    assert line.endswith("-m text2sql stage quantization-table --profile smollm2-135m")


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
    graph = build_graph(Run(profile, "sample"))
    inputs = graph["infer:lora"].inputs
    assert (inputs["model"].kind, inputs["adapter"].kind) == ("model", "train-lora")
    assert "merge:smollm2-135m_lora_cpu" not in {
        stage.name for stage in graph.select(["infer:lora"])
    }


def test_an_adapter_needs_a_lora_recipe(build_folder: Path, tmp_path: Path) -> None:
    rows = [{"name": "base", "label": "Base"}]
    profile = changed(rows=rows, infer=adapter_config(tmp_path), quantization=None)
    with pytest.raises(UserError, match="row 'base': adapter: true needs a LoRA recipe"):
        build_graph(Run(profile, "sample"))


def records(folder: Path, name: str, size: float, queries: list[str]) -> dict[str, Path]:
    """The outputs of one type's stages, as far as the table reads them."""
    kinds = ("file", "infer", "extract", "eval")
    made, inferred, extracted, judged = folders = [folder / f"{kind}-{name}" for kind in kinds]
    kept = {
        "inputs": {"model": "abc" * 20},
        "output_hash": "x",
        "git": {"sha": "0123456789abcdef", "dirty": False},
        "versions": {},
        "hardware": {"cpu": "A CPU", "cores": 2},
        "started": "2026-01-01",
        "seconds": 1.0,
        "command": "c",
    }
    stored = "F16" if name == "F16" else "Q5_0"
    details = {
        "megabytes": size,
        "bits_per_weight": size / 10,
        "matrices": [
            {"kind": "ffn_up", "row": 576, "values": 300, "types": {stored: 3}},
            {"kind": "attn_k", "row": 576, "values": 100, "types": {stored: 3}},
            {"kind": "ffn_down", "row": 1536, "values": 400, "types": {"Q4_K": 2, "Q6_K": 1}},
        ],
        "perplexity": 1.5,
        "perplexity_questions": 7,
    }
    write_json(made / "manifest.json", kept | {"details": details})
    speed = {"prompt_tokens_per_cpu_second": 400.4, "generation_tokens_per_cpu_second": None}
    write_json(inferred / "manifest.json", kept | {"details": speed, "peak_memory_mb": 321})
    write_jsonl(extracted / "predictions.jsonl", ({"sql": query} for query in queries))
    level = {"count": 2, "exec": 0.5}
    scores = dict.fromkeys(("easy", "medium", "hard", "extra", "all"), level)
    write_json(judged / "scores.json", {"scores": scores})
    write_json(judged / "manifest.json", kept)
    (judged / "verdicts.jsonl").write_text('{"exec": 1}\n{"exec": 0}\n')
    write_json(extracted / "manifest.json", kept)
    return {f"{kind}:{name}": path for kind, path in zip(kinds, folders, strict=True)}


@pytest.fixture
def made_table(tmp_path: Path) -> Path:
    """The output folder of a table stage over records of two types."""
    inputs = records(tmp_path, "F16", 160.0, ["SELECT 1", "SELECT 2"])
    inputs |= records(tmp_path, "Q4_K_M", 60.0, ["SELECT 1", "SELECT 3"])
    titles = {"title": "Model", "profile": "p", "row": "lora", "dataset": "sample"}
    folder = tmp_path / "run" / "gguf" / "lora" / "table"
    stage = Stage(
        "quantization-table",
        "quantization-table",
        titles | {"types": ["F16", "Q4_K_M"], "levels": LEVELS[:-1], "metric": "exec"},
        folder,
        settings={"threads": 1},
    )
    make_table(Job(stage, inputs, folder, Progress(tmp_path)))
    return folder


def test_the_table_says_what_the_records_say(made_table: Path) -> None:
    text = (made_table / "quantization.md").read_text()
    line = next(line for line in text.splitlines() if line.startswith("| Q4_K_M"))
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells == [
        *("Q4_K_M", "60", "6.00", "50.0", "50.0", "50.0", "50.0", "50.0", "1.000"),
        *("50.0 %", "1.500", "400", "not measured", "321"),
    ]
    assert "of 2 questions" in text and "(7 questions)" in text
    assert "Threads: 1 of A CPU; commit 0123456789; model SHA-256 abcabcabcabc." in text


def test_it_says_which_matrices_a_k_quant_does_not_take(made_table: Path) -> None:
    text = (made_table / "quantization.md").read_text()
    assert "6 of 9 matrices, 50 % of their values, have rows of 576 values" in text
    text = re.sub(" +", " ", text)
    assert "| ffn_up, attn_k | 576 | 50 % | Q5_0 |" in text
    assert "| ffn_down | 1536 | 50 % | 2 Q4_K, 1 Q6_K |" in text


def test_nothing_is_said_where_every_row_divides() -> None:
    matrices = [{"kind": "a", "row": 512, "values": 9, "types": {"Q4_K": 1}}]
    row = {"type": "Q4_K_M", "matrices": matrices}
    assert storage_text({"rows": [row]}) == ""
    odd = [matrices[0] | {"row": 100}]
    assert storage_text({"rows": [{"type": "Q8_0", "matrices": odd}]}) == ""


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout whose pages hold nothing but the marks."""
    folder = tmp_path / "checkout"
    for name, blocks in pages.PAGES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        marks = (f"{begin}\n{end}\n" for begin, end in map(pages.markers, blocks))
        (folder / name).write_text("".join(marks), encoding="utf-8")
    (folder / "configs").mkdir()
    monkeypatch.setenv("TEXT2SQL_ROOT", str(folder))
    return folder


def test_a_published_table_stands_on_the_page(
    made_table: Path, tmp_path: Path, checkout: Path
) -> None:
    published = publish.publish_run(tmp_path / "run")
    assert published == [checkout / "results" / "quantization" / "p_sample.json"]
    assert (made_table / "quantization.md").read_text() in inference_block()
    assert (made_table / "quantization.md").read_text() in (
        checkout / "docs" / "inference.md"
    ).read_text(encoding="utf-8")
    with pytest.raises(UserError, match="run 'make reproduce' first"):
        publish.publish_run(tmp_path / "no-run")


def test_a_table_from_uncommitted_code_is_not_published(
    made_table: Path, tmp_path: Path, checkout: Path
) -> None:
    path = made_table / "quantization.json"
    record = read_json(path)
    record["stages"]["infer:F16"]["git"]["dirty"] = True
    write_json(path, record)
    with pytest.raises(UserError, match="changes that are not committed"):
        publish.publish_run(tmp_path / "run")
    assert not (checkout / "results").exists()


@pytest.mark.parametrize("name", sorted(path.stem for path in PROFILES.glob("*.yaml")))
def test_every_profile_has_a_model_to_quantize_but_those_of_a_gguf_file(
    build_folder: Path, name: str
) -> None:
    profile = load_profile(name)
    graph = build_graph(Run(profile, profile.dataset))
    types = [stage.config["type"] for stage in graph.values() if stage.kind == "quantize"]
    assert types == ([] if profile.model.form == "gguf" else [*TABLE_TYPES])


def test_any_type_and_any_row_can_be_asked_for(build_folder: Path) -> None:
    asked = ("Q2_K", "Q4_0", "Q4_K_S", "Q5_K_S")
    graph = select_run("smollm2-135m", gguf_row="full", more_types=asked)
    for kind in asked:
        assert graph[f"quantize:{kind}"].output == graph.run.folder / "gguf" / "full" / kind
    assert graph["gguf:full"].inputs["model"].kind == "train-full"
    # What a table needs stays what it was, and with it the key of the F16 file.
    assert graph["quantization-table"].config["types"] == ["F16", *TABLE_TYPES]
    plain = select_run("smollm2-135m")
    assert plain["gguf:lora"].config["types"] == [*TABLE_TYPES]
    child = load_run(**graph.run.choices())
    assert "quantize:Q4_0" in build_graph(child)
    assert child.profile.quantization and child.profile.quantization.row == "full"


def test_what_cannot_be_quantized_is_refused_at_once(build_folder: Path) -> None:
    for options, words in (
        (["--model", "/nonexist"], "/nonexist"),
        (["--type", "Q9"], "no quantization type 'Q9'"),
        (["--row", "none"], "no row 'none'"),
        (["--profile", "qwen2.5-coder-1.5b"], "make serve-openai serves it"),
    ):
        result = CliRunner().invoke(cli, ["quantize", "--check", *options])
        assert result.exit_code == 2, result.output
        assert words in result.output
    assert CliRunner().invoke(cli, ["quantize", "--check"]).exit_code == 0
