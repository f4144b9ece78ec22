"""A small table of texts as Markdown, CSV and LaTeX."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from tabulate import tabulate

# What is left of Markdown and signs in a table that tabulate escaped for LaTeX.
LATEX_MARKS = (
    (r"\*\*(.+?)\*\*", r"\\textbf{\1}"),
    (r"\*(.+?)\*", r"\\emph{\1}"),
    ("≈", r"$\\approx$"),
    ("±", r"$\\pm$"),
)


@dataclass(frozen=True)
class Table:
    """Header and rows of cells; the first column is text, the others are numbers."""

    header: list[str]
    rows: list[list[str]]

    @classmethod
    def of(cls, columns: Mapping[str, str], records: Iterable[Mapping[str, Any]]) -> Self:
        """Return a table of records: for each heading the format string of its cells."""
        rows = [[cell.format_map(record) for cell in columns.values()] for record in records]
        return cls(list(columns), rows)


def markdown_text(table: Table) -> str:
    """Return the table in Markdown, columns lined up."""
    return _tabulated(table, "pipe")


def csv_text(table: Table) -> str:
    """Return the table as CSV, without the marks that only a reader needs."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerows(
        [re.sub(r"[*≈]", "", cell) for cell in row] for row in [table.header, *table.rows]
    )
    return stream.getvalue()


def latex_text(table: Table, caption: str) -> str:
    """Return the table as a LaTeX `table` that needs the package booktabs."""
    body = _tabulated(table, "latex_booktabs")
    for mark, latex in LATEX_MARKS:
        body = re.sub(mark, latex, body)
    escaped = re.sub(r"([&%#_])", r"\\\1", caption)
    return f"\\begin{{table}}\n\\centering\n\\caption{{{escaped}}}\n{body}\n\\end{{table}}\n"


def _tabulated(table: Table, form: str) -> str:
    alignment = ["left", *["right"] * (len(table.header) - 1)]
    return tabulate(table.rows, table.header, form, disable_numparse=True, colalign=alignment)
