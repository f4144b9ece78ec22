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
    """A ChatML dialect: what opens each reply, the system text in place of a missing one."""

    reply_opening: str = ""
    default_system: str = ""
    stop_words: tuple[str, ...] = ("<|im_end|>",)


TEMPLATES = {
    # Qwen3 was trained to think first; the empty block tells it that thinking is over.
    "qwen3": Template(reply_opening="<think>\n\n</think>\n\n"),
    "qwen3_nothink": Template(),
    "qwen": Template(
        default_system="You are Qwen, created by Alibaba Cloud. You are a helpful assistant."
    ),
    "smollm2": Template(
        default_system="You are a helpful AI assistant named SmolLM, trained by Hugging Face."
    ),
    "chatml": Template(stop_words=("<|im_end|>", "<|im_start|>")),
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
    parts = [f"<|im_start|>{_role(turn)}\n{turn['content']}<|im_end|>\n" for turn in turns]
    return "".join(parts) + f"<|im_start|>assistant\n{chosen.reply_opening}{begun}"


def stop_words(template: str) -> tuple[str, ...]:
    """Return the texts that end an answer in this template; raise UserError when there is none."""
    return _template(template).stop_words


def _template(name: str) -> Template:
    if name not in TEMPLATES:
        raise UserError(f"no prompt template '{name}'; there are: {', '.join(TEMPLATES)}")
    return TEMPLATES[name]


def _role(message: Message) -> str:
    if message["role"] not in ("system", "user", "assistant"):
        raise ValueError(f"unknown role '{message['role']}'")
    return message["role"]
