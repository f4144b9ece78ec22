"""A model as GGUF files, with the checks: F16, then each quantization type.

Stages make the files of a profile's row; `quantize_folder` those of any Hugging Face folder.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tqdm import tqdm

from text2sql.errors import UserError
from text2sql.files import exclusive, read_json, sha256_tree, write_json, write_text
from text2sql.gguf.checks import Report, check_logits, check_tokenizer, perplexity
from text2sql.gguf.convert import check_model, convert_to_f16, quantize
from text2sql.gguf.deploy import NOTES, lm_studio_notes, ollama_modelfile
from text2sql.gguf.probes import (
    PERPLEXITY_QUESTIONS,
    Probe,
    read_probes,
    spread,
    tokenizer_strings,
)
from text2sql.models.folder import require_model
from text2sql.models.gguf_header import Header, read_header
from text2sql.models.gguf_types import F16, check_type, gguf_name
from text2sql.prompt import Template

LOGIT_PROBES = 4
RECORD = "quantization.json"  # of a folder: where the files come from, and what was measured
SOURCE = "source.json"


def make_f16(
    model: Path,
    output: Path,
    probes: list[Probe],
    types: tuple[str, ...],
    pretokenizer: str | None = None,
    report: Report | None = None,
) -> dict[str, Any]:
    """Convert a Hugging Face folder to F16 GGUF, with the checks before and after.

    Args:
        model: the folder.
        output: the file to make; one that is already there is only checked again.
        probes: prompts with right answers.
        types: quantization types to come; what their blocks need is checked now.
        pretokenizer: see `convert_to_f16`.
        report: told of the progress.

    Raises:
        UserError: see `check_model`, `convert_to_f16` and the checks.
    """
    before = check_model(model, types)
    if not output.is_file():
        convert_to_f16(model, output, pretokenizer)
    texts = [probe.prompt + probe.answer for probe in spread(probes, LOGIT_PROBES)]
    return {
        "model": before,
        "tokenizer": check_tokenizer(model, output, tokenizer_strings(probes)),
        "logits": check_logits(model, output, texts),
        **_measured(output, read_header(output), probes, report),
    }


def make_quantized(
    source: Path,
    output: Path,
    name: str,
    probes: list[Probe],
    template: Template,
    report: Report | None = None,
) -> dict[str, Any]:
    """Quantize an F16 file, measure the result, and write what Ollama and LM Studio need.

    Args:
        source: the F16 file.
        output: the file to make; one that is already there is only measured again.
        name: quantization type.
        probes: prompts with right answers.
        template: prompt template, for the Modelfile.
        report: told of the progress.

    Raises:
        UserError: llama.cpp failed, or the file lost its tensors or its template.
    """
    before = read_header(source)
    if not output.is_file():
        quantize(source, output, name)
    header = read_header(output)
    if (header.parameters, header.chat_template) != (before.parameters, before.chat_template):
        raise UserError(f"{output}: not the tensors or not the chat template of {source}")
    context = min(header.context_length or 4096, 4096)
    stem = output.with_suffix("")
    write_text(f"{stem}.Modelfile", ollama_modelfile(output.name, template, context))
    write_text(f"{stem}.{NOTES}", lm_studio_notes(output.name, template, context))
    return {"type": name, **_measured(output, header, probes, report)}


def _measured(
    file: Path, header: Header, probes: list[Probe], report: Report | None
) -> dict[str, Any]:
    """Size, bits per weight, tensor types, and the perplexity of the right answers."""
    taken = spread(probes, PERPLEXITY_QUESTIONS)
    return {
        "architecture": header.architecture,
        "parameters": header.parameters,
        "megabytes": round(header.file_bytes / 1e6, 1),
        "bits_per_weight": round(header.bits_per_weight, 2),
        "tensor_types": header.tensor_types,
        "matrices": [asdict(matrices) for matrices in header.matrices],
        "perplexity": round(perplexity(file, taken, report), 4),
        "perplexity_questions": len(taken),
    }


def quantize_folder(
    model: Path,
    output: Path,
    types: Sequence[str],
    template: Template,
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
    names = tuple(check_type(name) for name in types)
    require_model(model)
    files = {name: output / gguf_name(model.resolve().name, name) for name in (F16, *names)}
    with exclusive(output / ".lock", f"{output}: another run is at work here; wait for it"):
        _forget_other_source(model, output, pretokenizer)
        record = read_json(output / RECORD) if (output / RECORD).is_file() else {}
        probes = read_probes(questions, template)
        for name, file in files.items():
            if name in record and file.is_file():
                continue
            print(f"{file.name}: making and checking", file=sys.stderr, flush=True)
            with tqdm(desc="perplexity", leave=False, disable=None) as bar:

                def report(done: int, total: int, unit: str, bar: Any = bar) -> None:
                    bar.total, bar.n, bar.unit = total, done, unit
                    bar.refresh()

                record[name] = (
                    make_f16(model, file, probes, names, pretokenizer, report)
                    if name == F16
                    else make_quantized(files[F16], file, name, probes, template, report)
                )
            write_json(output / RECORD, record)
    return dict(record)


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
