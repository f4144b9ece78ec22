"""Quantize an F16 GGUF file: ``python -m text2sql.gguf.quantize SOURCE TARGET TYPE THREADS``.

llama.cpp ends the whole process where something is wrong with a file, so this is always one of its
own; `quantize` starts it.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path

from text2sql.errors import UserError
from text2sql.files import PARTIAL
from text2sql.models.gguf_types import QUANTIZATION_TYPES, check_type
from text2sql.models.llama_cpp import require_llama_cpp


def quantize(source: Path, target: Path, name: str, threads: int = 1) -> None:
    """Write a quantized copy of an F16 GGUF file; it appears whole or not at all.

    Args:
        source: the F16 file.
        target: the file to make.
        name: a type of `QUANTIZATION_TYPES`.
        threads: how many threads may work.

    Raises:
        UserError: llama.cpp is not installed, there is no such type, or llama.cpp failed.
    """
    require_llama_cpp()
    partial = target.with_name(target.name + PARTIAL)
    command = [sys.executable, "-m", "text2sql.gguf.quantize", str(source), str(partial)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    result = subprocess.run(
        [*command, check_type(name), str(threads)],
        capture_output=True,
        text=True,
        errors="replace",
        env=environment,
        check=False,
    )
    if result.returncode != 0:
        partial.unlink(missing_ok=True)
        lines = [line.strip() for line in result.stderr.splitlines() if line.strip()]
        reason = lines[-1] if lines else "no output"
        raise UserError(f"{source}: {name} failed (status {result.returncode}): {reason}")
    partial.replace(target)


def main() -> int:
    """Entry point; returns llama.cpp's own status."""
    import llama_cpp

    source, target, name, threads = sys.argv[1:5]
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype = QUANTIZATION_TYPES[name]
    parameters.nthread = int(threads)
    status = llama_cpp.llama_model_quantize(
        source.encode(), target.encode(), ctypes.byref(parameters)
    )
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
