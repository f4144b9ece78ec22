"""`serve-openai` on a GGUF file, asked by the real openai client and by our engine for servers."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE

from text2sql.errors import UserError
from text2sql.infer.config import InferConfig
from text2sql.infer.engine import Prompt
from text2sql.infer.load import load_engine
from text2sql.prompt import load_template

pytestmark = pytest.mark.slow
TEMPLATE = load_template("qwen3_nothink")
NAME = "tiny-qwen3-F16"
MARK = "\N{REPLACEMENT CHARACTER}"


@pytest.fixture(scope="module")
def base_url(gguf_folder: Path) -> Iterator[str]:
    """A server of our command, stopped at the end."""
    openai: Any = pytest.importorskip("openai", reason="no openai client (make setup)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", "from text2sql.cli import main; main()", "serve-openai"]
    command += ["--model", str(gguf_folder / f"{NAME}.gguf"), "--port", str(port)]
    command += ["--context", "512"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    url = f"http://127.0.0.1:{port}/v1"
    client = openai.OpenAI(base_url=url, api_key="none", max_retries=0, timeout=5)
    with subprocess.Popen(command, env=environment) as server:
        try:
            deadline = time.monotonic() + PATIENCE
            while server.poll() is None and time.monotonic() < deadline:
                try:
                    client.models.list()
                    break
                except openai.OpenAIError:
                    time.sleep(0.5)
            assert server.poll() is None, "the server ended by itself"
            yield url
        finally:
            server.terminate()


def config(engine: str, **values: Any) -> InferConfig:
    common = {"engine": engine, "max_new_tokens": 16, "max_model_len": 512, "batch_size": 2}
    return InferConfig.model_validate(common | values)


def test_the_openai_client_gets_models_completions_and_chat(
    base_url: str, gguf_texts: list[str]
) -> None:
    import openai

    client = openai.OpenAI(base_url=base_url, api_key="none", timeout=PATIENCE)
    assert [model.id for model in client.models.list()] == [NAME]
    answer = client.completions.create(
        model=NAME, prompt=gguf_texts[0], max_tokens=4, temperature=0
    )
    assert answer.usage is not None and answer.usage.completion_tokens == 4
    chat = client.chat.completions.create(
        model=NAME,
        messages=[{"role": "user", "content": "How many singers?"}],
        max_tokens=4,
        temperature=0,
    )
    assert chat.choices[0].message.content is not None


def without_marks(texts: dict[int, str]) -> dict[int, str]:
    """Texts without what stands for bytes that are no UTF-8."""
    return {number: text.replace(MARK, "") for number, text in texts.items()}


def test_the_server_reads_our_tokens_and_answers_as_the_engine_does(
    base_url: str, gguf_folder: Path, tiny_qwen3: Path, gguf_texts: list[str]
) -> None:
    stops = TEMPLATE.stop_words
    server = config("openai", server={"model": NAME, "base_url": base_url})
    remote = load_engine(tiny_qwen3, server, stops, "cpu")
    local = load_engine(gguf_folder / f"{NAME}.gguf", config("llama.cpp"), stops, "cpu")
    remote_prompts = [Prompt(i, remote.encode(text), text) for i, text in enumerate(gguf_texts)]
    local_prompts = [Prompt(i, local.encode(text), text) for i, text in enumerate(gguf_texts)]
    assert remote_prompts == local_prompts
    expected = {done.id: done.text for done in local.generate(local_prompts)}
    found = {done.id: done.text for done in remote.generate(remote_prompts)}
    # A random model writes broken UTF-8, of which the two mark other bytes.
    assert without_marks(found) == without_marks(expected)


def test_a_server_that_reads_other_tokens_is_found_out(
    base_url: str, tiny_qwen3: Path, gguf_texts: list[str]
) -> None:
    server = config("openai", server={"model": NAME, "base_url": base_url})
    engine = load_engine(tiny_qwen3, server, TEMPLATE.stop_words, "cpu")
    prompt = Prompt(0, engine.encode(gguf_texts[0])[1:], gguf_texts[0])
    with pytest.raises(UserError, match=r"the server read \d+ tokens where the prompt has \d+"):
        list(engine.generate([prompt]))


def test_a_model_that_is_not_served_is_named(base_url: str, tiny_qwen3: Path) -> None:
    server = config("openai", server={"model": "gpt", "base_url": base_url})
    with pytest.raises(UserError, match=f"serves no model 'gpt'; it serves: {NAME}"):
        load_engine(tiny_qwen3, server, TEMPLATE.stop_words, "cpu")


def test_plain_clients_get_no_repetition_penalty(
    base_url: str, gguf_folder: Path, gguf_texts: list[str]
) -> None:
    import openai

    client = openai.OpenAI(base_url=base_url, api_key="none", timeout=PATIENCE)
    answer = client.completions.create(
        model=NAME, prompt=gguf_texts[0], max_tokens=16, temperature=0, stop=["<|im_end|>"]
    )
    local = load_engine(
        gguf_folder / f"{NAME}.gguf", config("llama.cpp"), TEMPLATE.stop_words, "cpu"
    )
    (done,) = local.generate([Prompt(0, local.encode(gguf_texts[0]))])
    assert answer.choices[0].text.replace(MARK, "") == done.text.replace(MARK, "")


def test_plain_chat_clients_get_none_either(
    base_url: str, gguf_folder: Path, tiny_qwen3: Path
) -> None:
    import openai
    from transformers import AutoTokenizer

    messages: Any = [{"role": "user", "content": "How many singers are there?"}]
    tokenizer: Any = AutoTokenizer.from_pretrained(tiny_qwen3)
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    client = openai.OpenAI(base_url=base_url, api_key="none", timeout=PATIENCE)
    answer = client.chat.completions.create(
        model=NAME, messages=messages, max_tokens=16, temperature=0
    )
    file = gguf_folder / f"{NAME}.gguf"
    plain, penalized = (
        load_engine(file, config("llama.cpp", **values), TEMPLATE.stop_words, "cpu")
        for values in ({}, {"repetition_penalty": 1.1})
    )
    (done,) = plain.generate([Prompt(0, plain.encode(text))])
    (other,) = penalized.generate([Prompt(0, penalized.encode(text))])
    assert answer.choices[0].message.content.replace(MARK, "") == done.text.replace(MARK, "")
    assert done.text != other.text  # so that this test can fail
