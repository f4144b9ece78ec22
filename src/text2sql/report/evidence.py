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
    """Return standard error, change against the first row with exact McNemar p, errors and cost."""
    base = outcomes(record, record["rows"][0])
    return Table(
        HEADER, [_row(record, row, base, number) for number, row in enumerate(record["rows"])]
    )


def _row(record: dict[str, Any], row: dict[str, Any], base: list[int], number: int) -> list[str]:
    own = outcomes(record, row)
    share = sum(own) / len(own)
    change, p = "", ""
    if number:
        lost, won = discordant(base, own)
        change = f"{100 * (won - lost) / len(own):+.1f}"
        p = p_text(mcnemar(lost, won))
    cost = row["cost"]
    training = cost.get("training_seconds")
    return [
        row["label"],
        f"{100 * share:.1f} ± {100 * standard_error(share, len(own)):.1f}",
        change,
        p,
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
