"""Rerankers: each scores pairs of a question and what is known of a candidate."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from text2sql.errors import UserError
from text2sql.files import sha256_text
from text2sql.models.folder import loading
from text2sql.rag.config import RerankConfig
from text2sql.rag.embed import Embedder

# Qwen3-Reranker's prompt, from its model card. It was trained on exactly this text: without it the
# scores are near random.
CONTENT = "{{{{ messages | selectattr('role', 'eq', '{}') | map(attribute='content') | first }}}}"
QWEN3_TEMPLATE = (
    "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and"
    ' the Instruct provided. Note that the answer can only be "yes" or "no".<|im_end|>\n'
    f"<|im_start|>user\n<Instruct>: {CONTENT.format('system')}\n"
    f"<Query>: {CONTENT.format('query')}\n<Document>: {CONTENT.format('document')}<|im_end|>\n"
    "<|im_start|>assistant\n<think>\n\n</think>\n{{ '\\n' }}"  # Jinja drops a last newline
)


class Reranker(Protocol):
    """Scores pairs; a higher score is a better candidate."""

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """Return a score for each (question, candidate text)."""


class CrossEncoderReranker:
    """A sentence-transformers cross-encoder; Qwen3-Reranker among them, with its own prompt.

    Args:
        config: model and settings.
        device: ``cpu`` or ``cuda``.

    Raises:
        UserError: the model cannot be loaded.
    """

    def __init__(self, config: RerankConfig, device: str) -> None:
        from sentence_transformers import CrossEncoder

        name = str(config.model)
        folder = Path(name)
        if (folder.is_absolute() or name.startswith(".")) and not folder.is_dir():
            raise UserError(f"{name}: no such model folder; see key 'rerank.model'")
        is_qwen3 = config.kind == "qwen3"
        with loading(f"reranker {name}"):
            self._model: Any = CrossEncoder(
                name,
                revision=config.revision,
                device=device,
                max_length=config.max_length,
                model_kwargs={"dtype": config.dtype},
                processor_kwargs={"chat_template": QWEN3_TEMPLATE} if is_qwen3 else None,
            )
        self._prompt = config.instruction if is_qwen3 else None
        self._batch_size = config.batch_size

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """Return a score for each pair; Qwen3's is the probability of "yes"."""
        scores = self._model.predict(
            list(pairs),
            prompt=self._prompt,
            batch_size=self._batch_size,
            show_progress_bar=False,
        )
        return [float(score) for score in scores]


class LateInteraction:
    """Mean over the question's tokens of their best likeness among the candidate's.

    The scoring of ColBERT (Khattab and Zaharia, 2020) with the tokens of an embedding model that
    was not trained for it; it needs no second model.
    """

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """Return a score for each pair, between -1 and 1."""
        texts = list(dict.fromkeys(text for pair in pairs for text in pair))
        tokens = dict(zip(texts, self._embedder.tokens(texts), strict=True))
        return [
            float((tokens[question] @ tokens[text].T).max(axis=1).mean())
            if len(tokens[question]) and len(tokens[text])
            else -1.0
            for question, text in pairs
        ]


class RandomOrder:
    """Scores by chance: between 0 and 1, by a hash of the pair, so that runs agree."""

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """Return a score for each pair."""
        return [int(sha256_text("\0".join(pair))[:13], 16) / 16**13 for pair in pairs]


def load_reranker(config: RerankConfig | None, embedder: Embedder, device: str) -> Reranker | None:
    """Return the reranker that a config names, or None; raise UserError if it cannot be loaded."""
    if config is None:
        return None
    if config.kind == "late_interaction":
        return LateInteraction(embedder)
    if config.kind == "random":
        return RandomOrder()
    if config.kind == "flag_embedding":
        from text2sql.rag.flag_embedding import FlagReranker

        return FlagReranker(config, device)
    return CrossEncoderReranker(config, device)
