"""Copies of a model that share the questions, with a toy in the place of vLLM's engine."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from text2sql import hardware
from text2sql.config import load_config
from text2sql.errors import UserError
from text2sql.infer import vllm, vllm_copies
from text2sql.infer.config import InferConfig
from text2sql.infer.engine import Completion, Prompt
from text2sql.infer.vllm import room_for, tensor_parallel_here
from text2sql.infer.vllm_copies import VllmCopies, copies_here

TOY = "test_vllm_copies:Toy"
CARD = ("NVIDIA GeForce RTX 4090", 24.0)


class Toy:
    """Answers with the cards it sees; it fails where a prompt says so."""

    def __init__(self, model: Path, config: InferConfig, *_: Any) -> None:
        if model.name == "broken":
            raise UserError("the model is broken")

    def generate(self, prompts: Sequence[Prompt]) -> Iterator[Completion]:
        for prompt in prompts:
            if prompt.text == "die":
                os._exit(7)
            text = f"{prompt.text} on {os.environ.get('CUDA_VISIBLE_DEVICES')}"
            yield Completion(prompt.id, text, 1, 0.0, "stop")


@pytest.fixture
def cards(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Let so many cards be visible; the toy is found by the copies' own interpreters."""
    here = str(Path(__file__).parent)
    paths = [here, *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    monkeypatch.syspath_prepend(here)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(vllm_copies, "load_tokenizer", lambda _: None)

    def make(count: int) -> None:
        seen = (CARD,) * count
        for module in (hardware, vllm, vllm_copies):
            monkeypatch.setattr(module, "visible_gpus", lambda: seen)

    yield make


def settings(**keys: Any) -> InferConfig:
    return InferConfig.model_validate({"engine": "vllm"} | keys)


@pytest.mark.parametrize(
    ("there", "tensor", "asked", "copies"),
    [(4, 1, None, 4), (4, 4, None, 1), (4, 2, None, 2), (2, 4, None, 1), (0, 1, None, 1),
     (4, 1, 1, 1), (8, 2, 3, 3), (3, 2, None, 1)],
)  # fmt: skip
def test_how_many_copies(
    cards: Any, there: int, tensor: int, asked: int | None, copies: int
) -> None:
    cards(there)
    config = settings(tensor_parallel_size=tensor, data_parallel_size=asked)
    assert copies_here(config) == copies


def test_more_copies_than_the_cards_allow(cards: Any) -> None:
    cards(2)
    with pytest.raises(UserError, match="needs 4 GPUs, 2 are here"):
        copies_here(settings(data_parallel_size=4))


@pytest.mark.parametrize(("asked", "there", "width"), [(4, 1, 1), (4, 3, 2), (4, 8, 4), (4, 0, 4)])
def test_a_model_is_spread_over_what_is_here(
    cards: Any, asked: int, there: int, width: int
) -> None:
    cards(there)
    assert tensor_parallel_here(asked) == width


@pytest.mark.parametrize(("rank", "room"), [(1, 1), (8, 8), (24, 32), (100, 128), (257, 320)])
def test_ranks_that_vllm_takes(rank: int, room: int) -> None:
    assert room_for(rank) == room


def test_a_rank_that_vllm_does_not_take() -> None:
    with pytest.raises(UserError, match="takes adapters up to 512; merge it"):
        room_for(1000)


def test_copies_share_the_questions(cards: Any) -> None:
    cards(4)
    engine = VllmCopies(2, Path("m"), settings(tensor_parallel_size=2), [], engine=TOY)
    try:
        for round_ in ("first", "second"):  # as repair asks again
            prompts = [Prompt(number, [], f"{round_} {number}") for number in range(5)]
            done = {answer.id: answer.text for answer in engine.generate(prompts)}
            assert done == {
                number: f"{round_} {number} on {'0,1' if number < 3 else '2,3'}"
                for number in range(5)
            }
        assert engine.measurements() == {"tensor_parallel": 2, "data_parallel": 2}
    finally:
        engine.close()


def test_a_copy_that_ends_is_told(cards: Any) -> None:
    cards(2)
    engine = VllmCopies(2, Path("m"), settings(), [], engine=TOY)
    try:
        with pytest.raises(UserError, match=r"a copy of the model ended \(status 7\)"):
            list(engine.generate([Prompt(0, [], "x"), Prompt(1, [], "die")]))
    finally:
        engine.close()


def test_what_a_copy_cannot_load_is_told(cards: Any) -> None:
    cards(2)
    with pytest.raises(UserError, match="the model is broken"):
        VllmCopies(2, Path("broken"), settings(), [], engine=TOY)
    assert not multiprocessing.active_children()


def test_keys_of_gpus_leave_other_records_as_they_were() -> None:
    new = {"data_parallel_size", "gpu_memory_utilization", "enforce_eager"}
    assert not new & settings().model_dump().keys()
    tight = settings(gpu_memory_utilization=0.8, enforce_eager=True)
    values = tight.model_dump()
    assert (values["gpu_memory_utilization"], values["enforce_eager"]) == (0.8, True)
    assert InferConfig.model_validate(values) == tight


def test_keys_of_gpus_are_for_vllm(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("engine: transformers\ngpu_memory_utilization: 0.8\n")
    with pytest.raises(UserError, match="gpu_memory_utilization is for engine vllm"):
        load_config(path, InferConfig)
