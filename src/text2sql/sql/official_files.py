"""Gold and predictions as the official evaluators read them, one query a line.

Such a file cannot hold every query: a tab ends the SQL, a line end the line, wherever it stands.
Between our own stages queries travel as JSON Lines.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from text2sql.files import write_text

# What some reader of such files takes for the end of a line or of a field.
ENDS = re.compile("[\t\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")


def write_gold(path: Path, pairs: Sequence[tuple[str, str]]) -> str | None:
    """Write a line ``SQL<tab>database id`` for each pair of them; see `_write`."""
    return _write(path, [f"{sql}\t{db_id}" for sql, db_id in pairs], [sql for sql, _ in pairs])


def write_predictions(path: Path, queries: Sequence[str]) -> str | None:
    """Write a line of SQL for each query; see `_write`."""
    return _write(path, queries, queries)


def _write(path: Path, lines: Sequence[str], queries: Sequence[str]) -> str | None:
    """Write a file, or none where it cannot hold the queries.

    Returns:
        None; the reason, in one line, where there is no file.
    """
    for number, sql in enumerate(queries, start=1):
        end = ENDS.search(sql)
        if end or not sql.strip():
            path.unlink(missing_ok=True)
            holds = f"holds {end.group()!r} within quotes" if end else "is empty"
            return f"{path.name} is not written: query {number} {holds}"
    write_text(path, "".join(f"{line}\n" for line in lines))
    return None
