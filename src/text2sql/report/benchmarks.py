"""The measurements on the pages about training and retrieval, rendered from benchmarks/*.json."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from text2sql.files import read_json
from text2sql.paths import repository_root
from text2sql.report.formats import Table, markdown_text

FOLDER = "benchmarks"


def training_block() -> str:
    """Return the measured throughputs of training as Markdown."""
    return _block("training_throughput_*.json", throughput_text)


def retrieval_block() -> str:
    """Return what was measured of retrieval without an LLM, and its speed, as Markdown."""
    recall = _block("retrieval_recall_*.json", recall_text)
    return f"{recall}\n{_block('retrieval_speed.json', speed_text)}"


def _block(pattern: str, text: Callable[[dict[str, Any]], str]) -> str:
    root = repository_root()
    paths = [path.relative_to(root) for path in sorted((root / FOLDER).glob(pattern))]
    return "\n".join(
        f"{text(read_json(root / path))}\nRecord: [{path}](../{path})\n" for path in paths
    )


def throughput_text(record: dict[str, Any]) -> str:
    """Return what `benchmarks/training_throughput.py` measured as Markdown."""
    header = ["Keys", "rows/s", "tokens/s", "padding", "against the first", "seconds"]
    rows = [
        [
            name,
            f"{run['rows_per_second']:.2f}",
            f"{run['tokens_per_second']:,.0f}",
            f"{100 * run['share_of_padding']:.1f} %",
            f"{run['times_as_fast_as_the_first']:.2f}",
            " / ".join(f"{seconds:.0f}" for seconds in run["seconds"]),
        ]
        for name, run in record["runs"].items()
    ]
    return (
        f"**{record['model']}**: {record['rows']} rows of dataset {record['dataset']},"
        f" {_machine(record)}, load {record['load_before'][0]:.0f} before and"
        f" {record['load_after'][0]:.0f} after.\n\n"
        f"{markdown_text(Table(header, rows))}\n"
    )


def recall_text(record: dict[str, Any]) -> str:
    """Return what `benchmarks/retrieval_recall.py` measured as Markdown."""
    ways = record["ways"]
    depths = list(next(iter(ways.values()))["recall"])
    rows = [
        [name, *(f"{100 * way['recall'][k]:.1f}" for k in depths), f"{way['seconds']:.0f}"]
        for name, way in ways.items()
    ]
    header = ["Search", *(f"@{k}" for k in depths), "processor seconds"]
    leaking = max(way["leaking_rows_left_out"] for way in ways.values())
    return (
        f"**Dataset {record['dataset']}**, {record['knowledge_base']}: the share in per cent of"
        f" {record['questions']} questions with an example of the gold skeleton among the first k"
        f" of {record['stored']} stored; the guard left out {leaking} of them.\n\n"
        f"{markdown_text(Table(header, rows))}\n\n"
        f"Measured on {_machine(record)}.\n"
    )


def speed_text(record: dict[str, Any]) -> str:
    """Return what `benchmarks/retrieval.py` measured as Markdown."""
    header = [
        "Index", "rows/s built", "batch ms", "alone ms", "p50", "p95", "LangChain ms",
        "alone / batch", "LangChain / batch", "recall", "disk MB", "peak MB",
    ]  # fmt: skip
    rows = [
        [
            index["index"],
            f"{index['rows_per_second']:.0f}",
            f"{index['batch_ms_per_question']:.1f}",
            f"{index['alone_ms_per_question']:.0f}",
            f"{index['alone_p50_ms']:.0f}",
            f"{index['alone_p95_ms']:.0f}",
            f"{index['langchain_ms_per_question']:.0f}",
            f"{index['alone_over_batch']:.1f}",
            f"{index['langchain_over_batch']:.1f}",
            f"{100 * index['recall_of_exact']:.2f} %",
            str(index["disk_mb"]),
            str(index["peak_memory_mb"]),
        ]
        for index in record["indexes"]
    ]
    return (
        f"**{record['rows']:,} vectors of {record['dimension']:,} dimensions**: the first"
        f" {record['top']} of each of {record['questions']:,} questions in batches (recall is"
        f" against the exact search), then {record['asked_alone']} one at a time, by our client"
        f" and by a LangChain store. Milvus Lite {record['versions']['milvus-lite']},"
        f" langchain-milvus {record['langchain_milvus']}, {_machine(record)}.\n\n"
        f"{markdown_text(Table(header, rows))}\n"
    )


def _machine(record: dict[str, Any]) -> str:
    """Threads, processor and commit of a measurement."""
    threads = "one thread" if record["threads"] == 1 else f"{record['threads']} threads"
    return f"{threads} of {record['hardware']['cpu']}, commit {record['git']['sha'][:10]}"
