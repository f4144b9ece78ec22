"""DDL translation against a real HTTP server that misbehaves on purpose."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from text2sql.chat import AnswerLog, ChatClient
from text2sql.data.translate import Translator, check_ddl, parse_prose
from text2sql.errors import UserError
from text2sql.schema import Column, ForeignKey, Schema, Table, render_schema

SCHEMA = Schema(
    "owls",
    (
        Table("owl", (Column("id", primary_key=True), Column("18_weight"), Column("nest_id"))),
        Table("nest", (Column("id", primary_key=True), Column("home town"))),
    ),
    (ForeignKey("owl", "nest_id", "nest", "id"),),
)
PROSE = render_schema(SCHEMA, "prose")
GOOD = "<sql>" + render_schema(SCHEMA).replace("TEXT", "INT") + "</sql>"
BAD = "<sql>CREATE TABLE owl (id INT);</sql>"


class Server(HTTPServer):
    """Answers each request with the next (status, text) of its script."""

    script: list[tuple[int, str]]
    calls: int = 0


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, Server)
        self.rfile.read(int(self.headers["Content-Length"]))
        status, text = server.script[min(server.calls, len(server.script) - 1)]
        server.calls += 1
        usage = {"prompt_tokens": 100, "completion_tokens": 50}
        body = json.dumps({"choices": [{"message": {"content": text}}], "usage": usage}).encode()
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def translator(server: Server, tmp_path: Path) -> Translator:
    url = f"http://127.0.0.1:{server.server_port}/v1"
    client = ChatClient(url, "m", price_in=1, price_out=2)
    return Translator(client, AnswerLog(tmp_path / "log.jsonl"))


def test_prose_and_back() -> None:
    assert parse_prose(PROSE) == SCHEMA


def test_errors_are_retried_and_answers_logged(server: Server, tmp_path: Path) -> None:
    server.script = [(503, ""), (200, BAD), (200, GOOD)]
    asked = translator(server, tmp_path)
    ddl = asked.translate(PROSE)
    assert check_ddl(ddl, SCHEMA) == []
    assert asked.translate(PROSE) == ddl
    assert server.calls == 3
    assert (asked.client.tokens_in, asked.client.tokens_out, asked.replaced) == (200, 100, 0)
    assert asked.client.cost == pytest.approx(400e-6)
    assert translator(server, tmp_path).translate(PROSE) == ddl  # from the log
    assert server.calls == 3


def test_the_rule_replaces_bad_answers(server: Server, tmp_path: Path) -> None:
    server.script = [(200, BAD)]
    asked = translator(server, tmp_path)
    assert asked.translate(PROSE) == render_schema(SCHEMA)
    assert (server.calls, asked.replaced) == (3, 1)


def test_refusal_is_one_line(server: Server, tmp_path: Path) -> None:
    server.script = [(401, "")]
    with pytest.raises(UserError, match="status 401"):
        translator(server, tmp_path).translate(PROSE)
    assert server.calls == 1


@pytest.mark.parametrize(
    ("ddl", "problem"),
    [
        ("CREATE TABLE", "does not run"),
        ("", "missing table: nest"),
        (render_schema(SCHEMA) + "CREATE TABLE x (y INT);", "unknown table: x"),
        (render_schema(SCHEMA).replace("nest_id TEXT", "nest TEXT, nest_id TEXT"), "owl.nest"),
        (render_schema(SCHEMA) + "ATTACH 'other.sqlite' AS o;", "does not run"),
    ],
)
def test_check(ddl: str, problem: str) -> None:
    assert any(problem in found for found in check_ddl(ddl, SCHEMA))
