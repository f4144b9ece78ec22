"""Run records: a manifest beside every stage's output that says how it came to be.

The results table is built from these records and from nothing else. A stage is up to date when its
manifest's key, a hash over its config and the contents of its inputs, is the one it would get now.
"""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from text2sql import hardware
from text2sql.files import read_json, sha256_file, sha256_text, write_json
from text2sql.paths import repository_root
from text2sql.progress import PROGRESS

MANIFEST = "manifest.json"
ATTEMPTS = "attempts.json"  # what a stage that was stopped had already spent
# Files in an output folder that tell how it was made, with times and paths in them, or what was
# left out of it. No stage reads them: a change of theirs alone must not train a model again.
UNHASHED = frozenset(
    {
        MANIFEST,
        ATTEMPTS,
        "rejects.jsonl",
        "stage.log",
        "stage.key",
        PROGRESS,
        "notes.txt",
        "llamafactory.yaml",
        "trainer_log.jsonl",
        "trainer_state.json",
        "train_results.json",
        "all_results.json",
        "training_args.bin",
        "training_loss.png",
        "swanlab_public_config.json",
    }
)
ABSOLUTE = re.compile(r"(?<![^\s\"'=])/(?:[^\s\"']*/)?([^\s\"'/]+)")
RECORDED_PACKAGES = (
    "text2sql",
    "test-suite-sql-eval",
    "torch",
    "transformers",
    "llamafactory",
    "peft",
    "deepspeed",
    "accelerate",
    "vllm",
    "llama-cpp-python",
    "sentence-transformers",
    "pymilvus",
    "milvus-lite",
    "sqlglot",
)


def canonical_hash(value: Any) -> str:
    """SHA-256 of a JSON-able value that does not depend on the order of its keys."""
    return sha256_text(json.dumps(value, sort_keys=True, ensure_ascii=False, default=str))


def content_hash(folder: Path) -> str:
    """SHA-256 over the names and contents of an output folder, records and logs left out."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name not in UNHASHED)
    return sha256_text("\n".join(f"{p.relative_to(folder)} {sha256_file(p)}" for p in files))


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """Return the manifest in an output folder, or None when there is none that can be read."""
    try:
        value = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def write_manifest(
    folder: Path,
    *,
    stage: str,
    key: str,
    config: dict[str, Any],
    inputs: dict[str, str],
    seed: int | None,
    started: datetime,
    details: dict[str, Any],
    earlier: Sequence[dict[str, Any]] = (),
) -> None:
    """Write the manifest of a finished stage into its output folder.

    Args:
        folder: the stage's output.
        stage: its name, such as ``train:smollm2-135m_lora_cpu``.
        key: hash over config and inputs, by which the stage is found up to date.
        config: the resolved config, as JSON-able values.
        inputs: content hash of each input, by name.
        seed: the seed of whatever was random, if anything was.
        started: start time, with time zone.
        details: what the stage measured of itself (losses, counts, throughput).
        earlier: attempts that were stopped and that this one went on from; ``seconds`` in the
            manifest is the time of all.
    """
    finished = datetime.now(UTC)
    write_json(
        folder / MANIFEST,
        {
            "stage": stage,
            "key": key,
            "config": config,
            "config_hash": canonical_hash(config),
            "inputs": inputs,
            "output_hash": content_hash(folder),
            "git": git_state(),
            "versions": package_versions(),
            "hardware": hardware.describe(),
            "seed": seed,
            "started": started.isoformat(timespec="seconds"),
            "finished": finished.isoformat(timespec="seconds"),
            "seconds": round(
                sum(attempt["seconds"] for attempt in earlier)
                + (finished - started).total_seconds(),
                1,
            ),
            "earlier_attempts": list(earlier),
            "peak_memory_mb": peak_memory_mb(),
            "command": command_line(),
            "details": details,
        },
    )


def begin_attempt(folder: Path, git: dict[str, Any]) -> tuple[datetime, list[dict[str, Any]]]:
    """Note in a stage's partial folder that work on it begins, before it reports any progress.

    A process that was killed leaves no end; its last sign of life, the time of its last progress,
    stands for it.

    Args:
        folder: the partial folder, as an earlier attempt may have left it.
        git: state of the checkout.

    Returns:
        Start of this attempt; those before it, each with ``started``, ``seconds`` and ``git``.
    """
    path = folder / ATTEMPTS
    earlier: list[dict[str, Any]] = read_json(path) if path.is_file() else []
    if earlier:
        began = datetime.fromisoformat(earlier[-1]["started"])
        earlier[-1]["seconds"] = round(max(0.0, _last_sign(folder) - began.timestamp()), 1)
    now = datetime.now(UTC)
    this = {"started": now.isoformat(timespec="seconds"), "seconds": 0.0, "git": git}
    write_json(path, [*earlier, this])
    return now, earlier


def _last_sign(folder: Path) -> float:
    progress = folder / PROGRESS
    return progress.stat().st_mtime if progress.is_file() else 0.0


def peak_memory_mb() -> int:
    """Largest resident memory of this process or of any finished child, in MiB."""
    usage = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(who).ru_maxrss for who in usage) // 1024


def command_line() -> str:
    """The command that runs this process; of absolute paths, this machine's, the names alone."""
    return ABSOLUTE.sub(r"\1", " ".join(sys.argv))


def git_state() -> dict[str, Any]:
    """Commit of the checkout and whether the work tree differs from it (None outside git)."""
    return _git_state(repository_root())


# By checkout: TEXT2SQL_ROOT may name another one later in the same process.
@cache
def _git_state(root: Path) -> dict[str, Any]:
    def git(*args: str) -> str | None:
        command = ["git", "-C", str(root), *args]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        return result.stdout.strip() if result.returncode == 0 else None

    # Charts are written into figs/ by the run itself.
    status = git("status", "--porcelain", "--", ".", ":!figs")
    return {"sha": git("rev-parse", "HEAD"), "dirty": None if status is None else bool(status)}


@cache
def package_versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide results, as far as installed."""
    found = {"python": sys.version.split()[0]}
    for package in RECORDED_PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
