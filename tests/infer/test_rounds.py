"""Batches of the transformers engine: the few long answers of many wait for one another only."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tiny_models import CHATML, make_model, make_tokenizer, save

from text2sql.infer import transformers
from text2sql.infer.batches import common_prefix
from text2sql.infer.config import InferConfig
from text2sql.infer.engine import Completion, Prompt
from text2sql.infer.load import load_engine
from text2sql.infer.transformers import TransformersEngine

ENDINGS = (CHATML[1], *"acegikmoqs")  # so many that answers end early, late, or not at all
FIRST_STEPS, MOST = 8, 40


@pytest.fixture(autouse=True)
def short_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transformers, "FIRST_STEPS", FIRST_STEPS)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tokenizer = make_tokenizer(["SELECT a FROM b"], 400, first=CHATML, eos_token=CHATML[1])
    llama = make_model("llama", tokenizer, seed=2, spread=0.2)
    return save(tmp_path_factory.mktemp("model"), llama, tokenizer)


@pytest.fixture(scope="module")
def prompts() -> list[Prompt]:
    """Questions about two databases, of which one is asked about with its schema twice as long."""
    chance = random.Random(3)

    def some(count: int) -> list[int]:
        return [chance.randrange(10, 250) for _ in range(count)]

    schemas = [some(60), some(120)]
    return [Prompt(n, schemas[n % 2] + some(2 + n % 7)) for n in range(16)]


def engine(model: Path, batch_size: int, dtype: str = "float32", **more: Any) -> TransformersEngine:
    values = {"batch_size": batch_size, "max_new_tokens": MOST, "dtype": dtype} | more
    config = InferConfig.model_validate({"engine": "transformers"} | values)
    loaded = load_engine(model, config, ENDINGS, "cpu")
    assert isinstance(loaded, TransformersEngine)
    return loaded


def facts(completions: Iterator[Completion]) -> dict[int, tuple[str, int, str]]:
    return {c.id: (c.text, c.completion_tokens, c.finish_reason) for c in completions}


@pytest.fixture(scope="module")
def alone(model: Path, prompts: list[Prompt]) -> dict[int, tuple[str, int, str]]:
    """The answers of an engine that has read nothing before."""
    return {prompt.id: facts(engine(model, 1).generate([prompt]))[prompt.id] for prompt in prompts}


@pytest.mark.parametrize("batch_size", [3, 64])
def test_answers_are_those_of_questions_asked_alone(
    model: Path, prompts: list[Prompt], alone: dict[int, Any], batch_size: int
) -> None:
    lengths = [tokens for _, tokens, _ in alone.values()]
    assert min(lengths) < FIRST_STEPS < 3 * FIRST_STEPS < max(lengths) == MOST
    assert {reason for *_, reason in alone.values()} == {"stop", "length"}
    loaded = engine(model, batch_size)
    assert facts(loaded.generate(prompts)) == alone
    assert facts(loaded.generate(prompts)) == alone  # with what it remembers of the first time


def test_long_answers_do_not_hold_up_others(
    model: Path, prompts: list[Prompt], monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = engine(model, 3)
    steps = 0

    def count(_module: Any, _args: Any, values: dict[str, Any]) -> None:
        nonlocal steps
        steps += values["input_ids"].shape[1] == 1

    loaded._model.register_forward_pre_hook(count, with_kwargs=True)
    order = [done.completion_tokens for done in loaded.generate(prompts)]
    assert order[0] <= FIRST_STEPS
    assert order[-1] > FIRST_STEPS
    in_rounds, steps = steps, 0
    monkeypatch.setattr(transformers, "CHEAP_TO_READ", 0)
    list(loaded.generate(prompts))
    assert in_rounds < 0.9 * steps


def test_a_schema_is_read_once_for_all_batches(model: Path, prompts: list[Prompt]) -> None:
    loaded = engine(model, 3, max_new_tokens=1)
    read: list[int] = []
    loaded._model.register_forward_pre_hook(
        lambda _module, _args, values: read.append(values["input_ids"].numel()), with_kwargs=True
    )
    list(loaded.generate(prompts))
    own = 8 * 16  # at most 8 tokens each, filled up
    assert 180 < sum(read) <= 180 + own


def test_a_model_that_fails_while_it_reads_remembers_nothing_wrong(
    model: Path, prompts: list[Prompt], alone: dict[int, Any]
) -> None:
    loaded = engine(model, 3)
    layer = loaded._model.model.layers[1]  # the first has taken the tokens up by then

    def fail(*_: Any) -> None:
        raise RuntimeError("no memory left")

    list(loaded.generate(prompts[:6]))
    handle = layer.register_forward_pre_hook(fail)
    with pytest.raises(RuntimeError, match="no memory left"):
        list(loaded.generate(prompts[::-1]))
    handle.remove()
    assert facts(loaded.generate(prompts)) == alone


def test_a_model_with_a_sliding_window_reads_every_prefix_anew(
    tmp_path: Path, prompts: list[Prompt]
) -> None:
    tokenizer = make_tokenizer(["SELECT a FROM b"], 400, first=CHATML, eos_token=CHATML[1])
    window = {"use_sliding_window": True, "sliding_window": 16, "max_window_layers": 1}
    qwen2 = make_model("qwen2", tokenizer, seed=2, spread=0.2, **window)
    folder = save(tmp_path, qwen2, tokenizer)
    asked = prompts[:6]
    one_by_one = engine(folder, 1, max_new_tokens=4)
    expected = {p.id: facts(one_by_one.generate([p]))[p.id] for p in asked[::-1]}
    fresh = {p.id: facts(engine(folder, 1, max_new_tokens=4).generate([p]))[p.id] for p in asked}
    assert expected == fresh


def test_a_listener_hears_one_answer_that_grows(model: Path, prompts: list[Prompt]) -> None:
    heard: dict[int, list[str]] = {prompt.id: [] for prompt in prompts}
    listening = [Prompt(p.id, p.tokens, listener=heard[p.id].append) for p in prompts]
    for done in engine(model, 3).generate(listening):
        texts = heard[done.id]
        assert all(later.startswith(text) for text, later in pairwise(texts))
        assert done.text.startswith(texts[-1] if texts else "")
    assert sum(map(len, heard.values())) > len(prompts)


def test_a_scope_binds_its_own_answers_in_every_round(
    model: Path, prompts: list[Prompt], alone: dict[int, Any]
) -> None:
    """The even answers may have no vowel, and may not end before they are long."""

    def without_vowels(text: str, ended: bool) -> bool:
        return not set("aeiouAEIOU") & set(text) and not (ended and len(text) < 2 * FIRST_STEPS)

    bound = [Prompt(p.id, p.tokens, scope=None if p.id % 2 else without_vowels) for p in prompts]
    found = facts(engine(model, 3).generate(bound))
    for key, (text, tokens, reason) in found.items():
        if key % 2:
            assert (text, tokens, reason) == alone[key]
        else:
            assert without_vowels(text, reason == "stop")
    assert any(not without_vowels(alone[key][0], False) for key in found if key % 2 == 0)
    assert found == facts(engine(model, 64).generate(bound))


def test_common_prefix() -> None:
    assert common_prefix([], [1]) == 0
    assert common_prefix([1, 2, 3], [1, 2]) == 2
    assert common_prefix([1, 2, 3], [1, 4, 3]) == 1
