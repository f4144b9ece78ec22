"""What stands behind each number of a results table: uncertainty, test, errors, cost."""

from __future__ import annotations

from typing import Any

from text2sql.report.formats import Table
from text2sql.report.record import outcomes
from text2sql.report.statistics import best_and_ties, discordant, mcnemar, standard_error

HEADER = [
    "Model",
    "All ± SE",
    "vs first",
    "p",
    "SQL errors %",
    "s / 1,000 questions",
    "tokens/s",
    "memory GB",
    "training min",
    "training GB",
]
# Only where rows have retrieval: each against the same model's row without examples.
EXAMPLES_HEADER = ["vs no examples", "p"]
EXAMPLES_PLACE = HEADER.index("p") + 1


def marks(record: dict[str, Any], level: str) -> dict[str, str]:
    """Return how to write the accuracy of the rows that are best at a level, by row name.

    Bold where one row is best beyond chance; ≈ at every row that may be the best.
    """
    rows = record["rows"]
    answered: dict[str, list[int]] = {row["name"]: outcomes(record, row, level) for row in rows}
    if len(rows) == 1 or not any(any(values) for values in answered.values()):
        return {}
    best, alone = best_and_ties(answered)
    if alone:
        return {best[0]: "**{}**"}
    return dict.fromkeys(best, "{} ≈") if len(best) < len(rows) else {}


def evidence_table(record: dict[str, Any]) -> Table:
    """Return standard error, changes with exact McNemar p, errors and cost, a line a row.

    The change is against the first row and, for rows with retrieval, also against the row of the
    same model without.
    """
    rows = record["rows"]
    answered = {row["name"]: outcomes(record, row) for row in rows}
    table = Table(list(HEADER), [_row(row, answered, rows[0]["name"]) for row in rows])
    if not any(row.get("without_examples") for row in rows):
        return table
    table.header[EXAMPLES_PLACE:EXAMPLES_PLACE] = EXAMPLES_HEADER
    for row, cells in zip(rows, table.rows, strict=True):
        cells[EXAMPLES_PLACE:EXAMPLES_PLACE] = _change(row, answered, row.get("without_examples"))
    return table


def _change(row: dict[str, Any], answered: dict[str, list[int]], base: str | None) -> list[str]:
    """Points won over another row and p, for one that has another to be compared with."""
    if base is None or base == row["name"]:
        return ["", ""]
    lost, won = discordant(answered[base], answered[row["name"]])
    points = 100 * (won - lost) / len(answered[base])
    return [f"{points:+.1f}", p_text(mcnemar(lost, won))]


def _row(row: dict[str, Any], answered: dict[str, list[int]], first: str) -> list[str]:
    own = answered[row["name"]]
    share = sum(own) / len(own)
    cost = row["cost"]
    training = cost.get("training_seconds")
    return [
        row["label"],
        f"{100 * share:.1f} ± {100 * standard_error(share, len(own)):.1f}",
        *_change(row, answered, first),
        f"{100 * (1 - row['further_metrics']['execution_success']):.1f}",
        f"{cost['seconds_per_1000_questions']:.0f}",
        "" if cost["tokens_per_second"] is None else f"{cost['tokens_per_second']:.0f}",
        f"{cost['inference_peak_memory_mb'] / 1024:.1f}",
        "" if training is None else f"{training / 60:.0f}",
        "" if training is None else f"{cost['training_peak_memory_mb'] / 1024:.1f}",
    ]


def p_text(p: float) -> str:
    """Return a p-value as tables write it."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
