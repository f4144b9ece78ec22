"""The interface of inference engines: token ids in, text out, in whatever order it is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Prompt:
    """A question as the model reads it.

    `id` tells it from the others of a call. `text` is what `tokens` are the ids of, `messages` what
    it was rendered from (for servers that take nothing else). `sample` numbers the answers asked
    for one question; each has a seed of its own. `grammar` (GBNF) binds the answer, where set;
    `scope` says of a text whether the answer may begin with it, or, with True, be it. `listener` is
    called from the engine's thread with the answer so far, as it grows; engines that
    cannot tell before the end never call it.
    """

    id: int
    tokens: list[int]
    text: str = ""
    messages: Sequence[Any] = ()
    sample: int = 0
    grammar: str | None = None
    scope: Callable[[str, bool], bool] | None = None
    listener: Callable[[str], None] | None = None


@dataclass(frozen=True)
class Completion:
    """What a model wrote for a prompt.

    `finish_reason` is ``stop``, ``length`` (the answer was cut at max_new_tokens) or
    ``prompt_too_long`` (the prompt was not sent, because it does not fit the context). `seconds` is
    the time of its batch divided by the batch's size.
    """

    id: int
    text: str
    completion_tokens: int
    seconds: float
    finish_reason: str


class Engine(Protocol):
    """A loaded model; see `text2sql.infer.load.load_engine` for what each is made from."""

    def encode(self, text: str) -> list[int]:
        """Return the token ids of a rendered prompt; nothing is added to them."""

    def generate(self, prompts: Sequence[Prompt]) -> Iterator[Completion]:
        """Yield a completion for every prompt, as they get done."""

    def measurements(self) -> dict[str, Any]:
        """Return what the engine measured of its own work, for the run record."""
        return {}


class TokenizerEngine(Engine):
    """An engine with a Hugging Face tokenizer."""

    _tokenizer: Any

    def encode(self, text: str) -> list[int]:
        """Return the token ids of a rendered prompt; nothing is added to them."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False)
        return ids
