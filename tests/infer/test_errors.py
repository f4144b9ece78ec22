"""What users get wrong with models and engines is one line that says what to do."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

from text2sql.config import check_config
from text2sql.errors import UserError
from text2sql.infer.config import InferConfig
from text2sql.infer.load import load_engine
from text2sql.infer.openai import OpenAIEngine
from text2sql.infer.openai_server import serve, server_command
from text2sql.infer.vllm import adapter_rank
from text2sql.models.folder import cache_bytes, require_memory, require_model, stop_token_ids


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"engine": "openai"}, "engine openai and the key server go together"),
        ({"engine": "vllm", "server": {"model": "m"}}, "go together"),
        ({"engine": "llama.cpp", "adapter": True}, "adapter: true is for engine vllm"),
        (
            {"engine": "vllm", "decoding": {"samples": 5}},
            "decoding.samples above 1 needs a temperature above 0",
        ),
        (
            {"engine": "transformers", "decoding": {"grammar": True}},
            "decoding.grammar needs engine llama.cpp or vllm",
        ),
        (
            {"engine": "vllm", "max_new_tokens": 4096, "max_model_len": 4096},
            "max_new_tokens leaves no room for a prompt",
        ),
        ({"engine": "llamacpp"}, "no such engine; there are: transformers, vllm, llama.cpp"),
        ({"engine": "vllm", "decoding": {"sample": 5}}, "did you mean 'samples'?"),
    ],
)
def test_settings_that_do_not_fit_together(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_config(values, InferConfig, "infer.yaml")


def test_missing_model(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="none: no such model folder"):
        require_model(tmp_path / "none")
    with pytest.raises(UserError, match=r"no config\.json"):
        require_model(tmp_path)
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(UserError, match="a LoRA adapter, not a model; merge it"):
        require_model(tmp_path)


@pytest.mark.parametrize("engine", ["transformers", "vllm", "llama.cpp"])
def test_every_engine_names_a_missing_model(tmp_path: Path, engine: str) -> None:
    if engine == "llama.cpp":
        pytest.importorskip("llama_cpp", reason="llama.cpp is not set up (make setup-gguf)")
    with pytest.raises(UserError, match=r"none: no (such model folder|GGUF file)"):
        load_engine(tmp_path / "none", InferConfig.model_validate({"engine": engine}), ["x"], "cpu")


def test_wrong_template(tmp_path: Path) -> None:
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.BPE({"<": 0, "|": 1, "x": 2}, [], unk_token="x"))
    )
    with pytest.raises(UserError, match=r"'<\|im_end\|>' is no token of this model.*template"):
        stop_token_ids(tokenizer, ["<|im_end|>"], tmp_path)


def test_not_enough_memory_comes_with_the_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("text2sql.models.folder.available_bytes", lambda: 2**31)
    require_memory(2**30, "m", "do this")
    with pytest.raises(UserError, match=r"m needs about 3\.0 GiB of memory, 2\.0 GiB are free; do"):
        require_memory(3 * 2**30, "m", "do this")


def test_estimate_of_the_cache(tmp_path: Path) -> None:
    facts = {"num_attention_heads": 16, "hidden_size": 2048, "num_hidden_layers": 28}
    (tmp_path / "config.json").write_text(
        json.dumps(facts | {"num_key_value_heads": 8, "head_dim": 128})
    )
    assert cache_bytes(tmp_path, 1000, "bfloat16") == 2 * 28 * 8 * 128 * 1000 * 2
    (tmp_path / "config.json").write_text(json.dumps(facts))
    assert cache_bytes(tmp_path, 1000, "bfloat16") == 2 * 28 * 16 * 128 * 1000 * 2


def test_adapter_above_the_allowed_rank(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text('{"r": 64}')
    assert adapter_rank(tmp_path, 64) == 64
    with pytest.raises(UserError, match="rank 64 is above max_lora_rank 32; raise max_lora_rank"):
        adapter_rank(tmp_path, 32)


def test_serving_on_a_taken_port(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"127.0.0.1:{port} cannot be listened on"):
            from text2sql.infer.openai_server import require_free

            require_free("127.0.0.1", port)


def test_serving_what_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no GGUF file; make one with: make quantize"):
        serve(tmp_path)


def test_server_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("text2sql.chat.RETRIES", 0)
    monkeypatch.setattr("text2sql.infer.openai.load_tokenizer", lambda folder: None)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = {"model": "m", "base_url": f"http://127.0.0.1:{port}/v1"}
    config = InferConfig.model_validate({"engine": "openai", "server": server})
    with pytest.raises(UserError, match=rf"127.0.0.1:{port}/v1: Connection error.*running there\?"):
        OpenAIEngine(tmp_path, config, [])


def test_vllm_serves_model_folders_and_llama_cpp_gguf_files(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match=r"no \*\.safetensors"):
        server_command(tmp_path, "127.0.0.1", 8000, 4096)
