"""Tune a tiny model until it wavers between a right and a wrong query, then train it by GRPO.

Usage: ``python tiny_grpo.py MODEL OUTPUT``; runs in the environment of `make setup-grpo`. It prints
the mean reward of the first and the last steps as JSON.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from text2sql.learn.config import GrpoConfig
from text2sql.learn.grpo import compare_ends, train
from text2sql.progress import Progress
from text2sql.sql.reward import SqlReward

TABLES = ("t1", "t2", "t3", "t4")
STEPS_OF_TUNING = 150


def prompt_of(table: str) -> str:
    """Return what the model is asked about a table."""
    return f"<|im_start|>user\nHow many rows has table {table}?<|im_end|>\n<|im_start|>assistant\n"


def answers_of(table: str) -> tuple[str, str]:
    """Return a right answer and a wrong one."""
    return f"SELECT count(*) FROM {table}", f"SELECT count({table}) FROM rows"


def make_databases(folder: Path) -> None:
    """Write the database of the questions."""
    path = folder / "d" / "d.sqlite"
    path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(path)) as connection:
        for size, table in enumerate(TABLES, start=2):
            connection.execute(f"CREATE TABLE {table} (a)")
            connection.executemany(f"INSERT INTO {table} VALUES (?)", [(n,) for n in range(size)])
        connection.commit()


def tune(model: Any, tokenizer: Any) -> float:
    """Teach the model both answers to each question; return the last loss."""
    texts = [
        f"{prompt_of(table)}{answer}<|im_end|>" for table in TABLES for answer in answers_of(table)
    ]
    encoded = tokenizer(texts, return_tensors="pt", padding=True, padding_side="right")
    lengths = [len(tokenizer(prompt_of(table))["input_ids"]) for table in TABLES for _ in range(2)]
    labels = encoded["input_ids"].clone()
    for row, text in enumerate(texts):
        end = len(tokenizer(text)["input_ids"])
        labels[row, : lengths[row]] = -100
        labels[row, end:] = -100
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(STEPS_OF_TUNING):
        loss = model(**encoded, labels=labels).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return float(loss)


def main() -> None:
    """Tune, train, print."""
    source, output = Path(sys.argv[1]), Path(sys.argv[2])
    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(source)
    model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32)
    loss = tune(model, tokenizer)
    model.save_pretrained(output / "tuned")
    tokenizer.save_pretrained(output / "tuned")
    make_databases(output / "databases")
    rows = [
        {"prompt": prompt_of(table), "query": answers_of(table)[0], "db_id": "d"}
        for table in TABLES
    ]
    trained = output / "trained"
    trained.mkdir()
    config = GrpoConfig(
        steps=30,
        questions_per_step=4,
        generations=8,
        micro_batch=32,
        max_new_tokens=24,
        learning_rate=1e-3,
        dtype="float32",
    )
    with SqlReward(output / "databases") as reward:
        history = train(
            config,
            output / "tuned",
            rows,
            reward,
            trained,
            Progress(trained),
            {"device": "cpu"},
        )
    rewards = [entry["reward"] for entry in history if "reward" in entry]
    print(json.dumps({"loss": loss, "rewards": rewards, **compare_ends(rewards)}))


if __name__ == "__main__":
    main()
