"""Grammars in llama.cpp: what may come next, and greedy decoding under one.

llama.cpp's sampler for grammars tries all tokens of the vocabulary against the grammar at each
place. For a greedy choice only the best one that is allowed matters, and mostly that is the one the
model puts first; so tokens are tried from the best downwards.
"""

from __future__ import annotations

import ctypes
import math
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

FEW = 64  # tokens to try before the whole vocabulary is


class GrammarState:
    """How far a text has come under a grammar.

    Args:
        llama: a loaded ``llama_cpp.Llama``, of which the vocabulary is enough.
        grammar: the grammar in GBNF, with the rule ``root``.
        fits: says of a token that the grammar allows whether it may follow; where none may, the
            grammar alone decides.

    Raises:
        ValueError: llama.cpp does not read the grammar.
    """

    def __init__(
        self, llama: Any, grammar: str, fits: Callable[[int], bool] = lambda _: True
    ) -> None:
        import llama_cpp

        self._fits = fits
        self._accepted = 0
        self._library: Any = llama_cpp
        vocabulary = llama_cpp.llama_model_get_vocab(llama.model)
        self._sampler: Any = llama_cpp.llama_sampler_init_grammar(
            vocabulary, grammar.encode("utf-8"), b"root"
        )
        if not self._sampler:
            raise ValueError("llama.cpp does not read the grammar")
        weakref.finalize(self, self._library.llama_sampler_free, self._sampler)

    def allowed(self, tokens: Sequence[int]) -> list[int]:
        """Return those of some tokens that may come next, in their order."""
        data = self._library.llama_token_data
        entries = (data * len(tokens))(*(data(token, 0.0, 0.0) for token in tokens))
        array = self._library.llama_token_data_array(entries, len(tokens), -1, False)
        self._library.llama_sampler_apply(self._sampler, ctypes.byref(array))
        return [entry.id for entry in entries if not math.isinf(entry.logit)]

    def accept(self, token: int) -> None:
        """Move on by a token that is allowed."""
        self._library.llama_sampler_accept(self._sampler, token)

    def leave_best(self, _: Any, scores: np.ndarray) -> np.ndarray:
        """Return scores that leave the best token allowed, and move on by it.

        It is a logits processor of llama-cpp-python.
        """
        token = self._best(np.asarray(scores))
        self.accept(token)
        bound: np.ndarray = np.full(len(scores), -np.inf, dtype=np.single)
        bound[token] = 0.0
        return bound

    def leave_some(self, written: Sequence[int], scores: np.ndarray) -> np.ndarray:
        """Return scores that leave the best tokens allowed, to draw one of them.

        Args:
            written: the tokens drawn so far; those that are new since the last call move it on.
            scores: one for each token of the vocabulary.
        """
        for token in written[self._accepted :]:
            self.accept(token)
        self._accepted = len(written)
        ordered = np.argsort(-np.asarray(scores), kind="stable")
        allowed = self.allowed(ordered.tolist())[:FEW]
        left = list(filter(self._fits, allowed)) or allowed
        bound: np.ndarray = np.full(len(scores), -np.inf, dtype=np.single)
        bound[left] = scores[left]
        return bound

    def _best(self, scores: np.ndarray) -> int:
        few = min(FEW, len(scores) - 1)
        best = np.argpartition(-scores, few)[:few]
        allowed: list[int] = []
        for candidates in (np.array([scores.argmax()]), best, np.arange(len(scores))):
            ordered = candidates[np.argsort(-scores[candidates], kind="stable")]
            allowed = self.allowed(ordered.tolist())
            token = next(filter(self._fits, allowed[:FEW]), None)
            if token is not None:
                return token
        assert allowed, "the grammar allows no token at all"
        return allowed[0]
