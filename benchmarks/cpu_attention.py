"""CPU time of reading a prompt and of a step of answering, by kind of attention.

Usage: python benchmarks/cpu_attention.py MODEL_FOLDER --output result.json

Tokens are drawn at random; what they say does not matter for the time. Each kind reads the same
prompts in one batch, one of them padded, on one thread; "prefix once" reads one prompt, as the
schema that all of them begin with, and answers behind it. Times are the process's own CPU time, so
that other work on the machine counts little. docs/inference.md shows the result that lies beside
this file (make results).
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import torch
from common import surroundings
from transformers import AutoModelForCausalLM

from text2sql.files import write_json
from text2sql.infer.attention import NAME, behind, cpu_attention

STEPS = 8
SEED = 7
PREFIX_ONCE = "prefix once"


def measure(model: Path, kind: str, batch: int, tokens: int, dtype: str) -> dict[str, Any]:
    """Seconds a question of reading the prompt, and of a step of the whole batch."""
    loaded: Any = AutoModelForCausalLM.from_pretrained(
        model,
        dtype=getattr(torch, dtype),
        attn_implementation="sdpa" if kind == "sdpa" else cpu_attention(),
    ).eval()
    torch.manual_seed(SEED)
    prompts = torch.randint(loaded.config.vocab_size, (batch, tokens))
    mask = torch.ones(batch, tokens + STEPS, dtype=torch.long)
    mask[0, : tokens // 10] = 0
    rows = 1 if kind == PREFIX_ONCE else batch
    with torch.inference_mode():
        started = time.process_time()
        first = loaded(prompts[:rows], attention_mask=mask[:rows, :tokens], logits_to_keep=1)
        read = time.process_time() - started
        cache = first.past_key_values
        if kind == PREFIX_ONCE:
            cache = behind(cache)
        started = time.process_time()
        for step in range(STEPS):
            seen = mask[:, : tokens + step + 1]
            loaded(prompts[:, :1], attention_mask=seen, past_key_values=cache)
        answered = time.process_time() - started
    return {
        "attention": kind,
        "tokens": tokens,
        "read_seconds_per_question": round(read / batch, 3),
        "step_seconds": round(answered / STEPS, 3),
    }


def main() -> None:
    """Measure transformers' own attention and ours; write the result."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--tokens", type=int, nargs="+", default=[250, 600])
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    results = [
        measure(options.model, kind, options.batch, tokens, options.dtype)
        for tokens in options.tokens
        for kind in ("sdpa", NAME, PREFIX_ONCE)
    ]
    print(json.dumps(results, indent=2))
    settings = {"batch": options.batch, "dtype": options.dtype}
    found = {"model": options.model.name, **settings, "results": results, **surroundings()}
    write_json(options.output, found | {"threads": torch.get_num_threads()})


if __name__ == "__main__":
    main()
