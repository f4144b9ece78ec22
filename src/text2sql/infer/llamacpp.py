"""The engine for GGUF files: llama.cpp, one prompt after another, those that begin alike in turn.

llama.cpp keeps what it has read; of a prompt that begins like the one before, only the rest is
read. Prompts are asked in the order of their tokens, so questions on one database share its schema.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from text2sql.errors import UserError
from text2sql.hardware import thread_count
from text2sql.infer.config import InferConfig
from text2sql.infer.engine import Completion, Engine, Prompt
from text2sql.infer.llama_grammar import GrammarState
from text2sql.infer.name_choice import Draw, leave_one
from text2sql.models.folder import require_memory, wrong_template
from text2sql.models.gguf_header import find_gguf, read_header
from text2sql.models.llama_cpp import require_llama_cpp

OVERHEAD_BYTES = 250_000_000  # Python, numpy and llama.cpp's compute buffers for a small model


def open_llama(path: Path, context: int = 512, *, vocab_only: bool = False, **options: Any) -> Any:
    """Load a GGUF file with llama-cpp-python.

    Args:
        path: the file.
        context: most tokens of prompt and answer together.
        vocab_only: load the tokenizer alone.
        options: further arguments of ``llama_cpp.Llama``.

    Raises:
        UserError: llama-cpp-python is missing, the file is broken or of an architecture unknown to
            llama.cpp, or it does not fit into memory.
    """
    require_llama_cpp()
    header = read_header(path)
    if not vocab_only:
        needed = header.file_bytes + context * header.cache_bytes_per_token + OVERHEAD_BYTES
        fix = "lower max_model_len, or take a smaller quantization"
        require_memory(needed, f"{path.name} with {context} tokens of context", fix)
    from llama_cpp import Llama

    try:
        return Llama(
            str(path),
            n_ctx=context,
            n_batch=min(context, 512),
            n_threads=thread_count(),
            n_threads_batch=thread_count(),
            vocab_only=vocab_only,
            verbose=False,
            **options,
        )
    except ValueError as error:
        raise UserError(f"{path}: llama.cpp cannot load it ({error}); make it anew") from None


@lru_cache(maxsize=1)  # questions on one database share its grammar and come in turn
def _read_grammar(grammar: str) -> Any:
    from llama_cpp import LlamaGrammar

    return LlamaGrammar.from_string(grammar, verbose=False)


class LlamaCppEngine(Engine):
    """A GGUF model on the CPU, or on a GPU where llama-cpp-python was built for it.

    A repetition penalty counts the answer's tokens only; transformers and vLLM count the prompt's
    as well.
    """

    def __init__(
        self, model: Path, config: InferConfig, stops: Sequence[str], *_unused: Any
    ) -> None:
        path = find_gguf(model)
        self._config = config
        self._llama = open_llama(
            path,
            config.max_model_len,
            last_n_tokens_size=config.max_new_tokens,
            seed=config.seed,
        )
        self._stop_ids = set()
        for text in stops:
            tokens = self.encode(text)
            if len(tokens) != 1:
                raise wrong_template(path, text)
            self._stop_ids.add(tokens[0])
        self._read_seconds = self._write_seconds = 0.0  # of processor time

    def encode(self, text: str) -> list[int]:
        """Return the token ids of a rendered prompt."""
        return list(self._llama.tokenize(text.encode("utf-8"), add_bos=False, special=True))

    def generate(self, prompts: Sequence[Prompt]) -> Iterator[Completion]:
        """Yield completions, those of prompts that begin alike one after another."""
        for prompt in sorted(prompts, key=lambda prompt: (prompt.tokens, prompt.sample)):
            yield self._complete(prompt)

    def measurements(self) -> dict[str, Any]:
        """Tokens per second of reading prompts and of writing answers.

        Of prompts only the tokens really read count, not those taken over from the prompt before.
        By the clock, as llama.cpp measures it, and by processor time, which other work on the
        machine hardly changes.
        """
        from llama_cpp import llama_perf_context

        seen = llama_perf_context(self._llama.ctx)
        return {
            "prompt_tokens_read": seen.n_p_eval,
            "prompt_tokens_per_second": _rate(seen.n_p_eval, seen.t_p_eval_ms),
            "generation_tokens_per_second": _rate(seen.n_eval, seen.t_eval_ms),
            "prompt_tokens_per_cpu_second": _rate(seen.n_p_eval, 1000 * self._read_seconds),
            "generation_tokens_per_cpu_second": _rate(seen.n_eval, 1000 * self._write_seconds),
        }

    def _complete(self, prompt: Prompt) -> Completion:
        started = time.perf_counter()
        written: list[int] = []
        bound = self._bound(prompt, written)
        reason = "length"
        begun = read = time.process_time()
        self._llama.set_seed(self._config.seed + prompt.sample)
        for token in self._llama.generate(
            prompt.tokens,
            # Only what the config names may shape the choice; llama.cpp's own defaults rest.
            top_k=0,
            min_p=0.0,
            top_p=self._config.top_p,
            temp=self._config.temperature,
            repeat_penalty=self._config.repetition_penalty,
            **bound,
        ):
            if not written:
                read = time.process_time()
            if token in self._stop_ids:
                reason = "stop"
                break
            written.append(token)
            if prompt.listener:
                prompt.listener(self._text(written, "ignore"))
            if len(written) == self._config.max_new_tokens:
                break
        self._read_seconds += read - begun
        self._write_seconds += time.process_time() - read
        seconds = round(time.perf_counter() - started, 4)
        return Completion(prompt.id, self._text(written, "replace"), len(written), seconds, reason)

    def _text(self, tokens: list[int], broken: str) -> str:
        return str(self._llama.detokenize(tokens).decode("utf-8", errors=broken))

    def _bound(self, prompt: Prompt, written: list[int]) -> dict[str, Any]:
        """Return the arguments that bind one answer, of which some is written, as it grows."""
        scope, config = prompt.scope, self._config
        chance = np.random.default_rng(config.seed + prompt.sample)
        draw = Draw(config.temperature, config.top_p, chance) if config.temperature else None

        def fits(token: int) -> bool:
            text = self._text([*written, token], "replace")
            return scope is None or scope(text, token in self._stop_ids)

        def leave_names(_: Any, scores: Any) -> Any:
            leave_one(scores, fits, draw)
            return scores

        greedy = draw is None and config.repetition_penalty == 1
        if prompt.grammar and (greedy or scope):
            state = GrammarState(self._llama, prompt.grammar, fits)
            if greedy:
                return {"logits_processor": [state.leave_best]}
            return {"logits_processor": [lambda _, scores: state.leave_some(written, scores)]}
        if prompt.grammar:
            return {"grammar": _read_grammar(prompt.grammar)}
        return {"logits_processor": [leave_names]} if scope else {}


def _rate(count: int, milliseconds: float) -> float | None:
    return round(1000 * count / milliseconds, 1) if milliseconds > 0 and count else None
