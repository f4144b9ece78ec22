"""Charts can be read: no value covers another, and a row has one colour in all of them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from text2sql.report.chart_style import METHODS, class_styles, row_styles
from text2sql.report.figure import draw_accuracy, draw_errors, draw_losses, draw_speed
from text2sql.report.record import LEVELS

NAMES = [
    "baseline", "lora", "full", "rag_embedding", "rag_embedding_rerank",
    "rag_embedding_rerank_sqlkey", "rag_best", "rag_embedding_lora", "rag_embedding_rerank_lora",
    "rag_embedding_rerank_sqlkey_lora", "rag_best_lora", "ours",
]  # fmt: skip


def record(rows: int) -> dict[str, Any]:
    return {
        "title": "A model",
        "dataset": "d",
        "metric": {"name": "execution accuracy"},
        "rows": [
            {
                "name": name,
                "label": f"Row {name}",
                "questions": dict.fromkeys(LEVELS, 1034),
                "accuracy": dict.fromkeys(LEVELS, 99.9 - number % 2),
                "outcomes": "01" * 10,
                "further_metrics": {"errors": {f"class_{n}": 1 for n in range(10)}},
                "cost": {"tokens_per_second": 10.0 + number},
            }
            for number, name in enumerate(NAMES[:rows])
        ],
        "losses": {"m_lora_cpu": [[5, 1.5], [10, 0.5]], "m_full_cpu": [[5, 1.4], [10, 0.4]]},
    }


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The figures that were drawn, kept open."""
    import matplotlib.pyplot as plt

    figures: list[Any] = []
    monkeypatch.setattr(plt, "close", figures.append)
    return figures


@pytest.fixture
def texts(monkeypatch: pytest.MonkeyPatch) -> dict[int, Any]:
    """The texts that were drawn; an axis leaves out the labels of ticks beyond its ends."""
    from matplotlib.text import Text

    shown: dict[int, Any] = {}
    draw = Text.draw

    def recording(text: Any, *args: Any, **options: Any) -> None:
        if text.get_visible() and text.get_text().strip():
            shown[id(text)] = text
        draw(text, *args, **options)

    monkeypatch.setattr(Text, "draw", recording)
    return shown


@pytest.mark.parametrize("rows", [1, 3, 6, 7, 12])
@pytest.mark.parametrize("draw", [draw_accuracy, draw_errors, draw_speed])
def test_no_text_covers_another_or_is_cut_off(
    draw: Callable[[dict[str, Any], Path], None],
    rows: int,
    tmp_path: Path,
    drawn: list[Any],
    texts: dict[int, Any],
) -> None:
    draw(record(rows), tmp_path / "chart.png")
    (figure,) = drawn
    shown = [(text.get_text(), text.get_window_extent()) for text in texts.values()]
    for (one, box), (other, another) in combinations(shown, 2):
        assert not box.padded(-1).overlaps(another.padded(-1)), f"{one!r} and {other!r}"
    assert all(figure.bbox.padded(1).contains(*box.max) for _, box in shown)
    assert all(figure.bbox.padded(1).contains(*box.min) for _, box in shown)
    assert {f"Row {name}" for name in NAMES[:rows]} <= {text for text, _ in shown}


def test_a_row_has_its_colour_in_every_table() -> None:
    alone, among = row_styles(["full"]), row_styles(NAMES)
    assert alone["full"] == among["full"]
    looks = {(tuple(style["color"]), style["hatch"]) for style in among.values()}
    assert len(looks) == len(NAMES)


def test_rows_of_no_known_method_have_colours_too() -> None:
    styles = row_styles([f"row {number}" for number in range(len(METHODS) + 1)])
    looks = {(tuple(style["color"]), style["hatch"]) for style in styles.values()}
    assert len(looks) == len(METHODS) + 1


def test_a_loss_has_the_colour_of_its_row(tmp_path: Path, drawn: list[Any]) -> None:
    draw_losses(record(3), tmp_path / "chart.png")
    lines = {line.get_label(): line.get_color() for line in drawn[0].axes[0].lines}
    rows = row_styles(["lora", "full"])
    assert lines == {"m_lora_cpu": rows["lora"]["color"], "m_full_cpu": rows["full"]["color"]}


def test_classes_differ_in_lightness() -> None:
    lightness = [sum(style["color"][:3]) for style in class_styles(8)]
    assert lightness == sorted(lightness) and len({*lightness}) == 8
