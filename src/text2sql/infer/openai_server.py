"""An OpenAI-compatible endpoint for a model: llama.cpp for GGUF files, vLLM for model folders."""

from __future__ import annotations

import importlib
import importlib.util
import os
import socket
import sys
from pathlib import Path
from typing import Any

from text2sql.errors import UserError
from text2sql.hardware import thread_count
from text2sql.models.folder import require_model
from text2sql.models.gguf_header import find_gguf, read_header
from text2sql.paths import repository_root


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
    read_header(file)
    for package in ("llama_cpp", "fastapi", "starlette_context"):
        if importlib.util.find_spec(package) is None:
            raise UserError(f"the llama.cpp server needs '{package}'; run: make setup-gguf")
    threads = str(thread_count())
    return [
        *(sys.executable, "-m", "text2sql.infer.openai_server", "--model", str(file)),
        *("--model_alias", file.stem, "--host", host, "--port", str(port)),
        *("--n_ctx", str(context), "--n_threads", threads, "--n_threads_batch", threads),
        # Scores of every token of the context would take n_ctx times the vocabulary in memory.
        *("--logits_all", "false"),
        # Else a new request would end the stream of the one before.
        *("--interrupt_requests", "false"),
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


def run_llama_server() -> None:
    """Run llama-cpp-python's server, whose arguments are this program's, without its penalty.

    Where a request does not say otherwise, that server penalizes repeated tokens by 1.1. SQL
    repeats names by its nature, and OpenAI's protocol has no key to say so: here the default is 1.
    """
    types: Any = importlib.import_module("llama_cpp.server.types")
    for request in (types.CreateCompletionRequest, types.CreateChatCompletionRequest):
        request.model_fields["repeat_penalty"].default = 1.0
        request.model_rebuild(force=True)
    importlib.import_module("llama_cpp.server.__main__").main()


if __name__ == "__main__":
    run_llama_server()
