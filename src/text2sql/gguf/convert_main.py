"""Run llama.cpp's converter: ``python -m text2sql.gguf.convert_main FOLDER PRETOKENIZER ...``.

A process of its own, because the converter brings its own version of the package `gguf`. With a
pre-tokenizer named, that one is written where the converter knows none for the model's tokenizer.
"""

from __future__ import annotations

import importlib
import runpy
import sys
from pathlib import Path
from typing import Any

from text2sql.models.llama_cpp import CONVERTER


def main() -> None:
    """Entry point."""
    folder, pretokenizer = Path(sys.argv[1]), sys.argv[2]
    script = folder / CONVERTER
    sys.argv = [str(script), *sys.argv[3:]]
    sys.path[:0] = [str(folder), str(folder / "gguf-py")]
    if pretokenizer:
        _name_unknown_pretokenizer(pretokenizer)
    runpy.run_path(str(script), run_name="__main__")


def _name_unknown_pretokenizer(name: str) -> None:
    try:
        model: Any = importlib.import_module("conversion.base").TextModel
    except ModuleNotFoundError:
        sys.exit("this checkout of llama.cpp is too old to name a pre-tokenizer; take a later one")
    recognize = model.get_vocab_base_pre

    def named(self: Any, tokenizer: Any) -> str:
        try:
            return str(recognize(self, tokenizer))
        except NotImplementedError:
            return name

    model.get_vocab_base_pre = named


if __name__ == "__main__":
    main()
