"""The measurements on the page about inference, rendered from their records."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Any

from text2sql.errors import UserError
from text2sql.files import read_json, write_json
from text2sql.paths import repository_root
from text2sql.report.formats import Table, markdown_text
from text2sql.report.quantization import RECORD, chance, render
from text2sql.report.record import commits

FOLDER = Path("results") / "quantization"
BENCHMARKS = Path("benchmarks")
COUNTS = {
    "execution_errors": "failing queries",
    "prompt_tokens_read": "prompt tokens",
    "completion_tokens": "tokens written",
}


def publish_quantization(run_folder: Path) -> Path | None:
    """Copy the record of a run's quantization table into results/quantization/.

    Returns:
        The file there; None where the run has no such table.

    Raises:
        UserError: a stage ran from a checkout with changes that are not committed.
    """
    found = sorted(run_folder.glob(f"gguf/*/table/{RECORD}"))
    if not found:
        return None
    record = read_json(found[0])
    require_committed(found[0], record)
    target = repository_root() / FOLDER / f"{record['profile']}_{record['dataset']}.json"
    write_json(target, record)
    return target


def require_committed(path: Path, record: dict[str, Any]) -> None:
    """Raise UserError when a stage behind a record ran from uncommitted code."""
    if any(commit.endswith("+") for commit in commits(record)):
        raise UserError(f"{path}: made with changes that are not committed; commit, then run again")


def inference_block() -> str:
    """Return all published measurements of inference as Markdown."""
    root = repository_root()
    sources = [(path, render) for path in sorted((root / FOLDER).glob("*.json"))]
    sources += [
        (root / BENCHMARKS / "decoding.json", decoding_text),
        (root / BENCHMARKS / "vllm_batching.json", batching_text),
    ]
    parts = []
    for path, text in sources:
        if path.is_file():
            shown = path.relative_to(root)
            parts.append(f"{text(read_json(path))}\nRecord: [{shown}](../{shown})\n")
    return "\n".join(parts)


def decoding_text(record: dict[str, Any]) -> str:
    """Return what `benchmarks/decoding.py` measured as Markdown."""
    ways = record["ways"]
    reference = ways["greedy"]["outcomes"]
    rows = [
        [
            name,
            f"{way['execution_accuracy']:.1f}",
            "" if name == "greedy" else chance(reference, way["outcomes"]),
            *(str(way[key]) for key in COUNTS),
            f"{way['seconds']:.0f}",
        ]
        for name, way in ways.items()
    ]
    header = ["Decoding", "execution accuracy", "p", *COUNTS.values(), "processor seconds"]
    repairs = ways.get("repair", {}).get("repairs", {})
    tried = sum(count for outcome, count in repairs.items() if outcome != "not needed")
    votes = next((way for way in ways.values() if "samples" in way), None)
    notes = [f"One thread of {record['hardware']['cpu']}; commit {record['git']['sha'][:10]}."]
    if votes:
        notes.insert(0, f"Of {votes['samples']} samples {votes['failed_samples']} failed.")
    if tried:
        notes.insert(
            0, f"Of {tried} repair turns {repairs.get('worked', 0)} gave a query that runs."
        )
    return (
        f"**Ways of decoding, {record['model']}, dataset {record['dataset']}**:"
        f" {record['questions']} questions; p by the exact McNemar test against greedy. Failing"
        " queries are those that SQLite refuses, answers without SQL among them. Prompt tokens"
        " count where they were read.\n\n"
        f"{markdown_text(Table(header, rows))}\n\n"
        f"{' '.join(notes)}\n"
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
        f" thread of {record['hardware']['cpu']}; commit {record['git']['sha'][:10]}.\n"
    )
