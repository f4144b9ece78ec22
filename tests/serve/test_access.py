"""Who may ask, how often, and what is kept of it."""

from __future__ import annotations

import asyncio
import json
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from patience import PATIENCE
from websockets.sync.client import connect

from tests.serve.conftest import Server
from tests.serve.test_command import COMMAND
from tests.serve.test_mcp import error_line, over_http
from tests.serve.tiny import ANSWERS
from text2sql.errors import UserError
from text2sql.serve.access import Access, make_token
from text2sql.serve.audit import AuditLog
from text2sql.serve.config import ServeConfig
from text2sql.serve.messages import Refusal

Start = Callable[..., Server]
QUESTION = next(iter(ANSWERS))
WRITER, READER, STRANGER = (make_token() for _ in range(3))
TOKENS = {
    "writer": {"sha256": WRITER[1], "run": False},
    "reader": {"sha256": READER[1]},
    "stranger": {"sha256": STRANGER[1], "databases": ["elsewhere"]},
}


def post(server: Server, token: str, **body: Any) -> httpx.Response:
    return httpx.post(
        f"{server.url}/text2sql",
        json={"question": QUESTION} | body,
        headers={"Authorization": f"Bearer {token}"},
        timeout=PATIENCE,
    )


def kind(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json().get("error", {}).get("kind", "")


def test_a_token_allows_what_its_entry_says(start: Start, database: Path) -> None:
    server = start(database, tokens=TOKENS)
    assert kind(server.ask(QUESTION)) == (401, "unauthorized")
    assert kind(post(server, "x" * 40)) == (401, "unauthorized")
    assert kind(post(server, WRITER[1])) == (401, "unauthorized")  # a digest is no token
    assert post(server, WRITER[0]).json()["valid"]
    assert kind(post(server, WRITER[0], execute=True)) == (403, "not_allowed")
    assert post(server, READER[0], execute=True).json()["result"]["rows"]
    assert kind(post(server, STRANGER[0])) == (403, "not_allowed")
    assert post(server, STRANGER[0], db_schema="CREATE TABLE shop (name TEXT)").status_code == 200


def test_pages_know_whether_the_caller_may_run(start: Start, database: Path) -> None:
    server = start(database, tokens=TOKENS)
    for (token, _), runs in ((WRITER, False), (READER, True)):
        info = server.get("/info", headers={"Authorization": f"Bearer {token}"}).json()
        assert info["executes"] is runs
    assert kind(server.get("/info", headers={"Authorization": f"Bearer {STRANGER[0]}"}))[0] == 403
    assert kind(server.get("/schema", headers={"Authorization": f"Bearer {STRANGER[0]}"}))[0] == 403


def test_sockets_ask_for_the_token(start: Start, database: Path) -> None:
    server = start(database, tokens=TOKENS)
    address = server.url.replace("http", "ws") + "/ws/text2sql"
    for token, expected in (
        ("no", "unauthorized"),
        (WRITER[0], "not_allowed"),
        (READER[0], "done"),
    ):
        with connect(address) as socket:
            socket.send(json.dumps({"question": QUESTION, "execute": True, "token": token}))
            while (message := json.loads(socket.recv(PATIENCE)))["type"] not in ("done", "error"):
                pass
        assert expected in (message["type"], message.get("error", {}).get("kind"))


def test_agents_are_held_to_their_token(start: Start, database: Path) -> None:
    server = start(database, tokens=TOKENS)

    async def call(token: str, tool: str, **arguments: Any) -> Any:
        async with over_http(server, "auto", Authorization=f"Bearer {token}") as client:
            return await client.call_tool(tool, arguments)

    run = {"sql": "SELECT count(*) FROM shop"}
    assert "not run" in error_line(asyncio.run(call(WRITER[0], "run", **run)))
    assert not asyncio.run(call(READER[0], "run", **run)).is_error
    assert not asyncio.run(call(WRITER[0], "ask", question=QUESTION)).is_error
    for tool, arguments in (
        ("list_tables", {}),
        ("describe_table", {"table": "shop"}),
        ("run", run),
    ):
        assert "not for this database" in error_line(
            asyncio.run(call(STRANGER[0], tool, **arguments))
        )


def test_another_address_needs_a_token() -> None:
    with pytest.raises(ValueError, match="lets other machines ask"):
        ServeConfig(host="0.0.0.0")
    assert ServeConfig.model_validate({"host": "0.0.0.0", "tokens": TOKENS})
    with pytest.raises(ValueError, match="sha256"):
        ServeConfig.model_validate({"tokens": {"a": {"sha256": WRITER[0]}}})


def test_requests_are_counted_for_each_caller() -> None:
    now = 0.0
    tokens = {"a": TOKENS["reader"] | {"requests_per_minute": 2}, "b": TOKENS["writer"]}
    config = ServeConfig.model_validate({"tokens": tokens, "requests_per_minute": 60})
    access = Access(config, lambda: now)
    busy, other = (access.asker(f"Bearer {t}", "::1", "id") for t in (READER[0], WRITER[0]))
    for _ in range(2):
        access.count(busy)
    with pytest.raises(Refusal, match="2 requests a minute") as refused:
        access.count(busy)
    assert refused.value.status_code == 429
    wait = int((refused.value.headers or {})["Retry-After"])
    assert 30 <= wait <= 31
    for _ in range(60):
        access.count(other)
    now += wait
    access.count(busy)
    with pytest.raises(Refusal):
        access.count(busy)


def test_without_tokens_addresses_are_counted(start: Start, database: Path) -> None:
    server = start(database, requests_per_minute=1)
    assert server.ask(QUESTION).status_code == 200
    refused = server.ask(QUESTION)
    assert kind(refused) == (429, "too_often")
    assert 0 < int(refused.headers["Retry-After"]) <= 60


def test_who_asked_what_is_kept_without_rows(start: Start, database: Path, tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    server = start(database, tokens=TOKENS, audit=str(path))
    answer = post(server, READER[0], execute=True).json()
    post(server, WRITER[0], execute=True)
    post(server, "no")

    async def run(sql: str) -> Any:
        async with over_http(server, "auto", Authorization=f"Bearer {READER[0]}") as client:
            return await client.call_tool("run", {"sql": sql})

    asyncio.run(run("SELECT name FROM shop"))
    asyncio.run(run("DROP TABLE shop"))
    first, second, ran, refused = map(json.loads, path.read_text().splitlines())
    assert first["caller"] == "reader" and first["action"] == "ask"
    assert first["question"] == QUESTION and first["sql"] == answer["sql"]
    assert (first["request_id"], first["client"]) == (answer["request_id"], "127.0.0.1")
    assert (first["ran"], first["valid"], first["outcome"]) == (True, True, "done")
    assert first["rows"] == len(answer["result"]["rows"])
    assert (second["caller"], second["outcome"]) == ("writer", "not_allowed")
    assert (ran["action"], ran["sql"], ran["ran"]) == ("run", "SELECT name FROM shop", True)
    assert (refused["sql"], refused["ran"]) == ("DROP TABLE shop", False)
    assert refused["outcome"] == "invalid_sql"
    for value in ("Hub", READER[0], WRITER[0]):  # neither a row's value nor a token
        assert value not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_nothing_is_answered_that_cannot_be_kept(
    start: Start, database: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r"audit: .* cannot be written"):
        AuditLog(str(tmp_path / "nowhere" / "audit.jsonl"))
    path = tmp_path / "audit.jsonl"
    server = start(database, audit=str(path))
    path.unlink()
    path.mkdir()
    assert kind(server.ask(QUESTION)) == (503, "audit")


def test_a_token_is_made_by_a_command() -> None:
    done = subprocess.run([*COMMAND[:-1], "token", "ana"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    config = ServeConfig.model_validate(yaml.safe_load(done.stdout))
    token = done.stderr.strip().rpartition(" ")[2]
    assert Access(config).asker(f"Bearer {token}", "::1", "id").name == "ana"
    assert token not in done.stdout
