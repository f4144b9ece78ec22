"""Command line of BIRD's metrics."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..cli import write_atomically
from ..errors import InputError
from .judge import ITERATIONS, TIMEOUT, BirdSettings, judge


def read_levels(path: str) -> list[str]:
    """Return the ``difficulty`` of each record of BIRD's ``dev.json``, or of JSON Lines of it.

    Raises:
        InputError: the file cannot be read, or a record has none.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot read the file ({error}); check the path") from error
    try:
        lines = (line for line in text.splitlines() if line.strip())
        records = list(map(json.loads, lines)) if path.endswith(".jsonl") else json.loads(text)
        return [str(record["difficulty"]) for record in records]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not records with a difficulty ({error!r})") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m test_suite_sql_eval.bird",
        description="BIRD's metrics: EX by sets of rows, Soft-F1 and, with --iterations, R-VES.",
    )
    parser.add_argument("--gold", required=True, help="BIRD's dev.json, or SQL<tab>db_id lines")
    parser.add_argument("--pred", required=True, help="BIRD's predict_dev.json, or SQL lines")
    parser.add_argument("--db", required=True, help="folder with <db_id>/<db_id>.sqlite")
    parser.add_argument("--levels", help="file of records with a difficulty; default: --gold's own")
    parser.add_argument(
        "--iterations",
        type=int,
        default=0,
        metavar="N",
        help=f"time right queries N times each for R-VES (BIRD: {ITERATIONS}); default: no R-VES",
    )
    parser.add_argument(
        "--timeout", type=float, default=TIMEOUT, help="processor seconds a query may take (30)"
    )
    parser.add_argument("--jobs", type=int, help="processes; default: all cores, for R-VES one")
    parser.add_argument("--output", help="write scores and settings to this JSON file")
    parser.add_argument("--verdicts", help="write one JSON object per question to this file")
    return parser


def _write(args: Any, report: Any) -> None:
    if args.output:
        write_atomically(args.output, json.dumps(report.to_dict(), indent=1) + "\n")
    if args.verdicts:
        lines = [json.dumps(verdict, ensure_ascii=False) for verdict in report.verdicts]
        write_atomically(args.verdicts, "\n".join(lines) + "\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; a user's mistake gives one clear message and exit status 2."""
    args = _parser().parse_args(argv)
    try:
        has_levels = args.levels or args.gold.endswith((".json", ".jsonl"))
        levels = read_levels(args.levels or args.gold) if has_levels else None
        settings = BirdSettings(args.iterations, args.timeout, jobs=args.jobs)
        report = judge(args.gold, args.pred, args.db, settings, levels)
        print(report.text())
        for verdict in report.verdicts:
            if verdict["error"] == "gold_error":
                place = f"question {verdict['index']}"
                print(f"{place}: the gold query fails: {verdict['error_message']}", file=sys.stderr)
        _write(args, report)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0
