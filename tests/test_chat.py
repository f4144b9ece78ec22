"""The client of OpenAI-compatible endpoints against a real server that misbehaves on purpose."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from text2sql.chat import ChatClient, EndpointError
from text2sql.errors import UserError

KEY = "sk-only-for-this-test"
MESSAGES: Any = [{"role": "user", "content": "How many?"}]


class Server(HTTPServer):
    """Answers each request with the next (status, body) of its script; the last one repeats."""

    script: list[tuple[int, str]]
    requests: list[dict[str, Any]]
    keys: list[str]


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, Server)
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status, body = server.script[min(len(server.requests), len(server.script) - 1)]
        server.requests.append({"path": self.path} | request)
        server.keys.append(self.headers["Authorization"])
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server(("127.0.0.1", 0), Handler)
    made.requests, made.keys = [], []
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture
def client(server: Server, monkeypatch: pytest.MonkeyPatch) -> Callable[..., ChatClient]:
    """Return what makes a client of the server, with a key and without waiting for retries."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.01)
    return lambda: ChatClient(f"http://127.0.0.1:{server.server_port}/v1", "m", 1, 2)


def chat(text: Any, **more: Any) -> str:
    return json.dumps({"choices": [{"message": {"content": text}}], **more})


def pieces(*deltas: str, finish: str | None = "stop") -> str:
    choices: list[dict[str, Any]] = [{"text": delta, "finish_reason": None} for delta in deltas]
    choices[-1]["finish_reason"] = finish
    rows = [{"choices": [choice]} for choice in choices]
    if finish:
        usage = {"prompt_tokens": 7, "completion_tokens": len(deltas)}
        rows.append({"choices": [], "usage": usage})
    return "".join(f"data: {json.dumps(row)}\n\n" for row in rows)


def test_failures_that_pass_are_tried_again_and_tokens_counted(
    server: Server, client: Callable[..., ChatClient]
) -> None:
    usage = {"prompt_tokens": 100, "completion_tokens": 50}
    server.script = [(503, ""), (429, "{}"), (200, chat("three", usage=usage)), (200, chat("four"))]
    asked = client()
    assert asked.ask(MESSAGES, temperature=0.5) == "three"
    assert len(server.requests) == 3
    assert server.requests[-1] == {
        "path": "/v1/chat/completions",
        "model": "m",
        "messages": MESSAGES,
        "temperature": 0.5,
    }
    assert asked.ask(MESSAGES) == "four"  # of an endpoint that does not count
    assert (asked.tokens_in, asked.tokens_out) == (100, 50)
    assert asked.cost == pytest.approx(200e-6)
    assert set(server.keys) == {f"Bearer {KEY}"}


@pytest.mark.parametrize(
    ("status", "body", "words", "requests"),
    [
        (401, json.dumps({"error": {"message": f"wrong key {KEY}\nof yours"}}), "status 401: ", 1),
        (404, "", "the endpoint refuses: status 404", 1),
        (500, "<html>", "status 500", 4),
        (200, "{nonsense", "the answer is not JSON", 1),
        (200, "<html>", "the answer is not JSON", 1),
        (200, "{}", "the answer is not an OpenAI completion", 1),
        (200, "[1]", "the answer is not an OpenAI completion", 1),
        (200, chat("x", usage=7), "the answer is not an OpenAI completion", 1),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_goes_wrong_is_one_line_without_the_key(
    server: Server,
    client: Callable[..., ChatClient],
    status: int,
    body: str,
    words: str,
    requests: int,
) -> None:
    server.script = [(status, body)]
    with pytest.raises(EndpointError) as caught:
        client().ask(MESSAGES)
    line = str(caught.value)
    assert line.startswith(f"http://127.0.0.1:{server.server_port}/v1: ") and words in line
    assert "\n" not in line and KEY not in line
    assert caught.value.status == (status if status != 200 else None)
    assert len(server.requests) == requests


def test_an_answer_without_text_is_empty(server: Server, client: Callable[..., ChatClient]) -> None:
    server.script = [(200, chat(None))]
    assert client().ask(MESSAGES) == ""


def test_nobody_there(client: Callable[..., ChatClient], server: Server) -> None:
    away = ChatClient("http://127.0.0.1:9/v1", "m")
    with pytest.raises(EndpointError, match=r"refused; the endpoint does not answer.*running"):
        away.ask(MESSAGES)


def test_nobody_answers(client: Callable[..., ChatClient]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        asked = ChatClient(f"http://127.0.0.1:{silent.getsockname()[1]}/v1", "m", seconds=0.1)
        with pytest.raises(EndpointError, match=r"no answer within 0\.1 seconds, 4 times over"):
            asked.ask(MESSAGES)


@pytest.mark.parametrize("url", ["", "nonsense", "ftp://host/v1", "http://[::1", "http://h:port"])
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(UserError, match="not a URL"):
        ChatClient(url, "m")


@pytest.mark.parametrize("key", ["sk-one\nline", "sk-\N{BULLET}"])
def test_a_key_that_no_header_takes_is_not_shown(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(UserError, match="OPENAI_API_KEY: a key is one line") as caught:
        ChatClient("http://127.0.0.1:9/v1", "m")
    assert key not in str(caught.value)


def test_a_listener_hears_the_text_grow(server: Server, client: Callable[..., ChatClient]) -> None:
    server.script = [(200, pieces("SEL", "ECT", " 1"))]
    heard: list[str] = []
    reply = client().complete(heard.append, prompt="x")
    assert heard == ["SEL", "SELECT", "SELECT 1"]
    assert (reply.text, reply.finish_reason) == ("SELECT 1", "stop")
    assert (reply.tokens_in, reply.tokens_out) == (7, 3)
    assert server.requests[0]["path"] == "/v1/completions"
    assert server.requests[0]["stream_options"] == {"include_usage": True}


def test_a_stream_that_breaks_off_is_asked_again_without_one(
    server: Server, client: Callable[..., ChatClient]
) -> None:
    whole = json.dumps({"choices": [{"text": "SELECT 1", "finish_reason": "length"}]})
    server.script = [(200, pieces("SEL", finish=None)), (200, whole)]
    heard: list[str] = []
    reply = client().complete(heard.append, prompt="x")
    assert (heard, reply.text, reply.finish_reason) == (["SEL"], "SELECT 1", "length")
    assert [request.get("stream") for request in server.requests] == [True, None]
