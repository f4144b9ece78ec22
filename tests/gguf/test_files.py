"""GGUF headers, checks before conversion, and what is written for Ollama and LM Studio."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pytest
from gguf import GGUFWriter
from safetensors.numpy import save_file

from text2sql.config import check_config
from text2sql.errors import UserError
from text2sql.gguf.convert import check_model
from text2sql.gguf.deploy import lm_studio_notes, ollama_modelfile
from text2sql.gguf.probes import Probe, spread, tokenizer_strings
from text2sql.models.gguf_header import Matrices, find_gguf, read_header
from text2sql.models.gguf_types import QUANTIZATION_TYPES, check_type
from text2sql.models.llama_cpp import converter_folder
from text2sql.profile import QuantizationConfig
from text2sql.prompt import load_template, render_messages, render_text
from text2sql.prompt.template import template_names


def write_gguf(path: Path, architecture: str = "llama") -> Path:
    writer = GGUFWriter(path, architecture)
    writer.add_context_length(512)
    writer.add_embedding_length(64)
    writer.add_block_count(3)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_chat_template("{{ messages }}")
    writer.add_token_list(["a", "<s>", "</s>"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_tensor("blk.0.a.weight", np.zeros((8, 64), dtype=np.float16))
    writer.add_tensor("b", np.zeros(64, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def write_model(folder: Path, **config: Any) -> Path:
    """A model folder as `check_model` looks at it."""
    folder.mkdir(exist_ok=True)
    shapes = {"a.weight": (4, 576), "b.weight": (4, 512), "norm.weight": (5,)}
    weights = {name: np.zeros(shape, dtype=np.float32) for name, shape in shapes.items()}
    save_file(weights, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"architectures": ["X"], **config}))
    (folder / "tokenizer.json").write_text("{}")
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    return folder


def test_a_template_takes_the_tokens_of_the_gguf_file(tmp_path: Path) -> None:
    write_gguf(tmp_path / "m.gguf")
    for model in (tmp_path, tmp_path / "m.gguf"):
        template = load_template("llama2", model)
        assert template.stop_words == ("</s>",)
        assert render_text([{"role": "user", "content": "?"}], template) == "<s>[INST] ? [/INST]"


def test_header_tells_size_and_types(tmp_path: Path) -> None:
    header = read_header(write_gguf(tmp_path / "m.gguf"))
    assert header.architecture == "llama"
    assert header.parameters == 8 * 64 + 64
    assert header.tensor_types == {"F16": 1, "F32": 1}
    assert header.matrices == (Matrices("a", 64, 512, {"F16": 1}),)
    assert header.cache_bytes_per_token == 2 * 3 * 2 * (16 + 16)
    assert header.context_length == 512
    assert header.bits_per_weight == 8 * (tmp_path / "m.gguf").stat().st_size / 576


def test_unknown_architecture_is_named(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "m.gguf", "zebra")
    with pytest.raises(UserError, match=r"llama\.cpp knows no architecture 'zebra'"):
        read_header(path)


def test_what_is_not_gguf_or_cut_short_is_said(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(b"hello")
    with pytest.raises(UserError, match=r"m\.gguf: not a GGUF file"):
        read_header(path)
    whole = write_gguf(tmp_path / "w.gguf").read_bytes()
    path.write_bytes(whole[:60])
    with pytest.raises(UserError, match="broken GGUF file"):
        read_header(path)


def test_the_one_file_in_a_folder_is_found(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no GGUF file; make one with: make quantize"):
        find_gguf(tmp_path)
    path = write_gguf(tmp_path / "m.gguf")
    assert find_gguf(tmp_path) == find_gguf(path) == path
    write_gguf(tmp_path / "n.gguf")
    with pytest.raises(UserError, match="2 GGUF files here"):
        find_gguf(tmp_path)


def test_rows_that_blocks_do_not_divide_are_counted(tmp_path: Path) -> None:
    found = check_model(write_model(tmp_path / "m", tie_word_embeddings=True), ("Q4_K_M", "Q8_0"))
    assert found["rows_that_do_not_divide"] == {"Q4_K_M": 1, "Q8_0": 0}
    assert found["tied_embeddings"] is True
    assert found["parameters"] == 4 * 576 + 4 * 512 + 5


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("config.json", "this is not a Hugging Face model folder"),
        ("model.safetensors", r"no \*\.safetensors"),
        ("tokenizer.json", "no tokenizer.json"),
        ("chat_template.jinja", "no chat template"),
    ],
)
def test_what_a_model_lacks_is_named(tmp_path: Path, missing: str, message: str) -> None:
    folder = write_model(tmp_path / "m")
    (folder / missing).unlink()
    with pytest.raises(UserError, match=message):
        check_model(folder)


@pytest.mark.parametrize("vocabulary", [{"a": 0, "b": 2}, [["a", -1.0], ["b", -2.0], ["c", -3.0]]])
def test_a_tokenizer_larger_than_the_embedding_is_said_with_both_numbers(
    tmp_path: Path, vocabulary: Any
) -> None:
    folder = write_model(tmp_path / "m", vocab_size=4)
    tokens: dict[str, Any] = {"model": {"vocab": vocabulary}, "added_tokens": []}
    (folder / "tokenizer.json").write_text(json.dumps(tokens))
    check_model(folder)
    tokens["added_tokens"] = [{"id": 3, "content": "<a>"}, {"id": 4, "content": "<b>"}]
    (folder / "tokenizer.json").write_text(json.dumps(tokens))
    with pytest.raises(UserError, match=r"5 tokens and its embedding 4 rows; .*resize_token"):
        check_model(folder)
    # What the config does not say, the weights do.
    other = write_model(tmp_path / "n")
    rows = {"model.embed_tokens.weight": np.zeros((3, 8), dtype=np.float32)}
    save_file(rows, other / "model.safetensors")
    (other / "tokenizer.json").write_text(json.dumps(tokens))
    with pytest.raises(UserError, match="5 tokens and its embedding 3 rows"):
        check_model(other)


def test_weights_that_are_not_all_there_or_quantized_are_said(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m", quantization_config={"quant_method": "gptq"})
    with pytest.raises(UserError, match=r"quantized already \(gptq\)"):
        check_model(folder)
    folder = write_model(tmp_path / "m")
    index = {"weight_map": {"a.weight": "model.safetensors", "b.weight": "model-2.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(UserError, match=r"weights are missing: model-2\.safetensors"):
        check_model(folder)


def test_an_adapter_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(UserError, match="a LoRA adapter, not a model; merge it first"):
        check_model(tmp_path)


def test_broken_weights_are_said(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m")
    (folder / "model.safetensors").write_bytes(b"\xff" * 40)
    with pytest.raises(UserError, match="broken or incomplete safetensors file"):
        check_model(folder)


def test_too_little_disk_is_said_with_the_estimate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("text2sql.files.free_bytes", lambda folder: 10)
    with pytest.raises(UserError, match=r"GGUF files need about 0\.0 GiB and 0\.0 GiB are free"):
        check_model(write_model(tmp_path / "m"))


def test_no_converter_and_a_wrong_checkout_are_said(
    tmp_path: Path, build_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LLAMA_CPP", raising=False)
    with pytest.raises(UserError, match=r"no convert_hf_to_gguf\.py here; run: make setup-gguf"):
        converter_folder()
    monkeypatch.setenv("LLAMA_CPP", str(tmp_path))
    with pytest.raises(UserError, match="LLAMA_CPP must name a checkout"):
        converter_folder()
    (tmp_path / "convert_hf_to_gguf.py").touch()
    assert converter_folder() == tmp_path


def test_types_in_any_case_and_unknown_ones() -> None:
    assert check_type("q4_k_m") == "Q4_K_M"
    with pytest.raises(UserError, match="no quantization type 'Q9'; there are: Q2_K, Q3_K_M, Q4_0"):
        check_type("Q9")
    with pytest.raises(UserError, match="no quantization type 'Q9'"):
        check_config({"row": "a", "infer": "b", "types": ["Q9"]}, QuantizationConfig, "x.yaml")


def test_type_numbers_are_those_of_llama_cpp() -> None:
    llama_cpp = pytest.importorskip("llama_cpp", reason="llama.cpp is not set up (make setup-gguf)")
    for name, number in QUANTIZATION_TYPES.items():
        assert getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{name}") == number


def test_probes_are_spread_and_strings_counted() -> None:
    probes = [Probe(f"p{i}", f"a{i}") for i in range(10)]
    assert [p.prompt for p in spread(probes, 3)] == ["p0", "p3", "p6"]
    strings = tokenizer_strings(probes)
    assert len(strings) == 1000
    assert strings == tokenizer_strings(probes)


def as_jinja(modelfile: str) -> str:
    """The Go template of a Modelfile in Jinja's words; only what ours uses is translated."""
    go = modelfile.split('TEMPLATE """', 1)[1].split('"""', 1)[0]
    for old, new in (
        (" $.System", " .System"),
        ("{{ if not .System }}", "{% if not System %}"),
        ("{{ if .System }}", "{% if System %}"),
        ("{{ .System }}", "{{ System }}"),
        ("{{ $first := true }}", "{% set now = namespace(first=true) %}"),
        ("{{ if $first }}", "{% if now.first %}"),
        ("{{ $first = false }}", "{% set now.first = false %}"),
        ("{{ range $i, $m := .Messages }}", "{% for m in Messages %}"),
        ('{{ if eq $m.Role "user" }}', "{% if m.role == 'user' %}"),
        ('{{ if eq $m.Role "assistant" }}', "{% if m.role == 'assistant' %}"),
        ("{{ $m.Content }}", "{{ m.content }}"),
        ("{{ end }}{{ end }}", "{% endif %}{% endfor %}"),
        ("{{ end }}", "{% endif %}"),
    ):
        go = go.replace(old, new)
    return go


@pytest.mark.parametrize("name", template_names())
@pytest.mark.parametrize("with_system", [True, False])
def test_ollama_renders_the_prompt_that_was_trained_on(
    name: str, with_system: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("text2sql.prompt.template.special_tokens", lambda model: ("<s>", "</s>"))
    template = load_template(name, Path("model"))
    messages = render_messages("How many?", "CREATE TABLE t (a INT);", "short")
    messages = messages if with_system else messages[1:]
    made = jinja2.Environment(keep_trailing_newline=True).from_string(
        as_jinja(ollama_modelfile("m.gguf", template, 4096))
    )
    system = messages[0]["content"] if with_system else ""
    begin = "<s>" if template.prefix else ""  # Ollama puts it there itself
    expected = render_text(messages, template).removeprefix(begin)
    assert made.render(System=system, Messages=messages) == expected


def test_deployment_files_hold_stop_words_and_context() -> None:
    template = load_template("chatml")
    text = ollama_modelfile("m-Q4_K_M.gguf", template, 2048)
    assert "FROM ./m-Q4_K_M.gguf\n" in text
    assert "PARAMETER num_ctx 2048\n" in text
    for word in template.stop_words:
        assert f'PARAMETER stop "{word}"\n' in text
        assert f"`{word}`" in lm_studio_notes("m.gguf", template, 2048)
