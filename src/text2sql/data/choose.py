"""Which rows of a data set's training sources a model learns from, in which order."""

from __future__ import annotations

import json
import random
import sys
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, astuple
from pathlib import Path
from typing import IO

from tqdm import tqdm

from text2sql.data.config import DataConfig
from text2sql.data.decontaminate import Decontaminator
from text2sql.data.rows import Reject, Row
from text2sql.errors import UserError

SPOOL = "rows.spool.partial"


class RejectFile:
    """Writes what is left out, counts it, and stops the run when it is too much."""

    def __init__(self, stream: IO[str], limit: int | None) -> None:
        self._stream, self._limit = stream, limit
        self.rows = 0
        self.last = ""
        self.reasons: Counter[str] = Counter()

    def add(self, reject: Reject) -> None:
        """Record a bad row; raise UserError when there are more than allowed."""
        self.rows += 1
        self.reasons[reject.reason.split(":")[0]] += 1
        self.note(reject)
        if self._limit is not None and self.rows > self._limit:
            raise UserError(
                f"{reject.place}: {reject.reason}; this is reject {self.rows}, and"
                f" max_rejects is {self._limit}"
            )

    def note(self, reject: Reject) -> None:
        """Write a row that is left out for another reason than being bad."""
        self.last = f"{reject.place}: {reject.reason}"
        record = {"place": reject.place, **asdict(reject)}
        self._stream.write(json.dumps(record, ensure_ascii=False, default=str) + "\n")


@contextmanager
def chosen_rows(
    config: DataConfig,
    rows: Iterable[Row | Reject],
    schema_of: Callable[[str], object],
    judge: Decontaminator,
    rejects: RejectFile,
    folder: Path,
    limit: int | None = None,
) -> Iterator[Iterator[Row]]:
    """Give, for a ``with`` block, the rows to learn from: shuffled, and no more than wanted.

    They wait in a file, so that memory stays at 8 bytes a row.

    Args:
        config: the data set; its seed and ``max_train_rows`` count.
        rows: of its training sources.
        schema_of: raises UserError for a database that is not there.
        judge: says which rows give an evaluation question away.
        rejects: is told of the rows left out.
        folder: for the file; it is removed with the block.
        limit: at most so many rows.

    Raises:
        UserError: no row is left, or more were rejected than allowed.
    """
    path = folder / SPOOL
    starts = _spool(rows, schema_of, judge, rejects, path)
    if not starts:
        raise UserError(
            f"no training row is left: {rejects.rows} rejected, {judge.removed} removed as"
            f" leaks; the last: {rejects.last}"
        )
    random.Random(config.seed).shuffle(starts)
    count = min(filter(None, (config.max_train_rows, limit, len(starts))))
    with path.open("rb") as spool:
        yield _read(spool, starts[:count])
    path.unlink()


def _spool(
    rows: Iterable[Row | Reject],
    schema_of: Callable[[str], object],
    judge: Decontaminator,
    rejects: RejectFile,
    path: Path,
) -> array[int]:
    """Write the rows that may be learnt from to a file; return where each starts.

    Prompts are not made yet: of many rows few may be chosen.
    """
    starts = array("Q")
    position = 0
    with path.open("wb") as stream:
        for row in tqdm(rows, desc="training rows", unit="row", file=sys.stderr, mininterval=1.0):
            if isinstance(row, Reject):
                rejects.add(row)
                continue
            try:
                if not (row.prompt or row.schema):
                    schema_of(row.db_id)
            except UserError as error:
                rejects.add(Reject(row.source, row.number, f"no schema: {error}", row.question))
                continue
            leak = judge.check(row)
            if leak:
                rejects.note(Reject(row.source, row.number, f"leak: {leak}", row.question))
                continue
            starts.append(position)
            position += stream.write(json.dumps(astuple(row)).encode() + b"\n")
    return starts


def _read(spool: IO[bytes], starts: array[int]) -> Iterator[Row]:
    for start in tqdm(starts, desc="prompts", unit="row", file=sys.stderr, mininterval=1.0):
        spool.seek(start)
        yield Row(*json.loads(spool.readline()))
