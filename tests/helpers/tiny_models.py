"""The models of tests: byte-level tokenizers trained on the spot, Llama and Qwen3 at random."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from text2sql.files import write_json
from text2sql.schema.linker import FILE, FORMAT

CHATML = ("<|im_start|>", "<|im_end|>")
ENDING = "<|endoftext|>"
CHAT_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
COUNTS = [
    {
        "conversations": [
            {"from": "human", "value": f"How many rows has table t{i}?"},
            {"from": "gpt", "value": f"SELECT count(*) FROM t{i}"},
        ],
        "system": "Write SQL.",
    }
    for i in range(24)
]


def make_tokenizer(
    texts: Iterable[str],
    size: int,
    *,
    splits: Sequence[Any] = (),
    regex: bool = True,
    normalizer: Any = None,
    first: Sequence[str] = (),
    added: Sequence[str] = (),
    words: Sequence[str] = (),
    **settings: Any,
) -> Any:
    """Train a byte-level BPE tokenizer.

    Args:
        texts: to train on.
        size: most tokens, those of `added` and `words` not counted.
        splits: pre-tokenizers before the last one, which splits as GPT-2's does.
        regex: whether that one splits at all.
        normalizer: of the tokenizers package.
        first: special tokens that take the first numbers.
        added: special tokens that take the last numbers.
        words: added tokens that are not special.
        settings: of `PreTrainedTokenizerFast`.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.BPE())
    if normalizer is not None:
        backend.normalizer = normalizer
    last = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=regex)
    backend.pre_tokenizer = pre_tokenizers.Sequence([*splits, last])
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[AddedToken(text, special=True) for text in first],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(texts, trainer)
    backend.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in added])
    backend.add_tokens([AddedToken(t, special=False, normalized=False) for t in words])
    return PreTrainedTokenizerFast(tokenizer_object=backend, **settings)


def digits_apart() -> list[Any]:
    """The split of tokenizers that read digits one by one."""
    from tokenizers import pre_tokenizers

    return [pre_tokenizers.Digits(individual_digits=True)]


def make_model(
    kind: str, tokenizer: Any, *, seed: int = 0, spread: float | None = None, **sizes: Any
) -> Any:
    """Make a causal language model of random weights.

    Args:
        kind: ``llama``, ``qwen2`` or ``qwen3``.
        tokenizer: the model's.
        seed: of the weights.
        spread: standard deviation of the matrices, where not the family's own; a wide one makes
            one token clearly come first.
        sizes: keys of the model's config in place of those of the smallest one.
    """
    import torch
    import transformers

    family = {"llama": "Llama", "qwen2": "Qwen2", "qwen3": "Qwen3"}[kind]
    smallest = {
        "vocab_size": len(tokenizer),
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    torch.manual_seed(seed)
    config = getattr(transformers, f"{family}Config")(**smallest | sizes)
    model = getattr(transformers, f"{family}ForCausalLM")(config)
    if spread is not None:
        with torch.no_grad():
            for weights in model.parameters():
                if weights.dim() == 2:
                    weights.normal_(0, spread)
    return model


def hollow_linker(folder: Path) -> Path:
    """Write what looks like a schema linker, but for tests that say what it says."""
    import numpy as np
    from safetensors.numpy import save_file

    folder.mkdir(exist_ok=True)
    for name in ("config.json", "tokenizer.json"):
        write_json(folder / name, {})
    write_json(folder / FILE, {"format": FORMAT})
    save_file({"weight": np.zeros(1, np.float32)}, folder / "model.safetensors")
    return folder


def save_linker(folder: Path, seed: int = 0) -> Path:
    """Write a schema linker whose BERT, of 30,000 parameters at random, was trained on nothing."""
    import torch
    import transformers

    tokenizer = make_tokenizer(
        ["how many bikes has each shop in the town"], 300, first=("[PAD]",), pad_token="[PAD]"
    )
    torch.manual_seed(seed)
    config = transformers.BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=256,
        num_labels=1,
        initializer_range=1.0,
    )
    save(folder, transformers.BertForSequenceClassification(config), tokenizer)
    write_json(folder / FILE, {"format": FORMAT})
    return folder


def save(folder: Path, model: Any, tokenizer: Any) -> Path:
    """Write a Hugging Face folder and return it."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a Llama of 0.2M parameters."""
    tokenizer = make_tokenizer(
        [json.dumps(row) for row in COUNTS],
        400,
        first=CHATML,
        bos_token=CHATML[0],
        eos_token=CHATML[1],
        pad_token=CHATML[1],
    )
    return save(tmp_path_factory.mktemp("tiny-llama"), make_model("llama", tokenizer), tokenizer)


def save_wide_qwen3(folder: Path, rows: Path, tied: bool = True) -> Path:
    """Write a Qwen3 of 0.9M parameters whose heads are as wide as the real ones (128).

    Args:
        folder: where to.
        rows: text file to train the tokenizer on; NFC, digits one by one.
        tied: whether the output layer is the embedding.
    """
    import torch
    from tokenizers import normalizers

    tokenizer = make_tokenizer(
        [rows.read_text(encoding="utf-8")],
        1000,
        splits=digits_apart(),
        normalizer=normalizers.NFC(),
        added=(ENDING, *CHATML),
        words=("<think>", "</think>"),
        eos_token=CHATML[1],
        pad_token=ENDING,
        clean_up_tokenization_spaces=False,
        chat_template=CHAT_TEMPLATE,
    )
    model = make_model(
        "qwen3",
        tokenizer,
        vocab_size=(len(tokenizer) + 127) // 128 * 128,
        hidden_size=128,
        intermediate_size=256,
        head_dim=128,
        max_position_embeddings=2048,
        rope_theta=1_000_000.0,
        tie_word_embeddings=tied,
        bos_token_id=None,
    )
    with torch.no_grad():
        # Norms of exactly one would hide a conversion that loses or swaps them.
        for name, parameter in model.named_parameters():
            if "norm" in name:
                parameter.add_(0.1 * torch.randn_like(parameter))
    model.generation_config.temperature = 0.7
    model.generation_config.top_p = 0.8
    model.generation_config.do_sample = True
    return save(folder, model, tokenizer)
