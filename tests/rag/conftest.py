"""A store's config and place for tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from text2sql.rag.config import EmbeddingConfig, KnowledgeBaseConfig


@pytest.fixture
def base_config(monkeypatch: pytest.MonkeyPatch) -> KnowledgeBaseConfig:
    """A config whose model is told from others by its name alone."""
    monkeypatch.setattr(
        "text2sql.rag.build.model_identity", lambda embedding: embedding.model, raising=True
    )
    return KnowledgeBaseConfig(
        embedding=EmbeddingConfig(model="words"), vectors=("question",), index="FLAT", batch_rows=20
    )


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """Path of a Milvus Lite file."""
    pytest.importorskip("pymilvus", reason="pymilvus is not installed; run: make setup")
    pytest.importorskip("milvus_lite", reason="milvus-lite is not installed; run: make setup")
    yield tmp_path / "kb.db"
