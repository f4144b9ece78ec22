"""A tied-embedding Qwen3 through converter and quantizer, and the engines on what comes out."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from text2sql.cli import cli
from text2sql.errors import UserError
from text2sql.files import read_json
from text2sql.gguf.checks import check_logits
from text2sql.gguf.convert import convert_to_f16, quantize
from text2sql.gguf.make import make_f16
from text2sql.gguf.probes import Probe
from text2sql.infer.config import InferConfig
from text2sql.infer.engine import Prompt
from text2sql.infer.llamacpp import open_llama
from text2sql.infer.load import load_engine
from text2sql.infer.name_scope import NameScope
from text2sql.infer.sql_gbnf import schema_grammar
from text2sql.models.gguf_header import read_header
from text2sql.models.gguf_types import QUANTIZATION_TYPES
from text2sql.models.llama_cpp import CONVERTER
from text2sql.prompt import load_template
from text2sql.schema import Column, Schema, Table

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("gguf_folder")]  # skips without llama.cpp
TEMPLATE = load_template("qwen3_nothink")


def f16(folder: Path) -> Path:
    return folder / "tiny-qwen3-F16.gguf"


def test_f16_says_what_the_model_says(gguf_folder: Path) -> None:
    found = read_json(gguf_folder / "quantization.json")["F16"]
    assert found["architecture"] == "qwen3"
    assert found["model"]["tied_embeddings"] is True
    assert found["tokenizer"]["strings"] == 1000
    assert found["logits"]["same_first_token"] >= 0.98
    assert found["logits"]["divergence"] < 0.01


def test_every_type_has_its_size_tensors_and_files(gguf_folder: Path) -> None:
    record = read_json(gguf_folder / "quantization.json")
    sizes = [record[name]["bits_per_weight"] for name in ("Q3_K_M", "Q4_K_M", "Q5_K_M", "Q6_K")]
    assert sizes == sorted(sizes)
    assert record["Q8_0"]["bits_per_weight"] > sizes[-1]
    assert "Q4_K" in record["Q4_K_M"]["tensor_types"]
    for name in QUANTIZATION_TYPES:
        assert record[name]["perplexity"] > 1
        assert (gguf_folder / f"tiny-qwen3-{name}.Modelfile").is_file()
        assert (gguf_folder / f"tiny-qwen3-{name}.LM-Studio.md").is_file()
    assert not list(gguf_folder.glob("*.partial"))


def quantize_by_command(folder: Path, *options: str) -> Result:
    arguments = ["quantize", "--model", str(folder), "--limit", "2", "--type", "q8_0", *options]
    return CliRunner().invoke(cli, arguments)


def test_any_folder_is_quantized_as_a_run_of_its_own(
    converter: Path,
    tiny_qwen3: Path,
    tmp_path: Path,
    build_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LLAMA_CPP", str(converter))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
    model = tmp_path / "mine"
    shutil.copytree(tiny_qwen3, model)
    refused = quantize_by_command(model)
    assert isinstance(refused.exception, SystemExit) and refused.exit_code == 2
    assert re.search(r"does not know this tokenizer.*--pretokenizer", refused.output)
    done = quantize_by_command(model, "--pretokenizer", "smollm")
    assert done.exit_code == 0, done.output
    folder = build_folder / "runs" / "local-mine" / "sample-limit2" / "gguf" / "model"
    (file,) = (folder / "Q8_0").glob("*.gguf")
    assert read_header(file).architecture == "qwen3"
    assert [path.name for path in folder.glob("*.partial")] == []
    assert (model / "config.json").is_file() and not (model / "config.json").is_symlink()
    again = quantize_by_command(model, "--pretokenizer", "smollm")
    assert "quantize:Q8_0: up to date" in again.output
    config = read_json(model / "config.json")
    (model / "config.json").write_text(json.dumps(config | {"changed": True}))
    assert "gguf:model: started" in quantize_by_command(model, "--pretokenizer", "smollm").output


def test_a_tokenizer_llama_cpp_does_not_know_is_explained(
    tiny_qwen3: Path, gguf_probes: list[Probe], tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r"does not know this tokenizer.*--pretokenizer"):
        make_f16(tiny_qwen3, f16(tmp_path), gguf_probes, ("Q8_0",))
    assert not list(tmp_path.glob("*.gguf"))


def test_a_wrong_pretokenizer_is_found_out(
    tiny_qwen3: Path, gguf_probes: list[Probe], tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="its tokenizer is another one than the model's"):
        make_f16(tiny_qwen3, f16(tmp_path), gguf_probes, ("Q8_0",), "llama-bpe")


def test_an_architecture_the_converter_does_not_know(
    tiny_qwen3: Path, gguf_probes: list[Probe], tmp_path: Path
) -> None:
    model = tmp_path / "model"
    shutil.copytree(tiny_qwen3, model)
    config = read_json(model / "config.json") | {"architectures": ["ZebraForCausalLM"]}
    (model / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match="converter does not know this architecture"):
        make_f16(model, f16(tmp_path), gguf_probes, ("Q8_0",), "smollm")


def test_a_checkout_of_llama_cpp_is_used_where_one_is_named(
    converter: Path,
    gguf_folder: Path,
    tiny_qwen3: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    checkout, mark, output = (tmp_path / name for name in ("llama.cpp", "mark", "tiny-qwen3.gguf"))
    shutil.copytree(converter, checkout)
    with (checkout / CONVERTER).open("a") as script:
        script.write(f"\nopen({str(mark)!r}, 'w').close()\n")
    monkeypatch.setenv("LLAMA_CPP", str(checkout))
    convert_to_f16(tiny_qwen3, output, "smollm")
    assert mark.is_file()
    assert output.read_bytes() == f16(gguf_folder).read_bytes()


def test_other_weights_are_found_out(gguf_folder: Path, tiny_qwen3: Path, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    model = tmp_path / "model"
    shutil.copytree(tiny_qwen3, model)
    weights = load_file(model / "model.safetensors")
    name = next(name for name in weights if name.endswith("layers.2.mlp.down_proj.weight"))
    weights[name] = torch.zeros_like(weights[name])
    save_file(weights, model / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match="computes something else than"):
        check_logits(model, f16(gguf_folder), ["How many singers are there?"])


def test_a_broken_source_fails_without_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.gguf").write_bytes(b"GGUF and nothing more")
    with pytest.raises(UserError, match="Q4_K_M failed"):
        quantize(tmp_path / "a.gguf", tmp_path / "b.gguf", "Q4_K_M")
    assert not list(tmp_path.glob("b*"))


def settings(engine: str, **values: Any) -> InferConfig:
    common = {"engine": engine, "dtype": "float32", "max_new_tokens": 16, "max_model_len": 512}
    return InferConfig.model_validate(common | values)


def prompts(engine: Any, texts: list[str], **values: Any) -> list[Prompt]:
    return [Prompt(i, engine.encode(text), text, **values) for i, text in enumerate(texts)]


def test_llama_cpp_is_sent_the_tokens_of_transformers_and_answers_alike(
    gguf_folder: Path, tiny_qwen3: Path, gguf_texts: list[str]
) -> None:
    stops = TEMPLATE.stop_words
    one = load_engine(tiny_qwen3, settings("transformers"), stops, "cpu")
    other = load_engine(f16(gguf_folder), settings("llama.cpp"), stops, "cpu")
    assert prompts(one, gguf_texts) == prompts(other, gguf_texts)
    expected = {done.id: done for done in one.generate(prompts(one, gguf_texts))}
    found = {done.id: done for done in other.generate(prompts(other, gguf_texts))}
    assert {i: d.text for i, d in found.items()} == {i: d.text for i, d in expected.items()}
    measured = other.measurements()
    for what in ("prompt", "generation"):
        assert measured[f"{what}_tokens_per_second"] > 0
        assert measured[f"{what}_tokens_per_cpu_second"] > 0


def test_a_seed_repeats_and_another_one_does_not(gguf_folder: Path, gguf_texts: list[str]) -> None:
    config = settings("llama.cpp", temperature=1.0)
    engine = load_engine(f16(gguf_folder), config, TEMPLATE.stop_words, "cpu")
    texts = [
        next(iter(engine.generate([prompts(engine, gguf_texts, sample=sample)[0]]))).text
        for sample in (0, 1, 0)
    ]
    assert texts[0] == texts[2] != texts[1]


def test_a_grammar_binds_even_a_random_model(gguf_folder: Path, gguf_texts: list[str]) -> None:
    schema = Schema("d", (Table("singer", (Column("name", "TEXT"), Column("age", "INTEGER"))),), ())
    config = settings("llama.cpp", temperature=1.0)
    engine = load_engine(f16(gguf_folder), config, TEMPLATE.stop_words, "cpu")
    for done in engine.generate(prompts(engine, gguf_texts, grammar=schema_grammar(schema))):
        assert done.text.upper().startswith("SELECT ")


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_under_grammar_and_scope_a_random_model_writes_right_names(
    gguf_folder: Path, gguf_texts: list[str], temperature: float
) -> None:
    tables = (("singer", ("name", "age")), ("song", ("title", "year", "singer_name")))
    schema = Schema("d", tuple(Table(t, tuple(map(Column, columns))) for t, columns in tables), ())
    scope = NameScope(schema).allows
    config = settings("llama.cpp", temperature=temperature)
    engine = load_engine(f16(gguf_folder), config, TEMPLATE.stop_words, "cpu")
    bound = prompts(engine, gguf_texts, grammar=schema_grammar(schema), scope=scope)
    for done in engine.generate(bound):
        assert done.text.upper().startswith("SELECT ")
        assert scope(done.text, done.finish_reason == "stop"), done.text


def test_greedy_decoding_under_a_grammar_writes_what_llama_cpps_own_sampler_does(
    gguf_folder: Path, gguf_texts: list[str]
) -> None:
    from llama_cpp import LlamaGrammar

    schema = Schema("d", (Table("singer", (Column("name", "TEXT"), Column("age", "INTEGER"))),), ())
    grammar = schema_grammar(schema)
    engine = load_engine(f16(gguf_folder), settings("llama.cpp"), TEMPLATE.stop_words, "cpu")
    bound = prompts(engine, gguf_texts, grammar=grammar)
    found = {done.id: done.text for done in engine.generate(bound)}
    llama = open_llama(f16(gguf_folder), 512)
    for prompt in bound:
        tokens = llama.generate(
            prompt.tokens, temp=0.0, grammar=LlamaGrammar.from_string(grammar, verbose=False)
        )
        written = list(itertools.islice(tokens, 16))
        # A random model under a grammar goes on for ever, so both end at the same length.
        assert found[prompt.id] == llama.detokenize(written).decode("utf-8", errors="replace")
        assert found[prompt.id].upper().startswith("SELECT ")


def test_wrong_template_for_a_gguf_file(gguf_folder: Path) -> None:
    with pytest.raises(UserError, match="'<end>' is no token of this model"):
        load_engine(f16(gguf_folder), settings("llama.cpp"), ["<end>"], "cpu")
