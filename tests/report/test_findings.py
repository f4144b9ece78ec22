"""The figures of the findings come from whatever records there are, and say where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest
from run_records import manifest, record

from text2sql.files import write_json
from text2sql.report import findings

BLOCKS = [
    findings.examples_block,
    findings.quantization_block,
    findings.training_block,
    findings.decoding_block,
]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "configs").mkdir()
    monkeypatch.setenv("TEXT2SQL_ROOT", str(tmp_path))
    return tmp_path


def plain(text: str) -> str:
    return " ".join(text.split())


def test_without_records_it_says_so(root: Path) -> None:
    for block in BLOCKS:
        assert "Not measured: there is no record." in block()


def test_a_row_with_examples_stands_against_the_same_model(root: Path) -> None:
    run = record()
    few_shot = run["rows"][1] | {
        "name": "rag",
        "label": "RAG",
        "without_examples": "tuned",
        "outcomes": "1" * 15 + "0" * 25,
        "accuracy": run["rows"][1]["accuracy"] | {"all": 20.06},
        "further_metrics": {"execution_success": 0.5},
    }
    write_json(root / "results" / "p_d.json", run | {"rows": [*run["rows"], few_shot]})
    assert "| A model, d: RAG | 20.1 | -10.0 | 0.002 | 75 % | 50 % |" in plain(
        findings.examples_block()
    )


def test_a_trained_row_stands_against_the_base_model(root: Path) -> None:
    run = record()
    run["rows"][1]["cost"] = run["rows"][1]["cost"] | {"training_seconds": 60.0}
    write_json(root / "results" / "p_d.json", run)
    text = plain(findings.lora_block())
    assert "| A model, d: Tuned |" in text and "Baseline" not in text


def test_names_in_scope_stand_against_plain_answers_of_the_same_model(root: Path) -> None:
    run = record()
    for name, model, scope in (("baseline", "a", False), ("tuned", "b", True), ("own", "b", False)):
        run["stages"][f"infer:{name}"] = manifest() | {
            "inputs": {"model": model},
            "config": {"decoding": {"scope": scope}},
        }
    run["rows"].append(run["rows"][0] | {"name": "own", "label": "Own"})
    write_json(root / "results" / "p_d.json", run)
    text = plain(findings.decoding_block())
    assert "| A model, d: Tuned |" in text
    assert "Own |" not in text and "Baseline |" not in text


def test_a_new_quantization_record_is_taken_up(root: Path) -> None:
    row = {
        "type": "F16",
        "bits_per_weight": 16.0,
        "accuracy": {"all": 50.0},
        "outcomes": "1" * 10,
        "same_sql_as_f16": 100.0,
        "perplexity": 1.5,
    }
    small = row | {"type": "Q4_K_M", "accuracy": {"all": 40.0}, "outcomes": "0" * 10}
    new = {"title": "New", "dataset": "d", "rows": [row, small]}
    write_json(root / "results" / "quantization" / "new.json", new)
    text = plain(findings.quantization_block())
    assert "| New, d | F16 | 16.0 | 50.0 | | 100 % | 1.500 |" in text
    assert "| | Q4_K_M | 16.0 | 40.0 | 0.002 | 100 % | 1.500 |" in text


def test_how_much_shared_schemas_save_comes_from_the_data_of_each_run(root: Path) -> None:
    run = record()
    run["stages"]["data"]["details"] = {"shared_schema": {"schemas": 7, "factor": 3.5}}
    write_json(root / "results" / "p_d.json", run)
    assert "| A model, d | 7 | 3.5 |" in plain(findings.training_block())
