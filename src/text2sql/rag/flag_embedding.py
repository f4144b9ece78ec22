"""BGE models through FlagEmbedding, their authors' library (optional: make setup-bge)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np

from text2sql.errors import UserError
from text2sql.models.folder import loading
from text2sql.rag.config import EmbeddingConfig, RerankConfig

# Models of a BERT shape; FlagEmbedding knows those of other shapes by their hub names.
ENCODER = "encoder-only-base"


class FlagEncoder:
    """An embedding model of FlagEmbedding, with the methods of a SentenceTransformer we use.

    Args:
        source: model folder or hub id.
        config: which model.
        device: ``cpu`` or ``cuda``.

    Raises:
        UserError: FlagEmbedding is not installed.
        OSError, ValueError: the model cannot be loaded.
    """

    def __init__(self, source: str, config: EmbeddingConfig, device: str) -> None:
        library = _library()
        from FlagEmbedding.inference.embedder.model_mapping import AUTO_EMBEDDER_MAPPING

        known = source.rstrip("/").rpartition("/")[2] in AUTO_EMBEDDER_MAPPING
        self._model: Any = library.FlagAutoModel.from_finetuned(
            source,
            model_class=None if known else ENCODER,
            pooling_method=None if known else "cls",
            query_instruction_format="{}{}",
            trust_remote_code=False,
            normalize_embeddings=True,
            use_fp16=config.dtype == "float16",
            use_bf16=config.dtype == "bfloat16",
            truncate_dim=config.dimensions,
            devices=device,
        )
        self.tokenizer: Any = self._model.tokenizer
        self.max_seq_length: int | None = self.tokenizer.model_max_length

    def encode(self, sentences: Sequence[str], *, prompt: str = "", **options: Any) -> Any:
        """Return a row of length 1 for each text; `batch_size` counts of the options."""
        if options.get("output_value", "sentence_embedding") != "sentence_embedding":
            raise UserError(
                "rerank.kind late_interaction needs embedding.library sentence-transformers"
            )
        made = self._model.encode(
            [prompt + text for text in sentences],
            batch_size=options["batch_size"],
            max_length=self.max_seq_length,
        )
        return np.asarray(made["dense_vecs"] if isinstance(made, dict) else made)


class FlagReranker:
    """A BGE reranker of FlagEmbedding.

    Args:
        config: model and settings.
        device: ``cpu`` or ``cuda``.

    Raises:
        UserError: FlagEmbedding is not installed, or the model cannot be loaded.
    """

    def __init__(self, config: RerankConfig, device: str) -> None:
        library = _library()
        with loading(f"reranker {config.model}"):
            self._model: Any = library.FlagReranker(
                str(config.model),
                use_fp16=config.dtype != "float32",
                devices=device,
                batch_size=config.batch_size,
                max_length=config.max_length,
                normalize=True,
            )

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """Return a score between 0 and 1 for each pair."""
        return [float(score) for score in self._model.compute_score(list(pairs))]


def _library() -> Any:
    try:
        import FlagEmbedding
    except ImportError:
        raise UserError("FlagEmbedding is not installed; run: make setup-bge") from None
    logging.getLogger("FlagEmbedding").setLevel(logging.ERROR)  # it names its defaults each time
    return FlagEmbedding
