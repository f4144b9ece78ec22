"""Where llama.cpp's parts are: the Python package and the converter's folder."""

from __future__ import annotations

import importlib.util
import os
import re
from pathlib import Path

from text2sql.errors import UserError
from text2sql.paths import build_root, repository_root

CONVERTER = "convert_hf_to_gguf.py"
SETUP = "run: make setup-gguf"


def require_llama_cpp() -> None:
    """Raise UserError where llama-cpp-python is not installed."""
    if importlib.util.find_spec("llama_cpp") is None:
        raise UserError(f"llama-cpp-python is not installed; {SETUP}")


def converter_folder() -> Path:
    """Return the folder with llama.cpp's converter.

    That is the checkout named by LLAMA_CPP if it is set, else what `make setup-gguf` took out of
    the source package of llama-cpp-python.

    Raises:
        UserError: no converter there.
    """
    given = os.environ.get("LLAMA_CPP")
    folder = Path(given) if given else build_root() / "tools" / f"llama.cpp-{locked_version()}"
    if not (folder / CONVERTER).is_file():
        fix = "LLAMA_CPP must name a checkout of llama.cpp" if given else SETUP
        raise UserError(f"{folder}: no {CONVERTER} here; {fix}")
    return folder


def locked_version() -> str:
    """Return the version of llama-cpp-python in requirements/gguf.txt."""
    text = (repository_root() / "requirements" / "gguf.txt").read_text(encoding="utf-8")
    found = re.search(r"^llama-cpp-python==(\S+)$", text, re.MULTILINE)
    if found is None:
        raise UserError("requirements/gguf.txt: no pin of llama-cpp-python in it")
    return found[1]
