"""Training on several machines: node 0 runs the pipeline, the others join its trainings.

All nodes work in one checkout (or one $TEXT2SQL_BUILD) on a shared file system, as checkpoints of
sharded optimizers need anyway. Node 0 prepares data and model, and publishes the result; the others
start the same program with the same arguments and write nothing but their part of checkpoints.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from text2sql.errors import UserError
from text2sql.files import PARTIAL
from text2sql.pipeline.doctor import require_ready
from text2sql.pipeline.keys import is_current, stage_key
from text2sql.pipeline.outputs import KEY, partial_folder
from text2sql.pipeline.run_stage import JOIN
from text2sql.pipeline.scheduler import Scheduler, stage_environment
from text2sql.stage import Graph, Stage
from text2sql.train.recipe import recipe_of
from text2sql.train.stage import is_training

POLL_SECONDS = 1.0
PATIENCE_SECONDS = 1800.0


def join_trainings(graph: Graph, stages: Sequence[Stage]) -> None:
    """Join those of the stages that are trainings on all machines, one after another.

    Args:
        graph: of the run.
        stages: those that node 0 brings up to date, in order.

    Raises:
        UserError: this machine lacks what they need, node 0 does nothing for half an hour, or a
            training failed.
    """
    trainings = [stage for stage in stages if is_training(stage)]
    spread = [s for s in trainings if recipe_of(s.config).launch.backend != "single"]
    require_ready(graph, spread)
    for stage in trainings:
        if stage in spread:
            train_with_node_0(stage, [*Scheduler(graph.run, 1).command(stage), JOIN])
        else:
            print(f"{stage.name}: trained on node 0 alone", file=sys.stderr)


def train_with_node_0(stage: Stage, command: Sequence[str]) -> None:
    """Join the training that node 0 starts, and return when it has ended.

    Args:
        stage: the training.
        command: runs this machine's part of it, in the stage's environment.

    Raises:
        UserError: node 0 has done nothing for half an hour, or the training failed.
    """
    print(f"{stage.name}: waiting for node 0", file=sys.stderr)
    folder, began = partial_folder(stage), time.time()
    while not _has_begun(stage):
        if is_current(stage):
            print(f"{stage.name}: up to date", file=sys.stderr)
            return
        if time.time() - max(began, _last_sign(stage)) > PATIENCE_SECONDS:
            raise UserError(
                f"node 0 has not started '{stage.name}' below {folder.parent}; start it with the"
                " same options, on the same file system"
            )
        time.sleep(POLL_SECONDS)
    status = subprocess.run(command, env=stage_environment(stage), check=False).returncode
    if status != 0:
        raise UserError(
            f"{stage.name}: this machine's part failed (status {status}), its output is above;"
            " start all nodes again to go on from the last checkpoint"
        )
    print(f"{stage.name}: done; node 0 has the result", file=sys.stderr)


def _has_begun(stage: Stage) -> bool:
    """Whether node 0 is at the stage; it writes the stage's key when its inputs are there."""
    try:
        return (partial_folder(stage) / KEY).read_text(encoding="utf-8") == stage_key(stage)
    except OSError:
        return False


def _last_sign(stage: Stage) -> float:
    """Return when node 0 last wrote anything of a stage of this run that is still at work."""
    run: Path = stage.output.parents[1]
    files = [*run.glob(f"*{PARTIAL}/*"), *run.glob(f"*/*{PARTIAL}/*")]
    return max((_time_of(path) for path in files), default=0.0)


def _time_of(path: Path) -> float:
    """Return when a file was last written; 0 where it has gone meanwhile."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
