"""Settings of the knowledge-base and retrieve stages."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from text2sql.config import StrictModel, load_config
from text2sql.data.config import DecontaminationConfig
from text2sql.paths import config_path
from text2sql.prompt import ExamplesForm

Vector = Literal["question", "masked"]
Channel = Literal["question", "masked", "bm25", "skeleton"]
IndexType = Literal[
    "FLAT", "IVF_FLAT", "IVF_SQ8", "IVF_PQ", "HNSW", "HNSW_SQ", "SCANN", "DISKANN", "AUTOINDEX"
]
# Milvus Lite takes the others without a word and then searches by brute force.
LITE_INDEXES = ("FLAT", "IVF_FLAT", "IVF_SQ8", "HNSW", "HNSW_SQ", "AUTOINDEX")


class EmbeddingConfig(StrictModel):
    """The model that turns questions into vectors: any sentence-transformers folder or hub id.

    `library` FlagEmbedding is for BGE models (make setup-bge). `packaged` names a Python package
    that ships the model in its folder ``model``; it is used where set, so that no hub is needed.
    `query_prompt` stands before a question that is asked, `document_prompt` before one that is
    stored. `dimensions` cuts the vectors of models trained for it. A text of more than `max_length`
    tokens is read up to there and counted.
    """

    model: str
    revision: str | None = None
    library: Literal["sentence-transformers", "FlagEmbedding"] = "sentence-transformers"
    packaged: str | None = None
    query_prompt: str = ""
    document_prompt: str = ""
    dimensions: int | None = Field(default=None, ge=8)
    max_length: int = Field(default=256, ge=8)
    batch_size: int = Field(default=32, ge=1)
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"


class KnowledgeBaseConfig(StrictModel):
    """What is stored and where.

    `uri` is a Milvus server or cluster (``http://host:19530``; the environment variable
    MILVUS_TOKEN holds its token); without one the store is a Milvus Lite file in the stage's
    output. `vectors` says what of a question is embedded: its text, and its text with names and
    values masked. Rows are embedded and sent `batch_rows` at a time.
    """

    embedding: EmbeddingConfig
    vectors: tuple[Vector, ...] = Field(default=("question",), min_length=1)
    uri: str | None = None
    index: IndexType = "AUTOINDEX"
    batch_rows: int = Field(default=1024, ge=1)
    timeout_seconds: float = Field(default=60.0, gt=0)
    wait_seconds: float = Field(default=900.0, ge=0)

    @model_validator(mode="after")
    def _index_is_there(self) -> Self:
        if self.uri is None and self.index not in LITE_INDEXES:
            raise ValueError(
                f"Milvus Lite has no index {self.index}; there are: {', '.join(LITE_INDEXES)};"
                " the others need a server (key 'uri')"
            )
        return self


class RerankConfig(StrictModel):
    """The second look at the candidates.

    `qwen3` is Qwen3-Reranker with its yes/no prompt, `cross_encoder` any sentence-transformers
    cross-encoder, `flag_embedding` a BGE reranker by FlagEmbedding, `late_interaction` compares
    token by token with the store's own embedding model and needs no other. `random` orders by
    chance, the same in every run: what a reranker has to be better than. `key` says what of a
    candidate is read.
    """

    kind: Literal["qwen3", "cross_encoder", "flag_embedding", "late_interaction", "random"]
    model: str | None = None
    revision: str | None = None
    key: Literal["question", "sql"] = "question"
    instruction: str = (
        "Given a question about a database, find solved examples whose SQL helps to answer it"
    )
    max_length: int = Field(default=1024, ge=32)
    batch_size: int = Field(default=16, ge=1)
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"

    @model_validator(mode="after")
    def _model_is_named(self) -> Self:
        if self.kind not in ("late_interaction", "random") and not self.model:
            raise ValueError(f"rerank.kind {self.kind} needs rerank.model, a folder or hub id")
        return self


class RetrievalConfig(StrictModel):
    """How examples are found for a question.

    Each of `channels` ranks the store; several are fused by reciprocal rank. ``skeleton`` compares
    the SQL of an answer given without examples, so the stage then needs that row's predictions.
    `mmr` is the weight of relevance against diversity; without it the best `k` are taken.
    Candidates that give an evaluation question away at a level of `leak_guard` are left out.
    """

    knowledge_base: str
    k: int = Field(default=4, ge=1)
    candidates: int = Field(default=30, ge=1)
    channels: tuple[Channel, ...] = Field(default=("question",), min_length=1)
    same_database: Literal["any", "only", "exclude"] = "any"
    rerank: RerankConfig | None = None
    mmr: float | None = Field(default=None, gt=0, le=1)
    leak_guard: DecontaminationConfig = DecontaminationConfig(
        levels=("exact", "normalized", "ngram", "jaccard")
    )
    form: ExamplesForm = "reference_list"
    order: Literal["best_first", "best_last"] = "best_first"

    @model_validator(mode="after")
    def _channels_fit(self) -> Self:
        if set(self.channels) == {"skeleton"}:
            raise ValueError("channel 'skeleton' re-orders what another finds; name one more")
        if self.k > self.candidates:
            raise ValueError("k is larger than candidates; raise candidates")
        return self


def load_knowledge_base_config(name: str) -> KnowledgeBaseConfig:
    """Load `configs/knowledge-base/<name>.yaml` (or a YAML file by path); UserError when wrong."""
    return load_config(config_path("knowledge-base", name), KnowledgeBaseConfig)


def load_retrieval_config(name: str) -> RetrievalConfig:
    """Load `configs/rag/<name>.yaml` (or a YAML file by path); raise UserError when wrong."""
    return load_config(config_path("rag", name), RetrievalConfig)
