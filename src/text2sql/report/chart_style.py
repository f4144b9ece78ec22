"""The look of all charts: size, type, and the colour and hatch that a row keeps throughout.

Charts stand 800 pixels wide on pages that are white or dark, so they have a white ground of their
own and type that can be read at that size. Colours are Okabe and Ito's, which colour-blind readers
tell apart; hatches tell them apart in grey.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

WIDTH = 8.0  # inches
DPI = 160
TYPE: Any = {"font.size": 9, "axes.titlesize": 10, "hatch.linewidth": 0.8}
# Colour and hatch of a row by what it is; the longest name that a row's name begins with counts.
METHODS = {
    "baseline": ("#999999", ""),
    "lora": ("#56B4E9", "//"),
    "qlora": ("#F0E442", "||"),
    "full": ("#0072B2", ""),
    "rag_embedding": ("#E69F00", ".."),
    "rag_embedding_rerank": ("#D55E00", "\\\\"),
    "rag_embedding_rerank_sqlkey": ("#CC79A7", "xx"),
    "rag_best": ("#009E73", "--"),
}
SHADE = 0.65  # how much of its colour each further row of a method keeps
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*")
LINES = ("-", "--", "-.", ":")


def row_styles(names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return colour and hatch of bars for rows of a table, by name.

    A second row of a method, such as one on another model, has a darker shade of its colour. A row
    of no known method has the colour of one that the table does not hold.
    """
    methods = {name: _method(name) for name in names}
    free = [method for method in METHODS if method not in methods.values()]
    used: dict[str, int] = {}
    styles = {}
    for name in names:
        method = methods[name] or (free.pop(0) if free else "baseline")
        before = used.get(method, 0)
        used[method] = before + 1
        colour, hatch = METHODS[method]
        # Without an edge, so that a bar of half a per cent is still seen.
        styles[name] = _bar(_shaded(colour, SHADE**before), hatch) | {"linewidth": 0}
    return styles


def _method(name: str) -> str | None:
    fitting = [method for method in METHODS if name.startswith(method)]
    return max(fitting, key=len) if fitting else None


def class_styles(count: int) -> list[dict[str, Any]]:
    """Return styles for things that are no rows, such as classes of errors, dark to light."""
    import matplotlib

    scale = matplotlib.colormaps["cividis"]
    hatches = ("", "//", "..", "\\\\")
    return [
        _bar(scale(number / max(1, count - 1)), hatches[number % len(hatches)])
        for number in range(count)
    ]


def _bar(colour: Any, hatch: str) -> dict[str, Any]:
    return {"color": colour, "hatch": hatch, "edgecolor": "white", "linewidth": 0.5}


def _shaded(colour: str, share: float) -> tuple[float, ...]:
    channels = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return tuple(share * channel / 255 for channel in channels)


@contextmanager
def chart(
    record: dict[str, Any], path: Path, height: float, panels: int = 1
) -> Iterator[tuple[Any, Any]]:
    """Give a figure and its axes, titled after the run, and save it when the block ends.

    Args:
        record: has the ``title`` and the ``dataset``.
        path: PNG file to write.
        height: inches.
        panels: axes side by side; of several the block gets a list.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    with matplotlib.rc_context(TYPE):
        figure, axes = plt.subplots(
            1, panels, figsize=(WIDTH, height), dpi=DPI, layout="constrained", sharey=panels > 1
        )
        figure.suptitle(f"{record['title']}, {record['dataset']}", fontsize=10)
        for each in axes if panels > 1 else [axes]:
            each.spines[["top", "right"]].set_visible(False)
        yield figure, axes
        figure.savefig(path, facecolor="white")
        plt.close(figure)


def legend(figure: Any, columns: int = 3) -> None:
    """Put what the colours mean below the axes, where it covers nothing."""
    figure.legend(loc="outside lower center", ncols=columns, frameon=False, fontsize=9)
