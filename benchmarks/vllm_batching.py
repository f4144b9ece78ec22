"""vLLM with all prompts in one continuous batch against the same model fed 8 prompts at a time.

Usage: python benchmarks/vllm_batching.py MODEL QUESTIONS --template smollm2 --output result.json

QUESTIONS is the questions.jsonl of a data stage. Both ways use one loaded engine, the same prompts,
greedy decoding and a prefix cache emptied before each round; rounds alternate, the median counts.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import vllm
from common import surroundings

from text2sql.files import write_json
from text2sql.infer.config import InferConfig
from text2sql.infer.engine import Completion, Prompt
from text2sql.infer.vllm import VllmEngine
from text2sql.prompt import load_template, render_text
from text2sql.question import read_questions

GROUP = 8


def at_once(engine: VllmEngine, prompts: Sequence[Prompt]) -> list[Completion]:
    """Answer as the infer stage does."""
    return list(engine.generate(prompts))


def in_groups(engine: VllmEngine, prompts: Sequence[Prompt]) -> list[Completion]:
    """Answer 8 prompts, wait for the last of them, go on with the next 8."""
    answers = []
    for start in range(0, len(prompts), GROUP):
        answers += list(engine.generate(prompts[start : start + GROUP]))
    return answers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("questions", type=Path)
    parser.add_argument("--template", required=True)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--max-new-tokens", type=int, default=128)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    config = InferConfig.model_validate(
        {
            "engine": "vllm",
            "dtype": options.dtype,
            "max_new_tokens": options.max_new_tokens,
            "max_model_len": 2048,
        }
    )
    template = load_template(options.template, options.model)
    engine = VllmEngine(options.model, config, template.stop_words)
    prompts = [
        Prompt(question.id, engine.encode(render_text(question.messages, template)))
        for question in read_questions(options.questions)[: options.limit]
    ]
    seconds: dict[str, list[float]] = {"at_once": [], "in_groups": []}
    texts: dict[str, dict[int, str]] = {}
    for _ in range(options.rounds):
        for name, way in (("at_once", at_once), ("in_groups", in_groups)):
            engine.forget_prefixes()
            started = time.perf_counter()
            answers = way(engine, prompts)
            seconds[name].append(round(time.perf_counter() - started, 2))
            texts[name] = {done.id: done.text for done in answers}
    once, groups = (statistics.median(seconds[name]) for name in ("at_once", "in_groups"))
    result: dict[str, Any] = {
        "model": options.model.name,
        "prompts": len(prompts),
        "prompt_tokens": sum(len(prompt.tokens) for prompt in prompts),
        "seconds": seconds,
        "ratio": round(groups / once, 2),
        "same_answers": sum(texts["at_once"][i] == text for i, text in texts["in_groups"].items()),
        "config": config.model_dump(mode="json"),
        "vllm": vllm.__version__,
    } | surroundings()
    write_json(options.output, result)
    print(f"at once {once:.1f} s, {GROUP} at a time {groups:.1f} s: {result['ratio']} times")


if __name__ == "__main__":
    main()
