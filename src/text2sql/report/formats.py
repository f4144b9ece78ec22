"""A small table of texts as Markdown, CSV and LaTeX."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass

LATEX_SPECIAL = {"&": r"\&", "%": r"\%", "#": r"\#", "_": r"\_", "≈": r"$\approx$", "±": r"$\pm$"}


@dataclass(frozen=True)
class Table:
    """Header and rows of cells; the first column is text, the others are numbers."""

    header: list[str]
    rows: list[list[str]]


def markdown_text(table: Table) -> str:
    """Return the table in Markdown, columns lined up."""
    lines = [table.header, *table.rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(table.header))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(_markdown_line(line, widths) for line in [table.header, rule, *table.rows])


def _markdown_line(cells: list[str], widths: list[int]) -> str:
    first = cells[0].ljust(widths[0])
    rest = [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
    return f"| {' | '.join([first, *rest])} |"


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
    body = "\n".join(f"    {_latex_line(row)}" for row in table.rows)
    return (
        "\\begin{table}\n  \\centering\n"
        f"  \\caption{{{_latex(caption)}}}\n"
        f"  \\begin{{tabular}}{{l{'r' * (len(table.header) - 1)}}}\n    \\toprule\n"
        f"    {_latex_line(table.header)}\n    \\midrule\n{body}\n"
        "    \\bottomrule\n  \\end{tabular}\n\\end{table}\n"
    )


def _latex_line(cells: list[str]) -> str:
    return " & ".join(_latex(cell) for cell in cells) + r" \\"


def _latex(text: str) -> str:
    escaped = "".join(LATEX_SPECIAL.get(character, character) for character in text)
    bold = re.sub(r"\*\*(.+?)\*\*", r"\\textbf{\1}", escaped)
    return re.sub(r"\*(.+?)\*", r"\\emph{\1}", bold)
