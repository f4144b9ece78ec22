"""A merged model is its base with its adapter: logits, SQL, and all that travels along."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
MERGE = {"module": "text2sql.convert.merge", "kind": "merge"}
QUESTIONS = 16


@pytest.fixture(scope="module")
def adapter(tiny: Any, recipe: Any, train: Callable[..., Any], tmp_path_factory: Any) -> Path:
    """A LoRA adapter trained long enough that greedy answers differ from question to question.

    Its folder has the comma that several overrides put there.
    """
    folder = tmp_path_factory.mktemp("adapter") / "max_steps=60,learning_rate=0.005"
    keys = {"max_steps": 60, "learning_rate": 5e-3}
    return train(folder, recipe("lora", **keys), tiny.inputs).output


@pytest.fixture(scope="module")
def merged(tiny: Any, adapter: Path, run_stage: Callable[..., Any], tmp_path_factory: Any) -> Path:
    config = {"template": "qwen3_nothink"}
    inputs = {"model": tiny.model, "adapter": adapter}
    return run_stage(tmp_path_factory.mktemp("merged"), config, inputs, **MERGE).output


def prompts(data: Path) -> list[str]:
    from text2sql.prompt import load_template, render_text

    lines = (data / "questions.jsonl").read_text(encoding="utf-8").splitlines()[:QUESTIONS]
    template = load_template("qwen3_nothink")
    return [render_text(json.loads(line)["messages"], template) for line in lines]


def load(model: Path, dtype: Any, adapter: Path | None = None) -> Any:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(model, dtype=dtype)
    return PeftModel.from_pretrained(base, adapter, torch_dtype=dtype) if adapter else base


def answers(model: Any, folder: Path, texts: list[str]) -> list[str]:
    """Greedy SQL of each prompt."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    found = []
    for text in texts:
        ids = tokenizer(text, return_tensors="pt", add_special_tokens=False)
        output = model.generate(**ids, max_new_tokens=24, do_sample=False)
        found.append(tokenizer.decode(output[0][ids["input_ids"].shape[1] :]))
    return found


def test_logits_agree_in_float32(tiny: Any, adapter: Path, merged: Path) -> None:
    import torch
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny.model)
    one = load(tiny.model, torch.float32, adapter)
    other = load(merged, torch.float32)
    base = load(tiny.model, torch.float32)
    for text in prompts(tiny.data)[:4]:
        ids = tokenizer(text, return_tensors="pt", add_special_tokens=False)["input_ids"]
        with torch.inference_mode():
            expected = one(ids).logits
            assert (other(ids).logits - expected).abs().max() < 1e-5 * expected.abs().max()
            assert (base(ids).logits - expected).abs().max() > 0.1  # the adapter does something


def test_same_greedy_sql_in_float32(tiny: Any, adapter: Path, merged: Path) -> None:
    import torch

    texts = prompts(tiny.data)
    one = answers(load(tiny.model, torch.float32, adapter), tiny.model, texts)
    assert answers(load(merged, torch.float32), merged, texts) == one
    assert len(set(one)) > 1


def test_tokenizer_template_and_generation_config_travel(tiny: Any, merged: Path) -> None:
    from transformers import AutoTokenizer, GenerationConfig

    before, after = (AutoTokenizer.from_pretrained(p) for p in (tiny.model, merged))
    assert after.get_vocab() == before.get_vocab()
    assert (after.eos_token_id, after.pad_token_id) == (before.eos_token_id, before.pad_token_id)
    turns = [{"role": "user", "content": "How many?"}]
    for made in (after, before):
        assert made.chat_template
    assert after.apply_chat_template(turns, tokenize=False) == before.apply_chat_template(
        turns, tokenize=False
    )
    ours, theirs = (GenerationConfig.from_pretrained(p) for p in (merged, tiny.model))
    for key in ("temperature", "top_p", "do_sample", "eos_token_id", "pad_token_id"):
        assert getattr(ours, key) == getattr(theirs, key), key


def test_a_reloaded_export_writes_the_same_sql(merged: Path, tiny: Any, tmp_path: Path) -> None:
    import torch
    from transformers import AutoTokenizer

    texts = prompts(tiny.data)
    first = load(merged, torch.float32)
    first.save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(merged).save_pretrained(tmp_path)
    assert answers(load(tmp_path, torch.float32), tmp_path, texts) == answers(first, merged, texts)


def test_bf16_base_merges_to_the_same_greedy_sql(
    tiny: Any, adapter: Path, run_stage: Callable[..., Any], tmp_path: Path
) -> None:
    import torch
    from transformers import AutoTokenizer

    base = tmp_path / "base"
    load(tiny.model, torch.bfloat16).save_pretrained(base)
    AutoTokenizer.from_pretrained(tiny.model).save_pretrained(base)
    merged = run_stage(
        tmp_path / "merged",
        {"template": "qwen3_nothink"},
        {"model": base, "adapter": adapter},
        **MERGE,
    ).output
    texts = prompts(tiny.data)
    with_adapter = answers(load(base, torch.bfloat16, adapter), base, texts)
    assert answers(load(merged, torch.bfloat16), merged, texts) == with_adapter


def test_a_quantized_base_is_refused(
    tiny: Any, adapter: Path, failing_stage: Callable[..., str], tmp_path: Path
) -> None:
    base = tmp_path / "base"
    base.mkdir()
    for path in tiny.model.iterdir():
        (base / path.name).write_bytes(path.read_bytes())
    config = json.loads((base / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "bitsandbytes", "load_in_4bit": True}
    (base / "config.json").write_text(json.dumps(config))
    inputs = {"model": base, "adapter": adapter}
    line = failing_stage(tmp_path / "out", {"template": "qwen3_nothink"}, inputs, **MERGE)
    assert "quantized" in line and "unquantized" in line


def test_an_adapter_of_another_model_is_refused(
    tiny: Any, adapter: Path, failing_stage: Callable[..., str], tmp_path: Path
) -> None:
    other = tmp_path / "adapter"
    other.mkdir()
    config = json.loads((adapter / "adapter_config.json").read_text())
    (other / "adapter_config.json").write_text(json.dumps(config))
    inputs = {"model": tiny.model, "adapter": other}
    line = failing_stage(tmp_path / "out", {"template": "qwen3_nothink"}, inputs, **MERGE)
    assert "adapter_model.safetensors" in line
