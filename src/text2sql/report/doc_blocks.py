"""The measurements on the pages of docs/, rendered from their records."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Any

from text2sql.files import read_json
from text2sql.paths import repository_root
from text2sql.report.formats import Table, markdown_text
from text2sql.report.quantization import render
from text2sql.report.uncertainty import chance


def inference_block() -> str:
    """Return all published measurements of inference as Markdown."""
    return _block(
        ("results/quantization/*.json", render),
        ("benchmarks/decoding*.json", decoding_text),
        ("benchmarks/cpu_attention.json", attention_text),
        ("benchmarks/cpu_batches.json", rounds_text),
        ("benchmarks/vllm_batching.json", batching_text),
    )


def training_block() -> str:
    """Return the measured throughputs of training as Markdown."""
    return _block(
        ("benchmarks/shared_schema_*.json", sharing_text),
        ("benchmarks/training_throughput_*.json", throughput_text),
    )


def retrieval_block() -> str:
    """Return what was measured of retrieval without an LLM, and its speed, as Markdown."""
    return _block(
        ("benchmarks/retrieval_recall_*.json", recall_text),
        ("benchmarks/retrieval_speed.json", speed_text),
    )


def _block(*sources: tuple[str, Callable[[dict[str, Any]], str]]) -> str:
    """Render the records of some patterns of paths, each with the text that shows it."""
    root = repository_root()
    return "\n".join(
        f"{text(read_json(path))}\nRecord: [{shown}](../{shown})\n"
        for pattern, text in sources
        for path in sorted(root.glob(pattern))
        for shown in [path.relative_to(root)]
    )


def sharing_text(record: dict[str, Any]) -> str:
    """Return what `benchmarks/shared_schema.py` measured as Markdown."""
    table = Table.of(
        {
            "Training on": "{name}",
            "pairs/s": "{pairs_per_second:.2f}",
            "tokens": "{tokens:,}",
            "steps": "{steps}",
            "mean loss": "{mean_loss:.3f}",
            "loss of the last quarter": "{loss_of_the_last_quarter:.3f}",
            "seconds": "{each}",
        },
        (
            run | {"name": name, "each": _turns(run["seconds"])}
            for name, run in record["runs"].items()
        ),
    )
    return (
        f"**Shared schemas, {record['model']}**: {record['rows']} rows about"
        f" {record['databases']} databases of dataset {record['dataset']}, one epoch,"
        f" {_machine(record)}; {record['times_as_fast']:.1f} times as fast.\n\n"
        f"{markdown_text(table)}\n"
    )


def decoding_text(record: dict[str, Any]) -> str:
    """Return what `benchmarks/decoding.py` measured as Markdown."""
    ways = record["ways"]
    reference = ways["greedy"]["outcomes"]
    table = Table.of(
        {
            "Decoding": "{name}",
            "execution accuracy": "{execution_accuracy:.1f}",
            "p": "{p}",
            "failing queries": "{execution_errors}",
            "prompt tokens": "{prompt_tokens_read}",
            "tokens written": "{completion_tokens}",
            "processor seconds": "{seconds:.0f}",
        },
        (
            {"name": name, "p": "" if name == "greedy" else chance(reference, way["outcomes"])}
            | way
            for name, way in ways.items()
        ),
    )
    repairs = ways.get("repair", {}).get("repairs", {})
    tried = sum(count for outcome, count in repairs.items() if outcome != "not needed")
    notes = []
    if tried:
        notes.append(f"Of {tried} repair turns {repairs.get('worked', 0)} gave a query that runs.")
    for way in ways.values():
        if "samples" in way:
            notes.append(f"Of {way['samples']} samples {way['failed_samples']} failed.")
    notes.append(f"One thread of {record['hardware']['cpu']}; commit {_commit(record)}.")
    return (
        f"**Ways of decoding, {record['model']}, dataset {record['dataset']}**:"
        f" {record['questions']} questions; p by the exact McNemar test against greedy. Failing"
        " queries are those that SQLite refuses, answers without SQL among them. Prompt tokens"
        " count where they were read.\n\n"
        f"{markdown_text(table)}\n\n{' '.join(notes)}\n"
    )


def attention_text(record: dict[str, Any]) -> str:
    """Return what `benchmarks/cpu_attention.py` measured as Markdown."""
    columns = {
        "Attention": "{attention}",
        "prompt tokens": "{tokens}",
        "to read one prompt, s": "{read_seconds_per_question:.2f}",
        "a token for each, s": "{step_seconds:.3f}",
    }
    return (
        f"**Attention on a CPU, {record['model']}**: batches of {record['batch']} questions in"
        f" {record['dtype']}, processor time, {_machine(record)}.\n\n"
        f"{markdown_text(Table.of(columns, record['results']))}\n"
    )


def rounds_text(record: dict[str, Any]) -> str:
    """Return what `benchmarks/cpu_batches.py` measured as Markdown."""
    columns = {
        "Batches": "{name}",
        "seconds": "{seconds:.0f}",
        "processor seconds": "{processor_seconds:.0f}",
        "seconds per 1,000 questions": "{seconds_per_1000_questions:.0f}",
        "steps": "{steps:,}",
        "prompt tokens read": "{tokens_read:,}",
    }
    ways = [{"name": name} | way for name, way in record["results"].items()]
    return (
        f"**Batches on a CPU, {record['model']}**: {record['questions']:,} questions, config"
        f" {record['infer']}, {record['same_answers']:,} answers the same text,"
        f" {_machine(record)}.\n\n{markdown_text(Table.of(columns, ways))}\n"
    )


def batching_text(record: dict[str, Any]) -> str:
    """Return what `benchmarks/vllm_batching.py` measured as Markdown."""
    once, groups = (median(record["seconds"][name]) for name in ("at_once", "in_groups"))
    return (
        f"**vLLM, one continuous batch against 8 prompts at a time**: {record['model']},"
        f" {record['prompts']} prompts of {record['prompt_tokens']} tokens together, {once:.1f} s"
        f" against {groups:.1f} s (medians of {len(record['seconds']['at_once'])} rounds), that is"
        f" {record['ratio']:.2f} times the throughput; {record['same_answers']} of"
        f" {record['prompts']} answers are the same text. vLLM {record['vllm']}, one"
        f" thread of {record['hardware']['cpu']}; commit {_commit(record)}.\n"
    )


def throughput_text(record: dict[str, Any]) -> str:
    """Return what `benchmarks/training_throughput.py` measured as Markdown."""
    table = Table.of(
        {
            "Keys": "{name}",
            "rows/s": "{rows_per_second:.2f}",
            "tokens/s": "{tokens_per_second:,.0f}",
            "padding": "{padding:.1f} %",
            "against the first": "{times_as_fast_as_the_first:.2f}",
            "seconds": "{each}",
        },
        (
            run
            | {
                "name": name,
                "padding": 100 * run["share_of_padding"],
                "each": _turns(run["seconds"]),
            }
            for name, run in record["runs"].items()
        ),
    )
    return (
        f"**{record['model']}**: {record['rows']} rows of dataset {record['dataset']},"
        f" {_machine(record)}, load {record['load_before'][0]:.0f} before and"
        f" {record['load_after'][0]:.0f} after.\n\n{markdown_text(table)}\n"
    )


def recall_text(record: dict[str, Any]) -> str:
    """Return what `benchmarks/retrieval_recall.py` measured as Markdown."""
    ways = record["ways"]
    depths = list(next(iter(ways.values()))["recall"])
    rows = [
        [name, *(f"{100 * way['recall'][k]:.1f}" for k in depths), f"{way['seconds']:.0f}"]
        for name, way in ways.items()
    ]
    table = Table(["Search", *(f"@{k}" for k in depths), "processor seconds"], rows)
    leaking = max(way["leaking_rows_left_out"] for way in ways.values())
    return (
        f"**Dataset {record['dataset']}**, {record['knowledge_base']}: the share in per cent of"
        f" {record['questions']} questions with an example of the gold skeleton among the first k"
        f" of {record['stored']} stored; the guard left out {leaking} of them.\n\n"
        f"{markdown_text(table)}\n\nMeasured on {_machine(record)}.\n"
    )


def speed_text(record: dict[str, Any]) -> str:
    """Return what `benchmarks/retrieval.py` measured as Markdown."""
    columns = {
        "Index": "{index}",
        "rows/s built": "{rows_per_second:.0f}",
        "batch ms": "{batch_ms_per_question:.1f}",
        "alone ms": "{alone_ms_per_question:.0f}",
        "p50": "{alone_p50_ms:.0f}",
        "p95": "{alone_p95_ms:.0f}",
        "LangChain ms": "{langchain_ms_per_question:.0f}",
        "alone / batch": "{alone_over_batch:.1f}",
        "LangChain / batch": "{langchain_over_batch:.1f}",
        "recall": "{recall:.2f} %",
        "disk MB": "{disk_mb}",
        "peak MB": "{peak_memory_mb}",
    }
    indexes = [index | {"recall": 100 * index["recall_of_exact"]} for index in record["indexes"]]
    return (
        f"**{record['rows']:,} vectors of {record['dimension']:,} dimensions**: the first"
        f" {record['top']} of each of {record['questions']:,} questions in batches (recall is"
        f" against the exact search), then {record['asked_alone']} one at a time, by our client"
        f" and by a LangChain store. Milvus Lite {record['versions']['milvus-lite']},"
        f" langchain-milvus {record['langchain_milvus']}, {_machine(record)}.\n\n"
        f"{markdown_text(Table.of(columns, indexes))}\n"
    )


def _turns(seconds: list[float]) -> str:
    return " / ".join(f"{one:.0f}" for one in seconds)


def _machine(record: dict[str, Any]) -> str:
    """Threads, processor and commit of a measurement."""
    threads = "one thread" if record["threads"] == 1 else f"{record['threads']} threads"
    return f"{threads} of {record['hardware']['cpu']}, commit {_commit(record)}"


def _commit(record: dict[str, Any]) -> str:
    return str(record["git"]["sha"][:10])
