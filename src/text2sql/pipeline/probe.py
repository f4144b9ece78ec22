"""What an environment can do; its own interpreter runs this and prints it as JSON.

Started by `text2sql.pipeline.doctor` as ``python -m text2sql.pipeline.probe`` with a request: the
modules to import, and whether CUDA, a C compiler and Megatron are needed.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import sysconfig
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from text2sql.errors import UserError
from text2sql.train.megatron_setup import require_mcore_adapter, require_transformer_engine

MARK = "text2sql-probe: "  # before the answer, since imports print as they like


def examine(request: dict[str, Any]) -> dict[str, Any]:
    """Return what was found out, each value empty where nothing is wrong.

    Args:
        request: ``modules`` to import; whether ``cuda``, a ``compiler``, ``megatron`` and
            ``transformer_engine`` are needed.
    """
    failures = {name: _why_not(partial(import_module, name)) for name in request["modules"]}
    return {
        "modules": {name: reason for name, reason in failures.items() if reason},
        "cuda": _why_not(_use_cuda) if request["cuda"] else "",
        "compiler": _missing_for_compiling() if request["compiler"] else "",
        "megatron": _why_not(require_mcore_adapter) if request["megatron"] else "",
        "transformer_engine": _why_not(lambda: require_transformer_engine({}))
        if request["transformer_engine"]
        else "",
    }


def _why_not(attempt: Callable[[], Any]) -> str:
    """Return in one line why something does not work; empty where it does."""
    try:
        attempt()
    except UserError as error:
        return str(error)
    except (Exception, SystemExit) as error:  # an import may fail in any way
        lines = str(error).strip().splitlines() or [""]
        return f"{type(error).__name__}: {lines[0][:200]}"
    return ""


def _use_cuda() -> None:
    """Add two numbers on every GPU."""
    import torch

    if not torch.cuda.is_available():
        torch.cuda.init()  # which says why
        raise RuntimeError("torch sees no CUDA GPU")
    for number in range(torch.cuda.device_count()):
        (torch.ones(1, device=f"cuda:{number}") + 1).item()


def _missing_for_compiling() -> str:
    """Return what Triton lacks, which compiles its kernels' launchers when they are first used."""
    missing = []
    if not (os.environ.get("CC") or shutil.which("gcc") or shutil.which("clang")):
        missing.append("gcc")
    if not (Path(sysconfig.get_paths()["include"]) / "Python.h").is_file():
        missing.append("Python.h")
    return ", ".join(missing)


def main() -> int:
    """Print the answer to the request in the first argument."""
    print(MARK + json.dumps(examine(json.loads(sys.argv[1]))), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
