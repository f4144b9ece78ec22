"""Tables of data, suites, own databases and the service come from records, or say there is none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from text2sql.files import write_json
from text2sql.report import data_blocks

AROUND: dict[str, Any] = {
    "hardware": {"cores": 2, "cpu": "a CPU"},
    "git": {"sha": "0123456789abcdef", "dirty": False},
    "load_before": [1.2, 0.0, 0.0],
    "load_after": [2.6, 0.0, 0.0],
}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "configs").mkdir()
    monkeypatch.setenv("TEXT2SQL_ROOT", str(tmp_path))
    return tmp_path


def plain(text: str) -> str:
    return " ".join(text.split())


def test_without_records_they_say_so(root: Path) -> None:
    for block in (
        data_blocks.pruning_block,
        data_blocks.linking_block,
        data_blocks.preparing_block,
        data_blocks.pairs_block,
        data_blocks.asked_block,
        data_blocks.busy_block,
        data_blocks.reuse_block,
        data_blocks.inference_block,
        data_blocks.load_block,
        data_blocks.curve_block,
        data_blocks.golds_block,
        data_blocks.values_block,
        data_blocks.index_block,
        data_blocks.forgiven_block,
    ):
        assert block() == "Not measured: there is no record."


def test_the_service_is_shown_with_what_it_did_not_answer(root: Path) -> None:
    row = {"batch": 16, "clients": 8, "requests_per_second": 9.96, "p50_seconds": 0.5}
    row |= {"p95_seconds": 1.25, "outcomes": {"200": 97, "429": 3}}
    steady = {"requests": 1000, "outcomes": {"200": 999}, "memory_mb": [700, 710]}
    record = {"requests": 100, "rows": [row], "steady": steady} | AROUND
    write_json(root / "benchmarks" / "serve_load.json", record)
    text = plain(data_blocks.load_block())
    assert "| 16 | 8 | 10.0 | 0.500 | 1.250 | 3 |" in text
    assert "Over 1,000 more requests 1 stayed without an answer" in text and "700, 710" in text
    assert "2 cores of a CPU, load 1 before and 3 after, commit 0123456789" in text


def test_ways_to_answer_are_compared_by_processor_time_too(root: Path) -> None:
    row = {"way": "in the service", "clients": 8, "requests_per_second": 1.239}
    row |= {"p50_seconds": 5.0, "p95_seconds": 9.126, "outcomes": {"200": 15, "502": 1}}
    record = {"model": "m.gguf", "threads": 1} | AROUND
    record["rows"] = [row | {"processor_seconds_per_request": 0.456}]
    write_json(root / "benchmarks" / "serve_inference.json", record)
    text = plain(data_blocks.inference_block())
    assert "| in the service | 8 | 16 | 1.24 | 5.00 | 9.13 | 0.46 |" in text
    assert "m.gguf, 1 thread(s), 2 cores of a CPU, load 1 before and 3 after" in text


def test_connections_are_compared(root: Path) -> None:
    row = {"database": "duckdb", "per_second_reused": 1234.5, "per_second_new_connection": 5.5}
    record = {"databases": [row | {"ratio": 224.5}]} | AROUND
    write_json(root / "benchmarks" / "connection_reuse.json", record)
    assert "| duckdb | 1,234 | 5.5 | 224 |" in plain(data_blocks.reuse_block())


def test_pruning_and_suites_give_shares(root: Path) -> None:
    budget = {"budget": 128, "pruned": 40, "lost": 5}
    record = {"questions": 50, "dataset": "d", "style": "ddl", "samples": 3, "budgets": [budget]}
    write_json(root / "benchmarks" / "data_pruning.json", record)
    assert "| 128 | 40 | 5 | 10.0 % |" in plain(data_blocks.pruning_block())
    curve = {"neighbours": 200, "golds": 9, "databases": 2, "variants": 20, "chosen_variants": 7}
    curve |= {"failing": 0, "without_rows": 1, "seed": 0, "sqlite": "3", "python": "3.11"}
    write_json(root / data_blocks.CURVE, curve | {"told": {"plain database": [100, 150]}})
    text = plain(data_blocks.curve_block())
    assert "| plain database | 75.0 % |" in text and "chose 3.5 on average" in text


def test_a_linker_is_compared_with_words(root: Path) -> None:
    words = {"recall": 0.5, "lose_a_column": 10, "lose_a_table": 4}
    linker = {"recall": 0.925, "lose_a_column": 3, "lose_a_table": 1}
    budget = {"budget": 128, "pruned": 40, "word_overlap": words, "linker": linker}
    record = {"style": "ddl", "samples": 3, "every": 4}
    record |= {"sets": {"dev": {"questions": 50, "budgets": [budget]}}}
    record |= {"linker": {"questions": 1200, "rows": 9000, "seconds": 61.4}}
    record |= {"scoring": {"few columns": {"questions": 2, "median_ms": 12.3, "most_ms": 1500.1}}}
    write_json(root / "benchmarks" / "schema_linking.json", record | AROUND)
    text = plain(data_blocks.linking_block())
    assert "| dev (50) | 128 | 20.0 % | 6.0 % | 50.0 % | 92.5 % | 4 | 1 |" in text
    assert "Of Spider dev one question in 4." in text
    assert "trained on 1,200 questions, 9,000 rows, in 61 s" in text
    assert "few columns: median 12 ms, most 1,500 ms" in text


@pytest.mark.parametrize(
    ("name", "block", "legend"),
    [
        ("linking_accuracy", data_blocks.linking_accuracy_block, "`spider_linked` by the linker"),
        ("schema_styles", data_blocks.schema_styles_block, "`sample_prose` prose"),
    ],
)
def test_sets_are_compared_pair_by_pair(
    root: Path, name: str, block: Callable[[], str], legend: str
) -> None:
    assert block() == data_blocks.MISSING
    row = {"accuracy": 0.5, "standard_error": 0.25}
    pairs = {"base_on_pairs": 0.5, "on_pairs": 0.25, "lost": 1, "won": 0, "p": 1.0}
    record = {"title": "T", "labels": {"lora": "LoRA"}} | AROUND
    record["base"] = {"name": "base", "questions": 4, "rows": {"lora": row}}
    record["sets"] = [{"name": "other", "questions": 4, "pairs": 4, "rows": {"lora": row | pairs}}]
    write_json(root / "benchmarks" / f"{name}.json", record)
    text = plain(block())
    assert legend in text and "2 cores of a CPU, commit 0123456789" in text
    assert "| LoRA | other | 4 | 50.0 ± 25.0 | 4 | 50.0 | 25.0 | -25.0 | 1.000 |" in text


def test_answers_that_only_the_plain_databases_forgive_are_counted(root: Path) -> None:
    row = {"name": "full", "label": "Full", "outcomes": "0101", "plain": {"outcomes": "1101"}}
    other = row | {"name": "rag_embedding"}
    record = {"title": "A model", "suite_options": {"seed": 0}, "rows": [row, other]}
    write_json(root / "results" / "published" / "m.json", record)
    assert "forgive 1 answers" in data_blocks.forgiven_block()


def test_what_a_model_wrote_is_shown_with_why_it_was_not_kept(root: Path) -> None:
    counts = {"plan: topics": 6, "plan: topics dropped": 2, "pairs: asked for": 80}
    counts |= {"pairs: written": 50, "kept": 30, "asked again": 1}
    pairs = {
        "db_id": "shop",
        "wanted": 40,
        "pairs": 28,
        "hardness": {"train": {"easy": 20, "hard": 5}, "dev": {"easy": 3}},
        "llm": {"counts": counts, "tokens_in": 9000, "tokens_out": 4000},
        "rejects": {"failed: schema": {"no such column": 15}, "duplicate": {"the SQL": 5}},
        "seconds": 600.4,
    }
    schemas = {"schemas": 3, "tables": 12, "schemas_held": 2, "tables_held": 8}
    schemas |= {"schemas_held_at_once": 1, "answers": 6, "faults": {"missing table": 4}}
    schemas |= {"tokens_out": 900, "seconds": 99.9}
    record = {"model": "m", "server": "a server", "context": 4096, "pairs": pairs}
    write_json(
        root / "benchmarks" / "create_data_llm.json", record | {"translated": schemas} | AROUND
    )
    text = plain(data_blocks.asked_block())
    for row in (
        "| topics planned, of them dropped | 6, 2 |",
        "| tables named that do not exist | 0 |",
        "| pairs asked for, written | 80, 50 |",
        "| refused by the schema: no such column | 15 (30 %) |",
        "| repeated: the SQL | 5 (10 %) |",
        "| good | 30 (60 %) |",
        "| of these taken, of those wanted | 28 of 40 |",
        "| easy | 23 |",
    ):
        assert row in text
    assert "2 of 3 schemas held (8 of 12 tables), 1 with the first answer; 6 answers" in text
    assert "wrong first with an answer: missing table: 4." in text
    write_json(root / "benchmarks" / "create_data_llm.json", record | AROUND)
    assert (
        plain(data_blocks.asked_block())
        .split("Prose to CREATE TABLE")[1]
        .startswith(" ([data](data.md#prose-to-create-table)): Not measured")
    )


def test_a_busy_machine_is_shown_beside_an_idle_one(root: Path) -> None:
    run = {"busy_processes": 16, "seconds": 700.2, "load_before": [2.4, 9.0, 3.0]}
    run |= {"load_after": [17.6, 9.0, 3.0]}
    record = {
        "files": ["a", "b"],
        "modes": ["EX", "EX + plug_value"],
        "verdicts": 4136,
        "differing": [{"verdicts": "a, EX", "index": 3, "keys": ["exec"]}],
        "stopped": 7,
        "max_steps": 500_000_000,
        "jobs": 2,
        "runs": {"idle": run | {"busy_processes": 0}, "busy": run},
    }
    write_json(root / "benchmarks" / "verdicts_under_load.json", record | AROUND)
    text = plain(data_blocks.busy_block())
    assert "2 files of published predictions, EX and EX + plug_value, 2 processes" in text
    assert "**1 of 4,136 verdicts differ**." in text
    assert "Answers stopped by the limit of 500,000,000 steps: 7." in text
    assert "| 16 | 2 | 18 | 700 |" in text
