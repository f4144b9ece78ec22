"""The statistics as a page: tables in Markdown, charts in PNG."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from text2sql.data.statistics import KEYWORDS, QUANTILES, SHOWN_LEVELS, UNKNOWN, Statistics
from text2sql.files import atomic_open

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = ("#0072B2", "#E69F00")  # Okabe and Ito's: told apart by colour-blind readers
CUTOFF_COLOUR = "#D55E00"


def markdown(sets: Sequence[Statistics], cutoff: int, template: str, tokenizer: str | None) -> str:
    """Return the page's text.

    Args:
        sets: statistics of training and evaluation.
        cutoff: LLaMA-Factory's cutoff_len.
        template: template that was counted in.
        tokenizer: folder of the tokenizer, or None where lengths are estimates.
    """
    unit = (
        f"tokens of `{Path(tokenizer).name}`"
        if tokenizer
        else "**estimated** tokens (three characters each; `--tokenizer` counts exactly)"
    )
    lines = ["# Dataset", ""]
    for found in sets:
        total, cut = len(found.lengths), found.cut(cutoff)
        lines.append(
            f"- {found.name}: {total} rows; {cut} ({cut / total:.1%}) are longer than"
            f" cutoff_len {cutoff}" + (" and are cut." if found.name == "training" else ".")
        )
    lines += ["", f"Length of prompt (template `{template}`) and SQL, in {unit}:", ""]
    lines += [
        "| set | mean | " + " | ".join(f"{q:.0%}" for q in QUANTILES) + " |",
        "|---" * (len(QUANTILES) + 2) + "|",
        *(f"| {s.name} | {_lengths(s.lengths)} |" for s in sets),
    ]
    lines += _table("hardness (Spider's)", SHOWN_LEVELS, sets, lambda s, k: s.hardness[k])
    lines += _table("keyword", KEYWORDS, sets, lambda s, k: s.keywords[k])
    lines += _table("tables in the query", table_counts(sets), sets, lambda s, k: s.tables[k])
    return "\n".join(lines) + "\n"


def table_counts(sets: Sequence[Statistics]) -> list[int | str]:
    """Return the numbers of tables that occur, rising, ``not parsed`` last."""
    found = {number for s in sets for number in s.tables}
    return sorted(found, key=lambda number: (number == UNKNOWN, number))


def _lengths(lengths: list[int]) -> str:
    ordered, total = sorted(lengths), len(lengths)
    shown = [ordered[min(int(q * total), total - 1)] for q in QUANTILES]
    return " | ".join(map(str, [round(sum(lengths) / total), *shown]))


def _table(
    title: str,
    keys: Sequence[Any],
    sets: Sequence[Statistics],
    count: Callable[[Statistics, Any], int],
) -> list[str]:
    lines = ["", f"| {title} | " + " | ".join(f"{s.name} | share" for s in sets) + " |"]
    lines.append("|---" * (2 * len(sets) + 1) + "|")
    for key in keys:
        cells = [f"{count(s, key)} | {s.share(count(s, key)):.1%}" for s in sets]
        lines.append(f"| {key} | {' | '.join(cells)} |")
    return lines


def plot(sets: Sequence[Statistics], cutoff: int, estimated: bool, path: Path) -> None:
    """Write the charts: lengths, hardness, tables a query, keywords."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, 2, figsize=(10, 7), layout="constrained")
    _plot_lengths(axes[0, 0], sets, cutoff, estimated)
    hard = [level for level in SHOWN_LEVELS if any(s.hardness[level] for s in sets)]
    _bars(axes[0, 1], "hardness", hard, sets, lambda s, k: s.hardness[k])
    numbers = table_counts(sets)
    _bars(axes[1, 0], "tables in the query", numbers, sets, lambda s, k: s.tables[k])
    _bars(axes[1, 1], "keywords", KEYWORDS, sets, lambda s, k: s.keywords[k])
    axes[1, 1].tick_params(axis="x", rotation=60)
    axes[0, 1].legend(frameon=False)
    for panel in axes.flat:
        panel.spines[["top", "right"]].set_visible(False)
    with atomic_open(path, "wb") as stream:
        figure.savefig(stream, format="png", dpi=120)
    pyplot.close(figure)


def _plot_lengths(panel: Axes, sets: Sequence[Statistics], cutoff: int, estimated: bool) -> None:
    low = min(min(s.lengths) for s in sets)
    high = max(max(s.lengths) for s in sets)
    edges = [low + (high - low + 1) * i / 40 for i in range(41)]
    for found, colour in zip(sets, COLOURS, strict=False):
        weights = [100 / len(found.lengths)] * len(found.lengths)
        panel.hist(
            found.lengths, edges, weights=weights, histtype="step", color=colour, label=found.name
        )
    if cutoff <= 1.5 * high:  # a line far off would squeeze the rest
        panel.axvline(cutoff, color=CUTOFF_COLOUR, linestyle="--")
    panel.set_title(f"length (cutoff_len {cutoff})")
    panel.set_xlabel("tokens, estimated" if estimated else "tokens")
    panel.set_ylabel("% of rows")


def _bars(
    panel: Axes,
    title: str,
    keys: Sequence[Any],
    sets: Sequence[Statistics],
    count: Callable[[Statistics, Any], int],
) -> None:
    width = 0.8 / len(sets)
    for number, (found, colour) in enumerate(zip(sets, COLOURS, strict=False)):
        places = [i + (number - (len(sets) - 1) / 2) * width for i in range(len(keys))]
        heights = [100 * found.share(count(found, key)) for key in keys]
        panel.bar(places, heights, width, color=colour, label=found.name)
    panel.set_xticks(range(len(keys)), [str(key) for key in keys])
    panel.set_title(title)
    panel.set_ylabel("% of rows")
