"""Texts to vectors, by any sentence-transformers model or a BGE model through FlagEmbedding."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from text2sql.errors import UserError
from text2sql.files import sha256_tree
from text2sql.models.folder import loading
from text2sql.rag.config import EmbeddingConfig

Array = np.ndarray[Any, np.dtype[np.float32]]


class Embedder:
    """A loaded embedding model; its vectors have length 1, so that cosine is a product.

    Args:
        config: which model, and what stands before its texts.
        device: ``cpu`` or ``cuda``.

    Raises:
        UserError: the model is not there or not a sentence-transformers model.
    """

    def __init__(self, config: EmbeddingConfig, device: str) -> None:
        self.config = config
        self.truncated = 0
        self.source = model_source(config)
        with loading(f"embedding model {self.source}"):
            self._model = _load(self.source, config, device)
        window = self._model.max_seq_length or config.max_length
        self._window = min(window, config.max_length)
        self._model.max_seq_length = self._window

    @property
    def dimension(self) -> int:
        """Length of the vectors."""
        return len(self.queries(["?"])[0])

    def documents(self, texts: Sequence[str]) -> Array:
        """Return a row for each text to be stored."""
        return self._encode(texts, self.config.document_prompt)

    def queries(self, texts: Sequence[str]) -> Array:
        """Return a row for each text to be looked up."""
        return self._encode(texts, self.config.query_prompt)

    def tokens(self, texts: Sequence[str]) -> list[Array]:
        """Return for each text the vectors of its tokens, without the special ones at its ends."""
        made = self._model.encode(
            list(texts), output_value="token_embeddings", batch_size=self.config.batch_size
        )
        rows = [np.asarray(vectors.float().cpu())[1:-1] for vectors in made]
        return [row / np.maximum(np.linalg.norm(row, axis=1, keepdims=True), 1e-9) for row in rows]

    def _encode(self, texts: Sequence[str], prompt: str) -> Array:
        distinct = list(dict.fromkeys(texts))  # masked questions repeat
        self.truncated += sum(self._is_long(prompt + text) for text in distinct)
        vectors = self._model.encode(
            distinct,
            prompt=prompt,
            batch_size=self.config.batch_size,
            normalize_embeddings=True,
            convert_to_numpy=True,
        ).astype(np.float32)
        place = {text: number for number, text in enumerate(distinct)}
        chosen: Array = vectors[[place[text] for text in texts]]
        return chosen

    def _is_long(self, text: str) -> bool:
        # A token is at least a character: most texts need no counting.
        return len(text) + 2 > self._window and (
            len(self._model.tokenizer.encode(text, verbose=False)) > self._window
        )


def _load(source: str, config: EmbeddingConfig, device: str) -> Any:
    if config.library == "FlagEmbedding":
        from text2sql.rag.flag_embedding import FlagEncoder

        return FlagEncoder(source, config, device)
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(
        source,
        device=device,
        revision=config.revision,
        truncate_dim=config.dimensions,
        model_kwargs={"dtype": config.dtype},
    )


def model_source(config: EmbeddingConfig) -> str:
    """Return the folder or hub id that a config means.

    Raises:
        UserError: the package that ships the model is not installed, or a folder is named that is
            not there or holds no sentence-transformers model.
    """
    if config.packaged:
        found = importlib.util.find_spec(config.packaged)
        if found is None or found.origin is None:
            raise UserError(f"package {config.packaged} is not installed; run: make setup")
        return str(Path(found.origin).parent / "model")
    folder = Path(config.model)
    plain = config.library == "sentence-transformers"
    if plain and folder.is_dir() and not (folder / "modules.json").is_file():
        # Loaded all the same, it would be pooled by a guess and fed through its chat template.
        raise UserError(f"{folder}: no modules.json, so not a sentence-transformers model")
    if not folder.is_dir() and (folder.is_absolute() or config.model.startswith(".")):
        raise UserError(f"{folder}: no such model folder")
    return config.model


def model_identity(config: EmbeddingConfig) -> str:
    """Return what tells a model from another: the hash of its folder, or hub id and revision."""
    source = model_source(config)
    by = "" if config.library == "sentence-transformers" else f"{config.library}:"
    if Path(source).is_dir():
        return by + sha256_tree(source, "*.safetensors") + sha256_tree(source, "*.json")
    return f"{by}{source}@{config.revision or 'main'}"
