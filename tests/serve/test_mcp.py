"""MCP, with the official client: over HTTP to a server in this process, over stdio to the command.

`legacy` is the protocol with a handshake and sessions, `auto` negotiates the newest.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import httpx
import httpx2
import psutil
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult
from patience import PATIENCE

from tests.serve.conftest import Server
from tests.serve.test_command import COMMAND, environment
from tests.serve.test_remote import HOSTILE, Obedient
from tests.serve.test_stopping import FOREVER, running, wait_until
from tests.serve.tiny import ANSWERS, SLOW

Start = Callable[..., Server]
MODES = ["legacy", "auto"]
TOOLS = {"list_tables", "describe_table", "ask", "run"}
# What SQLite might take for a query of the shop's tables, and must not run.
HOSTILE_TO_SQLITE = [
    *HOSTILE,
    "ATTACH DATABASE 'other.sqlite' AS other",
    "PRAGMA writable_schema = 1",
    "SELECT load_extension('x')",
    "SELECT writefile('x', 'y')",
    "REPLACE INTO shop VALUES (1, 'x', 'y')",
    "VACUUM INTO 'copy.sqlite'",
    "SELECT 1 -- and more",
    "",
    "SELECT " + "(" * 3000 + "1" + ")" * 3000,
    "x" * 30_000,
]


@asynccontextmanager
async def over_http(server: Server, mode: str, **headers: str) -> AsyncIterator[Client]:
    limits = httpx2.Limits(max_connections=None)
    async with httpx2.AsyncClient(timeout=PATIENCE, limits=limits, headers=headers) as web:
        transport = streamable_http_client(f"{server.url}/mcp", http_client=web)
        async with Client(transport, mode=mode, read_timeout_seconds=PATIENCE) as client:
            yield client


@asynccontextmanager
async def over_stdio(
    repository: Path, model: Path, database: Path, mode: str, *options: str
) -> AsyncIterator[Client]:
    command = StdioServerParameters(
        command=COMMAND[0],
        args=[*COMMAND[1:-1], "mcp", "--model", str(model), *options],
        env=environment(repository, DB_URL=str(database), OMP_NUM_THREADS="1"),
    )
    async with Client(command, mode=mode, read_timeout_seconds=PATIENCE) as client:
        yield client


async def rows(client: Client, sql: str, **more: Any) -> list[list[Any]]:
    result = await client.call_tool("run", {"sql": sql, **more})
    assert not result.is_error, result.content
    return result.structured_content["rows"]


def error_line(result: CallToolResult) -> str:
    """The one line that an error is."""
    (content,) = result.content
    text: str = content.text
    assert result.is_error and result.structured_content is None
    assert text and "\n" not in text and "Traceback" not in text
    return text


async def use_every_tool(client: Client) -> None:
    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert tools.keys() == TOOLS
    for tool in tools.values():
        assert tool.annotations.read_only_hint and not tool.annotations.destructive_hint
        assert not tool.annotations.open_world_hint
    result = await client.call_tool("list_tables", {})
    assert result.structured_content["dialect"] == "SQLite"
    names = [table["name"] for table in result.structured_content["tables"]]
    assert names == ["shop", "bike"]
    assert json.loads(result.content[0].text) == result.structured_content
    result = await client.call_tool("describe_table", {"table": "BIKE"})
    described = result.structured_content
    columns = [(column["name"], column["type"]) for column in described["columns"]]
    assert columns[:2] == [("bike_id", "INTEGER"), ("model", "TEXT")]
    assert described["foreign_keys"] == [
        {"column": "shop_id", "ref_table": "shop", "ref_column": "shop_id"}
    ]
    result = await client.call_tool("ask", {"question": "Number of shops by city?"})
    asked = result.structured_content
    assert (asked["sql"], asked["valid"]) == (ANSWERS["Number of shops by city?"], True)
    assert await rows(client, asked["sql"]) == [["Ghent", 2], ["Leuven", 1]]
    result = await client.call_tool("ask", {"question": "Delete every shop."})
    assert result.structured_content["valid"] is False
    assert result.structured_content["warnings"]
    for name, arguments, words in (
        ("run", {"sql": "DELETE FROM shop"}, "only reads"),
        ("run", {"sql": "SELECT colour FROM bike"}, "no such column: colour"),
        ("run", {"sql": "SELECT 1", "max_rows": 0}, "max_rows"),
        ("run", {}, "sql"),
        ("run", {"sql": "SELECT 1", "limit": 5}, "limit"),
        ("ask", {"question": " "}, "empty"),
        ("ask", {"question": "x" * 3000}, "2000"),
        ("describe_table", {"table": "boat"}, "no such table: boat"),
        ("drop_table", {"table": "bike"}, "no such tool"),
    ):
        assert words in error_line(await client.call_tool(name, arguments))


@pytest.mark.parametrize("mode", MODES)
def test_every_tool_over_http(start: Start, database: Path, mode: str) -> None:
    server = start(database)

    async def use() -> None:
        async with over_http(server, mode) as client:
            await use_every_tool(client)

    anyio.run(use)
    assert 'requests_total{path="/mcp",status="200"}' in server.get("/metrics").text
    assert server.get("/mcp").status_code == 405


@pytest.mark.parametrize("mode", MODES)
def test_every_tool_over_stdio(
    repository: Path, tiny_model: Path, database: Path, tmp_path: Path, mode: str
) -> None:
    style = "--schema-style=ddl"

    async def use() -> None:
        async with over_stdio(repository, tiny_model, database, mode, style) as client:
            await use_every_tool(client)
            sql = "SELECT count(*) FROM bike"
            answers: list[Any] = []

            async def call() -> None:
                answers.append(await rows(client, sql))

            async with anyio.create_task_group() as group:
                for _ in range(200):
                    group.start_soon(call)
            assert answers == [[[3]]] * 200

    anyio.run(use)


@pytest.mark.parametrize("mode", MODES)
def test_200_calls_at_once(start: Start, database: Path, mode: str) -> None:
    server = start(database, max_waiting=64, max_waiting_per_client=64)
    well = ["How many bikes are there?", "Number of shops by city?", "Prices of all bikes?"]
    outcomes: list[str] = []

    async def call(client: Client, number: int) -> None:
        if number % 2:
            assert await rows(client, "SELECT count(*) FROM shop") == [[3]]
            outcomes.append("rows")
            return
        question = well[number % 3]
        result = await client.call_tool("ask", {"question": question})
        if result.is_error:
            assert "too many questions are waiting" in error_line(result)
            outcomes.append("busy")
        else:
            assert result.structured_content["sql"] == ANSWERS[question]
            outcomes.append("sql")

    async def crowd() -> None:
        async with over_http(server, mode) as client:
            async with anyio.create_task_group() as group:
                for number in range(200):
                    group.start_soon(call, client, number)
            assert await rows(client, "SELECT count(*) FROM shop") == [[3]]

    anyio.run(crowd)
    assert outcomes.count("rows") == 100
    assert len(outcomes) == 200 and outcomes.count("sql") >= 64


def test_only_a_query_that_reads_is_run(start: Start, database: Path) -> None:
    before = hashlib.sha256(database.read_bytes()).hexdigest()
    server = start(database, engine=Obedient(), query_seconds=2)

    async def attack() -> None:
        async with over_http(server, "auto") as client:
            for sql in HOSTILE_TO_SQLITE:
                error_line(await client.call_tool("run", {"sql": sql}))
            assert await rows(client, "SELECT name FROM shop", max_rows=2) == [["Hub"], ["Spoke"]]
            slow = error_line(await client.call_tool("run", {"sql": SLOW}))
            assert slow == "the query was stopped after 2 seconds"

    anyio.run(attack)
    assert hashlib.sha256(database.read_bytes()).hexdigest() == before
    assert [path.name for path in database.parent.iterdir()] == [database.name]


def test_the_limits_of_the_service_hold(start: Start, database: Path) -> None:
    server = start(database, max_rows=2)

    async def run() -> None:
        async with over_http(server, "auto") as client:
            result = await client.call_tool("run", {"sql": "SELECT * FROM shop", "max_rows": 50})
            content = result.structured_content
            assert (len(content["rows"]), content["truncated"]) == (2, True)

    anyio.run(run)


@pytest.mark.parametrize("mode", MODES)
def test_a_client_that_goes_away_stops_its_query(start: Start, database: Path, mode: str) -> None:
    server = start(database, query_seconds=FOREVER, query_workers=1)

    async def leave(how: str) -> None:
        async with over_http(server, mode) as client:
            with anyio.CancelScope() as scope:
                async with anyio.create_task_group() as group:
                    group.start_soon(client.call_tool, "run", {"sql": SLOW})
                    while not running(server):
                        await anyio.sleep(0.01)
                    scope.cancel()
            if how == "cancels":  # and stays
                while running(server):
                    await anyio.sleep(0.01)
                assert await rows(client, "SELECT count(*) FROM shop") == [[3]]

    for how in ("cancels", "leaves"):
        anyio.run(leave, how)
        wait_until(lambda: not running(server))

    async def look() -> None:
        async with over_http(server, mode) as client:
            assert await rows(client, "SELECT count(*) FROM shop") == [[3]]

    anyio.run(look)


def call_by_hand(version: str, sql: str) -> tuple[dict[str, str], dict[str, Any]]:
    """Headers and body of a call, for clients that break off."""
    accept = "application/json, text/event-stream"
    headers = {
        "Accept": accept,
        "MCP-Protocol-Version": version,
        "Content-Type": "application/json",
    }
    params = {"name": "run", "arguments": {"sql": sql}}
    return headers, {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}


def test_a_connection_that_breaks_off_stops_its_query(start: Start, database: Path) -> None:
    """Without a word of goodbye, in the protocol with sessions."""
    server = start(database, query_seconds=FOREVER)

    async def break_off() -> None:
        headers, call = call_by_hand("2025-06-18", SLOW)
        async with httpx.AsyncClient(timeout=PATIENCE, headers=headers) as client:
            hello = {
                "protocolVersion": "2025-06-18",
                "capabilities": {},
                "clientInfo": {"name": "test", "version": "1"},
            }
            opening = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}
            opened = await client.post(f"{server.url}/mcp", json=opening)
            session = {"Mcp-Session-Id": opened.headers["mcp-session-id"]}
            ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
            await client.post(f"{server.url}/mcp", json=ready, headers=session)
            asking = asyncio.create_task(
                client.post(f"{server.url}/mcp", json=call, headers=session)
            )
            while not running(server):
                await asyncio.sleep(0.01)
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)

    asyncio.run(break_off())
    wait_until(lambda: not running(server))


def test_a_server_that_is_told_to_stop_ends_what_runs(start: Start, database: Path) -> None:
    """The fixture sees to it that the server ends."""
    server = start(database, query_seconds=FOREVER, shutdown_seconds=1)

    async def wait_in_vain() -> None:
        async with over_http(server, "legacy") as client, anyio.create_task_group() as group:
            group.start_soon(client.call_tool, "run", {"sql": SLOW})
            while not running(server):
                await anyio.sleep(0.01)
            server.uvicorn.should_exit = True
            while running(server):
                await anyio.sleep(0.01)

    with suppress(Exception):  # the client has much to say of a server that goes away
        anyio.run(wait_in_vain)
    assert server.uvicorn.should_exit
    wait_until(lambda: not running(server))


def test_the_token_is_asked_for(start: Start, database: Path) -> None:
    server = start(database, token="a-secret-of-the-test")
    headers, call = call_by_hand("2025-06-18", "SELECT 1")
    refused = httpx.post(f"{server.url}/mcp", json=call, headers=headers, timeout=PATIENCE)
    assert refused.status_code == 401

    async def ask() -> None:
        secret = {"Authorization": "Bearer a-secret-of-the-test"}
        async with over_http(server, "auto", **secret) as client:
            assert await rows(client, "SELECT 1") == [[1]]

    anyio.run(ask)


@pytest.mark.parametrize("version", ["2025-06-18", "2026-07-28"])
def test_other_sites_cannot_use_a_visitors_browser(
    start: Start, database: Path, version: str
) -> None:
    server = start(database)
    headers, call = call_by_hand(version, "SELECT 1")
    for own, status in (
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "evil.example"}, 421),
    ):
        refused = httpx.post(
            f"{server.url}/mcp", json=call, headers=headers | own, timeout=PATIENCE
        )
        assert refused.status_code == status


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000])
@pytest.mark.parametrize("version", ["2025-06-18", "2026-07-28"])
def test_what_is_no_message_is_refused(start: Start, content: bytes, version: str) -> None:
    server = start()
    headers, _ = call_by_hand(version, "")
    refused = httpx.post(f"{server.url}/mcp", content=content, headers=headers, timeout=PATIENCE)
    assert 400 <= refused.status_code < 500
    assert server.get("/healthz").status_code == 200


def test_without_a_database_the_tools_say_so(start: Start) -> None:
    server = start()

    async def ask() -> None:
        async with over_http(server, "auto") as client:
            for name, arguments in (
                ("list_tables", {}),
                ("describe_table", {"table": "x"}),
                ("ask", {"question": "How many?"}),
                ("run", {"sql": "SELECT 1"}),
            ):
                line = error_line(await client.call_tool(name, arguments))
                assert "no database is configured" in line

    anyio.run(ask)


def start_stdio(repository: Path, model: Path, database: Path | str, *options: str) -> Any:
    return subprocess.Popen(
        [*COMMAND[:-1], "mcp", "--model", str(model), *options],
        env=environment(repository, DB_URL=str(database), OMP_NUM_THREADS="1"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.mark.parametrize("end", ["close", "kill", "terminate"])
def test_a_stdio_client_that_is_gone_ends_all(
    repository: Path, tiny_model: Path, database: Path, tmp_path: Path, end: str
) -> None:
    """Its process ends, and the query that runs; only JSON has come out."""
    settings = tmp_path / "serve.yaml"
    settings.write_text(f"query_seconds: {FOREVER}\n")
    process = start_stdio(repository, tiny_model, database, "--config", str(settings))
    _, call = call_by_hand("", SLOW)
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}}
    hello |= {"clientInfo": {"name": "test", "version": "1"}}
    for message in (
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        call,
    ):
        process.stdin.write(json.dumps(message).encode() + b"\n")
        process.stdin.flush()
    assert json.loads(process.stdout.readline())["id"] == 1
    family = psutil.Process(process.pid)
    wait_until(family.children)
    children = family.children(recursive=True)
    if end == "close":
        process.stdin.close()
    else:
        process.send_signal(signal.SIGKILL if end == "kill" else signal.SIGTERM)
    assert process.wait(PATIENCE) == (-signal.SIGKILL if end == "kill" else 0)
    if end != "kill":  # then it is the kernel's alarm that ends the worker, at its limit of time
        assert not psutil.wait_procs(children, timeout=PATIENCE)[1]
    for child in children:
        if child.is_running():
            child.kill()
    for line in process.stdout.read().splitlines():
        assert json.loads(line)["jsonrpc"] == "2.0"
    log = process.stderr.read().decode()
    assert "Traceback" not in log and "RECURSIVE" not in log  # queries are not logged
    process.stdin.close() if end != "close" else None


@pytest.mark.parametrize(
    ("database_url", "options", "words"),
    [
        ("", [], "--db-url"),
        ("nowhere.sqlite", [], "nowhere.sqlite"),
        ("", ["--transport", "http", "--host", "0.0.0.0"], "set TEXT2SQL_TOKEN"),
        ("", ["--transport", "telepathy"], "telepathy"),
    ],
)
def test_a_mistake_is_one_line_on_stderr(
    repository: Path, tiny_model: Path, database_url: str, options: list[str], words: str
) -> None:
    process = start_stdio(repository, tiny_model, database_url, *options)
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (2, b"")
    errors = [line for line in err.decode().splitlines() if line.startswith(("error: ", "Error: "))]
    assert len(errors) == 1 and words in errors[0]
    assert b"Traceback" not in err


def test_what_prints_does_not_disturb_the_protocol(repository: Path) -> None:
    """Neither Python's prints nor those of C libraries and child processes."""
    program = (
        "import os, subprocess, sys\n"
        "from text2sql.serve.mcp_stdio import protocol_streams\n"
        "with protocol_streams() as (requests, answers):\n"
        "    print('printed'); os.write(1, b'written\\n'); subprocess.run(['echo', 'echoed'])\n"
        "    assert subprocess.run(['cat'], capture_output=True).stdout == b''\n"
        "    answers.write(requests.readline().decode()); answers.flush()\n"
    )
    result = subprocess.run(
        [COMMAND[0], "-c", program],
        env=environment(repository),
        input=b"the protocol\n",
        capture_output=True,
        timeout=PATIENCE,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == b"the protocol\n"
    assert all(word in result.stderr for word in (b"printed", b"written", b"echoed"))
