"""Command line: the official evaluator's flags, and a few more."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

from . import __version__, errors
from .api import Report, evaluate
from .checks import Databases, check_tables
from .errors import InputError
from .gold_cache import default_folder
from .inputs import read_questions
from .settings import (
    DEFAULT_MAX_MEMORY,
    DEFAULT_MAX_STEPS,
    DEFAULT_TIMEOUT,
    EM_MODES,
    ETYPES,
    METRICS_VERSION,
    Settings,
)

TYPE_CHECKING = False  # importing typing takes milliseconds
if TYPE_CHECKING:
    import argparse
    from typing import Any, NoReturn


#: Exit status where a worker process crashed: its verdict says nothing of the prediction.
CRASHED = 3


#: Questions that a note names.
_NAMED = 20
#: Added to the name of the verdicts' file while there are more to come.
UNFINISHED = ".partial"


class _Flag:
    """A flag of the command line; ``kind`` None means it takes no value."""

    def __init__(
        self,
        kind: Callable[[str], Any] | None,
        default: Any,
        text: str,
        choices: Sequence[str] | None = None,
        required: bool = False,
    ) -> None:
        self.kind = kind
        self.default = default
        self.text = text
        self.choices = choices
        self.required = required


_FLAGS = {
    "gold": _Flag(
        str, None, "gold file: SQL, a tab, the database id on each line; or JSON", required=True
    ),
    "pred": _Flag(str, None, "prediction file: one SQL on each line; or JSON", required=True),
    "db": _Flag(
        str, None, "folder with one folder of .sqlite files per database id", required=True
    ),
    "table": _Flag(str, None, "tables.json; needed for --etype match and all"),
    "etype": _Flag(str, "exec", "what to judge (default: exec)", ETYPES),
    "plug_value": _Flag(None, False, "try the gold query's values in predictions"),
    "keep_distinct": _Flag(None, False, "keep DISTINCT in both queries"),
    "progress_bar_for_each_datapoint": _Flag(
        None, False, "one progress line per question instead of one bar"
    ),
    "jobs": _Flag(int, None, "worker processes (default: all cores)"),
    "max_steps": _Flag(
        int, DEFAULT_MAX_STEPS, "steps of SQLite a question may take (default: 500 million)"
    ),
    "timeout": _Flag(
        float, DEFAULT_TIMEOUT, "seconds of processor time a question may take (default: 60)"
    ),
    "max_memory": _Flag(
        int, DEFAULT_MAX_MEMORY >> 20, "megabytes a worker process may use (default: 1024)"
    ),
    "output": _Flag(
        str, None, "write scores, settings and the database fingerprint to this JSON file"
    ),
    "verdicts": _Flag(
        str, None, "write one JSON object per question to this file; as they come, to FILE.partial"
    ),
    "check": _Flag(None, False, "only report what is missing or wrong, run nothing"),
    "extra": _Flag(None, False, "also strict EX, BIRD's set EX, execution success"),
    "text": _Flag(None, False, "also text metrics (needs sqlparse, sacrebleu, rouge-score)"),
    "gold_cache": _Flag(str, "auto", "folder for gold results, 'none', or 'auto'"),
    "em": _Flag(str, "official", "parser for exact match", EM_MODES),
    "allow_gold_errors": _Flag(
        None, False, "count questions whose gold query or database fails as wrong"
    ),
}


def _parser() -> argparse.ArgumentParser:
    import argparse

    parser = argparse.ArgumentParser(
        prog="test-suite-sql-eval",
        description="Spider test-suite evaluation: execution accuracy and exact set match.",
        epilog="Exit status: 0 judged; 1 --check found something; 2 wrong input, nothing judged; "
        "3 judged, but a worker process crashed on a question; 130 stopped.",
    )
    version = f"%(prog)s {__version__} (metrics {METRICS_VERSION})"
    parser.add_argument("--version", action="version", version=version)
    for name, flag in _FLAGS.items():
        if flag.kind is None:
            parser.add_argument(f"--{name}", action="store_true", help=flag.text)
        else:
            parser.add_argument(
                f"--{name}",
                type=flag.kind,
                default=flag.default,
                help=flag.text,
                choices=flag.choices,
                required=flag.required,
            )
    return parser


class Arguments:
    """The values of the flags, as attributes."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.__dict__.update(values)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...


def parse_arguments(argv: Sequence[str]) -> Arguments:
    """Read the command line; argparse does it where a flag is not written out or is wrong.

    Loading argparse takes longer than judging a hundred questions, so plain flags are read here.
    """
    plain = _parse_plain(argv)
    return Arguments(vars(_parser().parse_args(argv)) if plain is None else plain)


def _parse_plain(argv: Sequence[str]) -> dict[str, Any] | None:
    """Read ``--flag``, ``--flag value`` and ``--flag=value``; None for anything else."""
    values = {name: flag.default for name, flag in _FLAGS.items()}
    words = iter(argv)
    for word in words:
        name, equals, value = word[2:].partition("=")
        flag = _FLAGS.get(name)
        if flag is None or word[:2] != "--" or (flag.kind is None and equals):
            return None
        if flag.kind is None:
            values[name] = True
            continue
        if not equals:
            value = next(words, "-")
            if value[:1] in ("-", ""):
                return None
        try:
            values[name] = flag.kind(value)
        except ValueError:
            return None
        if flag.choices is not None and value not in flag.choices:
            return None
    missing = any(flag.required and values[name] is None for name, flag in _FLAGS.items())
    return None if missing else values


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


def check(args: Arguments) -> list[str]:
    """Return everything that would stop or spoil the evaluation; run no query."""
    problems: list[str] = []
    try:
        questions, _ = read_questions(args.gold, args.pred)
        databases = Databases(questions, args.db)
        problems += [*databases.faults.values(), *databases.remarks]
        problems += check_tables(questions, args.table, args.etype)
    except InputError as error:
        problems.append(str(error))
    return problems + _check_outputs(args)


def _check_outputs(args: Arguments) -> list[str]:
    problems = []
    for path in (args.output, args.verdicts):
        if path and not os.access(os.path.dirname(os.path.abspath(path)), os.W_OK):
            problems.append(f"{path}: the folder does not exist or is not writable")
        elif path and os.path.isdir(path):
            problems.append(f"{path}: is a folder; name the file to write")
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
    if report.resumed:
        print(f"{report.resumed} verdicts are those of an interrupted run", file=sys.stderr)
    slow = [v for v in report.verdicts if v["error"] == "timeout"]
    for verdict in slow:
        print(
            f"question {verdict['index'] + 1}: no verdict within {report.settings.timeout:g} s and "
            f"{report.settings.max_steps:,} steps, counted as wrong: {verdict['pred'][:120]}",
            file=sys.stderr,
        )
    if report.failures:
        counts = ", ".join(f"{count} {kind}" for kind, count in report.failures.items())
        print(f"counted as wrong without a result: {counts}", file=sys.stderr)
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
        for index in report.changed_by_distinct:
            now = "right" if report.verdicts[index]["exec"] else "wrong"
            print(f"question {index + 1}: {now}, but not with --keep_distinct")
    elif report.changed_by_distinct:
        changed = report.changed_by_distinct
        named = ", ".join(str(index + 1) for index in changed[:_NAMED])
        more = f" and {len(changed) - _NAMED} more" if len(changed) > _NAMED else ""
        print(
            f"note: {len(changed)} verdicts would be others with --keep_distinct, of the questions"
            f" {named}{more}; keep_distinct_ex in --verdicts says which",
            file=sys.stderr,
        )


def run(args: Arguments) -> int:
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
        max_steps=args.max_steps,
        max_memory=args.max_memory << 20,
        gold_cache=_cache_folder(args.gold_cache),
        allow_gold_errors=args.allow_gold_errors,
    )
    if problems := _check_outputs(args):
        raise InputError("\n".join(problems))
    progress = _progress(args.progress_bar_for_each_datapoint)
    journal = args.verdicts and args.verdicts + UNFINISHED
    report = evaluate(
        args.gold, args.pred, args.db, args.table, settings, progress, journal=journal
    )
    if args.text:
        from .text_metrics import corpus_scores

        report.metrics["text"] = corpus_scores(
            [v["gold"] for v in report.verdicts], [v["pred"] for v in report.verdicts]
        )
    print(report.text())
    _print_more(report)
    if args.output or args.verdicts:
        _write_files(args, report)
    return CRASHED if errors.CRASH in report.failures else 0


def _write_files(args: Arguments, report: Report) -> None:
    import json  # here, because start-up must be quick

    if args.output:
        write_atomically(args.output, json.dumps(report.to_dict(), indent=1) + "\n")
    if args.verdicts:
        lines = [json.dumps(verdict, ensure_ascii=False) for verdict in report.verdicts]
        write_atomically(args.verdicts, "\n".join(lines) + "\n")
        os.unlink(args.verdicts + UNFINISHED)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; a user's mistake gives one clear message and exit status 2."""
    args = parse_arguments(sys.argv[1:] if argv is None else argv)
    try:
        return run(args)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        hint = "; the same command goes on from here" if args.verdicts else ""
        print(f"stopped{hint}", file=sys.stderr)
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
