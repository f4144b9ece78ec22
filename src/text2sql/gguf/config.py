"""Which of a profile's models is quantized, and how."""

from __future__ import annotations

from pydantic import Field, field_validator

from text2sql.config import StrictModel
from text2sql.errors import UserError
from text2sql.models.gguf_types import QUANTIZATION_TYPES, check_type


class QuantizationConfig(StrictModel):
    """The model of `row` as F16 GGUF and in each of `types`, answered with `infer`.

    `pretokenizer` names one of llama.cpp's for tokenizers that its converter does not know.
    """

    row: str
    types: tuple[str, ...] = Field(default=tuple(QUANTIZATION_TYPES), min_length=1)
    infer: str
    pretokenizer: str | None = None

    @field_validator("types")
    @classmethod
    def _known(cls, types: tuple[str, ...]) -> tuple[str, ...]:
        try:
            return tuple(check_type(name) for name in types)
        except UserError as error:
            raise ValueError(str(error)) from None
