"""Build the sample databases from the SQL that the repository carries."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from text2sql.errors import UserError
from text2sql.files import sha256_file
from text2sql.paths import build_root, repository_root


def ensure_sample_databases(source: Path | None = None, output: Path | None = None) -> Path:
    """Build ``<output>/<id>/<id>.sqlite`` from each ``<source>/<id>/<id>.sql`` that changed.

    Args:
        source: folder of .sql files; by default ``data/sample/database``.
        output: folder for the databases; by default ``build/data/sample_databases``.

    Returns:
        The output folder.

    Raises:
        UserError: no .sql file there, or one that SQLite does not run.
    """
    source = source or repository_root() / "data" / "sample" / "database"
    output = output or build_root() / "data" / "sample_databases"
    scripts = sorted(source.glob("*/*.sql"))
    if not scripts:
        raise UserError(f"{source}: no <id>/<id>.sql file to build databases from")
    for script in scripts:
        _build(script, output / script.parent.name / f"{script.stem}.sqlite")
    return output


def _build(script: Path, database: Path) -> None:
    # Not "<id>.sqlite...": evaluators take every such file for a variant of the database.
    stamp = database.with_name(f"{script.stem}.sha256")
    wanted = sha256_file(script)
    if database.is_file() and stamp.is_file() and stamp.read_text() == wanted:
        return
    database.parent.mkdir(parents=True, exist_ok=True)
    partial = database.with_name(f"{database.name}.{os.getpid()}.partial")
    try:
        with closing(sqlite3.connect(partial)) as connection:
            connection.executescript(script.read_text(encoding="utf-8"))
            connection.commit()
    except (sqlite3.Error, UnicodeDecodeError) as error:
        partial.unlink(missing_ok=True)
        raise UserError(f"{script}: SQLite cannot run this script: {error}") from None
    partial.replace(database)
    stamp.write_text(wanted)
