"""A model as GGUF files, with the checks: F16, then each quantization type."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from text2sql.errors import UserError
from text2sql.files import write_text
from text2sql.gguf.checks import Report, check_logits, check_tokenizer, perplexity
from text2sql.gguf.convert import check_model, convert_to_f16, quantize
from text2sql.gguf.deploy import NOTES, lm_studio_notes, ollama_modelfile
from text2sql.gguf.probes import PERPLEXITY_QUESTIONS, Probe, spread, tokenizer_strings
from text2sql.models.folder import load_tokenizer
from text2sql.models.gguf_header import Header, read_header
from text2sql.models.llama_cpp import require_llama_cpp
from text2sql.prompt import Template

LOGIT_PROBES = 4


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
    require_llama_cpp()
    load_tokenizer(model)
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
