"""The gguf and quantize stages: a model as F16 GGUF, then in one quantization type each."""

from __future__ import annotations

from typing import Any

from text2sql.artifacts import QUESTIONS
from text2sql.gguf.make import make_f16, make_quantized
from text2sql.gguf.probes import PERPLEXITY_QUESTIONS, read_probes
from text2sql.models.gguf_header import find_gguf
from text2sql.models.gguf_types import F16, gguf_name
from text2sql.paths import shown
from text2sql.prompt import load_template
from text2sql.records import read_manifest
from text2sql.stage import Graph, Job, Stage, StageKind
from text2sql.train.stage import model_of


def run(job: Job) -> dict[str, Any]:
    """Make and check the GGUF file of a ``gguf`` or ``quantize`` stage.

    Returns:
        What the checks found, size, bits per weight and perplexity.

    Raises:
        UserError: the model cannot be converted, or a check failed.
    """
    source = job.inputs.get("model") or find_gguf(job.inputs["gguf"])
    template = load_template(job.config["template"], source)
    probes = read_probes(job.inputs["data"] / QUESTIONS, template)
    output = job.output / job.config["file"]
    if job.stage.kind == "gguf":
        types = tuple(job.config["types"])
        named = job.config.get("pretokenizer")
        return make_f16(source, output, probes, types, named, job.progress.update)
    return make_quantized(source, output, job.config["type"], probes, template, job.progress.update)


def _row(graph: Graph) -> list[str]:
    quantization = graph.run.profile.quantization
    return [quantization.row] if quantization else []


def _f16(graph: Graph, row: str) -> Stage:
    quantization = graph.run.profile.quantization
    assert quantization is not None  # it names the row that is the key
    details = {"types": list(quantization.types), "pretokenizer": quantization.pretokenizer}
    model = model_of(graph, graph.run.row(row))
    return _file_stage(graph, "gguf", row, F16, details, {"model": model})


def _quantized(graph: Graph, kind: str) -> Stage:
    source = graph.stage("gguf", *_row(graph))
    return _file_stage(graph, "quantize", kind, kind, {"type": kind}, {"gguf": source})


def _file_stage(
    graph: Graph, kind: str, key: str, form: str, config: dict[str, Any], inputs: dict[str, Stage]
) -> Stage:
    run, (row,) = graph.run, _row(graph)
    return Stage(
        f"{kind}:{key}",
        kind,
        {
            "file": gguf_name(f"{run.profile.model.name}-{row}", form),
            "template": run.profile.model.template,
            "perplexity_questions": PERPLEXITY_QUESTIONS,
            **config,
        },
        run.folder / "gguf" / row / form,
        inputs=inputs | {"data": graph.stage("data")},
        settings=run.settings(None),  # llama.cpp is in this environment alone
    )


def _result(stage: Stage) -> str:
    """Say how large a file is, how well it answers, and where it is."""
    measured = (read_manifest(stage.output) or {})["details"]
    return (
        f"{stage.name}: {measured['megabytes']} MB, {measured['bits_per_weight']} bits a weight,"
        f" perplexity of right answers {measured['perplexity']};"
        f" in {shown(stage.output / stage.config['file'])}"
    )


KINDS = (
    StageKind(
        "gguf",
        "convert a model to an F16 GGUF file",
        run,
        _f16,
        _row,
        command="quantize",
        result=_result,
    ),
    StageKind(
        "quantize",
        "GGUF files and their quantization (TYPES=, MODEL= for any folder)",
        run,
        _quantized,
        lambda graph: graph.run.quantized_types,
        result=_result,
        absent=lambda graph: "its model is a GGUF file already; make serve-openai serves it",
    ),
)
