"""Attention on a CPU: the numbers of transformers' own, prompts padded and heads in groups."""

from __future__ import annotations

from typing import Any

import pytest

torch: Any = pytest.importorskip("torch", reason="torch is not installed; run: make setup")
transformers: Any = pytest.importorskip(
    "transformers", reason="transformers is not installed; run: make setup"
)


def model_with(attention: str, key_heads: int, dtype: Any) -> Any:
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=97,
        hidden_size=48,
        intermediate_size=64,
        num_hidden_layers=3,
        num_attention_heads=6,
        num_key_value_heads=key_heads,
        initializer_range=0.3,
        attn_implementation=attention,
    )
    return transformers.LlamaForCausalLM(config).to(dtype).eval()


def answer(attention: str, key_heads: int, dtype: Any) -> Any:
    """Logits of ten tokens of answer to two prompts, one of them padded."""
    torch.manual_seed(1)
    prompts = torch.randint(2, 97, (2, 30))
    mask = torch.ones_like(prompts)
    mask[1, :11] = 0
    model = model_with(attention, key_heads, dtype)
    with torch.inference_mode():
        made = model.generate(
            input_ids=prompts,
            attention_mask=mask,
            max_new_tokens=10,
            do_sample=False,
            eos_token_id=None,
            pad_token_id=0,
            output_logits=True,
            return_dict_in_generate=True,
        )
    return made.sequences, torch.stack(made.logits)


@pytest.mark.parametrize("key_heads", [1, 2, 6])
def test_answers_are_those_of_sdpa(key_heads: int) -> None:
    from text2sql.infer.attention import cpu_attention

    tokens, logits = answer(cpu_attention(), key_heads, torch.float32)
    wanted_tokens, wanted = answer("sdpa", key_heads, torch.float32)
    assert torch.equal(tokens, wanted_tokens)
    assert logits.std() > 0.1
    assert torch.allclose(logits, wanted, atol=1e-4)


@pytest.mark.parametrize("key_heads", [1, 2, 6])
def test_a_prefix_kept_once_gives_the_logits_of_whole_prompts(key_heads: int) -> None:
    """Three prompts go on in their own ways, one of them padded, behind twenty tokens of all."""
    from text2sql.infer.attention import behind, cpu_attention

    torch.manual_seed(3)
    model = model_with(cpu_attention(), key_heads, torch.float32)
    prefix = torch.randint(2, 97, (1, 20))
    prompts = torch.cat([prefix.expand(3, -1), torch.randint(2, 97, (3, 9))], dim=1)
    mask = torch.ones_like(prompts)
    mask[1, 20:24] = 0
    places = (mask.cumsum(1) - 1).clamp(min=0)
    with torch.inference_mode():
        wanted = model(prompts, attention_mask=mask, position_ids=places).logits
        read = model(prefix, use_cache=True).past_key_values
        cache = behind(read)
        found = []
        for start, end in ((20, 26), (26, 27), (27, 28), (28, 29)):  # a piece, then single tokens
            part = model(
                prompts[:, start:end],
                attention_mask=mask[:, :end],
                position_ids=places[:, start:end],
                past_key_values=cache,
            )
            found.append(part.logits)
    seen = mask[:, 20:].bool()
    assert torch.allclose(torch.cat(found, 1)[seen], wanted[:, 20:][seen], atol=1e-4)
    assert wanted.std() > 0.1
    assert cache.get_seq_length() == 29
    assert cache.layers[0].keys.shape[2] == 9  # its own tokens only
    assert cache.layers[0].prefix[0] is read.layers[0].keys
    assert read.get_seq_length() == 20


def test_in_bfloat16_it_is_as_near_the_truth_as_sdpa() -> None:
    from text2sql.infer.attention import NAME, cpu_attention

    cpu_attention()
    torch.manual_seed(2)
    module = torch.nn.Module()
    module.num_key_value_groups = 3
    query, key, value = (torch.randn(2, heads, n, 16) for heads, n in ((6, 1), (2, 40), (2, 40)))
    mask = torch.ones(2, 1, 1, 40, dtype=torch.bool)
    mask[0, ..., :7] = False
    functions = transformers.AttentionInterface()
    truth = functions["sdpa"](module, query, key, value, mask, scaling=0.25)[0]
    short = [tensor.bfloat16() for tensor in (query, key, value)]
    errors = [
        (functions[name](module, *short, mask, scaling=0.25)[0].float() - truth).abs().max()
        for name in (NAME, "sdpa")
    ]
    assert errors[0] < max(2 * errors[1], 0.01)
