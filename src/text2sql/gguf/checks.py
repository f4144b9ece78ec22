"""Checks that a GGUF file says what the model it was made from says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import exp
from pathlib import Path
from typing import Any

from text2sql.errors import UserError
from text2sql.gguf.probes import Probe
from text2sql.infer.llamacpp import open_llama
from text2sql.models.folder import load_tokenizer
from text2sql.models.gguf_header import read_header

Report = Callable[[int, int, str], None]

# F16 rounding moves logits a little; more than this is a wrong rotary base, norm or head.
MOST_DIVERGENCE = 0.01
LEAST_AGREEMENT = 0.98


def check_tokenizer(model: Path, gguf: Path, strings: Sequence[str]) -> dict[str, int]:
    """Compare chat template, and token ids of strings, between a Hugging Face model and its file.

    Returns:
        How many strings and tokens were compared.

    Raises:
        UserError: they differ; the message shows the first string that does.
    """
    tokenizer = load_tokenizer(model)
    if read_header(gguf).chat_template != tokenizer.chat_template:
        raise UserError(f"{gguf}: its chat template is not the model's; convert the model anew")
    llama = open_llama(gguf, vocab_only=True)
    tokens = 0
    for text in strings:
        expected = tokenizer.encode(text, add_special_tokens=False)
        written = llama.tokenize(text.encode("utf-8"), add_bos=False, special=True)
        if written != expected:
            raise UserError(
                f"{gguf}: its tokenizer is another one than the model's: {text[:60]!r} gives"
                f" {written[:8]}, the model's {expected[:8]}"
            )
        tokens += len(expected)
    return {"strings": len(strings), "tokens": tokens}


def check_logits(
    model: Path, gguf: Path, texts: Sequence[str], least_agreement: float = LEAST_AGREEMENT
) -> dict[str, float]:
    """Compare next-token predictions at every place of some texts between model and GGUF file.

    Args:
        model: Hugging Face folder; computed in float32.
        gguf: its file, by default one of F16.
        texts: rendered prompts with answers.
        least_agreement: share of places where both must put the same token first. Of a quantized
            file less: llama.cpp rounds what its layers read to 8 bits.

    Returns:
        Places compared, share where both put the same token first, mean Kullback-Leibler divergence
        (nats), largest difference of a logit.

    Raises:
        UserError: they differ by more than rounding can explain.
    """
    import torch
    from torch.nn.functional import kl_div
    from transformers import AutoModelForCausalLM

    tokenizer = load_tokenizer(model)
    loaded: Any = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).eval()
    rows = [tokenizer.encode(text, add_special_tokens=False) for text in texts]
    llama = open_llama(gguf, context=max(map(len, rows)) + 1, logits_all=True)
    same, places, divergence, largest = 0, 0, 0.0, 0.0
    for tokens in rows:
        with torch.inference_mode():
            expected = loaded(input_ids=torch.tensor([tokens])).logits[0].double()
        llama.reset()
        llama.eval(tokens)
        computed = torch.from_numpy(llama.scores[: len(tokens), : expected.shape[1]]).double()
        same += int((computed.argmax(1) == expected.argmax(1)).sum())
        largest = max(largest, float((computed - expected).abs().max()))
        divergence += float(
            kl_div(
                computed.log_softmax(1), expected.log_softmax(1), reduction="sum", log_target=True
            )
        )
        places += len(tokens)
    if same / places < least_agreement or divergence / places > MOST_DIVERGENCE:
        raise UserError(
            f"{gguf}: computes something else than {model}: same first token at"
            f" {same / places:.1%} of {places} places, divergence {divergence / places:.4f};"
            " the architecture was not carried over as it should be"
        )
    return {
        "places": places,
        "same_first_token": round(same / places, 5),
        "divergence": round(divergence / places, 7),
        "largest_difference": round(largest, 4),
    }


def perplexity(gguf: Path, probes: Iterable[Probe], report: Report | None = None) -> float:
    """Return the perplexity of right answers after their prompts, over all answers' tokens.

    Args:
        gguf: the model.
        probes: prompts with right answers.
        report: told of the progress: done, total, unit.
    """
    import torch
    from torch.nn.functional import cross_entropy

    scout = open_llama(gguf, vocab_only=True)

    def tokens_of(text: str) -> list[int]:
        return list(scout.tokenize(text.encode("utf-8"), add_bos=False, special=True))

    pairs = sorted((tokens_of(p.prompt), tokens_of(p.answer)) for p in probes)
    longest = max(len(prompt) + len(answer) for prompt, answer in pairs)
    llama = open_llama(gguf, context=longest + 1, logits_all=True)
    surprise, count, before = 0.0, 0, list[int]()
    for done, (prompt, answer) in enumerate(pairs):
        if report:
            report(done, len(pairs), "questions")
        row = [*prompt, *answer]
        # Prompts about one database begin alike; what is already in the cache is not read again.
        kept = llama.longest_token_prefix(before, prompt[:-1])
        llama.n_tokens = kept
        llama.eval(row[kept:])
        start = len(prompt) - 1
        scores = torch.from_numpy(llama.scores[start : start + len(answer)]).double()
        surprise += float(cross_entropy(scores, torch.tensor(answer), reduction="sum"))
        count += len(answer)
        before = row
    return exp(surprise / count)
