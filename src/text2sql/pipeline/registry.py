"""Which modules declare kinds of stages. Adding a stage is its module and one line here."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from importlib import import_module

from text2sql.data.stage import data_config
from text2sql.errors import UserError
from text2sql.run import Run
from text2sql.stage import Graph, StageKind

# In the order of a run. Trainings come early: they take longest, so a free worker should meet them
# first. `scripts/stages.py` reads this tuple without importing anything.
MODULES = (
    "text2sql.data.stage",
    "text2sql.convert.model",
    "text2sql.train.stage",
    "text2sql.train.examples",
    "text2sql.convert.megatron",
    "text2sql.convert.merge",
    "text2sql.rag.build",
    "text2sql.rag.retrieve",
    "text2sql.infer.stage",
    "text2sql.infer.predictions",
    "text2sql.learn.sample",
    "text2sql.learn.grpo",
    "text2sql.evaluate",
    "text2sql.report.table",
    "text2sql.report.figure",
    "text2sql.infer.text_metrics",
    "text2sql.report.text",
    "text2sql.gguf.stage",
    "text2sql.report.rewards",
    "text2sql.report.quantization",
)


# Their stages make models; a data set that varies another's questions takes them from that one.
MODEL_MODULES = frozenset(
    (
        "text2sql.convert.model",
        "text2sql.train.stage",
        "text2sql.train.examples",
        "text2sql.convert.megatron",
        "text2sql.convert.merge",
    )
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


def model_kinds() -> list[str]:
    """Return the names of the kinds whose stages make models."""
    modules = (module for module in MODULES if module in MODEL_MODULES)
    return [kind.name for module in modules for kind in import_module(module).KINDS]


def build_graph(run: Run) -> Graph:
    """Return the graph of a run over all kinds of stages.

    Raises:
        UserError: a config is missing or wrong, or `models_of` of the data set names one that has
            the models of a further one.
    """
    kinds, base = stage_kinds().values(), data_config(run).models_of
    if base is None:
        return Graph(run, kinds)
    of_base = replace(run, dataset=base)
    if data_config(of_base).models_of:
        raise UserError(
            f"models_of: '{base}' has no models of its own; name the one it takes them of"
        )
    return Graph(run, kinds, Graph(of_base, kinds), model_kinds())
