"""A Hugging Face folder as an F16 GGUF file, and that one quantized, by llama.cpp's own code."""

from __future__ import annotations

import importlib
import os
import runpy
import sys
from collections.abc import Callable
from math import prod
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from text2sql.errors import UserError
from text2sql.files import PARTIAL, read_json, require_disk
from text2sql.hardware import thread_count
from text2sql.models.folder import (
    embedding_rows,
    require_all_parts,
    require_model,
    tensor_shapes,
    token_count,
)
from text2sql.models.gguf_types import QUANTIZATION_TYPES, block_of, check_type
from text2sql.models.llama_cpp import CONVERTER, converter_folder, require_llama_cpp

# Parts of what the converter prints, and what they mean to the user.
EXPLANATIONS = {
    "BPE pre-tokenizer was not recognized": (
        "llama.cpp does not know this tokenizer; if it splits text as a known one does, name that"
        " with --pretokenizer (such as qwen2); the check of token ids then says whether it fits"
    ),
    "is not supported": "llama.cpp's converter does not know this architecture",
}


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
        UserError: no model there, an adapter instead of a model, no weights or not all of them,
            weights that are quantized already, no tokenizer or one with more tokens than the
            embedding has rows, no chat template, or too little room on the disk.
    """
    require_model(folder)
    require_all_parts(folder)
    named = tensor_shapes(folder)
    shapes = named.values()
    config = read_json(folder / "config.json")
    if method := (config.get("quantization_config") or {}).get("quant_method"):
        raise UserError(
            f"{folder}: its weights are quantized already ({method}); take the model they were"
            " made from"
        )
    if not any((folder / name).is_file() for name in ("tokenizer.json", "tokenizer.model")):
        raise UserError(f"{folder}: no tokenizer.json or tokenizer.model; copy the base model's")
    if not _has_chat_template(folder):
        raise UserError(f"{folder}: no chat template; copy chat_template.jinja of the base model")
    _check_vocabulary(folder, embedding_rows(config, named))
    parameters = sum(map(prod, shapes))
    require_disk(2.1 * parameters * (1 + len(types)), folder, "GGUF files")
    matrices = [shape for shape in shapes if len(shape) > 1]
    return {
        "architecture": config.get("architectures", ["unknown"])[0],
        "parameters": parameters,
        "tied_embeddings": bool(config.get("tie_word_embeddings", False)),
        "rows_that_do_not_divide": {
            name: sum(shape[-1] % block_of(name) != 0 for shape in matrices) for name in types
        },
    }


def _check_vocabulary(folder: Path, rows: int | None) -> None:
    """Raise UserError where the tokenizer has tokens that the model has no embedding for."""
    tokens = token_count(folder)
    if rows is not None and tokens is not None and tokens > rows:
        raise UserError(
            f"{folder}: its tokenizer has {tokens} tokens and its embedding {rows} rows; copy the"
            " tokenizer the model was trained with, or give the model rows for the new tokens"
            " (model.resize_token_embeddings) and train them"
        )


def _has_chat_template(folder: Path) -> bool:
    if (folder / "chat_template.jinja").is_file():
        return True
    path = folder / "tokenizer_config.json"
    return path.is_file() and bool(read_json(path).get("chat_template"))


def convert_to_f16(model: Path, output: Path, pretokenizer: str | None = None) -> None:
    """Write a model folder as an F16 GGUF file; the file appears whole or not at all.

    Args:
        model: Hugging Face model folder.
        output: the file to make.
        pretokenizer: llama.cpp's name of the pre-tokenizer, where it does not know the tokenizer.

    Raises:
        UserError: the converter is not installed or refuses the model.
    """
    _write_apart(output, model, "conversion", _convert, converter_folder(), pretokenizer)


def quantize(source: Path, target: Path, name: str) -> None:
    """Write a quantized copy of an F16 GGUF file; it appears whole or not at all.

    Args:
        source: the F16 file.
        target: the file to make.
        name: a type of `QUANTIZATION_TYPES`.

    Raises:
        UserError: llama.cpp is not installed, there is no such type, or llama.cpp failed.
    """
    require_llama_cpp()
    _write_apart(target, source, check_type(name), _quantize, check_type(name))


def _write_apart(
    output: Path, source: Path, what: str, work: Callable[..., None], *arguments: Any
) -> None:
    """Let `work(source, file, *arguments)` write a file in a process of its own.

    llama.cpp ends the whole process where something is wrong with a file, and its converter brings
    its own version of the package `gguf`. What they print stays in a log when they fail.
    """
    partial = output.with_name(output.name + PARTIAL)
    log = output.parent / f"{what}.log"
    process = get_context("spawn").Process(
        target=_logged, args=(log, work, source, partial, *arguments)
    )
    process.start()
    process.join()
    if process.exitcode != 0 or not partial.is_file():
        partial.unlink(missing_ok=True)
        reason = _explain(log, f"{what} failed (status {process.exitcode})")
        raise UserError(f"{source}: {reason}; full log: {log}")
    partial.replace(output)
    log.unlink()


def _logged(log: Path, work: Callable[..., None], *arguments: Any) -> None:
    with log.open("wb") as stream:
        for descriptor in (1, 2):
            os.dup2(stream.fileno(), descriptor)
    work(*arguments)


def _explain(log: Path, failure: str) -> str:
    text = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
    for sign, meaning in EXPLANATIONS.items():
        if sign in text:
            return meaning
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return f"{failure}: {lines[-1] if lines else 'no output'}"


def _convert(model: Path, output: Path, folder: Path, pretokenizer: str | None) -> None:
    script = str(folder / CONVERTER)
    sys.argv = [script, str(model), "--outtype", "f16", "--outfile", str(output)]
    sys.path[:0] = [str(folder), str(folder / "gguf-py")]
    if pretokenizer:
        _name_unknown_pretokenizer(pretokenizer)
    runpy.run_path(script, run_name="__main__")


def _name_unknown_pretokenizer(name: str) -> None:
    """Have a pre-tokenizer written where the converter knows none for the model's tokenizer."""
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


def _quantize(source: Path, target: Path, name: str) -> None:
    import ctypes

    import llama_cpp

    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype = QUANTIZATION_TYPES[name]
    parameters.nthread = thread_count()
    sys.exit(
        llama_cpp.llama_model_quantize(
            str(source).encode(), str(target).encode(), ctypes.byref(parameters)
        )
    )
