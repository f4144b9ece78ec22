"""llama.cpp's server as a child of the service: started, watched, started again, ended with it."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import subprocess
import threading
import time
from pathlib import Path

import httpx

from text2sql.errors import UserError
from text2sql.infer.config import InferConfig, ServerConfig
from text2sql.infer.openai_server import KEY_VARIABLE, llama_server_command

log = logging.getLogger("text2sql.serve")

HOST = "127.0.0.1"
START_SECONDS = 600.0  # a large file on a slow disk
HEALTH_SECONDS = 5.0
PAUSES = (0.5, 5.0, 30.0)  # before it is started again, the last as often as need be
STEADY_SECONDS = 60.0  # who lived so long is started again without delay


class LlamaServer:
    """The server of a GGUF file on a port of its own, which nobody else holds the key to.

    It reads its end of a pipe and ends with this process, whatever ends that.

    Args:
        file: GGUF file.
        config: decoding settings; `batch_size` requests are answered side by side.

    Raises:
        UserError: it is not installed, the file is broken or too large, or it does not start.
    """

    def __init__(self, file: Path, config: InferConfig) -> None:
        os.environ.setdefault(KEY_VARIABLE, secrets.token_hex(16))
        self._name, self._port = file.stem, _free_port()
        self._command = llama_server_command(
            file, HOST, self._port, config.max_model_len, config.batch_size, "--ends-with-stdin"
        )
        self._closing, self._starting = threading.Event(), threading.Lock()
        self._process = self._start()
        try:
            self._wait_until_ready()
        except BaseException:
            self.close()
            raise
        threading.Thread(target=self._watch, name="llama.cpp's server", daemon=True).start()

    @property
    def alive(self) -> bool:
        """Whether it answers; it does not while it is started again."""
        try:
            url = f"http://{HOST}:{self._port}/health"
            return httpx.get(url, timeout=HEALTH_SECONDS).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    @property
    def pid(self) -> int:
        """The process id of the server that runs now."""
        return self._process.pid

    def asked_by(self, config: InferConfig) -> InferConfig:
        """Return decoding settings whose engine asks this server."""
        server = ServerConfig(
            base_url=f"http://{HOST}:{self._port}/v1",
            model=self._name,
            send="tokens",  # that the server's tokenizer adds nothing
            api_key_variable=KEY_VARIABLE,
        )
        return config.model_copy(update={"engine": "openai", "server": server})

    def close(self) -> None:
        """End the server."""
        with self._starting:
            self._closing.set()
        self._process.kill()  # it has no state to save
        self._process.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        # A session of its own, or Ctrl-C would end it before the requests that run are answered.
        return subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env=os.environ | {"OMP_WAIT_POLICY": "passive"},
            start_new_session=True,
        )

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self.alive:
            status = self._process.poll()
            if status is not None:
                raise UserError(
                    f"llama.cpp's server did not start (status {status}); what it said stands above"
                )
            if time.monotonic() > deadline:
                raise UserError(f"llama.cpp's server is not ready after {START_SECONDS:g} seconds")
            time.sleep(0.1)

    def _watch(self) -> None:
        """Start the server again whenever it ends by itself."""
        tries = 0
        while True:
            began = time.monotonic()
            status = self._process.wait()
            if time.monotonic() - began > STEADY_SECONDS:
                tries = 0
            if self._closing.is_set():
                return
            pause = PAUSES[min(tries, len(PAUSES) - 1)]
            log.error("llama.cpp's server ended (status %d); started again in %g s", status, pause)
            if self._closing.wait(pause):
                return
            tries += 1
            with self._starting:
                if self._closing.is_set():
                    return
                self._process = self._start()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
