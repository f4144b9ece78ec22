"""When does a result count as right in Spider 2.0? Needs pandas, as its own program does.

A gold result names the columns that count (condition columns; all, where none are named). Each of
them must be some column of the prediction, whatever its name and place; further columns do no harm.
Where the order is to be ignored the values of a column are sorted first. Numbers may differ by a
hundredth, and nothing counts as 0. Of several gold results one has to fit.

Source: Lei et al., Spider 2.0 (arXiv 2411.07763), released evaluation suite.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

TOLERANCE = 1e-2
CHUNK = 500  # rows; each part of a result gets its own types before it is written, as there


def as_read_from_csv(rows: Sequence[Sequence[Any]], names: Sequence[str]) -> pd.DataFrame:
    """Return a result as Spider 2.0 compares it: written to CSV and read again.

    Raises:
        pandas.errors.EmptyDataError: it has no columns.
    """
    text = io.StringIO()
    for start in range(0, max(len(rows), 1), CHUNK):
        part = pd.DataFrame.from_records(list(rows[start : start + CHUNK]), columns=list(names))
        part.to_csv(text, header=not start, index=False)
    text.seek(0)
    return pd.read_csv(text)


def matches(
    pred: pd.DataFrame,
    golds: Sequence[pd.DataFrame],
    columns: Any,
    ignore_order: bool,
    single: bool,
) -> bool:
    """Return whether a result is one of the gold results.

    Args:
        pred: the prediction's.
        golds: the gold results.
        columns: condition columns as the standard gives them: numbers for all gold results alike,
            or a list of numbers for each.
        ignore_order: whether the order of rows does not count.
        single: whether the gold result is in a file of the instance's own name. One in a file with
            a letter behind it takes the first of several numbers alone, as in Spider 2.0's program.

    Raises:
        IndexError: a column that a gold result does not have, or fewer lists than gold results.
    """
    if single:
        return _matches_one(pred, golds[0], columns, ignore_order)
    if columns in (None, [], [[]], [None]):
        chosen: Sequence[Any] = [[]] * len(golds)
    elif len(golds) > 1 and not all(isinstance(each, list) for each in columns):
        chosen = [columns] * len(golds)
    else:
        chosen = columns
    return any(
        _matches_one(pred, gold, chosen[number], ignore_order) for number, gold in enumerate(golds)
    )


def _matches_one(pred: pd.DataFrame, gold: pd.DataFrame, columns: Any, ignore_order: bool) -> bool:
    if columns:
        gold = gold.iloc[:, columns if isinstance(columns, list) else [columns]]
    found = [_ordered(column, ignore_order) for column in _columns(pred)]
    return all(
        any(_same(_ordered(column, ignore_order), other) for other in found)
        for column in _columns(gold)
    )


def _columns(table: pd.DataFrame) -> list[list[Any]]:
    values = table.transpose().to_numpy().tolist()
    return [[0 if pd.isna(value) else value for value in column] for column in values]


def _ordered(column: list[Any], ignore_order: bool) -> list[Any]:
    if not ignore_order:
        return column
    return sorted(column, key=lambda value: (str(value), isinstance(value, int | float)))


def _same(one: Iterable[Any], other: Sequence[Any]) -> bool:
    values = list(one)
    return len(values) == len(other) and all(map(_equal, values, other))


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, int | float) and isinstance(other, int | float):
        return math.isclose(float(one), float(other), abs_tol=TOLERANCE)
    return bool(one == other)
