"""The gguf and quantize stages: a model as F16 GGUF, then in one quantization type each."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from text2sql.errors import UserError
from text2sql.files import write_text
from text2sql.gguf.checks import (
    Report,
    check_chat_template,
    check_logits,
    check_tokenizer,
    perplexity,
)
from text2sql.gguf.convert import check_model, convert_to_f16
from text2sql.gguf.deploy import NOTES, lm_studio_notes, ollama_modelfile
from text2sql.gguf.probes import (
    PERPLEXITY_QUESTIONS,
    Probe,
    read_probes,
    spread,
    tokenizer_strings,
)
from text2sql.gguf.quantize import quantize
from text2sql.models.folder import require_model
from text2sql.models.gguf_header import Header, find_gguf, read_header
from text2sql.models.gguf_types import F16, f16_name
from text2sql.paths import shown
from text2sql.profile import QuantizationConfig
from text2sql.run import Run
from text2sql.stage import Graph, Job, Stage, StageKind
from text2sql.train.stage import model_of

LOGIT_PROBES = 4


def run(job: Job) -> dict[str, Any]:
    """Make and check the GGUF file of a ``gguf`` or ``quantize`` stage.

    Returns:
        What the checks found, size, bits per weight and perplexity.

    Raises:
        UserError: the model cannot be converted, or a check failed.
    """
    template = job.config["template"]
    probes = read_probes(job.inputs["data"] / "questions.jsonl", template)
    output = job.output / job.config["file"]
    if job.stage.kind == "gguf":
        model = job.inputs["model"]
        types = tuple(job.config["types"])
        named = job.config.get("pretokenizer")
        return make_f16(model, output, probes, types, named, job.progress.update)
    source, kind = find_gguf(job.inputs["gguf"]), job.config["type"]
    return make_quantized(source, output, kind, probes, template, job.progress.update)


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
    require_model(model)
    before = check_model(model, types)
    if not output.is_file():
        convert_to_f16(model, output, pretokenizer)
    header = read_header(output)
    check_chat_template(model, output, header)
    texts = [probe.prompt + probe.answer for probe in spread(probes, LOGIT_PROBES)]
    return {
        "model": before,
        "tokenizer": check_tokenizer(model, output, tokenizer_strings(probes)),
        "logits": check_logits(model, output, texts),
        **describe(header),
        **measure_perplexity(output, probes, report),
    }


def make_quantized(
    source: Path,
    output: Path,
    name: str,
    probes: list[Probe],
    template: str,
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
        quantize(source, output, name, threads())
    header = read_header(output)
    if (header.parameters, header.chat_template) != (before.parameters, before.chat_template):
        raise UserError(f"{output}: not the tensors or not the chat template of {source}")
    write_deployment(output, header, template)
    return {
        "type": name,
        **describe(header),
        **measure_perplexity(output, probes, report),
    }


def measure_perplexity(
    file: Path, probes: list[Probe], report: Report | None = None
) -> dict[str, Any]:
    """Return the perplexity of the right answers, and over how many questions."""
    taken = spread(probes, PERPLEXITY_QUESTIONS)
    return {
        "perplexity": round(perplexity(file, taken, threads(), report), 4),
        "perplexity_questions": len(taken),
    }


def describe(header: Header) -> dict[str, Any]:
    """Return size, bits per weight and tensor types of a file, for a run record."""
    return {
        "architecture": header.architecture,
        "parameters": header.parameters,
        "megabytes": round(header.file_bytes / 1e6, 1),
        "bits_per_weight": round(header.bits_per_weight, 2),
        "tensor_types": header.tensor_types,
        "matrices": [asdict(matrices) for matrices in header.matrices],
    }


def write_deployment(file: Path, header: Header, template: str) -> None:
    """Write the Ollama Modelfile and the LM Studio notes beside a GGUF file."""
    folder, context = file.parent, min(header.context_length or 4096, 4096)
    write_text(folder / f"{file.stem}.Modelfile", ollama_modelfile(file.name, template, context))
    write_text(folder / f"{file.stem}.{NOTES}", lm_studio_notes(file.name, template, context))


def threads() -> int:
    """How many threads a stage may use."""
    return int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)


def _quantized_row(graph: Graph) -> list[str]:
    quantization = graph.run.profile.quantization
    return [quantization.row] if quantization else []


def _types(graph: Graph) -> list[str]:
    quantization = graph.run.profile.quantization
    return list(quantization.types) if quantization else []


def _f16(graph: Graph, row: str) -> Stage:
    config = _quantization(graph)
    details = {
        "file": f16_name(_stem(graph)),
        "types": list(config.types),
        "pretokenizer": config.pretokenizer,
    }
    inputs = {"model": model_of(graph, graph.run.row(row))}
    return _file_stage(graph, "gguf", row, F16, details, inputs)


def _quantized(graph: Graph, kind: str) -> Stage:
    details = {"file": f"{_stem(graph)}-{kind}.gguf", "type": kind}
    inputs = {"gguf": graph.stage("gguf", _quantization(graph).row)}
    return _file_stage(graph, "quantize", kind, kind, details, inputs)


def _file_stage(
    graph: Graph, kind: str, key: str, folder: str, config: dict[str, Any], inputs: dict[str, Stage]
) -> Stage:
    shared = {
        "template": graph.run.profile.model.template,
        "perplexity_questions": PERPLEXITY_QUESTIONS,
    }
    return Stage(
        f"{kind}:{key}",
        kind,
        config | shared,
        graph.run.folder / "gguf" / _quantization(graph).row / folder,
        inputs=inputs | {"data": graph.stage("data")},
        settings=graph.run.settings(None),  # llama.cpp is in this environment alone
    )


def _quantization(graph: Graph) -> QuantizationConfig:
    config = graph.run.profile.quantization
    assert config is not None  # it names the rows and types that are the keys
    return config


def _stem(graph: Graph) -> str:
    return f"{graph.run.profile.model.name}-{_quantization(graph).row}"


def _show(run: Run) -> str:
    return f"files: {shown(run.folder / 'gguf')}"


KINDS = (
    StageKind(
        "gguf", "convert a model to an F16 GGUF file", run, _f16, _quantized_row, command="quantize"
    ),
    StageKind(
        "quantize",
        "GGUF files and their quantization (TYPES=, MODEL= for any folder)",
        run,
        _quantized,
        _types,
        show=_show,
    ),
)
