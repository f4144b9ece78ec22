"""The figures stage: charts of a run's record, readable in print and by colour-blind people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from text2sql.artifacts import RECORD
from text2sql.files import atomic_open, read_json
from text2sql.paths import repository_root, shown
from text2sql.report import table
from text2sql.report.chart_style import (
    LINES,
    MARKERS,
    chart,
    class_styles,
    legend,
    row_styles,
)
from text2sql.report.record import levels_of, titles
from text2sql.run import Run
from text2sql.stage import Graph, Job, Stage, StageKind

CHART = "execution_accuracy.png"
MOST_IN_A_GROUP = 6  # bars of more rows in one group are too narrow for their values
MOST_LYING = 4  # of more bars in a group, values stand upright
MOST_CLASSES = 8


def run(job: Job) -> dict[str, Any]:
    """Draw the charts of the run's record."""
    record = read_json(job.inputs["table"] / RECORD)
    draw_accuracy(record, job.output / CHART)
    draw_errors(record, job.output / "error_classes.png")
    draw_speed(record, job.output / "accuracy_speed.png")
    if record["losses"]:
        draw_losses(record, job.output / "training_loss.png")
    return {"figures": sorted(path.name for path in job.output.glob("*.png"))}


def draw_accuracy(record: dict[str, Any], path: Path) -> None:
    """Draw the accuracy of each row by difficulty level, with its value at each bar.

    Args:
        record: a run's record, or that of published predictions.
        path: PNG file to write.
    """
    few = len(record["rows"]) <= MOST_IN_A_GROUP
    (_draw_groups if few else _draw_panels)(record, path)


def _draw_groups(record: dict[str, Any], path: Path) -> None:
    """Draw one group of bars a level, one bar a row."""
    rows, levels = record["rows"], levels_of(record)
    styles = row_styles([row["name"] for row in rows])
    width = 0.84 / len(rows)
    upright = {"rotation": 90} if len(rows) > MOST_LYING else {}
    with chart(record, path, 4.6) as (figure, axes):
        for number, row in enumerate(rows):
            values = [row["accuracy"][level] for level in levels]
            offset = (number - (len(rows) - 1) / 2) * width
            places = [group + offset for group in range(len(levels))]
            bars = axes.bar(places, values, 0.94 * width, label=row["label"], **styles[row["name"]])
            axes.bar_label(bars, fmt="%.1f", fontsize=8, padding=2, **upright)
        axes.set_xticks(range(len(levels)), _level_names(record))
        axes.set_ylim(0, _scale_end(rows))
        axes.set_ylabel(_metric(record))
        legend(figure)


def _draw_panels(record: dict[str, Any], path: Path) -> None:
    """Draw one panel a level with a lying bar for each row, the rows named once at the left."""
    rows, levels = record["rows"], levels_of(record)
    styles = row_styles([row["name"] for row in rows])
    with chart(record, path, 1.3 + 0.27 * len(rows), len(levels)) as (figure, panels):
        for level, name, axes in zip(levels, _level_names(record), panels, strict=True):
            for place, row in enumerate(rows):
                bar = axes.barh(place, row["accuracy"][level], 0.78, **styles[row["name"]])
                axes.bar_label(bar, fmt="%.1f", fontsize=8, padding=2)
            axes.set_title(name, fontsize=9)
            axes.set_xlim(0, 1.3 * max(max(row["accuracy"].values()) for row in rows) or 1)
            axes.tick_params(axis="y", length=0)
        panels[0].set_yticks(range(len(rows)), [row["label"] for row in rows])
        panels[0].invert_yaxis()
        figure.supxlabel(_metric(record), fontsize=9)


def _level_names(record: dict[str, Any]) -> list[str]:
    levels, counts = levels_of(record), record["rows"][0]["questions"]
    return [f"{t}\n(n={counts[k]})" for t, k in zip(titles(levels), levels, strict=True)]


def _scale_end(rows: list[dict[str, Any]]) -> float:
    """Where the axis of accuracies ends, with room for the values on the bars."""
    return min(115.0, max(10.0, 1.2 * max(max(row["accuracy"].values()) for row in rows)))


def _metric(record: dict[str, Any]) -> str:
    return f"{record['metric']['name'].capitalize()} (%)"


def draw_errors(record: dict[str, Any], path: Path) -> None:
    """Draw each row's wrong answers by class, in per cent of all questions, as stacked bars."""
    rows = record["rows"]
    totals: dict[str, int] = {}
    for row in rows:
        for name, count in row["further_metrics"]["errors"].items():
            totals[name] = totals.get(name, 0) + count
    classes = sorted(totals, key=lambda name: -totals[name])
    shown, rest = classes[: MOST_CLASSES - 1], classes[MOST_CLASSES - 1 :]
    parts = {name: [name] for name in shown} | ({"other": rest} if rest else {})
    with chart(record, path, 1.8 + 0.3 * len(rows)) as (figure, axes):
        left = [0.0] * len(rows)
        for (name, names), style in zip(parts.items(), class_styles(len(parts)), strict=True):
            values = [_share(row, names) for row in rows]
            axes.barh(range(len(rows)), values, left=left, label=name.replace("_", " "), **style)
            left = [a + b for a, b in zip(left, values, strict=True)]
        axes.set_yticks(range(len(rows)), [row["label"] for row in rows])
        axes.invert_yaxis()
        axes.set_xlim(0, 100)
        axes.set_xlabel("Wrong answers (% of all questions)")
        legend(figure, 4)


def _share(row: dict[str, Any], classes: list[str]) -> float:
    errors = row["further_metrics"]["errors"]
    return 100 * sum(errors.get(name, 0) for name in classes) / len(row["outcomes"])


def draw_speed(record: dict[str, Any], path: Path) -> None:
    """Draw accuracy over all questions against output tokens per second, a point a row."""
    rows = [row for row in record["rows"] if row["cost"]["tokens_per_second"] is not None]
    styles = row_styles([row["name"] for row in record["rows"]])
    with chart(record, path, 4.0 + 0.1 * len(rows)) as (figure, axes):
        for number, row in enumerate(rows):
            axes.plot(
                row["cost"]["tokens_per_second"],
                row["accuracy"]["all"],
                MARKERS[number % len(MARKERS)],
                color=styles[row["name"]]["color"],
                label=row["label"],
                markersize=9,
                markeredgecolor="black",
                markeredgewidth=0.5,
                clip_on=False,
            )
        axes.margins(x=0.1)
        axes.set_xlim(left=0)
        axes.set_ylim(0, _scale_end(rows))
        axes.set_xlabel("Output tokens per second")
        axes.set_ylabel(f"{record['metric']['name'].capitalize()}, all (%)")
        legend(figure, 2)


def draw_losses(record: dict[str, Any], path: Path) -> None:
    """Draw the training loss of every recipe over its steps."""
    # A recipe is named model_method_machine; its method gives the colour of its row.
    methods = {recipe: recipe.partition("_")[2] or recipe for recipe in record["losses"]}
    styles = row_styles(list(methods.values()))
    with chart(record, path, 4.0) as (figure, axes):
        for number, (recipe, points) in enumerate(record["losses"].items()):
            axes.plot(
                [step for step, _ in points],
                [loss for _, loss in points],
                LINES[number % len(LINES)],
                label=recipe,
                color=styles[methods[recipe]]["color"],
            )
        axes.set_ylim(bottom=0)
        axes.set_xlabel("Step")
        axes.set_ylabel("Training loss")
        legend(figure, 2)


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
