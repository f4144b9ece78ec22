"""A Hugging Face folder as an F16 GGUF file, by llama.cpp's own converter."""

from __future__ import annotations

import os
import subprocess
import sys
from math import prod
from pathlib import Path
from typing import Any

from text2sql.errors import UserError
from text2sql.files import PARTIAL, read_json
from text2sql.models.gguf_types import block_of
from text2sql.models.llama_cpp import converter_folder
from text2sql.models.weights import tensor_shapes

CONVERTER_LOG = "convert.log"
# Beginnings of the converter's last lines, and what they mean to the user.
EXPLANATIONS = (
    (
        "BPE pre-tokenizer was not recognized",
        "llama.cpp does not know this tokenizer; if it splits text as a known one does, name that"
        " with --pretokenizer (such as qwen2); the check of token ids then says whether it fits",
    ),
    ("is not supported", "llama.cpp's converter does not know this architecture"),
)


def check_model(folder: Path, types: tuple[str, ...] = ()) -> dict[str, Any]:
    """Check before the work that a folder can be converted and quantized.

    Args:
        folder: Hugging Face model folder.
        types: quantization types that are wanted.

    Returns:
        Architecture, number of parameters, whether embeddings are tied, and for each type how many
        tensors of matrix form have rows that its blocks do not divide (llama.cpp stores those in a
        larger type).

    Raises:
        UserError: no model there, an adapter instead of a model, no weights, no tokenizer, no chat
            template, or too little room on the disk.
    """
    shapes = _shapes(folder)
    config = read_json(folder / "config.json")
    if not (folder / "tokenizer.json").is_file() and not (folder / "tokenizer.model").is_file():
        raise UserError(f"{folder}: no tokenizer.json or tokenizer.model; copy the base model's")
    if not _has_chat_template(folder):
        raise UserError(f"{folder}: no chat template; copy chat_template.jinja of the base model")
    parameters = sum(prod(shape) for shape in shapes.values())
    needed = int(2.1 * parameters * (1 + len(types)))
    free = _free_bytes(folder)
    if free < needed:
        raise UserError(
            f"{folder}: GGUF files may take {needed / 1e9:.1f} GB, the disk has"
            f" {free / 1e9:.1f} GB free"
        )
    matrices = [shape for shape in shapes.values() if len(shape) > 1]
    return {
        "architecture": config.get("architectures", ["unknown"])[0],
        "parameters": parameters,
        "tied_embeddings": bool(config.get("tie_word_embeddings", False)),
        "rows_that_do_not_divide": {
            name: sum(shape[-1] % block_of(name) != 0 for shape in matrices) for name in types
        },
    }


def _shapes(folder: Path) -> dict[str, list[int]]:
    if not folder.is_dir():
        raise UserError(f"{folder}: no such model folder")
    if not (folder / "config.json").is_file():
        if (folder / "adapter_config.json").is_file():
            raise UserError(f"{folder}: a LoRA adapter, not a model; merge it first: make merge")
        raise UserError(f"{folder}: no config.json; this is not a Hugging Face model folder")
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise UserError(f"{folder}: no *.safetensors in it")
    return {name: shape for file in files for name, shape in tensor_shapes(file).items()}


def _has_chat_template(folder: Path) -> bool:
    if (folder / "chat_template.jinja").is_file():
        return True
    path = folder / "tokenizer_config.json"
    return path.is_file() and bool(read_json(path).get("chat_template"))


def _free_bytes(folder: Path) -> int:
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


def convert_to_f16(model: Path, output: Path, pretokenizer: str | None = None) -> None:
    """Write a model folder as an F16 GGUF file; the file appears whole or not at all.

    Args:
        model: Hugging Face model folder.
        output: the file to make. After a failure ``convert.log`` beside it has the whole story.
        pretokenizer: llama.cpp's name of the pre-tokenizer, where it does not know the tokenizer.

    Raises:
        UserError: the converter is not installed or refuses the model.
    """
    partial = output.with_name(output.name + PARTIAL)
    log = output.parent / CONVERTER_LOG
    command = [sys.executable, "-m", "text2sql.gguf.convert_main", str(converter_folder())]
    command += [pretokenizer or "", str(model), "--outtype", "f16", "--outfile", str(partial)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with log.open("wb") as stream:
        status = subprocess.run(
            command, stdout=stream, stderr=subprocess.STDOUT, env=environment, check=False
        ).returncode
    if status != 0 or not partial.is_file():
        partial.unlink(missing_ok=True)
        raise UserError(f"{model}: {_explain(log, status)}; full log: {log}")
    partial.replace(output)
    log.unlink()


def _explain(log: Path, status: int) -> str:
    text = log.read_text(encoding="utf-8", errors="replace")
    for sign, meaning in EXPLANATIONS:
        if sign in text:
            return meaning
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return f"conversion failed (status {status}): {lines[-1] if lines else 'no output'}"
