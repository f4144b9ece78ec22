"""The figures stage: charts of a run's record, readable in print and by colour-blind people."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from text2sql.artifacts import RECORD
from text2sql.files import atomic_open, read_json
from text2sql.paths import repository_root, shown
from text2sql.report import table
from text2sql.report.record import levels_of, titles
from text2sql.run import Run
from text2sql.stage import Graph, Job, Stage, StageKind

CHART = "execution_accuracy.png"
# Okabe and Ito's colours, told apart by colour-blind readers; hatches tell them apart in print.
COLOURS = ("#999999", "#56B4E9", "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#F0E442")
HATCHES = ("", "//", "", "..", "\\\\", "xx", "--", "oo")
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*")
LINES = ("-", "--", "-.", ":")
MANY_ROWS = 5  # with more, a legend among the bars would cover some


def run(job: Job) -> dict[str, Any]:
    """Draw the charts of the run's record."""
    record = read_json(job.inputs["table"] / RECORD)
    draw_accuracy(record, job.output / CHART)
    draw_errors(record, job.output / "error_classes.png")
    draw_speed(record, job.output / "accuracy_speed.png")
    if record["losses"]:
        draw_losses(record, job.output / "training_loss.png")
    return {"figures": sorted(path.name for path in job.output.glob("*.png"))}


@contextmanager
def _chart(record: dict[str, Any], path: Path, width: float = 7.0) -> Iterator[Any]:
    """Give the axes of a chart that is titled after the run and saved when the block ends."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(width, 4.2), dpi=160)
    axes.set_title(f"{record['title']}, {record['dataset']}", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    yield axes
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)


def _style(number: int) -> dict[str, Any]:
    turn, place = divmod(number, len(COLOURS))  # a colour that comes again has another hatch
    style = {"color": COLOURS[place], "hatch": HATCHES[(place + turn) % len(HATCHES)]}
    return style | {"edgecolor": "white", "linewidth": 0.5}


def draw_accuracy(record: dict[str, Any], path: Path) -> None:
    """Draw one group of bars a difficulty level, one bar a row, its value on top.

    Args:
        record: a run's record.
        path: PNG file to write.
    """
    rows, levels = record["rows"], levels_of(record)
    width = 0.8 / len(rows)
    many = len(rows) > MANY_ROWS
    with _chart(record, path, min(16.0, max(7.0, 1.2 + 1.76 * len(rows)))) as axes:
        for number, row in enumerate(rows):
            values = [row["accuracy"][level] for level in levels]
            offset = (number - (len(rows) - 1) / 2) * width
            places = [group + offset for group in range(len(levels))]
            bars = axes.bar(places, values, width, label=row["label"], **_style(number))
            axes.bar_label(bars, fmt="%.1f", fontsize=6 if many else 7, padding=1)
        counts = rows[0]["questions"]
        names = [f"{t}\n(n={counts[k]})" for t, k in zip(titles(levels), levels, strict=True)]
        axes.set_xticks(range(len(levels)), names)
        top = max(max(row["accuracy"].values()) for row in rows)
        axes.set_ylim(0, min(112, max(10, top * 1.15)))
        axes.set_ylabel(f"{record['metric']['name'].capitalize()} (%)")
        aside = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0)} if many else {}
        axes.legend(frameon=False, fontsize=8, **aside)


def draw_errors(record: dict[str, Any], path: Path) -> None:
    """Draw each row's wrong answers by class, in per cent of all questions, as stacked bars."""
    rows = record["rows"]
    totals: dict[str, int] = {}
    for row in rows:
        for name, count in row["further_metrics"]["errors"].items():
            totals[name] = totals.get(name, 0) + count
    classes = sorted(totals, key=lambda name: -totals[name])
    shown, rest = classes[: len(COLOURS) - 1], classes[len(COLOURS) - 1 :]
    with _chart(record, path) as axes:
        left = [0.0] * len(rows)
        for number, name in enumerate([*shown, "other"] if rest else shown):
            names = rest if name == "other" and rest else [name]
            values = [_share(row, names) for row in rows]
            axes.barh(range(len(rows)), values, left=left, label=name, **_style(number))
            left = [a + b for a, b in zip(left, values, strict=True)]
        axes.set_yticks(range(len(rows)), [row["label"] for row in rows])
        axes.invert_yaxis()
        axes.set_xlim(0, 100)
        axes.set_xlabel("Wrong answers (% of all questions)")
        axes.legend(frameon=False, fontsize=7, loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _share(row: dict[str, Any], classes: list[str]) -> float:
    errors = row["further_metrics"]["errors"]
    return 100 * sum(errors.get(name, 0) for name in classes) / len(row["outcomes"])


def draw_speed(record: dict[str, Any], path: Path) -> None:
    """Draw accuracy over all questions against output tokens per second, a point a row."""
    with _chart(record, path) as axes:
        for number, row in enumerate(record["rows"]):
            speed = row["cost"]["tokens_per_second"]
            if speed is not None:
                marker = MARKERS[number % len(MARKERS)]
                _point(axes, speed, row, number, marker, label=row["label"], markersize=8)
        axes.margins(x=0.25)
        axes.set_xlim(left=0)
        axes.set_ylim(0, 100)
        axes.legend(frameon=False, fontsize=8)
        axes.set_xlabel("Output tokens per second")
        axes.set_ylabel(f"{record['metric']['name'].capitalize()}, all (%)")


def _point(
    axes: Any, place: float, row: dict[str, Any], number: int, marker: str, **style: Any
) -> None:
    style |= {"color": COLOURS[number % len(COLOURS)], "clip_on": False}
    axes.plot(place, row["accuracy"]["all"], marker, **style)


def draw_losses(record: dict[str, Any], path: Path) -> None:
    """Draw the training loss of every recipe over its steps."""
    with _chart(record, path) as axes:
        for number, (recipe, points) in enumerate(record["losses"].items()):
            axes.plot(
                [step for step, _ in points],
                [loss for _, loss in points],
                LINES[number % len(LINES)] + ".",
                label=recipe,
                color=COLOURS[(number + 2) % len(COLOURS)],
            )
        axes.set_ylim(bottom=0)
        axes.set_xlabel("Step")
        axes.set_ylabel("Training loss")
        axes.legend(frameon=False, fontsize=8)


def chart_name(profile: str, dataset: str) -> str:
    """File name of a run's chart in figs/."""
    return f"{profile}_{dataset}.png"


def copy_chart(run_folder: Path, profile: str, dataset: str) -> Path:
    """Copy a run's chart into figs/ and return its path there."""
    target = repository_root() / "figs" / chart_name(profile, dataset)
    with atomic_open(target, "wb") as stream:
        stream.write((run_folder / "figures" / CHART).read_bytes())
    return target


def _stage(graph: Graph, key: str) -> Stage:
    inputs = {"table": graph.stage("table")}
    return Stage("figures", "figures", {}, graph.run.folder / "figures", inputs=inputs)


def _show(run: Run) -> str:
    chart = copy_chart(run.folder, run.profile.name, run.dataset_label)
    return f"{table.show(run)}\nchart: {shown(chart)}"


KINDS = (StageKind("figures", "draw the results chart into figs/", run, _stage, show=_show),)
