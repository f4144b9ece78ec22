"""Training on several machines: node 0 runs the pipeline, the others join its trainings.

All nodes work in one checkout (or one $TEXT2SQL_BUILD) on a shared file system, as checkpoints of
sharded optimizers need anyway. Node 0 prepares data and model, and publishes the result; the others
start the same program with the same arguments and write nothing but their part of checkpoints.
"""

from __future__ import annotations

import sys
import time

from text2sql.errors import UserError
from text2sql.pipeline.keys import is_current, stage_key
from text2sql.pipeline.outputs import KEY, partial_folder
from text2sql.progress import Progress
from text2sql.stage import Job, Stage
from text2sql.train.nodes import this_node
from text2sql.train.stage import join

POLL_SECONDS = 1.0
PATIENCE_SECONDS = 1800.0


def train_with_node_0(stage: Stage) -> None:
    """Join the training that node 0 starts, and return when it has ended.

    Raises:
        UserError: node 0 has not begun within half an hour, or the training failed.
    """
    print(f"{stage.name}: waiting for node 0", file=sys.stderr)
    folder = partial_folder(stage)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not _has_begun(stage):
        if is_current(stage):
            print(f"{stage.name}: up to date", file=sys.stderr)
            return
        if time.monotonic() > deadline:
            raise UserError(
                f"node 0 has not started '{stage.name}' below {folder.parent}; start it with the"
                " same options, on the same file system"
            )
        time.sleep(POLL_SECONDS)
    job = Job(stage, {n: s.output for n, s in stage.inputs.items()}, folder, Progress(folder))
    join(job, this_node().rank)
    print(f"{stage.name}: done; node 0 has the result", file=sys.stderr)


def _has_begun(stage: Stage) -> bool:
    """Whether node 0 is at the stage; it writes the stage's key when its inputs are there."""
    try:
        return (partial_folder(stage) / KEY).read_text(encoding="utf-8") == stage_key(stage)
    except OSError:
        return False
