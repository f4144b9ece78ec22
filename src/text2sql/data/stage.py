"""The data stage as the pipeline runs it."""

from __future__ import annotations

from typing import Any

from text2sql.config import check_config, read_yaml
from text2sql.data.config import DataConfig
from text2sql.data.prepare import prepare
from text2sql.data.values import schema_texts
from text2sql.files import read_json
from text2sql.paths import config_path, shown
from text2sql.run import Run
from text2sql.stage import Graph, Job, Stage, StageKind


def run(job: Job) -> dict[str, Any]:
    """Fill the job's output folder; return the summary (see `prepare`)."""
    config = config_of(job.stage)
    summary = prepare(config, job.output, job.config.get("limit"), schema_texts(config))
    shared = summary["shared_schema"]
    job.progress.note(
        f"{summary['train_rows']} training rows about {shared['schemas']} schemas: a recipe with"
        f" shared_schema reads about {shared['factor']} times fewer tokens"
    )
    return summary


def config_of(stage: Stage) -> DataConfig:
    """Return the dataset that a data stage was made for."""
    values = {key: value for key, value in stage.config.items() if key != "limit"}
    return check_config(values, DataConfig, stage.name)


def data_config(run: Run) -> DataConfig:
    """Return the dataset of a run, its prompts as the profile wants them."""
    path = config_path("data", run.dataset)
    own = run.profile.data
    source = f"{path} with the key 'data' of profile {run.profile.name}" if own else str(path)
    return check_config(read_yaml(path) | own, DataConfig, source)


def _stage(graph: Graph, key: str) -> Stage:
    config = data_config(graph.run)
    return Stage(
        "data",
        "data",
        config.of_data() | {"limit": graph.run.limit},
        graph.run.folder / "data",
        sources=(*config.source_files(), *config.linker_files()),
        # Those made from .sql files come into being in this stage.
        databases=() if config.database_form == "sql" else tuple(config.database_folders()),
        seed=config.seed,
    )


def _result(stage: Stage) -> str:
    counts = read_json(stage.output / "summary.json")
    return (
        f"{stage.name}: {counts['train_rows']} training rows and"
        f" {counts['evaluation_questions']} evaluation questions; {counts['rejected']} bad rows and"
        f" {counts['removed_as_leaks']} leaks left out; in {shown(stage.output)}"
    )


KINDS = (
    StageKind("data", "write training files and evaluation questions", run, _stage, result=_result),
)
