"""Command line: the official evaluator's flags, and a few more."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from .api import Report, check_tables, evaluate, find_databases
from .errors import InputError
from .gold_cache import default_folder
from .inputs import read_questions
from .settings import DEFAULT_TIMEOUT, EM_MODES, ETYPES, Settings, default_jobs

TYPE_CHECKING = False  # importing typing takes milliseconds
if TYPE_CHECKING:
    from typing import Any, NoReturn


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="evaluation.py",
        description="Spider test-suite evaluation: execution accuracy and exact set match.",
    )
    add = parser.add_argument
    add("--gold", required=True, help="gold file: SQL, a tab, the database id on each line")
    add("--pred", required=True, help="prediction file: one SQL on each line")
    add("--db", required=True, help="folder with one folder of .sqlite files per database id")
    add("--table", help="tables.json; needed for --etype match and all")
    add("--etype", default="exec", choices=ETYPES, help="what to judge (default: exec)")
    add("--plug_value", action="store_true", help="try the gold query's values in predictions")
    add("--keep_distinct", action="store_true", help="keep DISTINCT in both queries")
    add(
        "--progress_bar_for_each_datapoint",
        action="store_true",
        help="one progress line per question instead of one bar",
    )
    add("--jobs", type=int, default=default_jobs(), help="worker processes (default: all cores)")
    add(
        "--timeout",
        type=float,
        default=DEFAULT_TIMEOUT,
        help="seconds a question may take (default: 60)",
    )
    add("--output", help="write scores, settings and the database fingerprint to this JSON file")
    add("--verdicts", help="write one JSON object per question to this file")
    add("--check", action="store_true", help="only report what is missing or wrong, run nothing")
    add("--extra", action="store_true", help="also strict EX, BIRD's set EX, execution success")
    add("--text", action="store_true", help="also text metrics (needs the extra 'text')")
    add("--gold_cache", default="auto", help="folder for gold results, 'none', or 'auto'")
    add("--em", default="official", choices=EM_MODES, help="parser for exact match")
    add("--allow_gold_errors", action="store_true", help="count failing gold queries as wrong")
    return parser


def write_atomically(path: str, text: str) -> None:
    """Write a file whole or not at all."""
    import tempfile  # here, because start-up must be quick

    folder = os.path.dirname(os.path.abspath(path))
    try:
        handle, temporary = tempfile.mkstemp(dir=folder, suffix=".partial")
    except OSError as error:
        raise InputError(f"{path}: cannot write there ({error.strerror})") from error
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def check(args: argparse.Namespace) -> list[str]:
    """Return everything that would stop or spoil the evaluation; run no query."""
    problems: list[str] = []
    try:
        questions, _ = read_questions(args.gold, args.pred)
        problems += find_databases(questions, args.db)[1]
        problems += check_tables(questions, args.table, args.etype)
    except InputError as error:
        problems.append(str(error))
    for path in (args.output, args.verdicts):
        if path and not os.access(os.path.dirname(os.path.abspath(path)), os.W_OK):
            problems.append(f"{path}: the folder does not exist or is not writable")
    return problems


def _cache_folder(choice: str) -> str | None:
    if choice == "none":
        return None
    return default_folder() if choice == "auto" else choice


def _progress(each: bool) -> Callable[[int, int, dict[str, Any]], None] | None:
    """Return a progress function for stderr, or None if nobody would see a bar."""
    if each:

        def show_each(done: int, total: int, answer: dict[str, Any]) -> None:
            state = answer.get("kind") or "right"
            print(f"{done}/{total} {state} {answer.get('seconds', 0.0):.3f} s", file=sys.stderr)

        return show_each
    if not sys.stderr.isatty():
        return None

    def show_bar(done: int, total: int, _answer: dict[str, Any]) -> None:
        if done == total or done % 10 == 0:
            end = "\n" if done == total else ""
            print(f"\rjudging {done}/{total}", end=end, file=sys.stderr, flush=True)

    return show_bar


def _print_more(report: Report) -> None:
    """Print what the official tables do not hold, below them."""
    slow = [v for v in report.verdicts if v["error"] == "timeout"]
    for verdict in slow:
        print(
            f"question {verdict['index'] + 1}: no verdict within {report.settings.timeout:g} s, "
            f"counted as wrong: {verdict['pred'][:120]}",
            file=sys.stderr,
        )
    for warning in report.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    for name, value in report.metrics.get("text", {}).items():
        print(f"text {name:23} {value:.3f}")
    if report.settings.extra and report.settings.etype != "match":
        print("\nfurther metrics (share of all questions):")
        for name, value in report.metrics.items():
            if name not in ("errors", "text"):
                print(f"{name:28} {value:.3f}")
        for kind, count in report.metrics["errors"].items():
            print(f"error {kind:22} {count}")


def run(args: argparse.Namespace) -> int:
    """Evaluate as the arguments say; return the exit status."""
    if args.check:
        problems = check(args)
        print("\n".join(problems) if problems else "ready: nothing is missing")
        return 1 if problems else 0
    settings = Settings(
        etype=args.etype,
        plug_value=args.plug_value,
        keep_distinct=args.keep_distinct,
        em=args.em,
        extra=args.extra,
        jobs=args.jobs,
        timeout=args.timeout,
        gold_cache=_cache_folder(args.gold_cache),
        allow_gold_errors=args.allow_gold_errors,
    )
    progress = _progress(args.progress_bar_for_each_datapoint)
    report = evaluate(args.gold, args.pred, args.db, args.table, settings, progress)
    if args.text:
        from .text_metrics import corpus_scores

        report.metrics["text"] = corpus_scores(
            [v["gold"] for v in report.verdicts], [v["pred"] for v in report.verdicts]
        )
    print(report.text())
    _print_more(report)
    if args.output or args.verdicts:
        _write_files(args, report)
    return 0


def _write_files(args: argparse.Namespace, report: Report) -> None:
    import json  # here, because start-up must be quick

    if args.output:
        write_atomically(args.output, json.dumps(report.to_dict(), indent=1) + "\n")
    if args.verdicts:
        lines = [json.dumps(verdict, ensure_ascii=False) for verdict in report.verdicts]
        write_atomically(args.verdicts, "\n".join(lines) + "\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; a user's mistake gives one clear message and exit status 2."""
    args = _parser().parse_args(argv)
    try:
        return run(args)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130


def main_program() -> NoReturn:
    """Run ``main`` as a whole program: end without taking the interpreter down piece by piece."""
    code = main()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        code = code or 1
    os._exit(code)
