"""A schema once, its questions as branches: the same loss and gradients as the plain rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_models import COUNTS, make_model, make_tokenizer

from text2sql.data.writers import write_dataset_info
from text2sql.errors import UserError
from text2sql.train.recipe import Recipe, load_recipe
from text2sql.train.shared_schema import (
    ATTENTION,
    IGNORED,
    SHARED,
    Layout,
    TokenRow,
    attend,
    batch_of,
    group_rows,
)

Run = Callable[..., Any]
WORDS = 300  # tokens that rows are made of


def make_row(schema: list[int], question: list[int], answer: list[int]) -> TokenRow:
    prompt = schema + question
    return TokenRow(prompt + answer, [IGNORED] * len(prompt) + answer)


@pytest.fixture(scope="module")
def rows() -> list[TokenRow]:
    """Seven rows about one schema, of other lengths each, two of them with one question."""
    import random

    draw = random.Random(3)

    def tokens(least: int, most: int) -> list[int]:
        return [draw.randrange(WORDS) for _ in range(draw.randint(least, most))]

    schema = tokens(40, 40)
    made = [make_row(schema, tokens(3, 9), tokens(2, 12)) for _ in range(6)]
    return [*made, TokenRow(made[0].ids[:-1], made[0].labels[:-1])]


@pytest.fixture(params=["qwen3", "llama", "lora"])
def model(request: pytest.FixtureRequest) -> Any:
    from peft import LoraConfig, get_peft_model
    from transformers import AttentionInterface

    AttentionInterface.register(ATTENTION, attend)
    tokenizer = make_tokenizer([json.dumps(row) for row in COUNTS], WORDS, eos_token="}")
    kind = "qwen3" if request.param == "lora" else request.param
    made = make_model(kind, tokenizer, vocab_size=WORDS, num_hidden_layers=3, spread=0.2)
    if request.param == "lora":
        config = LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False)
        return get_peft_model(made, config)
    return made


def use_attention(model: Any, name: str) -> None:
    getattr(model, "get_base_model", lambda: model)().set_attn_implementation(name)


def gradients(model: Any) -> dict[str, Any]:
    grads = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    return grads


def test_loss_and_gradients_are_those_of_the_plain_rows(model: Any, rows: list[TokenRow]) -> None:
    import torch

    targets = sum(label != IGNORED for row in rows for label in row.labels)
    use_attention(model, "sdpa")
    plain = 0.0
    for row in rows:
        ids, labels = torch.tensor([row.ids]), torch.tensor([row.labels])
        loss = model(input_ids=ids, labels=labels, num_items_in_batch=targets).loss
        loss.backward()
        plain += loss.item()
    expected = gradients(model)
    use_attention(model, ATTENTION)
    (group,) = group_rows([("one schema", row) for row in rows], 4096)
    assert group.shared >= 40 and group.tokens < sum(len(row.ids) for row in rows) / 2
    batch = batch_of(group.sequence())
    assert int((batch["labels"] != IGNORED).sum()) == targets  # what the trainer divides by
    loss = model(**batch, num_items_in_batch=targets).loss
    loss.backward()
    assert loss.item() == pytest.approx(plain, abs=1e-5)
    shared = gradients(model)
    assert shared.keys() == expected.keys()
    largest = max(float((shared[name] - expected[name]).abs().max()) for name in expected)
    assert largest < 1e-5 < max(float(grad.abs().max()) for grad in expected.values())


def test_a_changed_branch_moves_no_other_branch(model: Any, rows: list[TokenRow]) -> None:
    import torch

    use_attention(model, ATTENTION)
    (group,) = group_rows([("one schema", row) for row in rows], 4096)
    sequence = group.sequence()
    branches = torch.tensor(sequence["attention_mask"])

    def logits(ids: list[int]) -> Any:
        batch = batch_of(sequence | {"input_ids": ids})
        del batch["labels"], batch["shift_labels"], batch["logits_to_keep"]
        with torch.no_grad():
            return model(**batch).logits[0]

    changed = SHARED + 3
    ids = [
        (token + 1) % WORDS if branch == changed else token
        for token, branch in zip(sequence["input_ids"], branches.tolist(), strict=True)
    ]
    difference = (logits(ids) - logits(sequence["input_ids"])).abs().amax(dim=1)
    assert float(difference[branches == changed].min()) > 1e-4
    assert float(difference[branches != changed].max()) < 1e-6


tokens = st.lists(st.integers(0, 3), min_size=1, max_size=6)
row_texts = st.lists(st.tuples(st.sampled_from("ab"), tokens, tokens), min_size=1, max_size=12)


@given(row_texts, st.integers(4, 40))
def test_every_row_can_be_read_off_its_sequence(
    texts: list[tuple[str, list[int], list[int]]], cutoff: int
) -> None:
    schemas = {"a": [0, 1, 2, 0], "b": [0, 1]}
    keyed = [(key, make_row(schemas[key], question, answer)) for key, question, answer in texts]
    read: list[TokenRow] = []
    for group in group_rows(keyed, cutoff):
        sequence = group.sequence()
        columns = [sequence[name] for name in ("input_ids", "labels", "position_ids")]
        assert len(sequence["input_ids"]) == group.tokens
        assert group.tokens <= cutoff or len(group.rows) == 1
        places = list(zip(sequence["attention_mask"], *columns, strict=True))
        for number in range(SHARED + 1, SHARED + 1 + len(group.rows)):
            seen = [place for place in places if place[0] in (SHARED, number)]
            assert [place[3] for place in seen] == list(range(len(seen)))
            own = [place for place in seen if place[0] == number]
            assert own and own[0][2] == IGNORED  # what predicts the first target is in the branch
            read.append(TokenRow([p[1] for p in seen], [p[2] for p in seen]))
    by_ids = [(row.ids, row.labels) for row in read]
    assert sorted(by_ids) == sorted((row.ids, row.labels) for _, row in keyed)


def test_a_layout_without_a_shared_beginning() -> None:
    import torch

    layout = Layout.of(torch.tensor([2, 2, 3, 3, 3]))
    assert layout.shared == 0
    assert layout.places.tolist() == [[0, 1, 0], [2, 3, 4]]
    assert layout.written().tolist() == [[True, True, False], [True, True, True]]


KEYS = {"finetuning_type": "full", "per_device_train_batch_size": 1}


@pytest.mark.parametrize(
    ("launch", "keys", "message"),
    [
        ({"backend": "megatron"}, {}, "does not go with Megatron"),
        ({}, {"packing": True}, "does not go with 'llamafactory.packing'"),
        ({}, {"neat_packing": True}, "does not go with 'llamafactory.neat_packing'"),
        ({}, {"flash_attn": "fa2"}, "needs 'llamafactory.flash_attn: sdpa'"),
        ({}, {"per_device_train_batch_size": 4}, "needs 'llamafactory.per_device_train_batch_s"),
        ({}, {"val_size": 0.1}, "needs 'llamafactory.per_device_eval_batch_size: 1'"),
    ],
)
def test_what_it_does_not_go_with_is_refused(
    launch: dict[str, Any], keys: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Recipe(method="full", launch=launch, shared_schema=True, llamafactory=KEYS | keys)


def test_it_can_be_switched_on_for_a_run() -> None:
    keys = {"shared_schema": True, "per_device_train_batch_size": 1}
    recipe = load_recipe("smollm2-135m_lora_cpu", keys)
    assert recipe.shared_schema and "shared_schema" not in recipe.llamafactory
    with pytest.raises(UserError, match="per_device_train_batch_size: 1"):
        load_recipe("smollm2-135m_lora_cpu", {"shared_schema": True})


QUESTIONS = [
    ("How many are there?", "SELECT count(*) FROM t"),
    ("Name them all.", "SELECT name FROM t"),
    ("Who is oldest?", "SELECT name FROM t ORDER BY age DESC LIMIT 1"),
    ("How old is Ann?", "SELECT age FROM t WHERE name = 'Ann'"),
]


@pytest.fixture(scope="module")
def two_schemas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data stage's output of four questions about each of two schemas, one after the other."""
    folder = tmp_path_factory.mktemp("two-schemas")
    rows = []
    for table in ("singer", "dog"):
        for question, sql in QUESTIONS:
            schema = f"CREATE TABLE {table} (id INT PRIMARY KEY, name TEXT, age INT);"
            user = f"\n[SCHEMA]\n{schema}\n[QUESTION]\n{question}\n"
            turns = [{"from": "human", "value": user}, {"from": "gpt", "value": sql}]
            rows.append({"conversations": turns, "system": "Write SQL."})
    (folder / "train.json").write_text(json.dumps(rows), encoding="utf-8")
    write_dataset_info(folder)
    return folder


TWO = {"backend": "deepspeed", "processes": 2}


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("method", ["full", "lora"])
def test_llamafactory_trains_the_same_on_shared_schemas(
    tiny: Any, recipe: Run, run_stage: Run, two_schemas: Path, tmp_path: Path, method: str
) -> None:
    """Eight rows in a batch; two sequences that make one step; one on each of two processes."""
    inputs = {"model": tiny.model, "data": two_schemas}
    plain = recipe(method, per_device_train_batch_size=8, max_steps=5)
    keys = {"per_device_train_batch_size": 1, "max_steps": 5}
    shared = recipe(method, gradient_accumulation_steps=2, **keys) | {"shared_schema": True}
    zero2 = {"deepspeed": "configs/deepspeed/zero2.json"}
    sharded = recipe(method, launch=TWO, **keys, **zero2) | {"shared_schema": True}
    expected = run_stage(tmp_path / "plain", plain, inputs)
    assert expected.losses[-1] < expected.losses[0] - 0.1
    for name, config in (("shared", shared), ("sharded", sharded)):
        trained = run_stage(tmp_path / name, config, inputs)
        assert "8 rows of" in trained.text and "became 2 sequences" in trained.text
        assert trained.losses == pytest.approx(expected.losses, abs=1e-4), name
        ours, theirs = trained.weights(), expected.weights()
        assert ours.keys() == theirs.keys()
        largest = max(float((ours[key] - theirs[key]).abs().max()) for key in ours)
        assert largest < 1e-3, name
