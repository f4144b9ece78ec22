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
from text2sql.files import write_json
from text2sql.gguf.make import make_f16, make_quantized
from text2sql.gguf.probes import Probe, read_probes
from text2sql.models.gguf_types import F16, QUANTIZATION_TYPES, gguf_name
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
def gguf_probes(gguf_questions: Path) -> list[Probe]:
    """Those questions with their answers, as the checks of a file take them."""
    return read_probes(gguf_questions, TEMPLATE)


@pytest.fixture(scope="session")
def converter() -> Path:
    """The folder of llama.cpp's converter."""
    pytest.importorskip("llama_cpp", reason="llama.cpp is not set up (make setup-gguf)")
    try:
        return converter_folder()
    except UserError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def gguf_folder(
    converter: Path,
    tiny_qwen3: Path,
    gguf_probes: list[Probe],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """The tiny Qwen3 as F16 GGUF and in every quantization type; what was measured as JSON."""
    output = tmp_path_factory.mktemp("gguf")
    types = tuple(QUANTIZATION_TYPES)
    f16, *files = (output / gguf_name(tiny_qwen3.name, kind) for kind in (F16, *types))
    record = {F16: make_f16(tiny_qwen3, f16, gguf_probes, types, "smollm")}
    for kind, file in zip(types, files, strict=True):
        record[kind] = make_quantized(f16, file, kind, gguf_probes, TEMPLATE)
    write_json(output / "quantization.json", record)
    return output
