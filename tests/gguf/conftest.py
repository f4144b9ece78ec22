"""A tiny Qwen3 with tied embeddings, made here: random weights, a tokenizer trained on our data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_models import (
    CHAT_TEMPLATE,
    CHATML,
    ENDING,
    digits_apart,
    make_model,
    make_tokenizer,
    save,
)

from text2sql.errors import UserError
from text2sql.gguf.make import quantize_folder
from text2sql.models.gguf_types import QUANTIZATION_TYPES
from text2sql.models.llama_cpp import converter_folder
from text2sql.prompt import load_template, render_messages, render_text
from text2sql.question import Question, read_questions, write_questions

TEMPLATE = load_template("qwen3_nothink")
SCHEMA_TEXT = "CREATE TABLE singer (id INTEGER PRIMARY KEY, name TEXT, age INTEGER);"
QUESTIONS = [
    ("How many singers are there?", "SELECT COUNT(*) FROM singer"),
    ("List all names, naïve or not 🙂", "SELECT name FROM singer"),
    ("Who is oldest?", "SELECT name FROM singer ORDER BY age DESC LIMIT 1"),
]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def tiny_qwen3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Hugging Face folder of a Qwen3 with 3 million weights; rows of 256, which k-quants take.

    Its tokenizer splits text as SmolLM2's does, which llama.cpp knows under the name ``smollm``.
    """
    rows = json.loads((ROOT / "data" / "sample" / "train.json").read_text(encoding="utf-8"))
    tokenizer = make_tokenizer(
        [f"{row['question']} {row['query']}" for row in rows],
        2048,
        splits=digits_apart(),
        first=(ENDING, *CHATML),
        eos_token=CHATML[1],
        pad_token=ENDING,
        additional_special_tokens=list(CHATML),
        chat_template=CHAT_TEMPLATE,
    )
    model = make_model(
        "qwen3",
        tokenizer,
        spread=0.08,
        hidden_size=256,
        intermediate_size=512,
        num_hidden_layers=4,
        head_dim=64,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        bos_token_id=None,
    )
    return save(tmp_path_factory.mktemp("models") / "tiny-qwen3", model, tokenizer)


@pytest.fixture(scope="session")
def gguf_questions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three questions, as a data stage writes them."""
    path = tmp_path_factory.mktemp("data") / "questions.jsonl"
    questions = (
        Question(number, "d", text, sql, render_messages(text, SCHEMA_TEXT, "short"))
        for number, (text, sql) in enumerate(QUESTIONS)
    )
    write_questions(path, questions)
    return path


@pytest.fixture(scope="session")
def gguf_texts(gguf_questions: Path) -> list[str]:
    """The rendered prompts of those questions."""
    return [render_text(q.messages, TEMPLATE) for q in read_questions(gguf_questions)]


@pytest.fixture(scope="session")
def gguf_folder(
    tiny_qwen3: Path, gguf_questions: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The tiny Qwen3 as F16 GGUF and in every quantization type."""
    pytest.importorskip("llama_cpp", reason="llama.cpp is not set up (make setup-gguf)")
    try:
        converter_folder()
    except UserError as error:
        pytest.skip(str(error))
    output = tmp_path_factory.mktemp("gguf")
    types = list(QUANTIZATION_TYPES)
    quantize_folder(tiny_qwen3, output, types, TEMPLATE, gguf_questions, "smollm")
    return output
