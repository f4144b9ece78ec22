"""A real server over HTTP with a real model."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from patience import PATIENCE

pytest.importorskip("fastapi", reason="the web service is not installed; run: make setup")
import uvicorn

from tests.serve.tiny import PRESET, STYLE, TEMPLATE, make_database, make_tiny_model
from text2sql.infer.config import InferConfig
from text2sql.infer.load import load_engine
from text2sql.serve.app import make_app
from text2sql.serve.batcher import Asking
from text2sql.serve.command import server_settings
from text2sql.serve.config import ServeConfig
from text2sql.serve.database import LiveDatabase
from text2sql.serve.service import Service


@dataclass
class Server:
    """A server that runs, and the parts of it that tests look into."""

    url: str
    service: Service
    uvicorn: uvicorn.Server

    def ask(self, question: str, **more: Any) -> httpx.Response:
        """Ask a question over HTTP."""
        return self.post(json={"question": question, **more})

    def post(self, **content: Any) -> httpx.Response:
        """Send a question's body as it is."""
        return httpx.post(f"{self.url}/text2sql", timeout=PATIENCE, **content)

    def get(self, path: str, **more: Any) -> httpx.Response:
        """Look a path up over HTTP."""
        return httpx.get(f"{self.url}{path}", timeout=PATIENCE, **more)


def wait_for_valid_answers(url: str, count: int) -> None:
    """Wait until the model has given so many valid answers, whose SQL is then run."""
    line = f'text2sql_answers_total{{outcome="valid"}} {float(count)}'
    while line not in httpx.get(f"{url}/metrics", timeout=PATIENCE).text:
        time.sleep(0.05)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A database of the test's own."""
    return make_database(tmp_path / "shops.sqlite")


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A two-layer Llama that has learned ANSWERS by heart."""
    folder = tmp_path_factory.mktemp("model")
    make_tiny_model(folder)
    return folder


@pytest.fixture(scope="session")
def talker(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """An engine whose tiny model also answers a question that goes on from another."""
    folder = tmp_path_factory.mktemp("talker")
    make_tiny_model(folder, talks=True)
    infer = InferConfig(
        engine="transformers", dtype="float32", max_new_tokens=48, max_model_len=512
    )
    return load_engine(folder, infer, TEMPLATE.stop_words, "cpu")


@pytest.fixture
def start(tiny_model: Path, tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Return what starts a server in a thread of this process; all are stopped at the end."""
    running: list[tuple[Server, threading.Thread]] = []

    def begin(
        db_url: Path | str | None = None,
        *,
        engine: Any = None,
        decoding: dict[str, Any] | None = None,
        finder: Any = None,
        **settings: Any,
    ) -> Server:
        values = {"port": 0, "schema_style": STYLE, "query_seconds": PATIENCE}
        values |= {"request_seconds": PATIENCE} | settings
        config = ServeConfig.model_validate(values | {"db_url": str(db_url) if db_url else None})
        infer = InferConfig.model_validate(
            {"engine": "transformers", "dtype": "float32", "batch_size": 16}
            | {"max_new_tokens": 48, "max_model_len": 512}
            | (decoding or {})
        )
        engine = engine or load_engine(tiny_model, infer, TEMPLATE.stop_words, "cpu")
        live = LiveDatabase(config) if db_url else None
        asking = Asking(TEMPLATE, PRESET, config.schema_style)
        service = Service(engine, infer, asking, "tiny", config, live, finder)
        web = uvicorn.Server(server_settings(config, make_app(service)))
        thread = threading.Thread(target=lambda: asyncio.run(web.serve()), daemon=True)
        thread.start()
        while not web.started:
            assert thread.is_alive(), "the server did not start"
            time.sleep(0.01)
        port = web.servers[0].sockets[0].getsockname()[1]
        server = Server(f"http://127.0.0.1:{port}", service, web)
        running.append((server, thread))
        return server

    yield begin
    for server, thread in running:
        server.uvicorn.should_exit = True
        thread.join(PATIENCE)
        assert not thread.is_alive(), "the server did not shut down"
