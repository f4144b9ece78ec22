"""GRPO where a model wavers: a tiny one is tuned to give a right and a wrong query as often.

Usage: .venv-grpo/bin/python benchmarks/grpo_tiny.py FOLDER [--record]

It runs in the environment of `make setup-grpo`, writes what it makes into an empty FOLDER, and
prints the mean reward at both ends as JSON. With --record all rewards go into grpo_tiny.json beside
this file, and their curve into figs/grpo_tiny.png.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import torch
from common import load, surroundings
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from text2sql.files import write_json
from text2sql.learn.config import GrpoConfig
from text2sql.learn.grpo import compare_ends, train
from text2sql.progress import Progress
from text2sql.report.rewards import draw
from text2sql.sql.reward import SqlReward

TABLES = ("t1", "t2", "t3", "t4")
STEPS_OF_TUNING = 150
TURNS = ("<|im_start|>", "<|im_end|>")
RECORD = Path(__file__).with_suffix(".json")
CURVE = Path(__file__).resolve().parents[1] / "figs" / "grpo_tiny.png"
SETTINGS = GrpoConfig(
    steps=30,
    questions_per_step=4,
    generations=8,
    micro_batch=32,
    max_new_tokens=24,
    learning_rate=1e-3,
    dtype="float32",
)


def prompt_of(table: str) -> str:
    """Return what the model is asked about a table."""
    return f"<|im_start|>user\nHow many rows has table {table}?<|im_end|>\n<|im_start|>assistant\n"


def answers_of(table: str) -> tuple[str, str]:
    """Return a right answer and a wrong one."""
    return f"SELECT count(*) FROM {table}", f"SELECT count({table}) FROM rows"


def make_tokenizer() -> PreTrainedTokenizerFast:
    """Return a tokenizer of bytes and of what the questions and answers hold."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=list(TURNS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = [text for table in TABLES for text in (prompt_of(table), *answers_of(table))]
    backend.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token=TURNS[1], pad_token=TURNS[1])


def make_model(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """Return a Llama of 0.1M random weights."""
    torch.manual_seed(0)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


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
    """Tune, train, print; write the record where it is asked for."""
    output = Path(sys.argv[1])
    tokenizer = make_tokenizer()
    model = make_model(tokenizer)
    began = load()
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
    started = time.monotonic()
    with SqlReward(output / "databases") as reward:
        history = train(
            SETTINGS,
            output / "tuned",
            rows,
            reward,
            trained,
            Progress(trained),
            {"device": "cpu"},
        )
    steps = [
        {"step": entry["step"], "reward": entry["reward"]} for entry in history if "reward" in entry
    ]
    record = {
        "title": f"GRPO of a Llama of {model.num_parameters() / 1e6:.1f}M parameters",
        "dataset": f"{len(TABLES)} questions it wavers at",
        "config": SETTINGS.model_dump(mode="json"),
        "loss_after_tuning": round(loss, 4),
        "steps": steps,
        "details": compare_ends([step["reward"] for step in steps]),
        "seconds": round(time.monotonic() - started, 1),
        "load_before": began,
        "load_after": load(),
        **surroundings(),
    }
    if "--record" in sys.argv[2:]:
        write_json(RECORD, record)
        draw(record, CURVE)
    print(json.dumps(record["details"]))


if __name__ == "__main__":
    main()
