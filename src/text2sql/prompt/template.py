"""Chat messages as the exact text a model reads.

The templates must give, byte for byte, what LLaMA-Factory trains on under the same name;
tests/prompt/test_parity.py holds them to that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from text2sql.errors import UserError
from text2sql.prompt.messages import Message


@dataclass(frozen=True)
class Template:
    """How turns are written; by default in ChatML.

    Each turn is a pair of texts around its content. `opening` starts the reply that is asked for,
    besides what stands before every reply; `default_system` stands in for a missing system message;
    `stop_words` end a reply.
    """

    opening: str = ""
    default_system: str = ""
    stop_words: tuple[str, ...] = ("<|im_end|>",)
    first: str = ""
    system: tuple[str, str] = ("<|im_start|>system\n", "<|im_end|>\n")
    user: tuple[str, str] = ("<|im_start|>user\n", "<|im_end|>\n")
    reply: tuple[str, str] = ("<|im_start|>assistant\n", "<|im_end|>\n")

    @property
    def reply_opening(self) -> str:
        """What stands between the user's message and the model's own words."""
        return self.reply[0] + self.opening


TEMPLATES = {
    # Qwen3 was trained to think first; the empty block tells it that thinking is over.
    "qwen3": Template(opening="<think>\n\n</think>\n\n"),
    "qwen3_nothink": Template(),
    "qwen": Template(
        default_system="You are Qwen, created by Alibaba Cloud. You are a helpful assistant."
    ),
    "smollm2": Template(
        default_system="You are a helpful AI assistant named SmolLM, trained by Hugging Face."
    ),
    "chatml": Template(stop_words=("<|im_end|>", "<|im_start|>")),
    # LLaMA-Factory puts a system message before the instruction with nothing in between.
    "deepseekcoder": Template(
        default_system=(
            "You are an AI programming assistant, utilizing the DeepSeek Coder model, developed by"
            " DeepSeek Company, and you only answer questions related to computer science. For"
            " politically sensitive questions, security and privacy issues, and other non-computer"
            " science questions, you will refuse to answer.\n"
        ),
        stop_words=("<|EOT|>",),
        first="<\uff5cbegin\u2581of\u2581sentence\uff5c>",
        system=("", ""),
        user=("### Instruction:\n", ""),
        reply=("\n### Response:\n", "\n<|EOT|>\n"),
    ),
}


def render_text(messages: Sequence[Message], template: str) -> str:
    """Return the text sent to the model, up to the start of its answer.

    Args:
        messages: system (optional), then user and assistant in turn; the last is the user's, or an
            assistant message that begins the reply.
        template: one of `TEMPLATES`, as LLaMA-Factory names them.

    Raises:
        UserError: no such template.
        ValueError: a role other than system, user, assistant, or no user message.
    """
    chosen = _template(template)
    turns = list(messages)
    begun = turns.pop()["content"] if turns and turns[-1]["role"] == "assistant" else ""
    if not turns or turns[-1]["role"] != "user":
        raise ValueError("the messages hold no user message to answer")
    if turns[0]["role"] != "system" and chosen.default_system:
        turns.insert(0, {"role": "system", "content": chosen.default_system})
    parts = [_around(chosen, turn["role"], turn["content"]) for turn in turns]
    return "".join([chosen.first, *parts, chosen.reply_opening, begun])


def render_reply(answer: str, template: str) -> str:
    """Return the text that follows `render_text` in training: the answer and what ends it."""
    return answer + _template(template).reply[1]


def stop_words(template: str) -> tuple[str, ...]:
    """Return the texts that end an answer in this template; raise UserError when there is none."""
    return _template(template).stop_words


def _template(name: str) -> Template:
    if name not in TEMPLATES:
        raise UserError(f"no prompt template '{name}'; there are: {', '.join(TEMPLATES)}")
    return TEMPLATES[name]


def _around(template: Template, role: str, content: str) -> str:
    forms = {"system": template.system, "user": template.user, "assistant": template.reply}
    if role not in forms:
        raise ValueError(f"unknown role '{role}'")
    before, after = forms[role]
    return f"{before}{content}{after}"
