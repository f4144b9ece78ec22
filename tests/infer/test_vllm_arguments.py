"""What we ask of vLLM, held against vLLM's own arguments. That wants vLLM, and no GPU."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from text2sql.files import write_json
from text2sql.infer.config import InferConfig, load_infer_config
from text2sql.infer.engine import Prompt
from text2sql.infer.openai_server import server_command
from text2sql.infer.sql_gbnf import schema_grammar
from text2sql.infer.vllm import VllmEngine, room_for
from text2sql.models.folder import load_tokenizer
from text2sql.schema import Column, Schema, Table

vllm = pytest.importorskip("vllm", reason="vLLM is not in this environment (make setup-gpu)")
ROOT = Path(__file__).resolve().parents[2]
NAMES = sorted(path.stem for path in (ROOT / "configs" / "infer").glob("*.yaml"))
CONFIGS = {name: load_infer_config(name) for name in NAMES}
BOOKS = Schema("library", (Table("books", (Column("title", "TEXT"),)),), ())
TIGHT = {
    "engine": "vllm",
    "gpu_memory_utilization": 0.8,
    "enforce_eager": True,
    "disable_custom_all_reduce": True,
}


class Unloaded:
    """In the place of `vllm.LLM`: has vLLM check what it is asked for, and loads no model."""

    def __init__(self, **keys: Any) -> None:
        self.config = vllm.EngineArgs(**keys).create_engine_config()
        self.llm_engine = self.engine_core = self

    def get_tokenizer(self) -> Any:
        return load_tokenizer(Path(self.config.model_config.model))

    def shutdown(self) -> None:
        """As the engine's core does where the program ends."""


@pytest.fixture(autouse=True)
def unloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a GPU vLLM knows no platform, and checks nothing; that for CPUs takes its place."""
    from vllm import platforms

    if not platforms.current_platform.device_type:
        from vllm.platforms.cpu import CpuPlatform

        monkeypatch.setattr(platforms, "_current_platform", CpuPlatform())
    monkeypatch.setattr(vllm, "LLM", Unloaded)


@pytest.mark.parametrize(
    "config",
    [
        *(pytest.param(c, id=n) for n, c in CONFIGS.items() if c.engine == "vllm"),
        pytest.param(InferConfig.model_validate(TIGHT), id="tight"),
    ],
)
def test_vllm_takes_a_config(config: InferConfig, tiny_llama: Path, tmp_path: Path) -> None:
    config = config.model_copy(update={"max_model_len": 2048})  # which the model was made for
    write_json(tmp_path / "adapter_config.json", {"r": 24})
    adapter = tmp_path if config.adapter else None
    engine = VllmEngine(tiny_llama, config, ["<|im_end|>"], adapter=adapter)
    taken = engine._llm.config
    assert taken.parallel_config.tensor_parallel_size == config.tensor_parallel_size
    assert taken.model_config.max_model_len == 2048
    assert str(taken.model_config.dtype) == f"torch.{config.dtype}"
    assert taken.model_config.enforce_eager is config.enforce_eager
    assert taken.cache_config.gpu_memory_utilization == config.gpu_memory_utilization
    assert taken.cache_config.enable_prefix_caching
    if adapter:
        assert taken.lora_config.max_lora_rank == room_for(24)
    for grammar in (None, schema_grammar(BOOKS)):
        asked = engine._sampling_of(Prompt(0, [1, 2], sample=3, grammar=grammar))
        asked.verify(taken.model_config, None, taken.structured_outputs_config, engine._tokenizer)
        assert (asked.max_tokens, asked.temperature) == (config.max_new_tokens, config.temperature)
        assert asked.seed == config.seed + 3


def test_vllm_takes_the_command_line_of_its_server(tiny_llama: Path) -> None:
    from vllm.entrypoints.cli.serve import make_arg_parser, validate_parsed_serve_args
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    command = server_command(tiny_llama, "127.0.0.1", 8123, 2048)
    program, options = command[: command.index("--model")], command[command.index("--model") :]
    assert find_spec(program[-1]) is not None
    given = make_arg_parser(FlexibleArgumentParser()).parse_args(options)
    validate_parsed_serve_args(given)
    assert (given.host, given.port) == ("127.0.0.1", 8123)
    assert given.served_model_name == [tiny_llama.name]
    taken = vllm.AsyncEngineArgs.from_cli_args(given).create_engine_config()
    assert taken.model_config.max_model_len == 2048
    assert taken.cache_config.enable_prefix_caching
