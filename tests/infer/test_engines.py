"""The engines on a real model: same token ids in, same greedy answers out, whatever the batch."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from itertools import combinations, pairwise
from pathlib import Path

import pytest

from text2sql.files import write_json
from text2sql.infer.answers import Surroundings, answer
from text2sql.infer.batches import align, arrange, cheapest_in_order, cost_of, shared_prefix
from text2sql.infer.config import InferConfig
from text2sql.infer.engine import Engine, Prompt
from text2sql.infer.load import load_engine
from text2sql.models.folder import load_tokenizer
from text2sql.paths import build_root
from text2sql.prompt import load_template, render_messages, render_text
from text2sql.question import Question

SCHEMA = "CREATE TABLE singer (id INTEGER PRIMARY KEY, name TEXT, age INTEGER);"
SMOLLM2 = load_template("smollm2")
QUESTIONS = ["How many singers are there?", "List all names.", "Who is oldest?", "Mean age?"]


def test_prompts_with_one_beginning_are_read_together() -> None:
    schemas = [[1] * 30, [2] * 30]
    prompts = [Prompt(n, [*schemas[n % 2], *range(n + 1)], "") for n in range(8)]
    assert [[p.id for p in batch] for batch in arrange(prompts, 4)] == [[0, 2, 4, 6], [1, 3, 5, 7]]


def test_prompts_that_share_nothing_are_read_by_length() -> None:
    lengths = [9, 2, 8, 3, 9, 2]
    prompts = [Prompt(n, [n] * length, "") for n, length in enumerate(lengths)]
    assert [[p.id for p in batch] for batch in arrange(prompts, 2)] == [[1, 5], [3, 2], [0, 4]]


def test_no_batch_spans_two_schemas_unless_that_is_cheaper() -> None:
    for length, count in ((2000, 4), (10, 3)):
        prompts = [Prompt(n, [n // 4] * length + [9, n]) for n in range(8)]
        batches = arrange(prompts, 3)
        assert len(batches) == count
        assert all(len({p.tokens[0] for p in batch}) == 1 for batch in batches) == (count == 4)


def test_batches_in_token_order_are_the_cheapest() -> None:
    """Held against all ways to cut the row."""
    chance = random.Random(2)
    for _ in range(30):
        stems = [[chance.randrange(3)] * chance.choice((5, 300, 2000)) for _ in range(3)]
        prompts = [
            Prompt(n, chance.choice(stems) + [chance.randrange(9) for _ in range(n % 4 + 1)])
            for n in range(7)
        ]
        ordered = sorted(prompts, key=lambda prompt: prompt.tokens)
        ways = [
            [ordered[start:end] for start, end in pairwise((0, *cuts, 7))]
            for count in range(7)
            for cuts in combinations(range(1, 7), count)
        ]
        fitting = [way for way in ways if max(map(len, way)) <= 3]
        assert cost_of(cheapest_in_order(prompts, 3)) == min(map(cost_of, fitting))


def test_shared_prefix_leaves_every_prompt_a_token() -> None:
    assert shared_prefix([[1, 2, 3, 4], [1, 2, 5]]) == 2
    assert shared_prefix([[1, 2, 3], [1, 2, 3]]) == 2
    assert shared_prefix([[1, 2], [1, 2, 3]]) == 1
    assert shared_prefix([[1], [2]]) == 0
    assert shared_prefix([[7, 8, 9]]) == 2


def test_rows_are_filled_between_prefix_and_end() -> None:
    rows, mask = align([[1, 2, 3, 4], [1, 2, 5]], 2)
    assert rows == [[1, 2, 3, 4], [1, 2, 0, 5]]
    assert mask == [[1, 1, 1, 1], [1, 1, 0, 1]]
    assert align([[3, 4], [5]], 0) == ([[3, 4], [0, 5]], [[1, 1], [0, 1]])


@pytest.fixture(scope="module")
def model() -> Path:
    folder = build_root() / "models" / "smollm2-135m-instruct"
    if not (folder / "model.safetensors").is_file():
        pytest.skip(f"{folder} is not there; run: make model")
    return folder


def config(engine: str, batch: int) -> InferConfig:
    return InferConfig.model_validate(
        {
            "engine": engine,
            "dtype": "float32",
            "batch_size": batch,
            "max_new_tokens": 12,
            "max_model_len": 512,
        }
    )


def answers(engine: Engine, settings: InferConfig) -> Iterator[str]:
    questions = [
        Question(number, "d", text, "", render_messages(text, SCHEMA, "short"))
        for number, text in enumerate(QUESTIONS)
    ]
    answered = sorted(
        answer(engine, questions, settings, Surroundings(SMOLLM2)), key=lambda done: done.id
    )
    assert [done.id for done in answered] == list(range(len(QUESTIONS)))
    return (done.texts[0] for done in answered)


@pytest.fixture(scope="module")
def alone(model: Path) -> list[str]:
    """What transformers answers when each question is asked by itself."""
    settings = config("transformers", 1)
    engine = load_engine(model, settings, SMOLLM2.stop_words, "cpu")
    return list(answers(engine, settings))


@pytest.mark.slow
def test_batches_change_no_answer(model: Path, alone: list[str]) -> None:
    settings = config("transformers", 3)
    engine = load_engine(model, settings, SMOLLM2.stop_words, "cpu")
    assert list(answers(engine, settings)) == alone


@pytest.mark.slow
def test_nothing_is_added_to_the_prompt_and_the_stop_word_ends_the_answer(model: Path) -> None:
    settings = config("transformers", 2)
    engine = load_engine(model, settings, SMOLLM2.stop_words, "cpu")
    text = "<|im_start|>user\nSay: yes<|im_end|>\n<|im_start|>assistant\n"
    tokens = engine.encode(text)
    assert tokens.count(engine.encode("<|im_start|>")[0]) == 2
    (done,) = engine.generate([Prompt(0, tokens)])
    assert done.finish_reason in ("stop", "length")
    assert "<|im_end|>" not in done.text


@pytest.fixture
def vllm(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("vllm", reason="vLLM is not in this environment (make setup-gpu)")
    # Of its build for CPUs: how many GiB the cache of keys and values may take.
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_vllm_answers_as_transformers_does(model: Path, alone: list[str], vllm: None) -> None:
    settings = config("vllm", 1)
    engine = load_engine(model, settings, SMOLLM2.stop_words, "cpu")
    text = render_text(render_messages(QUESTIONS[0], SCHEMA, "short"), SMOLLM2)
    assert engine.encode(text) == load_tokenizer(model).encode(text, add_special_tokens=False)
    assert list(answers(engine, settings)) == alone


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_vllm_with_an_adapter_by_request_answers_as_the_merged_model_does(
    model: Path, alone: list[str], vllm: None, tmp_path: Path
) -> None:
    adapter, merged = make_adapter(model, tmp_path)
    plain = config("transformers", 1)
    expected = list(answers(load_engine(merged, plain, SMOLLM2.stop_words, "cpu"), plain))
    assert expected != alone  # else the adapter would do nothing
    settings = config("vllm", 1).model_copy(update={"adapter": True, "max_lora_rank": 8})
    engine = load_engine(model, settings, SMOLLM2.stop_words, "cpu", adapter)
    assert list(answers(engine, settings)) == expected


def make_adapter(model: Path, folder: Path) -> tuple[Path, Path]:
    """Write a LoRA adapter of random weights, and the model with it folded in."""
    import torch
    from safetensors.torch import load_file, save_file

    rank, alpha = 8, 16
    torch.manual_seed(1)
    weights = load_file(model / "model.safetensors")
    factors = {}
    for name in [name for name in weights if name.endswith(("q_proj.weight", "v_proj.weight"))]:
        rows, columns = weights[name].shape
        one, other = torch.randn(rank, columns) * 0.05, torch.randn(rows, rank) * 0.05
        weights[name] = weights[name].float() + (alpha / rank) * (other @ one)
        stem = f"base_model.model.{name.removesuffix('.weight')}"
        factors |= {f"{stem}.lora_A.weight": one, f"{stem}.lora_B.weight": other}
    adapter, merged = folder / "adapter", folder / "merged"
    adapter.mkdir()
    settings = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": rank,
        "lora_alpha": alpha,
        "target_modules": ["q_proj", "v_proj"],
        "bias": "none",
    }
    write_json(adapter / "adapter_config.json", settings)
    save_file(factors, adapter / "adapter_model.safetensors")
    shutil.copytree(model, merged)
    save_file(weights, merged / "model.safetensors", metadata={"format": "pt"})
    return adapter, merged


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_vllm_tells_listeners_of_the_text_as_it_grows(model: Path, vllm: None) -> None:
    engine = load_engine(model, config("vllm", 1), SMOLLM2.stop_words, "cpu")
    tokens = engine.encode("<|im_start|>user\nCount to ten.<|im_end|>\n<|im_start|>assistant\n")
    heard: list[str] = []
    done = {one.id: one for one in engine.generate([Prompt(0, tokens, listener=heard.append)])}
    assert len(heard) > 2
    assert [len(text) for text in heard] == sorted(len(text) for text in heard)
    assert done[0].text == heard[-1]
