"""Table and chart come from the record, and the README from the published records."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from run_records import record

from text2sql.errors import UserError
from text2sql.files import write_json
from text2sql.models.folder import count_parameters
from text2sql.profile import DEFAULT_PROFILE
from text2sql.report import pages, publish
from text2sql.report.doc_blocks import (
    attention_text,
    batching_text,
    decoding_text,
    retrieval_block,
    rounds_text,
    training_block,
)
from text2sql.report.figure import draw_accuracy, draw_errors, draw_losses, draw_speed
from text2sql.report.formats import Table, csv_text, latex_text, markdown_text
from text2sql.report.record import JOINT, LEVELS, _losses, _row, per_cent
from text2sql.report.table import accuracy_table, render_table
from text2sql.report.uncertainty import evidence_table, marks
from text2sql.stage import Stage


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "configs").mkdir()
    monkeypatch.setenv("TEXT2SQL_ROOT", str(tmp_path))
    (tmp_path / "docs").mkdir()
    for name, blocks in pages.PAGES.items():
        empty = "\n".join(mark for block in blocks for mark in pages.markers(block))
        text = f"# T\n\n{empty}\n\nrest\n"
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def squeezed(text: str) -> str:
    """A text without the spaces that line its columns up."""
    return re.sub(" +", " ", text)


def test_table_says_scores_counts_metric_databases_and_commit() -> None:
    text = render_table(record())
    assert "| Baseline | 50.0 | 25.0 | 0.0 | 12.3 | 30.1 |" in squeezed(text)
    assert "| Tuned | **50.0** | 25.0 | 0.0 | 12.3 | **30.1** |" in squeezed(text)
    assert "| *questions* | 7 |" in squeezed(text)
    assert "execution accuracy in per cent (test-suite-sql-eval 1.0, no flags)" in text
    assert "1 databases, 3 SQLite files, SHA-256 ffffffffffff" in text
    assert "3 minutes over all stages; commit 0123456789." in text


@pytest.mark.parametrize("draw", [draw_accuracy, draw_errors, draw_speed, draw_losses])
def test_charts_are_drawn(draw: Callable[[dict[str, Any], Path], None], tmp_path: Path) -> None:
    draw(record(), tmp_path / "chart.png")
    assert (tmp_path / "chart.png").read_bytes()[:4] == b"\x89PNG"


def test_publishing_fills_the_readmes_and_check_notices_a_typed_number(checkout: Path) -> None:
    default = {"profile": DEFAULT_PROFILE, "dataset": "sample"}
    write_json(checkout / "run" / "table" / "record.json", record() | default)
    path = checkout / "results" / f"{DEFAULT_PROFILE}_sample.json"
    assert publish.publish_run(checkout / "run") == [path]
    assert (checkout / "results" / "ledger.jsonl").read_text().count("\n") == 1
    readme = checkout / "README.md"
    text = readme.read_text(encoding="utf-8")
    assert "| Tuned " in squeezed(text) and text.endswith("rest\n")
    assert "| Tuned " in squeezed((checkout / "docs" / "RESULTS.md").read_text(encoding="utf-8"))
    assert (checkout / "figs" / f"{DEFAULT_PROFILE}_sample.png").is_file()
    pages.check_pages()
    readme.write_text(text.replace("30.1 |", "39.1 |"), encoding="utf-8")
    with pytest.raises(UserError, match=r"README\.md: results are not those in results/"):
        pages.check_pages()


def test_rewards_of_a_training_are_published_with_their_curve(checkout: Path) -> None:
    details = {"steps": 2, "questions": 9, "first_reward": 0.25, "last_reward": 0.75}
    rewarded = {"title": "T", "profile": "tuned_learning", "dataset": "sample", "details": details}
    rewarded |= {"config": {"questions_per_step": 2, "generations": 8}, "earlier_attempts": []}
    rewarded |= {"seconds": 120.0, "peak_memory_mb": 2048, "git": {"sha": "f" * 40, "dirty": False}}
    rewarded |= {"hardware": {"cores": 2, "cpu": "a CPU"}}
    rewarded["steps"] = [{"step": 1, "reward": 0.25}, {"step": 2, "reward": 0.75}]
    path = checkout / "run" / "rewards" / "record.json"
    write_json(path, rewarded)
    kept = checkout / "results" / "rewards" / "tuned_learning_sample.json"
    assert publish.publish_run(checkout / "run") == [kept]
    text = (checkout / "docs" / "learning.md").read_text(encoding="utf-8")
    assert "Mean reward 0.25 in the first tenth of the steps, 0.75 in the last" in text
    assert "commit ffffffffff" in text
    assert (checkout / "figs" / "tuned_learning_sample_grpo.png").is_file()
    write_json(path, rewarded | {"git": {"sha": "f" * 40, "dirty": True}})
    with pytest.raises(UserError, match="changes that are not committed"):
        publish.publish_run(checkout / "run")


def test_a_run_from_uncommitted_code_is_not_published(checkout: Path) -> None:
    write_json(checkout / "run" / "table" / "record.json", record(dirty=True))
    with pytest.raises(UserError, match="changes that are not committed"):
        publish.publish_run(checkout / "run")


def test_an_unfinished_run_is_not_published(checkout: Path) -> None:
    with pytest.raises(UserError, match="run 'make reproduce' first"):
        publish.publish_run(checkout / "run")


def test_evidence_says_error_change_test_and_cost() -> None:
    text = markdown_text(evidence_table(record()))
    assert "12.5 ± 5.2" in text
    assert "| Tuned | 62.5 ± 7.7 | +50.0 | < 0.001 |" in squeezed(text)
    assert "| 25.0 |" in squeezed(text)
    assert "| 500 | 40 | 1.5 |" in squeezed(text)


def test_a_row_with_retrieval_is_also_compared_with_its_model_without() -> None:
    few_shot = record()
    tuned = few_shot["rows"][1] | {"without_examples": None}
    helped = tuned | {"name": "rag", "label": "RAG", "without_examples": "tuned"}
    few_shot["rows"] = [few_shot["rows"][0], tuned, helped | {"outcomes": "1" * 27 + "0" * 13}]
    table = evidence_table(few_shot)
    assert table.header[:6] == ["Model", "All ± SE", "vs first", "p", "vs no examples", "p"]
    assert [row[2:6] for row in table.rows] == [
        ["", "", "", ""],
        ["+50.0", "< 0.001", "", ""],
        ["+55.0", "< 0.001", "+5.0", "0.500"],
    ]
    assert "vs no examples" not in evidence_table(record()).header


def test_parameters_are_counted_from_the_weight_file(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    tensors = {"a": torch.zeros(3, 4), "b": torch.zeros(5), "c": torch.zeros(())}
    save_file(tensors, tmp_path / "w.safetensors", metadata={"format": "pt"})
    assert count_parameters(tmp_path) == 18


def test_rows_that_cannot_be_told_apart_are_ties() -> None:
    tied = record()
    tied["rows"].append(tied["rows"][1] | {"name": "third", "label": "Third"})
    assert marks(tied, "all") == {"tuned": "{} ≈", "third": "{} ≈"}
    assert marks(tied, "hard") == {}


def test_csv_and_latex_hold_the_same_numbers() -> None:
    table = accuracy_table(record())
    assert csv_text(table).splitlines()[2:] == [
        "Baseline,50.0,25.0,0.0,12.3,30.1",
        "Tuned,50.0,25.0,0.0,12.3,30.1",
    ]
    latex = latex_text(table, "50 % of a_b")
    assert r"Tuned & \textbf{50.0} & 25.0 & 0.0 & 12.3 & \textbf{30.1} \\" in squeezed(latex)
    assert r"\caption{50 \% of a\_b}" in latex


@pytest.mark.parametrize("rows", [[], [["a", "", "1"]], [["a", "", "1"], ["b", "0.5", ""]]])
def test_markdown_tables_have_a_delimiter_row_whatever_their_width(rows: list[list[str]]) -> None:
    """A column as narrow as `p` needs a dash beside its colon, else the table is no Markdown."""
    lines = markdown_text(Table(["m", "p", "n"], rows)).splitlines()
    assert len(lines) == 2 + len(rows)
    assert re.fullmatch(r"\|(:?-+:?\|){3}", lines[1])
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert [cells[0], *cells[2:]] == [["m", "p", "n"], *rows]


def test_joint_all_is_a_column_when_asked_for() -> None:
    judged = {
        "scores": {level: {"count": 4, "exec": 0.25} for level in (*LEVELS, JOINT)},
        "metrics": {},
    }
    named = {"name": "baseline", "label": "Baseline", "without_examples": None}
    verdicts = [{"exec": 1}, {"exec": 0}]
    plain = record() | {
        "levels": ["easy"] * 2,
        "rows": [_row(named, judged, verdicts, LEVELS, "exec")],
    }
    assert JOINT not in accuracy_table(plain).header
    asked = plain | {"rows": [_row(named, judged, verdicts, [*LEVELS, JOINT], "exec")]}
    table = accuracy_table(asked)
    assert table.header[-1] == JOINT
    assert table.rows[0][-1] == "4"
    assert table.rows[1][-1] == "25.0"


def test_measurements_of_inference_are_rendered_from_their_records() -> None:
    machine = {"hardware": {"cpu": "A CPU"}, "git": {"sha": "0123456789abcdef"}}
    greedy = {
        "execution_accuracy": 25.0,
        "outcomes": "1000",
        "execution_errors": 2,
        "prompt_tokens_read": 300,
        "completion_tokens": 40,
        "seconds": 9.6,
    }
    repaired = greedy | {"outcomes": "1100", "repairs": {"not needed": 2, "worked": 1, "failed": 1}}
    voted = greedy | {"samples": 20, "failed_samples": 7}
    ways = {"greedy": greedy, "repair": repaired, "vote of 5": voted}
    facts = {"model": "m.gguf", "dataset": "sample", "questions": 4}
    text = decoding_text(machine | facts | {"ways": ways})
    assert "| greedy | 25.0 | |" in squeezed(text)
    assert "| repair | 25.0 | 1.000 | 2 | 300 |" in squeezed(text)
    assert "Of 2 repair turns 1 gave a query that runs. Of 20 samples 7 failed." in text
    seconds = {"at_once": [2.0, 1.0, 9.0], "in_groups": [5.0, 3.0, 4.0]}
    facts = {"model": "m", "prompts": 120, "prompt_tokens": 900, "ratio": 2.0, "same_answers": 119}
    text = batching_text(machine | facts | {"seconds": seconds, "vllm": "0.1"})
    assert "2.0 s against 4.0 s (medians of 3 rounds), that is 2.00 times" in text


def test_measurements_of_answers_on_a_cpu_are_rendered_from_their_records() -> None:
    surroundings = {"hardware": {"cpu": "A CPU"}, "git": {"sha": "0123456789abcdef"}, "threads": 1}
    step = {"attention": "prefix once", "tokens": 600, "step_seconds": 0.0714}
    facts = {"model": "m", "batch": 32, "dtype": "bfloat16"}
    results = [step | {"read_seconds_per_question": 0.031}]
    text = attention_text(facts | surroundings | {"results": results})
    assert "batches of 32 questions in bfloat16" in text
    assert "| prefix once | 600 | 0.03 | 0.071 |" in squeezed(text)
    way = {"seconds": 9.6, "processor_seconds": 12.2, "seconds_per_1000_questions": 960.4}
    ways = {"rounds": way | {"steps": 1200, "tokens_read": 30000}}
    facts = {"model": "m", "infer": "greedy", "questions": 1034, "same_answers": 1000}
    text = rounds_text(facts | surroundings | {"results": ways})
    assert "1,034 questions, config greedy, 1,000 answers the same text" in text
    assert "| rounds | 10 | 12 | 960 | 1,200 | 30,000 |" in squeezed(text)


def test_benchmarks_are_rendered_from_their_records(checkout: Path) -> None:
    machine = {"hardware": {"cpu": "A CPU"}, "git": {"sha": "0123456789abcdef"}, "threads": 1}
    run = {
        "seconds": [9.6, 8.0],
        "rows_per_second": 2.5,
        "tokens_per_second": 1234.5,
        "share_of_padding": 0.1,
        "times_as_fast_as_the_first": 1.5,
    }
    facts = {"model": "m", "dataset": "d", "rows": 20, "load_before": [0.4], "load_after": [2.1]}
    write_json(
        checkout / "benchmarks" / "training_throughput_m.json",
        machine | facts | {"runs": {"a recipe": run}},
    )
    text = training_block()
    assert "| a recipe | 2.50 | 1,234 | 10.0 % | 1.50 | 10 / 8 |" in squeezed(text)
    assert "20 rows of dataset d, one thread of A CPU, commit 0123456789, load 0 before" in text
    assert "[benchmarks/training_throughput_m.json]" in text

    way = {"recall": {"1": 0.25, "4": 0.5}, "leaking_rows_left_out": 3, "seconds": 2.0}
    facts = {"dataset": "d", "knowledge_base": "k", "questions": 4, "stored": 9}
    write_json(
        checkout / "benchmarks" / "retrieval_recall_d.json",
        machine | facts | {"ways": {"BM25": way}},
    )
    text = retrieval_block()
    assert "| BM25 | 25.0 | 50.0 | 2 |" in squeezed(text)
    assert "of 9 stored; the guard left out 3 of them" in text

    index = {
        "index": "FLAT",
        "rows_per_second": 1000.4,
        "batch_ms_per_question": 2.0,
        "alone_ms_per_question": 10.0,
        "alone_p50_ms": 9.0,
        "alone_p95_ms": 20.0,
        "alone_over_batch": 5.0,
        "langchain_ms_per_question": 12.0,
        "langchain_over_batch": 6.0,
        "recall_of_exact": 1.0,
        "disk_mb": 10,
        "peak_memory_mb": 20,
    }
    facts = {"rows": 1000, "dimension": 8, "top": 30, "questions": 9, "asked_alone": 3}
    versions = {"versions": {"milvus-lite": "1.0"}, "langchain_milvus": "2.0"}
    write_json(
        checkout / "benchmarks" / "retrieval_speed.json",
        machine | facts | versions | {"indexes": [index]},
    )
    assert "| FLAT | 1000 | 2.0 | 10 | 9 | 20 |" in squeezed(retrieval_block())


def test_steps_logged_again_after_a_kill_are_drawn_once(tmp_path: Path) -> None:
    logged = [(5, 2.0), (10, 1.5), (15, 1.4), (10, 1.51), (15, 1.41), (20, 1.2)]
    with (tmp_path / "trainer_log.jsonl").open("w", encoding="utf-8") as stream:
        for step, loss in logged:
            stream.write(json.dumps({"current_steps": step, "loss": loss}) + "\n")
    training = Stage("train:a", "train-lora", {}, tmp_path)
    assert _losses(training) == [(5, 2.0), (10, 1.51), (15, 1.41), (20, 1.2)]


def test_a_share_is_rounded_once() -> None:
    assert f"{per_cent(16 / 1034):.1f}" == "1.5"
