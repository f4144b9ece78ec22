"""The WebSocket: text as it grows, then SQL, then rows; refusals as messages."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.serve.conftest import Server
from text2sql.infer.engine import Completion, Prompt

Start = Callable[..., Server]


def open_socket(server: Server, path: str = "/ws/text2sql", **more: Any) -> ClientConnection:
    url = server.url.replace("http", "ws") + path
    return connect(url, open_timeout=PATIENCE, ping_timeout=PATIENCE, **more)


def answers(socket: ClientConnection, message: Any) -> list[dict[str, Any]]:
    """Send a message; return all that comes back, up to the last one."""
    socket.send(message if isinstance(message, str | bytes) else json.dumps(message))
    got: list[dict[str, Any]] = []
    while not got or got[-1]["type"] not in ("done", "error"):
        got.append(json.loads(socket.recv(timeout=PATIENCE)))
    return got


def test_text_then_sql_then_rows(start: Start, database: Path) -> None:
    with open_socket(start(database)) as socket:
        for _ in range(2):  # one connection, several questions
            got = answers(socket, {"question": "Number of shops by city?", "execute": True})
            kinds = [one["type"] for one in got]
            texts = [one["text"] for one in got if one["type"] == "text"]
            assert kinds == ["text"] * len(texts) + ["sql", "rows", "done"]
            sql = "SELECT city, count(*) FROM shop GROUP BY city"
            assert texts and all(sql.startswith(text) for text in texts)
            assert (got[-3]["sql"], got[-3]["valid"]) == (sql, True)
            assert got[-2]["rows"] == [["Ghent", 2], ["Leuven", 1]]
            assert got[-1]["request_id"] == got[-3]["request_id"]


class Dictated:
    """Stands in for a model that writes its next word when the last one has been read."""

    def __init__(self, sql: str) -> None:
        self.words = sql.split(" ")
        self.read = threading.Semaphore(0)

    def encode(self, text: str) -> list[int]:
        return [1] * (len(text) // 10)

    def generate(self, prompts: Sequence[Prompt]) -> Iterator[Completion]:
        for prompt in prompts:
            assert prompt.listener
            for number in range(1, len(self.words) + 1):
                prompt.listener(" ".join(self.words[:number]))
                assert self.read.acquire(timeout=PATIENCE)
            yield Completion(prompt.id, " ".join(self.words), 9, 0.0, "stop")

    def measurements(self) -> dict[str, Any]:
        return {}


def test_every_word_is_seen_while_the_model_still_writes(start: Start, database: Path) -> None:
    engine = Dictated("SELECT city FROM shop")
    with open_socket(start(database, engine=engine)) as socket:
        socket.send(json.dumps({"question": "Which cities?"}))
        for number in range(1, len(engine.words) + 1):
            heard = json.loads(socket.recv(timeout=PATIENCE))
            assert heard == {"type": "text", "text": " ".join(engine.words[:number])}
            engine.read.release()
        kinds = [json.loads(socket.recv(timeout=PATIENCE))["type"] for _ in range(2)]
    assert kinds == ["sql", "done"]


def test_listeners_of_one_batch_hear_their_own_answer(start: Start, database: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from tests.serve.tiny import ANSWERS

    server = start(database)
    questions = ["How many bikes are there?", "Number of shops by city?", "Prices of all bikes?"]

    def ask(question: str) -> None:
        with open_socket(server) as socket:
            for message in answers(socket, {"question": question}):
                if message["type"] == "text":
                    assert ANSWERS[question].startswith(message["text"])

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(ask, questions * 4))


@pytest.mark.parametrize(
    "message", ["nonsense", "[1]", "[" * 50_000, {"question": 7}, {"question": "x" * 3000}]
)
def test_a_wrong_message_is_refused_and_the_connection_lives(
    start: Start, database: Path, message: Any
) -> None:
    with open_socket(start(database)) as socket:
        assert answers(socket, message)[0]["type"] == "error"
        assert answers(socket, {"question": "How many bikes are there?"})[-1]["type"] == "done"


def test_a_write_is_not_run(start: Start, database: Path) -> None:
    before = database.read_bytes()
    with open_socket(start(database)) as socket:
        got = answers(socket, {"question": "Delete every shop.", "execute": True})
    assert [one["type"] for one in got if one["type"] != "text"] == ["sql", "done"]
    assert got[-1]["valid"] is False
    assert database.read_bytes() == before


def test_too_large_a_message_ends_the_connection(start: Start, database: Path) -> None:
    server = start(database)
    with open_socket(server) as socket, pytest.raises(ConnectionClosed):
        answers(socket, "x" * 2_000_000)
    assert server.ask("How many bikes are there?").status_code == 200


def test_the_token_comes_with_the_first_message(start: Start, database: Path) -> None:
    server = start(database, token="a-secret-of-the-test")
    question = {"question": "How many bikes are there?"}
    with open_socket(server) as socket:
        refused = answers(socket, question)[0]
        assert (refused["type"], refused["error"]["kind"]) == ("error", "unauthorized")
    with open_socket(server) as socket:
        right = question | {"token": "a-secret-of-the-test"}
        assert answers(socket, right)[-1]["type"] == "done"
        assert answers(socket, question)[-1]["type"] == "done"
    with open_socket(server, "/ws/jobs") as socket:
        assert answers(socket, {})[0]["error"]["kind"] == "unauthorized"


def test_pages_of_other_sites_may_not_connect(start: Start, database: Path) -> None:
    server = start(database)
    with pytest.raises(InvalidStatus):
        open_socket(server, origin="https://evil.example")


def test_one_who_hangs_up_costs_nobody_else(start: Start, database: Path) -> None:
    server = start(database, query_seconds=1)
    for _ in range(5):
        with open_socket(server) as socket:
            socket.send(json.dumps({"question": "Never end.", "execute": True}))
    with open_socket(server) as socket:
        assert answers(socket, {"question": "How many bikes are there?"})[-1]["type"] == "done"
