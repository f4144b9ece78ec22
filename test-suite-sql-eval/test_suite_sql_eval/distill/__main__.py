"""``python -m test_suite_sql_eval.distill``: make test suites from the command line."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ..errors import InputError
from ..settings import default_jobs


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m test_suite_sql_eval.distill",
        description="Make test suites: variant databases that tell wrong SQL from right SQL.",
    )
    parser.add_argument(
        "--db",
        required=True,
        type=Path,
        help="SQLite file, .sql script, .json snapshot, or folder with <id>/<id>.sqlite",
    )
    parser.add_argument("--gold", type=Path, help="gold queries, SQL<tab>db_id a line")
    parser.add_argument("--output", required=True, type=Path, help="folder to write the suites to")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--max_variants", type=int, help="variants beside the original")
    parser.add_argument("--max_rows", type=int, help="rows a table of a variant has at most")
    parser.add_argument(
        "--any_null",
        action="store_true",
        help="NULL wherever the schema allows it, not only where the database has it",
    )
    parser.add_argument("--schema_only", action="store_true", help="use no row of the database")
    parser.add_argument("--jobs", type=int, default=default_jobs(), help="worker processes")
    return parser


def _bar() -> Callable[[int, int, str], None]:
    """Return what shows progress on stderr: a line that renews itself, or a line a database."""
    start = time.monotonic()
    shown = 0

    def show(done: int, total: int, text: str) -> None:
        nonlocal shown
        line = f"{done}/{total} databases, {time.monotonic() - start:.0f} s: {text}"
        if sys.stderr.isatty():
            print(f"\r{line:<76}", end="\n" if done == total else "", file=sys.stderr, flush=True)
        elif done > shown:
            print(line, file=sys.stderr, flush=True)
        shown = done

    return show


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; a user's mistake gives one clear message and exit status 2."""
    arguments = _parser().parse_args(argv)
    try:
        return run(arguments)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        where = error.filename or arguments.output
        print(f"error: {where}: cannot be written ({error.strerror})", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        return 130


def run(arguments: argparse.Namespace) -> int:
    """Make the suites and print what they achieve."""
    try:
        from .choose import Options
        from .suite import make_suites
    except ModuleNotFoundError as error:
        if error.name != "sqlglot":
            raise
        raise InputError("test suites need sqlglot: pip install sqlglot") from None
    given = {
        name: value
        for name in ("seed", "max_variants", "max_rows")
        if (value := getattr(arguments, name)) is not None
    }
    if any(given.get(name, 1) < 1 for name in ("max_variants", "max_rows")) or arguments.jobs < 1:
        raise InputError("--max_variants, --max_rows and --jobs must be at least 1")
    manifests = make_suites(
        arguments.db,
        arguments.gold,
        arguments.output,
        Options(**given, any_null=arguments.any_null),
        arguments.schema_only,
        arguments.jobs,
        _bar(),
    )
    for db_id, manifest in manifests.items():
        told = manifest["told_apart"][-1] if manifest["told_apart"] else 0
        print(
            f"{db_id}: {manifest['variants']} variants tell {told} of {manifest['neighbours']}"
            f" neighbours of {manifest['gold_queries']} queries apart"
        )
        for sql, message in manifest["gold_failing"].items():
            print(f"warning: {db_id}: this gold query fails ({message}): {sql}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
