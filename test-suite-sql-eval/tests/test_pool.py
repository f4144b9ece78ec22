"""Workers that die: the right task is blamed, the others keep their results."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_suite_sql_eval import pool as pool_module
from test_suite_sql_eval.errors import CRASH, MEMORY, TIMEOUT
from test_suite_sql_eval.pool import Failure, Pool

# A module of its own, because workers that are started as programs import it by name.
HANDLER = """
import os, pathlib, signal, time
from test_suite_sql_eval import worker

def make_handler(config):
    unstarted = config.get("unstarted")
    if unstarted and not os.path.exists(unstarted):
        if unstarted != "always":
            pathlib.Path(unstarted).touch()
        os.kill(os.getpid(), signal.SIGKILL)

    def handle(task):
        if task == "die":
            os._exit(3)
        if task == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if task.startswith("/") and not os.path.exists(task):
            pathlib.Path(task).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if task == "hang":
            worker.set_alarm(0.1)
            time.sleep(30)
        return task.upper()

    return handle
"""


@pytest.fixture
def handler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "dying_handler.py").write_text(HANDLER)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return "dying_handler"


@pytest.mark.parametrize("forked", [True, False])
@pytest.mark.parametrize("jobs", [1, 3])
def test_the_task_that_killed_its_worker_is_blamed(
    handler: str, jobs: int, forked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "_may_fork", lambda: forked)
    tasks = ["a", "b", "die", "c", "hang", "d", "e", "kill", "f"] * 3
    batches = [list(enumerate(tasks))[start : start + 9] for start in (0, 9, 18)]
    with Pool(handler, {"max_memory": 1 << 30}, jobs) as pool:
        found = dict(pool.map(batches))
    assert sorted(found) == list(range(len(tasks)))
    kinds = {"die": CRASH, "hang": TIMEOUT, "kill": MEMORY}
    for index, task in enumerate(tasks):
        answer = found[index]
        if task in kinds:
            assert isinstance(answer, Failure)
            assert answer.kind == kinds[task]
        else:
            assert answer == task.upper()


def test_a_worker_killed_from_outside_costs_no_result(handler: str, tmp_path: Path) -> None:
    tasks = ["a", str(tmp_path / "killed"), "b", str(tmp_path / "killed as well"), "c"]
    config = {"max_memory": 1 << 30, "unstarted": str(tmp_path / "killed while it started")}
    with Pool(handler, config, 1, try_again=True) as pool:
        results = dict(pool.map([list(enumerate(tasks))]))
    assert [results[index] for index in range(len(tasks))] == [task.upper() for task in tasks]
    assert len(list(tmp_path.glob("killed*"))) == 3


def test_a_task_is_not_tried_again_where_nobody_wants_that(handler: str, tmp_path: Path) -> None:
    tasks = ["a", str(tmp_path / "killed"), "b"]
    with Pool(handler, {"max_memory": 1 << 30}, 1) as pool:
        results = dict(pool.map([list(enumerate(tasks))]))
    assert (results[0], results[1].kind, results[2]) == ("A", "memory", "B")


@pytest.mark.parametrize("try_again", [True, False])
def test_workers_that_never_start_end_the_call(handler: str, try_again: bool) -> None:
    config = {"max_memory": 1 << 30, "unstarted": "always"}
    with (
        Pool(handler, config, 1, try_again) as pool,
        pytest.raises(RuntimeError, match="does not start: the worker was killed"),
    ):
        list(pool.map([[(0, "a")]]))
