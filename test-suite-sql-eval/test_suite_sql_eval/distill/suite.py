"""Write test suites: ``<id>/<id>.sqlite`` and its variants ``<id>/<id>_<n>.sqlite``."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from ..databases import content_key
from ..errors import InputError
from .catalog import open_source, read_catalog
from .choose import Choice, Options, choose
from .golds import read_golds
from .probes import probes
from .snapshot import load_schema

#: What a suite was made from and what it achieves, beside its files.
MANIFEST = "suite.json"
#: Changes whenever the same inputs give other variants.
VERSION = 1
_PARTIAL = ".partial"


def find_sources(path: Path) -> dict[str, Path]:
    """Return the databases to make suites for, by id.

    Args:
        path: a SQLite file, a .sql script, a .json snapshot, or a folder of ``<id>/<id>.sqlite``
            (or ``.sql``).

    Raises:
        InputError: nothing there, or not a snapshot.
    """
    if path.is_file():
        name = path.stem if path.suffix != ".json" else str(load_schema(path)["db_id"])
        return {name: path}
    found: dict[str, Path] = {}
    for folder in sorted(path.iterdir()) if path.is_dir() else ():
        for suffix in (".sqlite", ".sql"):
            file = folder / (folder.name + suffix)
            if file.is_file():
                found.setdefault(folder.name, file)
    if not found:
        raise InputError(
            f"{path}: no database here; DATABASE names a SQLite file, a .sql script, a snapshot, "
            "or a folder with <id>/<id>.sqlite"
        )
    return found


def read_gold_file(path: Path, sources: dict[str, Path]) -> dict[str, list[str]]:
    """Read ``SQL<tab>db_id`` lines; with one database the id may be left out.

    Returns:
        The queries by database id, only of ids that occur.

    Raises:
        InputError: the file cannot be read or a line has no known database id.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise InputError(f"{path}: cannot read the file ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 at byte {error.start}") from error
    only = next(iter(sources)) if len(sources) == 1 else None
    found: dict[str, list[str]] = {}
    for number, line in enumerate(lines, 1):
        sql, tab, db_id = line.strip().partition("\t")
        if not sql:
            continue
        if not tab and only is None:
            raise InputError(f"{path}:{number}: no database id; write SQL, one tab and the id")
        if only is None and db_id not in sources:
            raise InputError(f"{path}:{number}: no database for the id {db_id!r}")
        if not tab or db_id in sources:
            found.setdefault(db_id or str(only), []).append(sql)
    if not found:
        raise InputError(f"{path}: no gold query for {', '.join(sources)}")
    return found


def make_suites(
    database: Path,
    gold: Path | None,
    output: Path,
    options: Options | None = None,
    schema_only: bool = False,
    jobs: int = 1,
    progress: Callable[[int, int, str], None] = lambda _done, _total, _text: None,
) -> dict[str, dict[str, Any]]:
    """Make the test suite of every database that gold queries name (all of them without a file).

    Suites that are there already and were made from the same inputs are left alone, so a run that
    was stopped goes on where it was.

    Args:
        database: SQLite file, .sql script, .json snapshot, or folder of ``<id>/<id>.sqlite``.
        gold: gold queries, or None: plain queries on every column stand in for them.
        output: folder to write to.
        options: seed and sizes.
        schema_only: use no row of the database; the original is left out of the suite.
        jobs: databases worked on side by side.
        progress: called with (databases done, databases in all, what was done).

    Returns:
        The manifest of each suite, by id.

    Raises:
        InputError: an input is missing or wrong.
    """
    sources = find_sources(database)
    queries = read_gold_file(gold, sources) if gold is not None else dict.fromkeys(sources)
    options = options or Options()
    for db_id in queries:
        if _is_within(output / db_id, sources[db_id].parent):
            raise InputError(f"{output}: the output folder must not be the database's own folder")
    tasks = [
        (db_id, sources[db_id], queries[db_id], output, options, schema_only) for db_id in queries
    ]
    manifests: dict[str, dict[str, Any]] = {}

    def chosen(db_id: str, variants: int) -> None:
        progress(len(manifests), len(tasks), f"{db_id}, {variants} variants")

    for db_id, manifest in _run(tasks, jobs, chosen):
        manifests[db_id] = manifest
        progress(len(manifests), len(tasks), db_id)
    return dict(sorted(manifests.items()))


_Task = tuple[str, Path, list[str] | None, Path, Options, bool]


def _run(
    tasks: Sequence[_Task], jobs: int, chosen: Callable[[str, int], None]
) -> Iterator[tuple[str, dict[str, Any]]]:
    if jobs == 1 or len(tasks) == 1:
        for task in tasks:
            yield task[0], make_suite(*task, partial(chosen, task[0]))
        return
    # Long work first: many gold queries take long.
    ordered = sorted(tasks, key=lambda task: -len(task[2] or ()))
    # Ctrl-C is for this process; the workers end with the suite they are at.
    quiet = (signal.SIGINT, signal.SIG_IGN)
    with ProcessPoolExecutor(jobs, initializer=signal.signal, initargs=quiet) as pool:
        futures = {pool.submit(make_suite, *task): task[0] for task in ordered}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def make_suite(
    db_id: str,
    source: Path,
    queries: list[str] | None,
    output: Path,
    options: Options,
    schema_only: bool = False,
    chosen: Callable[[int], None] = lambda _variants: None,
) -> dict[str, Any]:
    """Make one suite, unless it is there already; return its manifest.

    Args:
        db_id: name of the suite.
        source: SQLite file, .sql script or .json snapshot.
        queries: gold queries, or None.
        output: folder of all suites.
        options: seed and sizes.
        schema_only: use no row of the database.
        chosen: called with the number of variants chosen so far.

    Raises:
        InputError: the database cannot be read.
    """
    folder = output / db_id
    inputs = {
        "version": VERSION,
        "sqlite": sqlite3.sqlite_version,
        "database": content_key(str(source)).hex(),
        "gold": hashlib.sha256("\n".join(queries or ()).encode()).hexdigest(),
        "options": asdict(options),
        "schema_only": schema_only,
    }
    made = _manifest(folder)
    if made is not None and made["inputs"] == inputs:
        return made
    catalog = read_catalog(source, with_rows=not schema_only)
    golds = read_golds(queries if queries is not None else probes(catalog), catalog)
    choice = choose(catalog, golds, options, chosen)
    manifest = {"inputs": inputs, **_figures(choice, len(golds))}
    no_original = schema_only or source.suffix == ".json"
    _write(folder, db_id, None if no_original else source, choice.files, manifest)
    return manifest


def _figures(choice: Choice, golds: int) -> dict[str, Any]:
    return {
        "variants": len(choice.files),
        "gold_queries": golds,
        "neighbours": choice.neighbours,
        "told_apart": choice.curve,
        "gold_without_rows": choice.without_rows,
        "gold_failing": choice.failing,
        "gold_unparsed": choice.unparsed,
    }


def _manifest(folder: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found


def _write(
    folder: Path, db_id: str, source: Path | None, files: Iterable[bytes], manifest: dict[str, Any]
) -> None:
    """Write a suite's folder whole or not at all."""
    unfinished = folder.with_name(folder.name + _PARTIAL)
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    contents = list(files)
    if source is None:
        if not contents:
            raise InputError(f"{db_id}: no variant can be made: its constraints exclude each other")
        contents, first = contents[1:], contents[0]
        (unfinished / f"{db_id}.sqlite").write_bytes(first)
    elif source.suffix == ".sql":
        with contextlib.closing(open_source(source)) as connection:
            (unfinished / f"{db_id}.sqlite").write_bytes(connection.serialize())
    else:
        shutil.copyfile(source, unfinished / f"{db_id}.sqlite")
    for number, content in enumerate(contents, 1):
        (unfinished / f"{db_id}_{number}.sqlite").write_bytes(content)
    text = json.dumps(manifest, indent=1, ensure_ascii=False) + "\n"
    (unfinished / MANIFEST).write_text(text, encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(unfinished, folder)


def _is_within(path: Path, folder: Path) -> bool:
    return path.resolve() == folder.resolve()
