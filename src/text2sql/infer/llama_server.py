"""llama-cpp-python's server, without its repetition penalty.

Run as ``python -m text2sql.infer.llama_server``. Where a request does not say otherwise, that
server penalizes repeated tokens by 1.1. SQL repeats names by its nature, and OpenAI's protocol has
no key to say so, so here the default is 1.
"""

from __future__ import annotations

import importlib
from typing import Any


def without_penalty() -> None:
    """Make 1 the default of `repeat_penalty` in every kind of request."""
    types: Any = importlib.import_module("llama_cpp.server.types")
    for name in ("CreateCompletionRequest", "CreateChatCompletionRequest"):
        request = getattr(types, name)
        request.model_fields["repeat_penalty"].default = 1.0
        request.model_rebuild(force=True)


def main() -> None:
    """Entry point; the arguments are those of ``llama_cpp.server``."""
    without_penalty()
    importlib.import_module("llama_cpp.server.__main__").main()


if __name__ == "__main__":
    main()
