"""Quantize any Hugging Face folder, outside a profile's stages."""

from __future__ import annotations

import fcntl
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tqdm import tqdm

from text2sql.errors import UserError
from text2sql.files import read_json, sha256_tree, write_json
from text2sql.gguf.checks import Report
from text2sql.gguf.probes import read_probes
from text2sql.gguf.stage import make_f16, make_quantized
from text2sql.models.gguf_types import F16, check_type, f16_name

SOURCE = "source.json"
RECORD = "quantization.json"


def quantize_folder(
    model: Path,
    output: Path,
    types: Sequence[str],
    template: str,
    questions: Path,
    pretokenizer: str | None = None,
) -> dict[str, Any]:
    """Make F16 and quantized GGUF files of a model folder, with all checks.

    Files that an earlier call made from the same weights are kept; a call that was stopped goes on
    where it was.

    Args:
        model: Hugging Face folder: merged, fully trained, or converted from Megatron.
        output: folder for the files; made where it is missing.
        types: quantization types.
        template: the model's prompt template.
        questions: ``questions.jsonl`` of a data stage; its prompts are what the checks use.
        pretokenizer: llama.cpp's name of the pre-tokenizer, where it does not know the tokenizer.

    Returns:
        The measurements, by type; also written as ``quantization.json``.

    Raises:
        UserError: the model cannot be converted, a check failed, or another call is at work there.
    """
    names = [check_type(name) for name in types]
    if not model.is_dir():
        raise UserError(f"{model}: no such model folder")
    output.mkdir(parents=True, exist_ok=True)
    with (output / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"{output}: another run is at work here; wait for it") from None
        _forget_other_source(model, output, pretokenizer)
        probes = read_probes(questions, template)
        stem = model.resolve().name
        f16 = output / f16_name(stem)
        record = read_json(output / RECORD) if (output / RECORD).is_file() else {}
        if F16 not in record or not f16.is_file():
            _say(f"{f16.name}: converting and checking")
            with _bar() as report:
                record[F16] = make_f16(model, f16, probes, tuple(names), pretokenizer, report)
            write_json(output / RECORD, record)
        for name in names:
            file = output / f"{stem}-{name}.gguf"
            if name not in record or not file.is_file():
                _say(f"{file.name}: quantizing and measuring")
                with _bar() as report:
                    record[name] = make_quantized(f16, file, name, probes, template, report)
                write_json(output / RECORD, record)
    return record


def _forget_other_source(model: Path, output: Path, pretokenizer: str | None) -> None:
    """Remove what was made from other weights, another tokenizer or other options."""
    source = {"sha256": sha256_tree(model), "pretokenizer": pretokenizer}
    path = output / SOURCE
    if path.is_file() and read_json(path) == source:
        return
    for stale in [*output.glob("*.gguf"), output / RECORD]:
        stale.unlink(missing_ok=True)
    write_json(path, source)


def summary(record: dict[str, Any]) -> str:
    """Return a line for each file: size, bits per weight, perplexity."""
    return "\n".join(
        f"{name:7} {facts['megabytes']:9.1f} MB  {facts['bits_per_weight']:5.2f} bits/weight"
        f"  perplexity {facts['perplexity']:.3f}  {json.dumps(facts['tensor_types'])}"
        for name, facts in record.items()
    )


@contextmanager
def _bar() -> Iterator[Report]:
    """A progress bar on the terminal, moved by what it gives."""
    with tqdm(desc="perplexity", leave=False, disable=None) as bar:

        def report(done: int, total: int, unit: str) -> None:
            bar.total, bar.n, bar.unit = total, done, unit
            bar.refresh()

        yield report


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
