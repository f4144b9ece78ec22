"""The quantization-table stage: what each type of a model costs and keeps, from run records.

A k-quant keeps one scale for 256 values, so it takes only matrices whose rows are a multiple of
that long (https://github.com/ggml-org/llama.cpp/blob/master/src/llama-quant.cpp). llama.cpp puts
the others into a type with blocks of 32, which a second table shows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from text2sql.artifacts import PREDICTIONS, SCORES, VERDICTS
from text2sql.files import read_json, read_jsonl, write_json, write_text
from text2sql.models.gguf_types import F16, K_BLOCK, block_of
from text2sql.records import read_manifest
from text2sql.report.formats import Table, csv_text, markdown_text
from text2sql.report.record import METRICS, accuracies, commits, levels_of, per_cent, titles
from text2sql.report.uncertainty import chance
from text2sql.run import Run
from text2sql.stage import Graph, Job, Stage, StageKind

RECORD, TABLE = "quantization.json", "quantization.md"
SPEEDS = (
    "prompt_tokens_per_second", "generation_tokens_per_second",
    "prompt_tokens_per_cpu_second", "generation_tokens_per_cpu_second",
)  # fmt: skip
# Of each stage's manifest, what a reader needs to repeat it.
KEPT = (
    "inputs", "output_hash", "git", "versions", "hardware", "started", "seconds",
    "earlier_attempts", "command",
)  # fmt: skip


def run(job: Job) -> dict[str, Any]:
    """Write quantization.json, .md and .csv from the records of the stages behind.

    Returns:
        The number of types.
    """
    rows = [_row(job, name) for name in job.config["types"]]
    reference = _queries(job.inputs[f"extract:{F16}"])
    for row in rows:
        queries = _queries(job.inputs[f"extract:{row['type']}"])
        same = sum(one == other for one, other in zip(queries, reference, strict=True))
        row["same_sql_as_f16"] = per_cent(same / len(reference))
    stages = {name: read_manifest(folder) or {} for name, folder in job.inputs.items()}
    record = {
        **{key: job.config[key] for key in ("title", "profile", "row", "dataset", "metric")},
        "model_sha256": stages[f"file:{F16}"]["inputs"]["model"],
        "rows": rows,
        "threads": job.settings["threads"],
        "stages": {
            name: {key: value for key, value in manifest.items() if key in KEPT}
            for name, manifest in stages.items()
        },
    }
    write_json(job.output / RECORD, record)
    write_text(job.output / TABLE, render(record))
    write_text(job.output / "quantization.csv", csv_text(table(record)))
    return {"types": len(rows)}


def _queries(folder: Path) -> list[str]:
    return [row["sql"] for row in read_jsonl(folder / PREDICTIONS)]


def _row(job: Job, name: str) -> dict[str, Any]:
    """Collect what the records of one type's stages say."""
    made, inferred = (
        read_manifest(job.inputs[f"{kind}:{name}"]) or {} for kind in ("file", "infer")
    )
    judged = job.inputs[f"eval:{name}"]
    measured, details = inferred["details"], made["details"]
    kept = ("megabytes", "bits_per_weight", "matrices", "perplexity", "perplexity_questions")
    return {
        "type": name,
        **{key: details[key] for key in kept},
        **accuracies(
            read_json(judged / SCORES)["scores"],
            read_jsonl(judged / VERDICTS),
            [*job.config["levels"], "all"],
            job.config["metric"],
        ),
        **{key: measured.get(key) for key in SPEEDS},
        "peak_memory_mb": inferred["peak_memory_mb"],
    }


def table(record: dict[str, Any]) -> Table:
    """Return the record as a table, a row a type."""
    reference = next(row for row in record["rows"] if row["type"] == F16)
    levels = levels_of(record)
    columns = {
        "Type": "{type}",
        "MB": "{megabytes:.0f}",
        "bits/weight": "{bits_per_weight:.2f}",
        **{title: f"{{level{n}}}" for n, title in enumerate(titles(levels))},
        "p": "{p}",
        "same SQL as F16": "{same_sql_as_f16:.1f} %",
        "perplexity": "{perplexity:.3f}",
        "prompt tokens/s": "{reading}",
        "generation tokens/s": "{writing}",
        "peak MB": "{peak_memory_mb}",
    }
    shown = [
        row
        | {
            f"level{n}": f"{row['accuracy'][level]:.1f}" if row["questions"][level] else "none"
            for n, level in enumerate(levels)
        }
        | {
            "p": "" if row is reference else chance(reference["outcomes"], row["outcomes"]),
            "reading": _number(row["prompt_tokens_per_cpu_second"]),
            "writing": _number(row["generation_tokens_per_cpu_second"]),
        }
        for row in record["rows"]
    ]
    return Table.of(columns, shown)


def _number(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.0f}"


def render(record: dict[str, Any]) -> str:
    """Return the record as Markdown: what was measured, the tables, where."""
    first = record["rows"][0]
    machine = record["stages"][f"infer:{first['type']}"]["hardware"]
    metric = METRICS.get(record.get("metric", ""), "execution accuracy")
    return (
        f"**{record['title']}, row {record['row']}, dataset {record['dataset']}, llama.cpp**:"
        f" {metric} in per cent of {first['questions']['all']} questions, greedy"
        " decoding; p by the exact McNemar test against F16. Perplexity is that of the right SQL"
        f" after the prompt ({first['perplexity_questions']} questions). Prompt tokens count where"
        " they were read, not where the prompt before had them already; seconds are those of"
        " processor time. Peak memory is that of the whole process.\n\n"
        f"{markdown_text(table(record))}\n\n"
        f"{storage_text(record)}"
        f"Threads: {record['threads']} of {machine['cpu']}; commit {', '.join(commits(record))};"
        f" model SHA-256 {record['model_sha256'][:12]}.\n"
    )


def storage_text(record: dict[str, Any]) -> str:
    """Return, for the record of a quantization table, a second table and what it means.

    Args:
        record: ``rows`` with ``type`` and ``matrices``, as `Header.matrices` has them.

    Returns:
        Markdown with a line for each kind of matrix and a column for each type; empty where no type
        needs blocks of 256 or every row of the model divides by them.
    """
    rows = [row for row in record["rows"] if row["type"] != F16]
    if not any(block_of(row["type"]) == K_BLOCK for row in rows):
        return ""
    kinds = rows[0]["matrices"]
    odd = [kind for kind in kinds if kind["row"] % K_BLOCK]
    if not odd:
        return ""
    share = sum(kind["values"] for kind in odd) / sum(kind["values"] for kind in kinds)
    count = sum(sum(kind["types"].values()) for kind in odd)
    whole = sum(sum(kind["types"].values()) for kind in kinds)
    lengths = " and ".join(str(length) for length in sorted({kind["row"] for kind in odd}))
    return (
        f"Types as stored. {count} of {whole} matrices, {100 * share:.0f} % of their values, have"
        f" rows of {lengths} values, no multiple of the {K_BLOCK} that share a scale in a k-quant;"
        " llama.cpp put those into types with blocks of 32.\n\n"
        f"{markdown_text(storage_table(rows))}\n\n"
    )


def storage_table(rows: list[dict[str, Any]]) -> Table:
    """Return which type each kind of matrix is stored in, kinds that are treated alike together."""
    kinds = rows[0]["matrices"]
    values = sum(kind["values"] for kind in kinds)
    groups: dict[tuple[int, tuple[str, ...]], list[dict[str, Any]]] = {}
    for kind in kinds:
        stored = tuple(_stored(row, kind["kind"]) for row in rows)
        groups.setdefault((kind["row"], stored), []).append(kind)
    cells = [
        [
            ", ".join(kind["kind"] for kind in members),
            str(length),
            f"{100 * sum(kind['values'] for kind in members) / values:.0f} %",
            *stored,
        ]
        for (length, stored), members in groups.items()
    ]
    return Table(["Matrices", "row", "of values", *(row["type"] for row in rows)], cells)


def _stored(row: dict[str, Any], name: str) -> str:
    """Return the types of one kind's matrices, with their number where there are several."""
    (types,) = (kind["types"] for kind in row["matrices"] if kind["kind"] == name)
    if len(types) == 1:
        return str(next(iter(types)))
    return ", ".join(f"{count} {stored}" for stored, count in types.items())


def table_folder(run: Run) -> Path:
    """Return the folder of a run's quantization table."""
    assert run.profile.quantization is not None  # asked only of runs that have one
    return run.folder / "gguf" / run.profile.quantization.row / "table"


def _tables(graph: Graph) -> list[str]:
    return [""] if graph.run.profile.quantization else []


def _stage(graph: Graph, key: str) -> Stage:
    run, quantization = graph.run, graph.run.profile.quantization
    assert quantization is not None  # else there is no key
    data = graph.stage("data").config
    inputs: dict[str, Stage] = {}
    for kind in run.gguf_types:
        made = ("gguf", quantization.row) if kind == F16 else ("quantize", kind)
        inputs[f"file:{kind}"] = graph.stage(*made)
        inputs[f"infer:{kind}"] = graph.stage("quantized-infer", kind)
        inputs[f"extract:{kind}"] = graph.stage("quantized-extract", kind)
        inputs[f"eval:{kind}"] = graph.stage("quantized-eval", kind)
    return Stage(
        "quantization-table",
        "quantization-table",
        {
            "title": run.profile.title,
            "profile": run.profile.name,
            "row": quantization.row,
            "dataset": run.dataset_label,
            "types": run.gguf_types,
            "levels": data["levels"],
            "metric": data["metric"],
        },
        table_folder(run),
        inputs=inputs,
        settings=run.settings(None),
    )


def _show(run: Run) -> str:
    return (table_folder(run) / TABLE).read_text(encoding="utf-8")


KINDS = (
    StageKind(
        "quantization-table",
        "size, accuracy and speed of every quantization type",
        run,
        _stage,
        _tables,
        show=_show,
    ),
)
