"""The table of text metrics."""

from __future__ import annotations

from typing import Any

from text2sql.report.formats import Table, markdown_text

METRICS = ("BLEU-4", "ROUGE-1", "ROUGE-2", "ROUGE-L")


def text_table(rows: list[dict[str, Any]]) -> str:
    """Return text metrics (per cent) as Markdown, a line a row of the results table."""
    cells = [[row["label"], *(f"{row[name]:.1f}" for name in METRICS)] for row in rows]
    return markdown_text(Table(["Model", *METRICS], cells)) + "\n"
