"""Run one stage here, in a process of its own that gives its memory back and can be stopped whole.

Started by `text2sql.pipeline.scheduler` as ``python -m text2sql.pipeline.run_stage`` with the
stage's name and what says which run is meant: profile, dataset, limit, recipe, overrides, rows.
"""

from __future__ import annotations

import importlib
import json
import sys
from contextlib import suppress
from typing import Any, Protocol

from text2sql.attempts import begin_attempt
from text2sql.errors import UserError
from text2sql.files import write_failure
from text2sql.paths import build_root
from text2sql.pipeline.graph import build_graph
from text2sql.pipeline.scheduler import partial_folder, publish, stage_key
from text2sql.profile import load_profile
from text2sql.progress import Progress
from text2sql.records import git_state, read_manifest, write_manifest
from text2sql.run import Run
from text2sql.stage import Job, Stage

# Which module runs each kind of stage. Kinds that are not here belong to stages still to come.
STAGE_MODULES = {
    "model": "text2sql.convert.model",
    "data": "text2sql.data.stage",
    "train-lora": "text2sql.train.stage",
    "train-qlora": "text2sql.train.stage",
    "train-full": "text2sql.train.stage",
    "merge": "text2sql.convert.merge",
    "mg2hf": "text2sql.convert.megatron",
    "hf2mg": "text2sql.convert.megatron",
    "knowledge-base": "text2sql.rag.build",
    "retrieve": "text2sql.rag.retrieve",
    "infer": "text2sql.infer.stage",
    "eval": "text2sql.evaluate",
    "table": "text2sql.report.table",
    "text-metrics": "text2sql.train.text_metrics",
    "text-table": "text2sql.train.text_metrics",
    "figures": "text2sql.report.figure",
    "gguf": "text2sql.gguf.stage",
    "quantize": "text2sql.gguf.stage",
    "quantized-infer": "text2sql.infer.stage",
    "quantized-eval": "text2sql.evaluate",
    "quantization-table": "text2sql.report.quantization",
}


class StageModule(Protocol):
    """A module that runs a kind of stage."""

    def run(self, job: Job) -> dict[str, Any]:
        """Fill `job.output`; return measurements for the run record."""


def stage_module(kind: str) -> StageModule:
    """Return the module that runs a kind of stage."""
    module: Any = importlib.import_module(STAGE_MODULES[kind])
    return module


def run_stage(stage: Stage) -> None:
    """Run a stage in this process and put its output, with a manifest, into place."""
    key = stage_key(stage)
    if key is None:
        missing = [s.name for s in stage.inputs.values() if read_manifest(s.output) is None]
        raise UserError(f"stage '{stage.name}' needs {', '.join(missing)} first")
    folder = partial_folder(stage)
    job = Job(stage, {n: s.output for n, s in stage.inputs.items()}, folder, Progress(folder))
    # git_state is cached: the record says what the stage started from, not what came meanwhile.
    started, earlier = begin_attempt(folder, git_state())
    details = stage_module(stage.kind).run(job)
    write_manifest(
        folder,
        stage=stage.name,
        key=key,
        config=stage.config,
        inputs={
            n: str((read_manifest(s.output) or {})["output_hash"]) for n, s in stage.inputs.items()
        },
        seed=stage.seed,
        started=started,
        earlier=earlier,
        details=details,
    )
    publish(stage)


def main() -> int:
    """Entry point; prints a user's mistake as one line and exits with 2."""
    name, profile, dataset, limit, recipe, overrides, rows = sys.argv[1:8]
    try:
        selection = Run(
            load_profile(profile),
            dataset,
            int(limit) or None,
            recipe or None,
            overrides=json.loads(overrides),
            optional=tuple(rows.split(",")) if rows else (),
        )
        graph = build_graph(selection)
        run_stage(graph[name])
    except UserError as error:
        return _refuse(str(error))
    except OSError as error:
        reason = write_failure(error, build_root())
        if reason is None:
            raise
        return _refuse(reason)
    return 0


def _refuse(reason: str) -> int:
    with suppress(OSError):  # the log's own disk may be the full one
        print(reason, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
