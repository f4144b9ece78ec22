"""The figures stage: execution accuracy by difficulty as grouped bars."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from text2sql.report.record import LEVEL_TITLES, LEVELS, load_record
from text2sql.report.table import RECORD

if TYPE_CHECKING:
    from text2sql.worker import Job

CHART = "execution_accuracy.png"
# Okabe and Ito's colours, told apart by colour-blind readers; hatches tell them apart in print.
COLOURS = ("#999999", "#56B4E9", "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#F0E442")
HATCHES = ("", "//", "", "..", "\\\\", "xx", "--", "oo")


def run(job: Job) -> dict[str, Any]:
    """Draw the chart of the run's record."""
    record = load_record(job.inputs["table"] / RECORD)
    draw_chart(record, job.output / CHART)
    return {}


def draw_chart(record: dict[str, Any], path: Path) -> None:
    """Draw one group of bars a difficulty level, one bar a row, its value on top.

    Args:
        record: a run's record.
        path: PNG file to write.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    rows = record["rows"]
    width = 0.8 / len(rows)
    figure, axes = plt.subplots(figsize=(max(7.0, 1.2 + 1.1 * len(rows) * 1.6), 4.2), dpi=160)
    for number, row in enumerate(rows):
        values = [row["accuracy"][level] for level in LEVELS]
        places = [group + (number - (len(rows) - 1) / 2) * width for group in range(len(LEVELS))]
        style = number % len(COLOURS)
        bars = axes.bar(
            places,
            values,
            width,
            label=row["label"],
            color=COLOURS[style],
            hatch=HATCHES[style],
            edgecolor="white",
            linewidth=0.5,
        )
        axes.bar_label(bars, fmt="%.1f", fontsize=7, padding=1)
    counts = rows[0]["questions"]
    names = [f"{t}\n(n={counts[k]})" for t, k in zip(LEVEL_TITLES, LEVELS, strict=True)]
    axes.set_xticks(range(len(LEVELS)), names)
    top = max(max(row["accuracy"].values()) for row in rows)
    axes.set_ylim(0, min(112, max(10, top * 1.15)))
    axes.set_ylabel(f"{record['metric']['name'].capitalize()} (%)")
    axes.set_title(f"{record['title']}, {record['dataset']}", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)
