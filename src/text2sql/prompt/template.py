"""Chat messages as the exact text a model reads, in any of LLaMA-Factory's templates.

Importing LLaMA-Factory takes seconds and needs torch, so its definitions are read from its source,
where all that matters of them are literals. What is rendered is, byte for byte, what it trains on
under the same name; tests/prompt/test_parity.py holds every template to that.
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from text2sql.errors import UserError
from text2sql.models.folder import special_tokens
from text2sql.prompt.messages import Message

CONTENT = "{{content}}"  # as LLaMA-Factory marks the place of a turn's content
DEFAULT_THOUGHT = ("<think>\n", "\n</think>\n\n")
DEFAULT_END = "<|endoftext|>"  # which LLaMA-Factory gives to a tokenizer without an end token


@dataclass(frozen=True)
class Template:
    """How turns are written for one model.

    Attributes:
        bos_token: the model's own token that begins a text; empty where it has none.
        prefix: what begins a text.
        system, user, reply: the texts around the content of a turn. The user's ends in what asks
            for a reply.
        system_in_user: the system turn stands inside the first user turn, before its content.
        default_system: stands in for a missing system message.
        opening: the empty thought of a model that was trained to think first; it tells that
            thinking is over.
        end: what training puts after the last reply besides `reply`.
        stop_words: the texts that end a reply.
    """

    bos_token: str
    prefix: str
    system: tuple[str, str]
    user: tuple[str, str]
    reply: tuple[str, str]
    system_in_user: bool
    default_system: str
    opening: str
    end: str
    stop_words: tuple[str, ...]

    @property
    def reply_opening(self) -> str:
        """What stands between the user's turn and the model's own words.

        Spaces are left to the model: tokenizers join them to the word that follows.
        """
        return self.opening + self.reply[0].rstrip(" ")


def template_names() -> list[str]:
    """Return the names of all templates; raise UserError where LLaMA-Factory is not installed."""
    return list(_definitions())


def require_template(name: str) -> str:
    """Return the name of a template; raise UserError, with names like it, when there is none."""
    names = template_names()
    if name not in names:
        close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(close)}?" if close else f"there are: {', '.join(names)}"
        raise UserError(f"LLaMA-Factory has no template '{name}'; {hint}")
    return name


def load_template(name: str, model: Path | None = None) -> Template:
    """Return a template as it is written for a model.

    Args:
        name: LLaMA-Factory's name of the template.
        model: folder or GGUF file, whose tokenizer has the tokens that some templates begin and end
            texts with; without it, as for a tokenizer that has none.

    Raises:
        UserError: no such template, or the model's tokenizer does not load.
    """
    given = {key: _value(node) for key, node in _definitions()[require_template(name)].items()}
    kind, efficient = given.get("template_class", ""), given.get("efficient_eos", False)
    stop_words = given.get("stop_words", [])
    slots = {
        "prefix": given.get("format_prefix", []),
        "system": given.get("format_system", [CONTENT]),
        "user": given.get("format_user", [CONTENT]),
        "reply": given.get("format_assistant", [CONTENT, *([] if efficient else [{"eos_token"}])]),
    }
    ends_in_eos = efficient or not stop_words or {"eos_token"} in slots["reply"]
    bos, eos = "", ""
    if model and (ends_in_eos or any(isinstance(s, set) for part in slots.values() for s in part)):
        bos, eos = special_tokens(model)
    eos = stop_words[0] if given.get("replace_eos") else eos or DEFAULT_END
    own = {"bos_token": bos, "eos_token": eos}
    around = {part: _text(slots[part], own).partition(CONTENT)[::2] for part in slots}
    before, after = given.get("thought_words", DEFAULT_THOUGHT)
    openings = {"ReasoningTemplate": before + after, "Glm47ReasoningTemplate": after}
    return Template(
        bos_token=bos,
        prefix=around["prefix"][0],
        system=around["system"],
        user=around["user"],
        reply=around["reply"],
        system_in_user=kind == "Llama2Template",
        default_system=given.get("default_system", ""),
        opening=openings.get(kind, ""),
        end=eos if efficient else "",
        stop_words=tuple(dict.fromkeys([*stop_words, *([eos] if ends_in_eos else [])])),
    )


def render_text(messages: Sequence[Message], template: Template) -> str:
    """Return the text sent to the model, up to the start of its answer.

    Args:
        messages: system (optional), then user and assistant in turn; the last is the user's, or an
            assistant message that begins the reply.
        template: the model's.

    Raises:
        ValueError: a role other than user and assistant after the first, or no user message last.
    """
    turns = list(messages)
    begun = turns.pop()["content"] if turns and turns[-1]["role"] == "assistant" else None
    if not turns or turns[-1]["role"] != "user":
        raise ValueError("the messages hold no user message to answer")
    system = turns.pop(0)["content"] if turns[0]["role"] == "system" else ""
    system = system or template.default_system
    waiting = _around(template.system, system) if system else ""
    text = template.prefix
    if not template.system_in_user:
        text, waiting = text + waiting, ""
    for turn in turns:
        if turn["role"] == "user":
            text += _around(template.user, waiting + turn["content"])
            waiting = ""
        elif turn["role"] == "assistant":
            text += _around(template.reply, turn["content"])
        else:
            raise ValueError(f"unknown role '{turn['role']}'")
    return text + (
        template.opening + template.reply[0] + begun if begun else template.reply_opening
    )


def render_reply(answer: str, template: Template) -> str:
    """Return what follows `render_text` in training: the answer and what ends it."""
    spaces = template.reply[0][len(template.reply[0].rstrip(" ")) :]
    return spaces + answer + template.reply[1] + template.end


def _around(texts: tuple[str, str], content: str) -> str:
    return f"{texts[0]}{content}{texts[1]}"


@cache
def _definitions() -> dict[str, dict[str, ast.expr]]:
    """The arguments with which LLaMA-Factory registers each template, by its name."""
    spec = find_spec("llamafactory")
    if spec is None or not spec.submodule_search_locations:
        raise UserError(
            "LLaMA-Factory, which has the prompt templates, is missing; run: make setup"
        )
    path = Path(spec.submodule_search_locations[0]) / "data" / "template.py"
    given = [
        {keyword.arg or "": keyword.value for keyword in statement.value.keywords}
        for statement in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)
    ]
    return {ast.literal_eval(arguments["name"]): arguments for arguments in given}


def _value(node: ast.expr) -> Any:
    """A literal, the slots of a formatter, or the name of a class."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Call):
        return next((_value(k.value) for k in node.keywords if k.arg == "slots"), None)
    return ast.literal_eval(node)


def _text(slots: Sequence[Any], own: Mapping[str, str]) -> str:
    """Join slots: a set names one of the model's own tokens, a dict holds a token."""
    texts = []
    for slot in slots:
        if isinstance(slot, set):  # LLaMA-Factory writes nothing for another name
            texts.append(own.get(min(slot), ""))
        else:
            texts.append(slot["token"] if isinstance(slot, dict) else slot)
    return "".join(texts)
