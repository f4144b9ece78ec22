"""`text2sql serve` as a process: starts, logs, stops; a user's mistake is one line."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx
import pytest
from patience import PATIENCE

from tests.serve.conftest import wait_for_valid_answers
from text2sql.serve.logs import JsonFormatter

COMMAND = [sys.executable, "-c", "from text2sql.cli import main; main()", "serve"]


def environment(repository: Path, **more: str) -> dict[str, str]:
    path = os.pathsep.join([str(repository / "src"), str(repository / "test-suite-sql-eval")])
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("TEXT2SQL_")}
    return inherited | {"PYTHONPATH": path} | more


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(
    repository: Path,
    model: Path,
    database: Path | str,
    log: Path,
    options: Sequence[str] = (),
    variables: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[tuple[str, Any]]:
    """Run the command; give its address and process."""
    port = free_port()
    with log.open("w") as stream:
        process = subprocess.Popen(
            [*COMMAND, "--model", str(model), "--port", str(port), *options],
            env=environment(repository, DB_URL=str(database), **variables),
            stderr=stream,
        )
        try:
            deadline = time.monotonic() + PATIENCE
            url = f"http://127.0.0.1:{port}"
            while True:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline
                try:
                    httpx.get(f"{url}/healthz", timeout=PATIENCE)
                    break
                except httpx.TransportError:
                    time.sleep(0.2)
            yield url, process
        finally:
            process.kill()
            process.wait()


def test_it_stops_cleanly_and_finishes_what_runs(
    repository: Path, tiny_model: Path, database: Path, tmp_path: Path
) -> None:
    log, settings = tmp_path / "log", tmp_path / "serve.yaml"
    settings.write_text(f"shutdown_seconds: {PATIENCE:.0f}\n")  # to start a worker may take long
    options = ["--config", str(settings)]
    with serving(repository, tiny_model, database, log, options) as (url, process):
        body = {"question": "Never end.", "execute": True}  # takes its time, whatever the machine

        def ask(_: int) -> httpx.Response:
            headers = {"X-Request-ID": "from-the-test"}
            return httpx.post(f"{url}/text2sql", json=body, headers=headers, timeout=PATIENCE)

        with ThreadPoolExecutor(2) as pool:
            asked = [pool.submit(ask, n) for n in range(2)]
            wait_for_valid_answers(url, 2)
            # The first may have come to its limit of time before the second began.
            assert not all(one.done() for one in asked)
            process.send_signal(signal.SIGTERM)
            answers = [one.result() for one in asked]
        assert process.wait(PATIENCE) == 0
    assert [one.status_code for one in answers] == [200, 200]
    assert all(one.json()["result"]["error_kind"] == "timeout" for one in answers)
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    requests = [one for one in lines if one.get("request_id") == "from-the-test"]
    assert [(one["path"], one["status"]) for one in requests] == [("/text2sql", 200)] * 2
    assert "Never end" not in log.read_text()  # questions are not logged
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{url}/healthz")


@pytest.mark.parametrize(
    ("arguments", "variables", "words"),
    [
        (["--host", "0.0.0.0"], {}, "set TEXT2SQL_TOKEN"),
        (["--host", "0.0.0.0"], {"TEXT2SQL_TOKEN": "short"}, "at least 16 characters"),
        (["--model", "nowhere"], {}, "nowhere: no such model folder"),
        (["--engine", "warp"], {}, "engine"),
        (["--engine", "openai"], {}, "--server-url"),
        (["--schema-style", "haiku"], {}, "schema style"),
        (["--port", "70000"], {}, "port"),
        (["--db-url", "mysterydb://u:hidden-word@h/d"], {}, "cannot open this database"),
    ],
)
def test_a_mistake_is_one_line(
    repository: Path, arguments: list[str], variables: dict[str, str], words: str, tiny_model: Path
) -> None:
    model = [] if "--model" in arguments else ["--model", str(tiny_model)]
    result = subprocess.run(
        [*COMMAND, *model, *(["--port", "0"] if "--port" not in arguments else []), *arguments],
        env=environment(repository, **variables),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert result.returncode == 2
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and words in errors[0]
    assert "Traceback" not in result.stderr
    assert "hidden-word" not in result.stderr and "short" not in errors[0].split("(got")[-1]


def test_a_taken_port_is_one_line(repository: Path, tiny_model: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        result = subprocess.run(
            [*COMMAND, "--model", str(tiny_model), "--port", port],
            env=environment(repository),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert "choose another port" in result.stderr


def test_secrets_are_taken_out_of_logs() -> None:
    formatter = JsonFormatter(['p"ss', "p%22ss", ""])
    text = 'cannot log in with p"ss at postgresql://u:p%22ss@h/d'
    record = logging.LogRecord("text2sql.serve", logging.ERROR, "", 0, text, (), None)
    record.fields = {"reason": text}
    line = formatter.format(record)
    assert "ss at" not in line and "%22ss" not in line
    assert json.loads(line)["reason"] == json.loads(line)["event"]


def test_vllm_is_served_from_its_own_environment(
    repository: Path, tiny_model: Path, tmp_path: Path
) -> None:
    """`.venv` never has vLLM; the command goes on, with its options, where it is."""
    checkout = tmp_path / "checkout"
    python = checkout / ".venv-vllm" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "vLLM: $@"\n')
    python.chmod(0o755)
    for name in ("configs", "data", "src"):
        (checkout / name).symlink_to(repository / name)
    options = ["--model", str(tiny_model), "--engine", "vllm", "--port", str(free_port())]
    variables = environment(repository, TEXT2SQL_ROOT=str(checkout))
    done = subprocess.run([*COMMAND, *options], env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"vLLM: -m text2sql serve {' '.join(options)}"
    python.unlink()
    done = subprocess.run([*COMMAND, *options], env=variables, capture_output=True, text=True)
    assert done.returncode == 2
    assert "no such environment; run: make setup-gpu" in done.stderr
