"""BGE models through FlagEmbedding, in miniature: the same numbers as by sentence-transformers."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from text2sql.errors import UserError
from text2sql.rag.config import EmbeddingConfig, RerankConfig
from text2sql.rag.embed import Embedder, model_identity
from text2sql.rag.rerank import LateInteraction, load_reranker

WORDS = "[PAD] [UNK] [CLS] [SEP] [MASK] how many singers do we have list the name of every ? :"
ASKED = "how many singers do we have ?"
TEXTS = [ASKED, "list the name of every singers", "?"]
PROMPT = "list : "


@pytest.fixture
def library() -> None:
    pytest.importorskip(
        "FlagEmbedding", reason="FlagEmbedding is not installed; run: make setup-bge"
    )


def small_bert(folder: Path, kind: str, **settings: Any) -> Path:
    """A BERT of random weights whose tokenizer knows a few words."""
    import torch
    import transformers

    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(WORDS.split()))
    tokenizer = transformers.BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=24)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(WORDS.split()),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        initializer_range=0.5,
        **settings,
    )
    getattr(transformers, kind)(config).save_pretrained(folder)
    return folder


@pytest.fixture
def bge(tmp_path: Path) -> Path:
    """A model of BGE's layout: BERT, the first token's vector, length 1."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

    reader = Transformer(str(small_bert(tmp_path / "bert", "BertModel")))
    made = SentenceTransformer(modules=[reader, Pooling(32, pooling_mode="cls"), Normalize()])
    made.save_pretrained(str(tmp_path / "bge"))
    return tmp_path / "bge"


def test_vectors_are_those_of_sentence_transformers(library: None, bge: Path) -> None:
    config = EmbeddingConfig(model=str(bge), query_prompt=PROMPT)
    flag = config.model_copy(update={"library": "FlagEmbedding"})
    one, other = Embedder(config, "cpu"), Embedder(flag, "cpu")
    assert other.dimension == one.dimension == 32
    assert other.queries(TEXTS) == pytest.approx(one.queries(TEXTS), abs=1e-5)
    assert other.documents(TEXTS) == pytest.approx(one.documents(TEXTS), abs=1e-5)
    assert np.abs(other.queries(TEXTS) - other.documents(TEXTS)).max() > 0.01
    assert model_identity(flag) != model_identity(config)


def test_a_question_longer_than_the_window_is_read_up_to_there(library: None, bge: Path) -> None:
    config = EmbeddingConfig(model=str(bge), library="FlagEmbedding", max_length=16)
    embedder = Embedder(config, "cpu")
    long = " ".join([ASKED] * 9)
    vectors = embedder.queries([long, f"{long} list"])
    assert embedder.truncated == 2
    assert vectors[0] == pytest.approx(vectors[1], abs=1e-5)


def test_tokens_are_not_to_be_had(library: None, bge: Path) -> None:
    embedder = Embedder(EmbeddingConfig(model=str(bge), library="FlagEmbedding"), "cpu")
    with pytest.raises(UserError, match=r"needs embedding\.library sentence-transformers"):
        LateInteraction(embedder).score([(ASKED, "?")])


def test_reranker_scores_are_those_of_the_cross_encoder(
    library: None, bge: Path, tmp_path: Path
) -> None:
    folder = small_bert(tmp_path / "reranker", "BertForSequenceClassification", num_labels=1)
    embedder = Embedder(EmbeddingConfig(model=str(bge)), "cpu")
    pairs = [(ASKED, text) for text in TEXTS]
    scores = []
    for kind in ("flag_embedding", "cross_encoder"):
        config = RerankConfig(kind=kind, model=str(folder))
        scores.append(load_reranker(config, embedder, "cpu").score(pairs))
    assert scores[0] == pytest.approx(scores[1], abs=1e-5)
    assert max(scores[0]) - min(scores[0]) > 1e-4


def test_a_folder_without_a_model_is_one_line(library: None, tmp_path: Path) -> None:
    config = EmbeddingConfig(model=str(tmp_path), library="FlagEmbedding")
    with pytest.raises(UserError, match="cannot be loaded") as caught:
        Embedder(config, "cpu")
    assert "\n" not in str(caught.value)
    rerank = RerankConfig(kind="flag_embedding", model=str(tmp_path))
    with pytest.raises(UserError, match="cannot be loaded"):
        load_reranker(rerank, None, "cpu")  # type: ignore[arg-type]


def test_without_the_library_the_target_that_installs_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "FlagEmbedding", None)
    config = EmbeddingConfig(model=str(tmp_path), library="FlagEmbedding")
    with pytest.raises(UserError, match="run: make setup-bge"):
        Embedder(config, "cpu")
