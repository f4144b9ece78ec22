"""Tokens as they are written: llama.cpp in this process, and a real OpenAI-compatible server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
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

from tests.serve.conftest import Server
from tests.serve.test_command import free_port, serving
from tests.serve.test_stream import answers, open_socket
from tests.serve.tiny import ANSWERS, PRESET, TABLES, TEMPLATE
from text2sql.errors import UserError
from text2sql.gguf.make import make_f16
from text2sql.gguf.probes import Probe
from text2sql.infer.config import InferConfig
from text2sql.infer.engine import Prompt
from text2sql.infer.load import load_engine
from text2sql.models.llama_cpp import converter_folder
from text2sql.prompt import render_messages, render_text
from text2sql.serve.llama_server import LlamaServer

pytestmark = pytest.mark.slow
Start = Callable[..., Server]
QUESTION = "Number of shops by city?"
NAME = "tiny-F16"


@pytest.fixture(scope="session")
def tiny_gguf(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model that knows ANSWERS, as a GGUF file."""
    pytest.importorskip("llama_cpp", reason="llama.cpp is not set up (make setup-gguf)")
    try:
        converter_folder()
    except UserError as error:
        pytest.skip(str(error))
    file = tmp_path_factory.mktemp("gguf") / f"{NAME}.gguf"
    prompt = render_text(render_messages(QUESTION, TABLES, PRESET), TEMPLATE)
    make_f16(tiny_model, file, [Probe(prompt, ANSWERS[QUESTION])], (), "gpt-2")
    return file


@pytest.fixture(scope="module")
def server_url(tiny_gguf: Path) -> Iterator[str]:
    """Address of our `serve-openai` with that file."""
    port = free_port()
    command = [sys.executable, "-c", "from text2sql.cli import main; main()", "serve-openai"]
    command += ["--model", str(tiny_gguf), "--port", str(port), "--context", "512"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    url = f"http://127.0.0.1:{port}/v1"
    with subprocess.Popen(command, env=environment) as server:
        try:
            deadline = time.monotonic() + PATIENCE
            while True:
                assert server.poll() is None, "the server ended by itself"
                assert time.monotonic() < deadline
                try:
                    httpx.get(f"{url}/models")
                    break
                except httpx.TransportError:
                    time.sleep(0.5)
            yield url
        finally:
            server.terminate()


def check_pieces(engine: Any) -> None:
    """Ask an engine itself: a listener hears of the text more than once."""
    asked = {"role": "user", "content": QUESTION}
    text = f"<|im_start|>user\n{QUESTION}<|im_end|>\n<|im_start|>assistant\n"
    heard: list[str] = []
    prompt = Prompt(0, engine.encode(text), text, [asked], listener=heard.append)
    (done,) = engine.generate([prompt])
    assert len(heard) >= 2
    assert heard == sorted(heard, key=len)
    assert done.text.startswith(heard[-1])


def check_stream(server: Server, question: str = QUESTION) -> None:
    """Ask over the WebSocket: text that grows, then the SQL, then the rows.

    Pieces that come faster than they can be sent on are sent as one, so how many is not checked.
    """
    with open_socket(server) as socket:
        got = answers(socket, {"question": question, "execute": True})
    texts = [one["text"] for one in got if one["type"] == "text"]
    assert texts
    assert [len(text) for text in texts] == sorted({len(text) for text in texts})
    assert all(ANSWERS[question].startswith(text) for text in texts)
    assert [one["type"] for one in got[len(texts) :]] == ["sql", "rows", "done"]
    assert got[-1]["sql"] == ANSWERS[question]


def test_llama_cpp_streams(start: Start, database: Path, tiny_gguf: Path) -> None:
    config = InferConfig.model_validate(
        {"engine": "llama.cpp", "max_new_tokens": 48, "max_model_len": 512}
    )
    engine = load_engine(tiny_gguf, config, TEMPLATE.stop_words, "cpu")
    check_pieces(engine)
    check_stream(start(database, engine=engine))


def openai_engine(url: str, tiny_model: Path, send: str = "text", name: str = NAME) -> Any:
    config = InferConfig.model_validate(
        {"engine": "openai", "max_new_tokens": 48, "max_model_len": 512, "batch_size": 4}
        | {"server": {"base_url": url, "model": name, "send": send}}
    )
    return load_engine(tiny_model, config, TEMPLATE.stop_words, "cpu")


def test_an_openai_server_streams(
    start: Start, database: Path, server_url: str, tiny_model: Path
) -> None:
    engine = openai_engine(server_url, tiny_model)
    check_pieces(engine)
    server = start(database, engine=engine)
    check_stream(server)
    answer = server.ask(QUESTION, execute=True).json()  # without anybody who listens
    assert answer["sql"] == ANSWERS[QUESTION]


def test_questions_at_the_same_time_do_not_cut_each_other_off(
    start: Start, database: Path, server_url: str, tiny_model: Path
) -> None:
    server = start(database, engine=openai_engine(server_url, tiny_model))
    questions = [QUESTION, "How many bikes are there?", "Prices of all bikes?"] * 2
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda question: check_stream(server, question), questions))


def test_chat_endpoints_stream_too(
    start: Start, database: Path, server_url: str, tiny_model: Path
) -> None:
    engine = openai_engine(server_url, tiny_model, "chat")
    check_pieces(engine)
    with open_socket(start(database, engine=engine)) as socket:
        got = answers(socket, {"question": QUESTION})
    assert any(one["type"] == "text" for one in got)
    assert got[-1]["type"] == "done"


def test_a_server_that_goes_away_is_said_so(
    start: Start, database: Path, server_url: str, tiny_model: Path
) -> None:
    engine = openai_engine(server_url, tiny_model)
    client = engine._client
    client._openai = client._openai.with_options(
        base_url=f"http://127.0.0.1:{free_port()}/v1", max_retries=0
    )
    with open_socket(start(database, engine=engine)) as socket:
        refused = answers(socket, {"question": QUESTION})[-1]
    assert (refused["type"], refused["error"]["kind"]) == ("error", "model")
    assert "127.0.0.1" not in refused["error"]["message"]


def test_llama_cpps_server_is_started_watched_and_ended_with_the_service(
    repository: Path, database: Path, tiny_gguf: Path, tmp_path: Path
) -> None:
    log, write = tmp_path / "log", tmp_path / "infer.yaml"
    write.write_text("engine: llama.cpp\nmax_new_tokens: 16\nmax_model_len: 2048\nbatch_size: 2\n")
    profile = ["--infer", str(write), "--config", str(tmp_path / "serve.yaml")]
    (tmp_path / "serve.yaml").write_text("schema_style: ddl\nllama_server: true\n")
    with serving(repository, tiny_gguf, database, log, profile) as (url, process):
        (server,) = children(process.pid)

        def ask() -> httpx.Response:
            return httpx.post(f"{url}/text2sql", json={"question": QUESTION}, timeout=PATIENCE)

        assert ask().json().get("model") == f"{NAME}.gguf", log.read_text()
        server.kill()
        deadline = time.monotonic() + PATIENCE
        while not (again := children(process.pid)) or again == [server]:
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        while (answer := ask()).status_code != 200:
            assert answer.json()["error"]["kind"] == "model"
            assert time.monotonic() < deadline, log.read_text()
        assert httpx.get(f"{url}/healthz", timeout=PATIENCE).status_code == 200
        process.kill()
        assert again[0].wait(PATIENCE) is None  # no child of ours, so its status is unknown
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    ended = [line["event"] for line in lines if "server ended" in line.get("event", "")]
    assert ended == ["llama.cpp's server ended (status -9); started again in 0.5 s"]


def children(pid: int) -> list[psutil.Process]:
    """The servers of llama.cpp that a process has started."""
    servers = []
    for child in psutil.Process(pid).children():
        with suppress(psutil.Error):  # it has just ended
            if "text2sql.infer.openai_server" in child.cmdline():
                servers.append(child)
    return servers


def test_a_gguf_file_that_does_not_fit_is_one_line(
    tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("text2sql.models.folder.available_bytes", lambda: 2**20)
    config = InferConfig(engine="llama.cpp", max_model_len=512)
    with pytest.raises(UserError, match="8 times 512 tokens of context needs about"):
        LlamaServer(tiny_gguf, config)
