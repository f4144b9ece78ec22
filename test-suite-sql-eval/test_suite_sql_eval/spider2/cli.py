"""Command line of Spider 2.0-lite's SQLite part."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..cli import write_atomically
from ..errors import InputError
from .files import SQLITE, Instance, read_instances
from .judge import NO_PREDICTION, TIMEOUT, judge


def read_predictions(place: Path) -> dict[str, str | Path]:
    """Return predictions by instance id: files of a folder, or JSON Lines.

    A folder holds ``<instance id>.sql`` or, with results in place of queries,
    ``<instance id>.csv``; a line of JSON Lines an ``instance_id`` and a ``sql``.

    Raises:
        InputError: it cannot be read, or holds no prediction.
    """
    if place.is_dir():
        found: dict[str, str | Path] = {path.stem: path for path in place.glob("*.csv")}
        for path in place.glob("*.sql"):
            found[path.stem] = path.read_text(encoding="utf-8", errors="replace")
    else:
        try:
            lines = place.read_text(encoding="utf-8-sig").splitlines()
            records = [json.loads(line) for line in lines if line.strip()]
            found = {record["instance_id"]: str(record["sql"]) for record in records}
        except (OSError, ValueError, KeyError, TypeError) as error:
            reason = f"{place}: no folder, and not JSON Lines of instance_id and sql ({error!r})"
            raise InputError(reason) from error
    if not found:
        raise InputError(f"{place}: holds no <instance id>.sql or .csv")
    return found


def summary(instances: Sequence[Instance], verdicts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the score, what it is a share of, and the ids that could not be scored by reason."""
    unscored: dict[str, list[str]] = {}
    for instance in instances:
        if instance.unscorable:
            unscored.setdefault(instance.unscorable, []).append(instance.id)
    right = sum(verdict["score"] for verdict in verdicts)
    return {
        "questions": len(instances),
        "on_sqlite": sum(instance.id.startswith(SQLITE) for instance in instances),
        "scored": len(verdicts),
        "right": right,
        "score": right / len(verdicts) if verdicts else None,
        "without_prediction": sum(v["error"] == NO_PREDICTION for v in verdicts),
        "errors": dict(Counter(v["error"] for v in verdicts if v["error"])),
        "unscored": unscored,
    }


def text_of(scores: dict[str, Any]) -> str:
    """Return a summary for readers."""
    lines = [
        f"{scores['questions']} questions, {scores['on_sqlite']} of them on SQLite, "
        f"{scores['scored']} scored",
        f"right: {scores['right']}"
        + (f" ({100 * scores['score']:.2f} %)" if scores["scored"] else ""),
        f"without a prediction, counted as wrong: {scores['without_prediction']}",
    ]
    for reason, ids in scores["unscored"].items():
        few = ", ".join(ids[:8]) + (" ..." if len(ids) > 8 else "")
        lines.append(f"not scored, {reason}: {len(ids)} ({few})")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; a user's mistake gives one clear message and exit status 2."""
    parser = argparse.ArgumentParser(
        prog="python -m test_suite_sql_eval.spider2",
        description="Spider 2.0-lite's questions on SQLite, judged by its own rule. Needs pandas.",
    )
    parser.add_argument("--folder", type=Path, required=True, help="spider2-lite/ of a checkout")
    parser.add_argument(
        "--pred", type=Path, required=True, help="folder of .sql or .csv files, or JSON Lines"
    )
    parser.add_argument("--timeout", type=float, default=TIMEOUT, help="seconds a query may take")
    parser.add_argument("--output", help="write scores, and what was not scored, to this JSON file")
    parser.add_argument("--verdicts", help="write one JSON object per question to this file")
    args = parser.parse_args(argv)
    try:
        instances = read_instances(args.folder)
        verdicts = judge(instances, read_predictions(args.pred), args.timeout)
        scores = summary(instances, verdicts)
        print(text_of(scores))
        if args.output:
            write_atomically(args.output, json.dumps(scores, indent=1) + "\n")
        if args.verdicts:
            lines = [json.dumps(verdict, ensure_ascii=False) for verdict in verdicts]
            write_atomically(args.verdicts, "\n".join(lines) + "\n")
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0
