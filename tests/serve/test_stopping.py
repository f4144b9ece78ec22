"""A query that nobody waits for any more is stopped; nothing here may end by a limit of time."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from patience import PATIENCE
from test_suite_sql_eval.executor import DEFAULT_MAX_MEMORY
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from tests.serve.conftest import Server, wait_for_valid_answers
from tests.serve.test_command import serving
from tests.serve.test_stream import answers, open_socket
from tests.serve.tiny import SLOW
from text2sql.serve.presence import Gone, while_asked
from text2sql.serve.queries import EXECUTOR
from text2sql.serve.query_process import STOPPED, QueryProcess, Stop

Start = Callable[..., Server]
FOREVER = 1e6  # seconds
JSON = {"Content-Type": "application/json"}
NEVER_ENDING = json.dumps({"question": "Never end.", "execute": True})


def wait_until(holds: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def running(server: Server) -> int:
    """How many queries run."""
    database = server.service.database
    assert database
    return len(database._running)


def ask_and_wait_for_sql(socket: ClientConnection) -> None:
    """Ask what never ends; return when its SQL is there, which is run next."""
    socket.send(NEVER_ENDING)
    while json.loads(socket.recv(timeout=PATIENCE))["type"] != "sql":
        pass


def test_one_who_hangs_up_stops_the_query(start: Start, database: Path) -> None:
    server = start(database, query_seconds=FOREVER, query_workers=1)
    for _ in range(3):  # had one of them gone on, the next would wait for the one worker
        with open_socket(server) as socket:
            ask_and_wait_for_sql(socket)
            wait_until(lambda: running(server))
        wait_until(lambda: not running(server))
        with open_socket(server) as socket:
            got = answers(socket, {"question": "How many bikes are there?", "execute": True})
        assert got[-2]["rows"] == [[3]]


def test_one_who_is_cut_off_stops_the_query(start: Start, database: Path) -> None:
    server = start(database, query_seconds=FOREVER)
    with suppress(ConnectionClosed), open_socket(server) as socket:
        ask_and_wait_for_sql(socket)
        wait_until(lambda: running(server))
        socket.socket.close()  # no closing handshake
    wait_until(lambda: not running(server))


def test_a_request_that_is_given_up_stops_the_query(start: Start, database: Path) -> None:
    server = start(database, query_seconds=FOREVER, query_workers=1)

    async def give_up() -> None:
        async with httpx.AsyncClient(timeout=PATIENCE) as client:
            url = f"{server.url}/text2sql"
            asking = asyncio.create_task(client.post(url, content=NEVER_ENDING, headers=JSON))
            while not running(server):
                await asyncio.sleep(0.01)
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)

    asyncio.run(give_up())
    wait_until(lambda: not running(server))
    assert server.ask("How many bikes are there?", execute=True).json()["result"]["rows"] == [[3]]
    assert 'requests_total{path="/text2sql",status="499"} 1.0' in server.get("/metrics").text


def test_messages_that_wait_are_answered_in_turn_up_to_a_limit(
    start: Start, database: Path
) -> None:
    server = start(database, query_seconds=FOREVER, max_waiting_per_client=3)
    with open_socket(server) as socket:
        for question in ("How many bikes are there?", "Number of shops by city?"):
            socket.send(json.dumps({"question": question}))
        done: list[str] = []
        while len(done) < 2:
            message = json.loads(socket.recv(timeout=PATIENCE))
            done += [message["sql"]] if message["type"] == "done" else []
        assert done == [
            "SELECT count(*) FROM bike",
            "SELECT city, count(*) FROM shop GROUP BY city",
        ]
        ask_and_wait_for_sql(socket)
        for _ in range(4):
            socket.send(NEVER_ENDING)
        last = json.loads(socket.recv(timeout=PATIENCE))
        assert (last["type"], last["error"]["kind"]) == ("error", "busy")
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=PATIENCE)
    wait_until(lambda: not running(server))


def test_a_server_that_is_told_to_stop_ends_what_runs(start: Start, database: Path) -> None:
    """The fixture sees to it that the server ends."""
    server = start(database, query_seconds=FOREVER, shutdown_seconds=1)
    with ThreadPoolExecutor(1) as pool, open_socket(server) as socket:
        asked = pool.submit(server.ask, "Never end.", execute=True)
        ask_and_wait_for_sql(socket)
        wait_until(lambda: running(server) == 2)
        server.uvicorn.should_exit = True
        assert asked.result().json()["error"]["kind"] == "stopping"
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=PATIENCE)
    wait_until(lambda: not running(server))


def test_the_command_ends_with_all_its_processes(
    repository: Path, tiny_model: Path, database: Path, tmp_path: Path
) -> None:
    settings = tmp_path / "serve.yaml"
    settings.write_text(f"query_seconds: {FOREVER}\nshutdown_seconds: 1\n")
    options = ["--config", str(settings)]
    log = tmp_path / "log"
    with (
        serving(repository, tiny_model, database, log, options) as (url, process),
        ThreadPoolExecutor(1) as pool,
    ):
        body = {"question": "Never end.", "execute": True}
        asked = pool.submit(httpx.post, f"{url}/text2sql", json=body, timeout=PATIENCE)
        wait_for_valid_answers(url, 1)
        family = psutil.Process(process.pid)
        wait_until(lambda: [one for one in family.children() if "worker" in str(one.cmdline())])
        children = family.children(recursive=True)
        process.send_signal(signal.SIGTERM)
        assert asked.result().status_code == 503
        assert process.wait(PATIENCE) == 0
    assert not psutil.wait_procs(children, timeout=PATIENCE)[1]


@pytest.fixture
def worker() -> Iterator[QueryProcess]:
    """A process that runs queries without a limit of time."""
    made = QueryProcess(EXECUTOR, {"max_memory": DEFAULT_MAX_MEMORY}, FOREVER)
    yield made
    made.close()


def ask_it(worker: QueryProcess, database: Path, sql: str, stop: Stop) -> Any:
    return worker.run((str(database), sql, FOREVER, 10), stop)


def test_a_stop_comes_at_any_time(worker: QueryProcess, database: Path) -> None:
    """Before the process is there, while it runs, when it is done: the next query lives."""

    def count() -> None:
        assert ask_it(worker, database, "SELECT count(*) FROM bike", Stop()).rows == [(3,)]

    before = Stop()
    before.set()
    assert ask_it(worker, database, SLOW, before).error == STOPPED
    for prepare in (lambda: None, count):  # a process that is to be started, one that is there
        during = Stop()
        with ThreadPoolExecutor(1) as pool:
            worker.close()
            prepare()
            asked = pool.submit(ask_it, worker, database, SLOW, during)
            wait_until(lambda stop=during: stop._process)
            during.set()
            assert asked.result().error == STOPPED
        count()
    after = Stop()
    assert ask_it(worker, database, "SELECT count(*) FROM bike", after).rows == [(3,)]
    after.set()
    count()


def test_stops_that_race_with_the_end_of_a_query(worker: QueryProcess, database: Path) -> None:
    for _ in range(30):
        stop = Stop()
        racing = threading.Thread(target=stop.set)
        racing.start()
        result = ask_it(worker, database, "SELECT count(*) FROM bike", stop)
        racing.join()
        assert result.rows == [(3,)] or result.error == STOPPED
    assert ask_it(worker, database, "SELECT count(*) FROM bike", Stop()).rows == [(3,)]


def test_work_ends_with_its_asker() -> None:
    ended: list[str] = []

    async def work(name: str, event: asyncio.Event) -> str:
        try:
            await event.wait()
            return name
        finally:
            ended.append(name)

    async def all_ways() -> None:
        never, at_once = asyncio.Event(), asyncio.Event()
        at_once.set()
        assert await while_asked(work("done", at_once), never.wait()) == "done"
        with pytest.raises(Gone):
            await while_asked(work("left alone", never), at_once.wait())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await while_asked(work("cancelled", never), never.wait())

    asyncio.run(all_ways())
    assert ended == ["done", "left alone", "cancelled"]
