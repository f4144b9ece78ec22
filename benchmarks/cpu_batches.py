"""Seconds to answer many questions with transformers on CPU cores, as it was and as it is.

Usage: python benchmarks/cpu_batches.py MODEL_FOLDER DATA --template qwen --output result.json

DATA is the folder of a data stage; its evaluation questions are asked. "to the end" lets a batch
run until its longest answer is done, reads a schema for each batch and keeps a copy of it for each
question, as the engine did at first; "rounds" is the engine as it is. Both use the same loaded
weights and take turns, database by database, so that other work on the machine falls on both.
docs/inference.md shows the result that lies beside this file (make results).
"""

from __future__ import annotations

import argparse
import json
import time
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from common import load, surroundings

from text2sql.artifacts import QUESTIONS
from text2sql.files import write_json
from text2sql.infer import transformers
from text2sql.infer.config import load_infer_config
from text2sql.infer.engine import Prompt
from text2sql.infer.load import load_engine
from text2sql.prompt import load_template, render_text
from text2sql.question import read_questions

# What undoes the rounds and the memory of schemas.
WAYS: dict[str, dict[str, Any]] = {
    "to the end": {
        "CHEAP_TO_READ": 0,
        "common_prefix": lambda *_: 0,
        "_goes_back": lambda *_: False,
    },
    "rounds": {},
}


class Counter:
    """Counts what a model reads, and how often it goes on by one token."""

    def __init__(self) -> None:
        self.tokens_read = self.steps = 0

    def __call__(self, _module: Any, _args: Any, values: dict[str, Any]) -> None:
        tokens = values["input_ids"]
        if tokens.shape[1] == 1:
            self.steps += 1
        else:
            self.tokens_read += tokens.numel()


def main() -> None:
    """Answer the questions both ways; write the result."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--template", required=True)
    parser.add_argument("--infer", default="qwen2.5-coder-0.5b_greedy_cpu")
    parser.add_argument("--databases", type=int, help="only the first so many")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    config, template = load_infer_config(options.infer), load_template(options.template)
    engine = load_engine(options.model, config, template.stop_words, "cpu")
    assert isinstance(engine, transformers.TransformersEngine)
    questions = sorted(read_questions(options.data / QUESTIONS), key=lambda one: one.db_id)
    groups = [list(group) for _, group in groupby(questions, key=lambda one: one.db_id)]
    counters = {way: Counter() for way in WAYS}
    seconds = dict.fromkeys(WAYS, 0.0)
    processor = dict.fromkeys(WAYS, 0.0)
    texts: dict[str, dict[int, str]] = {way: {} for way in WAYS}
    before = load()
    for number, group in enumerate(groups[: options.databases]):
        rendered = [(one.id, render_text(one.messages, template)) for one in group]
        prompts = [Prompt(key, engine.encode(text), text) for key, text in rendered]
        for way in sorted(WAYS, reverse=bool(number % 2)):  # who begins changes
            with ExitStack() as stack:
                for name, value in WAYS[way].items():
                    stack.enter_context(patch.object(transformers, name, value))
                hook = engine._model.register_forward_pre_hook(counters[way], with_kwargs=True)
                stack.callback(hook.remove)
                begun, worked = time.perf_counter(), time.process_time()
                texts[way] |= {done.id: done.text for done in engine.generate(prompts)}
                seconds[way] += time.perf_counter() - begun
                processor[way] += time.process_time() - worked
        print(group[0].db_id, {way: round(value) for way, value in seconds.items()}, flush=True)
    asked = len(texts["rounds"])
    results = {
        way: {
            "seconds": round(seconds[way], 1),
            "processor_seconds": round(processor[way], 1),
            "seconds_per_1000_questions": round(1000 * seconds[way] / asked, 1),
            "steps": counters[way].steps,
            "tokens_read": counters[way].tokens_read,
        }
        for way in WAYS
    }
    same = sum(text == texts["to the end"][key] for key, text in texts["rounds"].items())
    found = {
        **surroundings(),
        "torch_threads": torch.get_num_threads(),
        "model": options.model.name,
        "infer": options.infer,
        "questions": asked,
        "same_answers": same,
        "load_before": before,
        "load_after": load(),
        "results": results,
    }
    print(json.dumps(results, indent=2))
    write_json(options.output, found)


if __name__ == "__main__":
    main()
