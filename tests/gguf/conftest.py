"""A tiny Qwen3 with tied embeddings, made here: random weights, a tokenizer trained on our data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from text2sql.errors import UserError
from text2sql.files import read_jsonl
from text2sql.gguf.make import quantize_folder
from text2sql.models.gguf_types import QUANTIZATION_TYPES
from text2sql.models.llama_cpp import converter_folder
from text2sql.prompt import load_template, render_messages, render_text

TEMPLATE = load_template("qwen3_nothink")
SCHEMA_TEXT = "CREATE TABLE singer (id INTEGER PRIMARY KEY, name TEXT, age INTEGER);"
QUESTIONS = [
    ("How many singers are there?", "SELECT COUNT(*) FROM singer"),
    ("List all names, naïve or not 🙂", "SELECT name FROM singer"),
    ("Who is oldest?", "SELECT name FROM singer ORDER BY age DESC LIMIT 1"),
]
ROOT = Path(__file__).resolve().parents[2]
CHAT_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def tiny_tokenizer() -> Any:
    """Train a byte-level BPE tokenizer on the sample questions; it splits text as SmolLM2's does.

    llama.cpp has that way of splitting under the name ``smollm``.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    rows = json.loads((ROOT / "data" / "sample" / "train.json").read_text(encoding="utf-8"))
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=2048,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([f"{row['question']} {row['query']}" for row in rows], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=["<|im_start|>", "<|im_end|>"],
        chat_template=CHAT_TEMPLATE,
    )


@pytest.fixture(scope="session")
def tiny_qwen3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Hugging Face folder of a Qwen3 with 3 million weights; rows of 256, which k-quants take."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    folder = tmp_path_factory.mktemp("models") / "tiny-qwen3"
    tokenizer = tiny_tokenizer()
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=256,
        intermediate_size=512,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=64,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
    )
    model: Any = Qwen3ForCausalLM(config)
    with torch.no_grad():  # wider than the default, so that one token clearly comes first
        for parameter in model.parameters():
            if parameter.dim() == 2:
                parameter.normal_(0, 0.08)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def gguf_questions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three questions, as a data stage writes them."""
    path = tmp_path_factory.mktemp("data") / "questions.jsonl"
    rows = [
        {"messages": render_messages(question, SCHEMA_TEXT, "short"), "gold": sql}
        for question, sql in QUESTIONS
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def gguf_texts(gguf_questions: Path) -> list[str]:
    """The rendered prompts of those questions."""
    return [render_text(row["messages"], TEMPLATE) for row in read_jsonl(gguf_questions)]


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
