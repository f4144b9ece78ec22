"""Workers that die: the right task is blamed, the others keep their results."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import pytest
from test_suite_sql_eval import worker
from test_suite_sql_eval.errors import CRASH, MEMORY, TIMEOUT
from test_suite_sql_eval.pool import Failure, Pool


def make_handler(_config: dict[str, Any]) -> Any:
    """Return a handler that does what its task says."""

    def handle(task: str) -> str:
        if task == "die":
            os._exit(3)
        if task == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if task == "hang":
            worker.set_alarm(0.1)
            time.sleep(30)
        return task.upper()

    return handle


@pytest.fixture(autouse=True)
def handler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(worker.HANDLERS, "test", (__name__, "make_handler"))


@pytest.mark.parametrize("jobs", [1, 3])
def test_the_task_that_killed_its_worker_is_blamed(jobs: int) -> None:
    tasks = ["a", "b", "die", "c", "hang", "d", "e", "kill", "f"] * 3
    batches = [list(enumerate(tasks))[start : start + 9] for start in (0, 9, 18)]
    with Pool("test", {"max_memory": 1 << 30}, jobs) as pool:
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
