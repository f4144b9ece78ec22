"""The quantization types on offer, and what they ask of a model's tensors."""

from __future__ import annotations

from text2sql.errors import UserError

F16 = "F16"
# Number of each type in llama.cpp's `enum llama_ftype` (include/llama.h).
QUANTIZATION_TYPES = {
    "Q2_K": 10,
    "Q3_K_M": 12,
    "Q4_0": 2,
    "Q4_K_S": 14,
    "Q4_K_M": 15,
    "Q5_K_S": 16,
    "Q5_K_M": 17,
    "Q6_K": 18,
    "Q8_0": 7,
}
TABLE_TYPES = ("Q3_K_M", "Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0")  # of a profile that names none
DEFAULT_TYPE = "Q4_K_M"
# Values that share a scale: a row of weights must be a multiple of this long. Where it is not of
# 256, llama.cpp stores that tensor in a legacy type with blocks of 32, which is larger.
K_BLOCK, LEGACY_BLOCK = 256, 32
LEGACY_TYPES = frozenset({"Q4_0", "Q8_0"})


def check_type(name: str) -> str:
    """Return the type's name in upper case; raise UserError, listing the types, when unknown."""
    upper = name.upper()
    if upper not in QUANTIZATION_TYPES:
        raise UserError(
            f"no quantization type '{name}'; there are: {', '.join(QUANTIZATION_TYPES)}"
        )
    return upper


def block_of(name: str) -> int:
    """Return how many values share a scale in a type."""
    return LEGACY_BLOCK if name in LEGACY_TYPES else K_BLOCK


def gguf_name(stem: str, kind: str) -> str:
    """Return the file name of a model's GGUF file of a type."""
    return f"{stem}-{kind}.gguf"
