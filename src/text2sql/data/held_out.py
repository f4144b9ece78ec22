"""Databases of the training data that are evaluated on, so that a recipe is not chosen on dev."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence

from text2sql.data.config import DataConfig, resolve
from text2sql.data.rows import Row, read_rows
from text2sql.errors import UserError


def held_out_databases(config: DataConfig) -> frozenset[str]:
    """Return the databases that a config holds out of training; none where it holds out none.

    Raises:
        UserError: its evaluation file has no more databases than that.
    """
    if config.held_out is None:
        return frozenset()
    path, wanted = resolve(config.evaluation), config.held_out.databases
    rows = read_rows(path, config.fields, parse_sql=False)
    there = sorted({row.db_id for row in rows if isinstance(row, Row)})
    if wanted >= len(there):
        raise UserError(
            f"held_out.databases is {wanted}, and {path} has {len(there)}: nothing would be left to"
            " train on"
        )
    return frozenset(random.Random(config.seed).sample(there, wanted))


def held_out_rows(config: DataConfig, rows: Sequence[Row]) -> list[Row]:
    """Return, of the rows of an evaluation file, those of the databases held out, in their order.

    Args:
        config: one that holds out databases; at most so many questions of each as it says are
            drawn, by its seed.
        rows: of its evaluation file.
    """
    assert config.held_out is not None
    held, most = held_out_databases(config), config.held_out.questions
    of_database: dict[str, list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        if row.db_id in held:
            of_database[row.db_id].append(number)
    draw = random.Random(config.seed)
    chosen: set[int] = set()
    for _, numbers in sorted(of_database.items()):
        chosen.update(numbers if most is None else draw.sample(numbers, min(most, len(numbers))))
    return [row for number, row in enumerate(rows) if number in chosen]
