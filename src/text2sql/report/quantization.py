"""The quantization-table stage: what each type of a model costs and keeps, from run records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from text2sql.artifacts import PREDICTIONS, SCORES, VERDICTS
from text2sql.files import read_json, read_jsonl, write_json, write_text
from text2sql.models.gguf_types import F16
from text2sql.records import read_manifest
from text2sql.report.formats import Table, csv_text, markdown_text
from text2sql.report.record import LEVEL_TITLES, LEVELS, commits, per_cent
from text2sql.report.statistics import discordant, mcnemar
from text2sql.report.storage import storage_text
from text2sql.report.uncertainty import p_text
from text2sql.run import Run
from text2sql.stage import Graph, Job, Stage, StageKind

RECORD, TABLE = "quantization.json", "quantization.md"
HEADINGS = (
    "Type", "MB", "bits/weight", *LEVEL_TITLES, "p", "same SQL as F16", "perplexity",
    "prompt tokens/s", "generation tokens/s", "peak MB",
)  # fmt: skip
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
    reference = _queries(job.inputs[f"infer:{F16}"])
    for row in rows:
        queries = _queries(job.inputs[f"infer:{row['type']}"])
        same = sum(one == other for one, other in zip(queries, reference, strict=True))
        row["same_sql_as_f16"] = per_cent(same / len(reference))
    stages = {name: _manifest(folder) for name, folder in job.inputs.items()}
    record = {
        **{key: job.config[key] for key in ("title", "profile", "row", "dataset")},
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
    made, inferred = (_manifest(job.inputs[f"{kind}:{name}"]) for kind in ("file", "infer"))
    judged = job.inputs[f"eval:{name}"]
    scores = read_json(judged / SCORES)["scores"]
    measured, details = inferred["details"], made["details"]
    kept = ("megabytes", "bits_per_weight", "matrices", "perplexity", "perplexity_questions")
    return {
        "type": name,
        **{key: details[key] for key in kept},
        "questions": {level: scores[level]["count"] for level in LEVELS},
        "accuracy": {level: per_cent(scores[level]["exec"]) for level in LEVELS},
        "outcomes": "".join(str(int(verdict["exec"])) for verdict in read_jsonl(judged / VERDICTS)),
        **{key: measured.get(key) for key in SPEEDS},
        "peak_memory_mb": inferred["peak_memory_mb"],
    }


def _manifest(folder: Path) -> dict[str, Any]:
    return read_manifest(folder) or {}


def table(record: dict[str, Any]) -> Table:
    """Return the record as a table, a row a type."""
    reference = next(row for row in record["rows"] if row["type"] == F16)
    rows = []
    for row in record["rows"]:
        rows.append(
            [
                row["type"],
                f"{row['megabytes']:.0f}",
                f"{row['bits_per_weight']:.2f}",
                *(
                    f"{row['accuracy'][level]:.1f}" if row["questions"][level] else "none"
                    for level in LEVELS
                ),
                "" if row is reference else chance(reference["outcomes"], row["outcomes"]),
                f"{row['same_sql_as_f16']:.1f} %",
                f"{row['perplexity']:.3f}",
                _number(row["prompt_tokens_per_cpu_second"]),
                _number(row["generation_tokens_per_cpu_second"]),
                str(row["peak_memory_mb"]),
            ]
        )
    return Table(list(HEADINGS), rows)


def chance(reference: str, outcomes: str) -> str:
    """Return, as text, the p-value of the difference between two rows' outcomes (McNemar)."""
    return p_text(mcnemar(*discordant([*map(int, reference)], [*map(int, outcomes)])))


def _number(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.0f}"


def render(record: dict[str, Any]) -> str:
    """Return the record as Markdown: what was measured, the tables, where."""
    first = record["rows"][0]
    machine = record["stages"][f"infer:{first['type']}"]["hardware"]
    return (
        f"**{record['title']}, row {record['row']}, dataset {record['dataset']}, llama.cpp**:"
        f" execution accuracy in per cent of {first['questions']['all']} questions, greedy"
        " decoding; p by the exact McNemar test against F16. Perplexity is that of the right SQL"
        f" after the prompt ({first['perplexity_questions']} questions). Prompt tokens count where"
        " they were read, not where the prompt before had them already; seconds are those of"
        " processor time. Peak memory is that of the whole process.\n\n"
        f"{markdown_text(table(record))}\n\n"
        f"{storage_text(record)}"
        f"Threads: {record['threads']} of {machine['cpu']}; commit {', '.join(commits(record))};"
        f" model SHA-256 {record['model_sha256'][:12]}.\n"
    )


def table_folder(run: Run) -> Path:
    """Return the folder of a run's quantization table."""
    assert run.profile.quantization is not None  # asked only of runs that have one
    return run.folder / "gguf" / run.profile.quantization.row / "table"


def _tables(graph: Graph) -> list[str]:
    return [""] if graph.run.profile.quantization else []


def _stage(graph: Graph, key: str) -> Stage:
    run, quantization = graph.run, graph.run.profile.quantization
    assert quantization is not None  # else there is no key
    types = [F16, *quantization.types]
    inputs: dict[str, Stage] = {}
    for kind in types:
        made = ("gguf", quantization.row) if kind == F16 else ("quantize", kind)
        inputs[f"file:{kind}"] = graph.stage(*made)
        inputs[f"infer:{kind}"] = graph.stage("quantized-infer", kind)
        inputs[f"eval:{kind}"] = graph.stage("quantized-eval", kind)
    return Stage(
        "quantization-table",
        "quantization-table",
        {
            "title": run.profile.title,
            "profile": run.profile.name,
            "row": quantization.row,
            "dataset": run.dataset_label,
            "types": types,
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
