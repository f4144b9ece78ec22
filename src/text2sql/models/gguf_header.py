"""What a GGUF file says of itself: architecture, tensor types, bits per weight.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from text2sql.errors import UserError

MAGIC = b"GGUF"


@dataclass(frozen=True)
class Matrices:
    """The matrices of one kind, a layer one, such as ``ffn_down``.

    Attributes:
        kind: their name without the layer's number.
        row: length of their rows.
        values: number of values in all of them.
        types: number of matrices stored in each type.
    """

    kind: str
    row: int
    values: int
    types: dict[str, int]


@dataclass(frozen=True)
class Header:
    """Facts from a GGUF file's header.

    Attributes:
        architecture: such as ``llama`` or ``qwen3``.
        parameters: number of values in all tensors.
        file_bytes: size of the file.
        tensor_types: number of tensors of each type.
        matrices: how the file stores each kind of matrix, those with most values first.
        cache_bytes_per_token: memory that one token of context takes, at 16 bits a value.
        context_length: longest context the model was trained for.
        chat_template: the chat template, empty when there is none.
        bos_token, eos_token: the tokens that begin and end a text, empty where it has none.
    """

    architecture: str
    parameters: int
    file_bytes: int
    tensor_types: dict[str, int]
    matrices: tuple[Matrices, ...]
    cache_bytes_per_token: int
    context_length: int
    chat_template: str
    bos_token: str
    eos_token: str

    @property
    def bits_per_weight(self) -> float:
        """Size of the file in bits over the number of values in its tensors."""
        return 8 * self.file_bytes / self.parameters


def find_gguf(path: Path) -> Path:
    """Return the GGUF file that a path means: the file, or the one file in a folder.

    Raises:
        UserError: there is none, or a folder holds several.
    """
    if path.is_file():
        return path
    files = sorted(path.glob("*.gguf")) if path.is_dir() else []
    if len(files) == 1:
        return files[0]
    if files:
        raise UserError(f"{path}: {len(files)} GGUF files here; name the one that is meant")
    raise UserError(f"{path}: no GGUF file; make one with: make quantize")


def read_header(path: Path) -> Header:
    """Read a GGUF file's header.

    Raises:
        UserError: not a GGUF file, cut short, or of an architecture that llama.cpp does not know.
    """
    from gguf import MODEL_ARCH_NAMES, GGUFReader

    with path.open("rb") as stream:
        if stream.read(4) != MAGIC:
            raise UserError(f"{path}: not a GGUF file")
    try:
        reader = GGUFReader(path)
        fields = dict(reader.fields)
        architecture = str(fields["general.architecture"].contents())
    except (ValueError, KeyError, IndexError) as error:
        raise UserError(f"{path}: broken GGUF file ({error}); make it anew") from None
    if architecture not in MODEL_ARCH_NAMES.values():
        raise UserError(f"{path}: llama.cpp knows no architecture '{architecture}'")

    def value(key: str, default: Any) -> Any:
        field = fields.get(key.replace("{arch}", architecture))
        return default if field is None else field.contents()

    def token(role: str) -> str:
        number = value(f"tokenizer.ggml.{role}_token_id", None)
        tokens = fields.get("tokenizer.ggml.tokens")
        return "" if number is None or tokens is None else str(tokens.contents(int(number)))

    heads = int(_largest(value("{arch}.attention.head_count", 1)))
    width = int(value("{arch}.embedding_length", 0))
    key_length = int(value("{arch}.attention.key_length", width // heads))
    value_length = int(value("{arch}.attention.value_length", width // heads))
    kv_heads = int(_largest(value("{arch}.attention.head_count_kv", heads)))
    layers = int(value("{arch}.block_count", 0))
    return Header(
        architecture=architecture,
        parameters=sum(int(tensor.n_elements) for tensor in reader.tensors),
        file_bytes=path.stat().st_size,
        tensor_types=dict(Counter(tensor.tensor_type.name for tensor in reader.tensors)),
        matrices=_matrices(reader.tensors),
        cache_bytes_per_token=2 * layers * kv_heads * (key_length + value_length),
        context_length=int(value("{arch}.context_length", 0)),
        chat_template=str(value("tokenizer.chat_template", "")),
        bos_token=token("bos"),
        eos_token=token("eos"),
    )


def _matrices(tensors: Iterable[Any]) -> tuple[Matrices, ...]:
    kinds: dict[tuple[str, int], list[Any]] = defaultdict(list)
    for tensor in tensors:
        if len(tensor.shape) > 1:
            # The first of a GGUF shape is the length of a row.
            kinds[_kind(tensor.name), int(tensor.shape[0])].append(tensor)
    found = [
        Matrices(
            kind,
            row,
            sum(int(tensor.n_elements) for tensor in members),
            dict(Counter(tensor.tensor_type.name for tensor in members).most_common()),
        )
        for (kind, row), members in kinds.items()
    ]
    return tuple(sorted(found, key=lambda matrices: -matrices.values))


def _kind(name: str) -> str:
    """Return a tensor's name without its layer: ``ffn_down`` for ``blk.3.ffn_down.weight``."""
    return re.sub(r"^blk\.\d+\.", "", name).removesuffix(".weight")


def _largest(value: Any) -> int:
    return max(value) if isinstance(value, list) else int(value)
