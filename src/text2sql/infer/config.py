"""Settings of the infer stage."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from text2sql.config import StrictModel, load_config, one_of
from text2sql.paths import config_path

# Where each engine is. As texts, so that only the one in use is imported, and in a module that no
# stage's key watches, so that one engine more asks no other's models again.
ENGINES = {
    "transformers": "text2sql.infer.transformers:TransformersEngine",
    "vllm": "text2sql.infer.vllm_copies:open_vllm",
    "llama.cpp": "text2sql.infer.llamacpp:LlamaCppEngine",
    "openai": "text2sql.infer.openai:OpenAIEngine",
}


# Of `InferConfig`, those that came after the records of runs without them.
GPU_KEYS = {
    *("data_parallel_size", "gpu_memory_utilization", "enforce_eager"),
    "disable_custom_all_reduce",
}


class ServerConfig(StrictModel):
    """An OpenAI-compatible server, for the engine ``openai``.

    `send` says what goes over the wire: ``text`` (the rendered prompt, to /v1/completions),
    ``tokens`` (its token ids, to the same; vLLM takes them) or ``chat`` (the messages, to
    /v1/chat/completions, where the server's own template applies: all that many hosted APIs offer).
    The key is read from the environment variable that `api_key_variable` names.
    """

    base_url: str = "http://127.0.0.1:8000/v1"
    model: str
    send: Literal["text", "tokens", "chat"] = "text"
    api_key_variable: str = "OPENAI_API_KEY"
    timeout_seconds: float = Field(default=120.0, gt=0)


class DecodingConfig(StrictModel):
    """Ways of decoding beyond one answer a question.

    `samples` answers are executed and the result most of them agree on wins (needs a temperature
    above 0). `repair` shows the model the database's error once and asks again, for each answer
    before they vote. `grammar` lets the engine write only SELECT statements over the names of the
    question's schema. `scope` holds every name against the tables of its own query while that is
    written (SQLite databases; engines transformers and llama.cpp).
    """

    samples: int = Field(default=1, ge=1)
    repair: bool = False
    grammar: bool = False
    scope: bool = False
    execution_timeout_seconds: float = Field(default=10.0, gt=0)


class InferConfig(StrictModel):
    """Engine and decoding. Temperature 0 is greedy decoding; the other sampling keys then rest.

    `batch_size` is for ``transformers`` (prompts in a batch) and ``openai`` (requests at a time).
    With `adapter`, a LoRA adapter is used by request beside its base model, without a merge.

    The rest is for ``vllm``. Each copy of the model is spread over `tensor_parallel_size` GPUs, or
    over fewer where there are fewer. `data_parallel_size` copies share the questions, by default as
    many as the GPUs allow. A copy takes `gpu_memory_utilization` of each GPU's memory.
    `enforce_eager` leaves CUDA graphs out, which saves about 1 GB and costs speed;
    `disable_custom_all_reduce` leaves the exchange between GPUs to NCCL.
    """

    engine: Annotated[str, one_of(ENGINES, "engine")]
    dtype: Literal["float32", "bfloat16", "float16"] = "bfloat16"
    batch_size: int = Field(default=8, ge=1)
    max_new_tokens: int = Field(default=256, ge=1)
    max_model_len: int = Field(default=4096, ge=16)
    temperature: float = Field(default=0.0, ge=0)
    top_p: float = Field(default=1.0, gt=0, le=1)
    repetition_penalty: float = Field(default=1.0, gt=0)
    tensor_parallel_size: int = Field(default=1, ge=1)
    data_parallel_size: int | None = Field(default=None, ge=1)
    gpu_memory_utilization: float = Field(default=0.9, gt=0, le=1)
    enforce_eager: bool = False
    disable_custom_all_reduce: bool = False
    seed: int = 42
    adapter: bool = False
    max_lora_rank: int = Field(default=128, ge=1)
    server: ServerConfig | None = None
    decoding: DecodingConfig = DecodingConfig()

    @model_serializer(mode="wrap")
    def _only_what_is_set(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what only says how vLLM uses GPUs, where it is as it always is."""
        values: dict[str, Any] = serialize(self)
        fields = type(self).model_fields
        return {
            key: value
            for key, value in values.items()
            if key not in GPU_KEYS or getattr(self, key) != fields[key].default
        }

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        given = sorted(GPU_KEYS & self.model_fields_set)
        if self.engine != "vllm" and any(
            getattr(self, key) != type(self).model_fields[key].default for key in given
        ):
            raise ValueError(f"{given[0]} is for engine vllm; remove it")
        if (self.engine == "openai") != (self.server is not None):
            raise ValueError("engine openai and the key server go together; give both or neither")
        if self.adapter and self.engine != "vllm":
            raise ValueError("adapter: true is for engine vllm; other engines take merged models")
        if self.decoding.samples > 1 and self.temperature == 0:
            raise ValueError("decoding.samples above 1 needs a temperature above 0")
        if self.decoding.grammar and self.engine not in ("llama.cpp", "vllm"):
            raise ValueError("decoding.grammar needs engine llama.cpp or vllm")
        if self.decoding.scope and self.engine not in ("transformers", "llama.cpp"):
            raise ValueError("decoding.scope needs engine transformers or llama.cpp")
        if self.max_new_tokens >= self.max_model_len:
            raise ValueError("max_new_tokens leaves no room for a prompt below max_model_len")
        return self


def load_infer_config(name: str) -> InferConfig:
    """Load `configs/infer/<name>.yaml` (or a YAML file by path); raise UserError when wrong."""
    return load_config(config_path("infer", name), InferConfig)
