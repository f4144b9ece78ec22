"""The recipes of docs/extending.md, followed to the letter; those of a stage and a data set have
tests of their own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from copies import copy_checkout, documented, in_copy

from text2sql.files import read_json, read_jsonl
from text2sql.report import uncertainty
from text2sql.report.table import render_table

PROFILE = """
name: mine
model: {{name: tiny, path_or_hub_id: {model}, template: chatml}}
dataset: sample
data: {{schema_style: ddl, system: short}}
infer: mine
rows: [{{name: baseline, label: Baseline}}]
"""


def test_an_engine_is_one_file_and_one_line(
    repository: Path, tiny_llama: Path, tmp_path: Path
) -> None:
    module, line = documented(repository, "An inference engine")
    copy = copy_checkout(repository, tmp_path / "copy")
    (copy / "src/text2sql/infer/pipeline.py").write_text(module)
    config = copy / "src/text2sql/infer/config.py"
    text = config.read_text()
    assert text.count("ENGINES = {\n") == 1
    config.write_text(text.replace("ENGINES = {\n", f"ENGINES = {{\n{line}"))
    settings = "engine: pipeline\nmax_new_tokens: 8\nmax_model_len: 4000\n"
    (copy / "configs/infer/mine.yaml").write_text(settings)
    (copy / "configs/profiles/mine.yaml").write_text(PROFILE.format(model=tiny_llama))
    command = [sys.executable, "-m", "text2sql", "stage", "infer", "--profile", "mine"]
    in_copy(copy, *command, "--limit", "3")
    answered = copy / "build/runs/mine/sample-limit3/infer/baseline"
    reasons = [answer["finish_reasons"] for answer in read_jsonl(answered / "answers.jsonl")]
    assert len(reasons) == 3 and all(each in (["stop"], ["length"]) for each in reasons)
    assert read_json(answered / "manifest.json")["config"]["engine"] == "pipeline"


def test_a_metric_column_is_one_line(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (line,) = documented(repository, "A metric column")
    ((heading, cell),) = eval(f"{{{line}}}").items()
    record = read_json(next((repository / "results").glob("*.json")))
    assert heading not in render_table(record)
    monkeypatch.setitem(uncertainty.MEASURED, heading, cell)
    evidence = uncertainty.evidence_table(record)
    shares = [row["further_metrics"]["strict_ex"] for row in record["rows"]]
    assert [row[-1] for row in evidence.rows] == [f"{100 * share:.1f}" for share in shares]
    assert evidence.header[-1] == heading and f" {heading} " in render_table(record)
