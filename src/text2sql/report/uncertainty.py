"""What stands behind each number of a results table: uncertainty, test, errors, cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import comb, sqrt
from typing import Any

from text2sql.report.formats import Table
from text2sql.report.record import outcomes

SIGNIFICANCE = 0.05
# Headings of the evidence table, with what writes the cell of a row of the record.
MEASURED: dict[str, Callable[[dict[str, Any]], str]] = {
    "SQL errors %": lambda row: f"{100 * (1 - row['further_metrics']['execution_success']):.1f}",
    "s / 1,000 questions": lambda row: _cost(row, "seconds_per_1000_questions", 1, 0),
    "tokens/s": lambda row: _cost(row, "tokens_per_second", 1, 0),
    "memory GB": lambda row: _cost(row, "inference_peak_memory_mb", 1024, 1),
    "training min": lambda row: _cost(row, "training_seconds", 60, 0),
    "training GB": lambda row: _cost(row, "training_peak_memory_mb", 1024, 1),
}


# BIRD's other metrics, shown of data sets that are judged by them.
BIRD_MEASURED = {"Soft-F1 %": "soft_f1", "R-VES": "r_ves"}


def standard_error(share: float, questions: int) -> float:
    """Return the standard error of a share of so many independent questions (binomial)."""
    return sqrt(share * (1 - share) / questions) if questions else 0.0


def discordant(first: Sequence[int], second: Sequence[int]) -> tuple[int, int]:
    """Return how many questions only `first` has right, and how many only `second`.

    Args:
        first: 1 or 0 for each question.
        second: the same for the same questions.

    Raises:
        ValueError: different lengths.
    """
    pairs = list(zip(first, second, strict=True))
    return sum(a > b for a, b in pairs), sum(b > a for a, b in pairs)


def mcnemar(only_first: int, only_second: int) -> float:
    """Return the two-sided exact p-value of McNemar's test (1947).

    Under the null hypothesis each question that one of the two has right and the other wrong falls
    to either with the same probability, so the smaller count is binomial.

    Args:
        only_first: questions that only the first has right.
        only_second: questions that only the second has right.
    """
    total = only_first + only_second
    tail = sum(comb(total, k) for k in range(min(only_first, only_second) + 1))
    return min(1.0, 2 * tail / 2**total)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for being several (Holm 1979), in the order given."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    corrected = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = largest
    return corrected


def best_and_ties(outcomes: Mapping[str, Sequence[int]]) -> tuple[list[str], bool]:
    """Return the rows that may be called best, and whether one is best beyond chance.

    Args:
        outcomes: 1 or 0 for each question, by row; the same questions for all rows.

    Returns:
        The row with most right answers together with every row that is not significantly worse
        (exact McNemar, Holm over the comparisons), and whether that is a single row among several.
    """
    best = max(outcomes, key=lambda name: sum(outcomes[name]))
    others = [name for name in outcomes if name != best]
    raw = [mcnemar(*discordant(outcomes[best], outcomes[name])) for name in others]
    ties = [name for name, p in zip(others, holm(raw), strict=True) if p >= SIGNIFICANCE]
    return [best, *ties], bool(others) and not ties


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
    with_retrieval = any(row.get("without_examples") for row in rows)
    header = ["Model", "All ± SE", "vs first", "p"]
    header += ["vs no examples", "p"] if with_retrieval else []
    metrics = {h: m for h, m in BIRD_MEASURED.items() if m in rows[0]["further_metrics"]}
    cells = []
    for row in rows:
        own = answered[row["name"]]
        share = sum(own) / len(own)
        error = standard_error(share, len(own))
        against = [rows[0]["name"], *([row.get("without_examples")] if with_retrieval else [])]
        cells.append(
            [
                row["label"],
                f"{100 * share:.1f} ± {100 * error:.1f}",
                *(cell for base in against for cell in _change(row, answered, base)),
                *(f"{100 * row['further_metrics'][metric]:.1f}" for metric in metrics.values()),
                *(cell(row) for cell in MEASURED.values()),
            ]
        )
    return Table([*header, *metrics, *MEASURED], cells)


def _change(row: dict[str, Any], answered: dict[str, list[int]], base: str | None) -> list[str]:
    """Points won over another row and p, for one that has another to be compared with."""
    if base is None or base == row["name"]:
        return ["", ""]
    lost, won = discordant(answered[base], answered[row["name"]])
    points = 100 * (won - lost) / len(answered[base])
    return [f"{points:+.1f}", p_text(mcnemar(lost, won))]


def _cost(row: dict[str, Any], name: str, unit: float, digits: int) -> str:
    """A cost in a unit; nothing where it was not measured, such as the training of a base model."""
    value = row["cost"].get(name)
    return "" if value is None else f"{value / unit:.{digits}f}"


def p_text(p: float) -> str:
    """Return a p-value as tables write it."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def chance(reference: str, outcomes: str) -> str:
    """Return, as text, the p-value of the difference between two rows' outcomes (McNemar)."""
    return p_text(mcnemar(*discordant([*map(int, reference)], [*map(int, outcomes)])))
