"""An OpenAI-compatible endpoint for a model: llama.cpp for GGUF files, vLLM for model folders."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import socket
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from text2sql.errors import UserError
from text2sql.hardware import thread_count
from text2sql.models.folder import require_memory, require_model
from text2sql.models.gguf_header import find_gguf, read_header
from text2sql.paths import repository_root

KEY_VARIABLE = "TEXT2SQL_LLAMA_KEY"  # the name of a variable, not a secret
OVERHEAD_BYTES = 300_000_000  # Python and llama.cpp's compute buffers for a small model
SLOTS = 4  # requests that `make serve-openai` answers side by side


def serve(model: Path, host: str = "127.0.0.1", port: int = 8000, context: int = 4096) -> None:
    """Become the server of a model: this process is replaced by it and ends with it.

    Args:
        model: a GGUF file, a folder with one, or a Hugging Face folder.
        host: address to listen on; the default is reached from this machine only.
        port: port to listen on.
        context: most tokens of prompt and answer together.

    Raises:
        UserError: the model is missing or broken, the port is taken, the server is not installed.
    """
    command = server_command(model, host, port, context)
    require_free(host, port)
    environment = os.environ | {"OMP_WAIT_POLICY": "passive"}
    os.execve(command[0], command, environment)


def server_command(model: Path, host: str, port: int, context: int) -> list[str]:
    """Return the command line of the server that fits a model."""
    if (model / "config.json").is_file():
        return _vllm_command(model, host, port, context)
    return _llama_command(find_gguf(model), host, port, context)


def _llama_command(file: Path, host: str, port: int, context: int) -> list[str]:
    return llama_server_command(file, host, port, context, SLOTS)


def llama_server_command(
    file: Path, host: str, port: int, context: int, slots: int, *options: str
) -> list[str]:
    """Return the command line of llama.cpp's server.

    Args:
        file: GGUF file.
        host: address to listen on.
        port: port to listen on.
        context: most tokens of one prompt and answer together.
        slots: requests that are answered side by side.
        options: further arguments of `run_llama_server`.

    Raises:
        UserError: the server is not installed, or the file is broken or does not fit into memory.
    """
    if importlib.util.find_spec("xllamacpp") is None:
        raise UserError("the llama.cpp server needs 'xllamacpp'; run: make setup-gguf")
    header = read_header(file)
    needed = header.file_bytes + context * slots * header.cache_bytes_per_token + OVERHEAD_BYTES
    what = f"{file.name} with {slots} times {context} tokens of context"
    require_memory(needed, what, "lower max_model_len or batch_size (--context with serve-openai)")
    return [
        *(sys.executable, "-m", "text2sql.infer.openai_server", "--model", str(file)),
        *("--host", host, "--port", str(port), "--context", str(context), "--slots", str(slots)),
        *options,
    ]


def _vllm_command(model: Path, host: str, port: int, context: int) -> list[str]:
    require_model(model)
    python = repository_root() / ".venv-vllm" / "bin" / "python"
    if importlib.util.find_spec("vllm") is not None:
        python = Path(sys.executable)
    elif not python.is_file():
        raise UserError(
            "vLLM is not installed; run: make setup-gpu, or serve a GGUF file (make quantize)"
        )
    return [
        *(str(python), "-m", "vllm.entrypoints.openai.api_server", "--model", str(model)),
        *("--served-model-name", model.resolve().name, "--host", host, "--port", str(port)),
        *("--max-model-len", str(context), "--enable-prefix-caching"),
    ]


def require_free(host: str, port: int) -> None:
    """Raise UserError when an address cannot be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise UserError(
                f"{host}:{port} cannot be listened on ({error.strerror}); choose another port with"
                " --port (PORT= with make)"
            ) from None


def run_llama_server(arguments: Sequence[str] | None = None) -> None:
    """Run llama.cpp's server until this process is told to end.

    Nothing but what a request names shapes the choice of tokens, as in our own engine; the server
    alone would cut rare tokens off. Where the variable `KEY_VARIABLE` is set, requests must bring
    that key. The prompts that are being answered can be read nowhere.
    """
    parser = argparse.ArgumentParser(description="llama.cpp's server")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--host", required=True)
    for name in ("--port", "--context", "--slots"):
        parser.add_argument(name, type=int, required=True)
    ends = "end when stdin does, as it does with the process that holds its other end"
    parser.add_argument("--ends-with-stdin", action="store_true", help=ends)
    options = parser.parse_args(arguments)
    llama: Any = importlib.import_module("xllamacpp")
    settings = llama.CommonParams()
    settings.model.path = str(options.model)
    settings.model_alias = {options.model.stem}
    settings.hostnames, settings.port = [options.host], options.port
    settings.n_parallel, settings.n_ctx = options.slots, options.context * options.slots
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = thread_count()
    settings.sampling.top_k, settings.sampling.min_p = 0, 0.0
    settings.cache_ram_mib = 0  # else up to 8 GiB of prompts are kept
    settings.ui = settings.endpoint_slots = False
    settings.verbosity = 1
    if key := os.environ.get(KEY_VARIABLE):
        settings.api_keys = [key]
    server = llama.Server(settings)
    with suppress(KeyboardInterrupt):
        if options.ends_with_stdin:
            sys.stdin.buffer.read()
        else:
            threading.Event().wait()
    del server


if __name__ == "__main__":
    run_llama_server()
