"""Sampled answers of the transformers engine: drawn by our own draw, from all that may be drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tiny_models import CHATML, make_model, make_tokenizer, save

from text2sql.infer.config import InferConfig
from text2sql.infer.engine import Prompt
from text2sql.infer.load import load_engine

COUNT = 300
TOP_K = 50  # which transformers' own sampling keeps to where nobody asks for it


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tokenizer = make_tokenizer(["SELECT a FROM b"], 400, first=CHATML, eos_token=CHATML[1])
    llama = make_model("llama", tokenizer, seed=2, spread=0.2)
    return save(tmp_path_factory.mktemp("model"), llama, tokenizer)


def samples(model: Path, allowed: frozenset[str] | None = None, **values: Any) -> list[str]:
    """Texts of one token each, all of one prompt."""
    settings = {"batch_size": 64, "max_new_tokens": 1, "dtype": "float32"} | values
    config = InferConfig.model_validate({"engine": "transformers"} | settings)
    engine = load_engine(model, config, [CHATML[1]], "cpu")
    scope = None if allowed is None else lambda text, _ended: text in allowed
    prompts = [Prompt(n, list(range(20, 40)), scope=scope) for n in range(COUNT)]
    return [done.text for done in engine.generate(prompts)]


def test_every_token_may_be_drawn_not_the_best_only(model: Path) -> None:
    assert len(set(samples(model, temperature=1000.0))) > TOP_K


def test_a_nucleus_is_all_that_restricts_it(model: Path) -> None:
    whole, nucleus = (set(samples(model, temperature=1.0, top_p=p)) for p in (1.0, 0.02))
    assert len(nucleus) < len(whole) / 2
    (best,) = set(samples(model))  # greedily
    assert best in nucleus


def test_a_seed_decides_what_is_drawn(model: Path) -> None:
    one, same, other = (samples(model, temperature=1.0, seed=s) for s in (1, 1, 2))
    assert one == same
    assert one != other


def test_what_is_drawn_is_in_scope(model: Path) -> None:
    allowed = frozenset({"a", "b", "SELECT"})
    drawn = samples(model, allowed, temperature=1000.0)
    assert {"a", "b"} <= set(drawn) <= allowed
