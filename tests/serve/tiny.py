"""A model of two layers that learns a few answers by heart in seconds, and a database to ask."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import torch
from tiny_models import CHAT_TEMPLATE, CHATML, make_model, make_tokenizer, save

from text2sql.infer.repair import REPAIR_REQUEST
from text2sql.prompt import (
    Example,
    add_history,
    load_template,
    render_messages,
    render_text,
)
from text2sql.schema import read_schema, render_schema

TABLES = """
CREATE TABLE shop (shop_id INTEGER PRIMARY KEY, name TEXT, city TEXT);
CREATE TABLE bike (bike_id INTEGER PRIMARY KEY, model TEXT, price REAL, shop_id INTEGER,
    FOREIGN KEY (shop_id) REFERENCES shop(shop_id));
INSERT INTO shop VALUES (1, 'Hub', 'Ghent'), (2, 'Spoke', 'Leuven'), (3, 'Chain', 'Ghent');
INSERT INTO bike VALUES (1, 'Roadster', 900.5, 1), (2, 'Tourer', 1200, 1), (3, 'Cargo', 3100, 3);
"""
SLOW = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
    " SELECT count(*) FROM n WHERE i < 0"
)
# What the model has learned to answer, well-behaved or not.
ANSWERS = {
    "How many bikes are there?": "SELECT count(*) FROM bike",
    "Number of shops by city?": "SELECT city, count(*) FROM shop GROUP BY city",
    "Prices of all bikes?": "SELECT model, price FROM bike ORDER BY bike_id",
    "Delete every shop.": "DELETE FROM shop",
    "Two statements, please.": "SELECT 1; DROP TABLE shop",
    "Hide a write.": "WITH gone AS (DELETE FROM shop RETURNING *) SELECT * FROM gone",
    "Open another file.": "ATTACH DATABASE 'other.sqlite' AS other",
    "Never end.": SLOW,
    "Say something else.": "I am a teapot, short and stout.",
    "Which colours?": "SELECT colour FROM bike",
}
# What it says when it is shown the database's error after its first answer.
REPAIRED = {"Which colours?": ("no such column: colour", "SELECT DISTINCT model FROM bike")}
# What it says to a question that goes on from an earlier one.
EARLIER = Example("How many bikes are there?", ANSWERS["How many bikes are there?"])
FOLLOW_UP = ("Only those over 10?", "SELECT count(*) FROM bike WHERE price > 10")
TEMPLATE, PRESET, STYLE = load_template("chatml"), "short", "ddl"


def make_database(path: Path) -> Path:
    """Write a small database."""
    connection = sqlite3.connect(path)
    connection.executescript(TABLES)
    connection.close()
    return path


def make_tiny_model(folder: Path, talks: bool = False) -> None:
    """Train a two-layer Llama on ANSWERS, and on FOLLOW_UP if it talks; write it into a folder."""
    path = make_database(folder / "shops.sqlite")
    schema = render_schema(read_schema(path), STYLE)
    path.unlink()
    texts = [
        (render_text(render_messages(question, schema, PRESET), TEMPLATE), answer + "<|im_end|>")
        for question, answer in ANSWERS.items()
    ] + [_repair(question, schema) for question in REPAIRED]
    if talks:
        asked = add_history(render_messages(FOLLOW_UP[0], schema, PRESET), [EARLIER])
        texts.append((render_text(asked, TEMPLATE), FOLLOW_UP[1] + "<|im_end|>"))
    tokenizer = make_tokenizer(
        [prompt + answer for prompt, answer in texts],
        700,
        first=CHATML,
        eos_token=CHATML[1],
        chat_template=CHAT_TEMPLATE,
    )
    model = make_model(
        "llama",
        tokenizer,
        seed=1,
        hidden_size=96,
        intermediate_size=192,
        num_key_value_heads=4,
        max_position_embeddings=512,
        bos_token_id=None,
    )
    _learn(model, tokenizer, texts)
    save(folder, model, tokenizer)


def _repair(question: str, schema: str) -> tuple[str, str]:
    """Return the prompt of a repair turn and the answer to it."""
    error, answer = REPAIRED[question]
    messages: list[Any] = [
        *render_messages(question, schema, PRESET),
        {"role": "assistant", "content": ANSWERS[question]},
        {"role": "user", "content": REPAIR_REQUEST.format(database="SQLite", error=error)},
    ]
    return render_text(messages, TEMPLATE), answer + "<|im_end|>"


def _learn(model: Any, tokenizer: Any, texts: list[tuple[str, str]]) -> None:
    prompts = [tokenizer.encode(prompt, add_special_tokens=False) for prompt, _ in texts]
    answers = [tokenizer.encode(answer, add_special_tokens=False) for _, answer in texts]
    width = max(len(p) + len(a) for p, a in zip(prompts, answers, strict=True))
    rows, labels = [], []
    for prompt, answer in zip(prompts, answers, strict=True):
        gap = width - len(prompt) - len(answer)
        rows.append(prompt + answer + [0] * gap)
        labels.append([-100] * len(prompt) + answer + [-100] * gap)
    inputs, targets = torch.tensor(rows), torch.tensor(labels)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(300):
        loss = model(input_ids=inputs, labels=targets).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if loss.item() < 0.01:
            return
    raise AssertionError(f"the tiny model did not learn its answers: loss {loss.item():.3f}")
