"""Workers that die: the right task is blamed, the others keep their results."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_suite_sql_eval import pool as pool_module
from test_suite_sql_eval.errors import CRASH, MEMORY, TIMEOUT
from test_suite_sql_eval.pool import Failure, Pool

# A module of its own, because workers that are started as programs import it by name.
HANDLER = """
import os, signal, time
from test_suite_sql_eval import worker

def make_handler(config):
    def handle(task):
        if task == "die":
            os._exit(3)
        if task == "kill":
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
