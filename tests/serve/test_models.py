"""Several models of one server: chosen by request or database; and servers of all kinds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from tests.serve.conftest import Server
from tests.serve.fake_openai import CHAT, COMPLETIONS, FakeOpenAI
from tests.serve.test_stream import answers, open_socket
from tests.serve.tiny import TEMPLATE
from text2sql.errors import UserError
from text2sql.infer.config import InferConfig
from text2sql.infer.load import load_engine

Start = Callable[..., Server]
QUESTION = "How many bikes are there?"
BASE, BIKES, SHOPS = "SELECT 1", "SELECT count(*) FROM bike", "SELECT count(*) FROM shop"
MODELS = {"base": BASE, "bikes-lora": BIKES, "shops-lora": SHOPS}
# What the protocol of OpenAI knows; hosted APIs answer 400 to anything else.
OPENAI_KEYS = frozenset(
    {"model", "messages", "prompt", "max_tokens", "temperature", "top_p", "seed", "stop"}
    | {"stream", "stream_options"}
)


@pytest.fixture
def fake() -> Iterator[FakeOpenAI]:
    """A server with a base model and two adapters."""
    server = FakeOpenAI(MODELS)
    yield server
    server.close()


def settings(url: str, send: str = "text") -> dict[str, Any]:
    return {
        "engine": "openai",
        "max_new_tokens": 48,
        "max_model_len": 512,
        "batch_size": 4,
        "server": {"base_url": url, "model": "base", "send": send},
    }


def begin(start: Start, database: Path, tiny_model: Path, url: str, **more: Any) -> Server:
    decoding = settings(url, more.pop("send", "text"))
    config = InferConfig.model_validate(decoding)
    engine = load_engine(tiny_model, config, TEMPLATE.stop_words, "cpu")
    return start(database, engine=engine, decoding=decoding, **more)


def test_a_request_chooses_among_the_models(
    start: Start, database: Path, tiny_model: Path, fake: FakeOpenAI
) -> None:
    names = ["bikes-lora", "shops-lora"]
    server = begin(start, database, tiny_model, fake.url, models=names)
    info = server.get("/info").json()
    assert info["models"] == [info["model"], *names]
    for name, sql in (("bikes-lora", BIKES), ("shops-lora", SHOPS)):
        answer = server.ask(QUESTION, model=name).json()
        assert (answer["sql"], answer["model"]) == (sql, name)
    assert server.ask(QUESTION).json()["sql"] == BASE
    assert [body["model"] for _, body in fake.requests] == [*names, "base"]
    with open_socket(server) as socket:
        assert answers(socket, {"question": QUESTION, "model": "shops-lora"})[-1]["sql"] == SHOPS


def test_an_unknown_model_is_refused_in_one_line(
    start: Start, database: Path, tiny_model: Path, fake: FakeOpenAI
) -> None:
    server = begin(start, database, tiny_model, fake.url, models=["bikes-lora"])
    for name in ("gpt", "shops-lora"):  # what the server has, but this service does not offer
        refused = server.ask(QUESTION, model=name)
        assert refused.status_code == 422
        assert refused.json()["error"] == {
            "kind": "unknown_model",
            "message": f"no model '{name}' here; there are: tiny, bikes-lora",
        }
    assert fake.requests == []


def test_a_database_has_a_model_of_its_own(
    start: Start, database: Path, tiny_model: Path, fake: FakeOpenAI
) -> None:
    of = {"shops": "shops-lora", "other": "bikes-lora"}
    server = begin(start, database, tiny_model, fake.url, database_models=of)
    assert server.get("/info").json()["model"] == "shops-lora"
    assert server.ask(QUESTION).json()["model"] == "shops-lora"
    assert server.ask(QUESTION, model="bikes-lora").json()["sql"] == BIKES
    # A schema that comes with the question is of no known database.
    typed = server.ask(QUESTION, db_schema="CREATE TABLE bike (id INTEGER)").json()
    assert typed["sql"] == BASE


def test_a_model_that_the_server_lacks_is_named_at_the_start(
    start: Start, database: Path, tiny_model: Path, fake: FakeOpenAI
) -> None:
    with pytest.raises(UserError, match="serves no model 'gone'; it serves: base, bikes-lora"):
        begin(start, database, tiny_model, fake.url, models=["gone"])


def test_a_model_in_this_process_has_no_others(start: Start, database: Path) -> None:
    with pytest.raises(UserError, match="only a server has several models"):
        start(database, models=["bikes-lora"])


def test_agents_choose_too(
    start: Start, database: Path, tiny_model: Path, fake: FakeOpenAI
) -> None:
    server = begin(start, database, tiny_model, fake.url, models=["bikes-lora"])

    async def work() -> None:
        async with Client(f"{server.url}/mcp") as client:
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
            offered = tools["ask"].input_schema["properties"]["model"]["enum"]
            assert offered == [None, "tiny", "bikes-lora"]
            asked = {"question": QUESTION, "model": "bikes-lora"}
            result = await client.call_tool("ask", asked)
            assert result.structured_content and result.structured_content["sql"] == BIKES
            refused = await client.call_tool("ask", asked | {"model": "gpt"})
            assert refused.is_error and "no model 'gpt' here" in refused.content[0].text

    asyncio.run(work())


def test_agents_are_offered_no_choice_of_one(start: Start, database: Path) -> None:
    server = start(database)

    async def work() -> None:
        async with Client(f"{server.url}/mcp") as client:
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
            assert "model" not in tools["ask"].input_schema["properties"]

    asyncio.run(work())


@pytest.mark.parametrize(
    ("send", "endpoint", "keys"), [("chat", CHAT, OPENAI_KEYS), ("text", COMPLETIONS, None)]
)
def test_servers_with_one_endpoint_only(
    start: Start,
    database: Path,
    tiny_model: Path,
    send: str,
    endpoint: str,
    keys: frozenset[str] | None,
) -> None:
    """Hosted APIs have chat alone, and take no keys but their own."""
    fake = FakeOpenAI(MODELS, (endpoint,), keys)
    try:
        server = begin(start, database, tiny_model, fake.url, send=send)
        answer = server.ask(QUESTION, execute=True).json()
        assert (answer["sql"], answer["result"]["rows"]) == (BASE, [[1]])
        with open_socket(server) as socket:
            got = answers(socket, {"question": QUESTION})
        assert [one["type"] for one in got] == ["text", "sql", "done"] or len(got) == 4
        assert {path for path, _ in fake.requests} == {endpoint}
    finally:
        fake.close()


def test_a_server_that_breaks_off_and_comes_back(
    start: Start,
    database: Path,
    tiny_model: Path,
    fake: FakeOpenAI,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each question gets one clear error; once the server is back the service goes on."""
    monkeypatch.setattr("text2sql.chat.RETRIES", 0)
    server = begin(start, database, tiny_model, fake.url)
    clear = {"kind": "model", "message": "the model's server does not answer"}
    fake.breaks = True
    refused = server.ask(QUESTION)
    assert (refused.status_code, refused.json()["error"]) == (502, clear)
    with open_socket(server) as socket:
        got = answers(socket, {"question": QUESTION})
    assert (got[-1]["type"], got[-1]["error"]) == ("error", clear)
    fake.breaks = False
    assert server.ask(QUESTION).json()["sql"] == BASE
    fake.close()
    assert server.ask(QUESTION).json()["error"] == clear
    again = FakeOpenAI(MODELS, port=fake.port)
    try:
        assert server.ask(QUESTION).json()["sql"] == BASE
        assert server.get("/healthz").status_code == 200
    finally:
        again.close()
