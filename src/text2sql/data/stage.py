"""The data stage as the pipeline runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from text2sql.config import check_config
from text2sql.data.config import DataConfig
from text2sql.data.prepare import prepare

if TYPE_CHECKING:
    from text2sql.stage import Job


def run(job: Job) -> dict[str, Any]:
    """Fill the job's output folder; return the summary (see `prepare`)."""
    values = {k: v for k, v in job.config.items() if k != "limit"}
    config = check_config(values, DataConfig, source=job.stage.name)
    return prepare(config, job.output, job.config.get("limit"))
