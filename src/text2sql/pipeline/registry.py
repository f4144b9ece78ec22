"""Which modules declare kinds of stages. Adding a stage is its module and one line here."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from text2sql.run import Run
from text2sql.stage import Graph, StageKind

# In the order of a run. Trainings come early: they take longest, so a free worker should meet them
# first. `scripts/stages.py` reads this tuple without importing anything.
MODULES = (
    "text2sql.data.stage",
    "text2sql.convert.model",
    "text2sql.train.stage",
    "text2sql.convert.megatron",
    "text2sql.convert.merge",
    "text2sql.rag.build",
    "text2sql.rag.retrieve",
    "text2sql.infer.stage",
    "text2sql.infer.predictions",
    "text2sql.evaluate",
    "text2sql.report.table",
    "text2sql.report.figure",
    "text2sql.infer.text_metrics",
    "text2sql.report.text",
    "text2sql.gguf.stage",
    "text2sql.report.quantization",
)


@cache
def stage_kinds() -> dict[str, StageKind]:
    """Return all kinds of stages by name."""
    return {kind.name: kind for module in MODULES for kind in import_module(module).KINDS}


def commands() -> dict[str, list[StageKind]]:
    """Return the commands that bring stages up to date, each with the kinds that it covers."""
    found: dict[str, list[StageKind]] = {}
    for kind in stage_kinds().values():
        found.setdefault(kind.command_name, []).append(kind)
    return found


def build_graph(run: Run) -> Graph:
    """Return the graph of a run over all kinds of stages."""
    return Graph(run, stage_kinds().values())
