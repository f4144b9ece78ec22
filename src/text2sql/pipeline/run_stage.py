"""Run one stage here, in a process of its own that gives its memory back and can be stopped whole.

Started by `text2sql.pipeline.scheduler` as ``python -m text2sql.pipeline.run_stage`` with the
stage's name and, as JSON, what says which run is meant (`Run.choices`).
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress

from text2sql.errors import UserError
from text2sql.files import write_failure
from text2sql.paths import build_root
from text2sql.pipeline.keys import stage_key
from text2sql.pipeline.outputs import partial_folder, publish
from text2sql.pipeline.registry import build_graph, stage_kinds
from text2sql.progress import Progress
from text2sql.records import begin_attempt, git_state, read_manifest, write_manifest
from text2sql.run import load_run
from text2sql.stage import Job, Stage
from text2sql.train.nodes import this_node
from text2sql.train.stage import join

JOIN = "--join"  # behind these arguments: another node than the first, which only trains along


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
    details = stage_kinds()[stage.kind].run(job)
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


def join_stage(stage: Stage) -> None:
    """Take this machine's part in a training that node 0 runs; publish nothing."""
    folder = partial_folder(stage)
    inputs = {name: needed.output for name, needed in stage.inputs.items()}
    join(Job(stage, inputs, folder, Progress(folder)), this_node().rank)


def main() -> int:
    """Entry point; prints a user's mistake as one line and exits with 2."""
    name, choices, work = sys.argv[1], json.loads(sys.argv[2]), run_stage
    if JOIN in sys.argv[3:]:
        work = join_stage
    try:
        work(build_graph(load_run(**choices))[name])
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
