"""Turn a GGUF model into a Hugging Face folder that LLaMA-Factory can train.

Transformers reads the weights. The tokenizer is built here from the vocabulary and merges in the
file, because transformers 5.5 reads pre-tokenizers and special tokens of such files wrongly (for
SmolLM2, eos becomes `<|im_start|>` and byte fallback is switched on).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from text2sql.errors import UserError

ARCHITECTURES = ("llama", "qwen2", "qwen3")
# How Qwen's tokenizers cut a text before merging (Qwen/Qwen2.5-Coder-0.5B-Instruct,
# tokenizer.json): contractions, letters, single digits, punctuation, line ends, blanks.
QWEN2_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# `tokenizer.ggml.token_type` (GGUF specification): special tokens, those added as plain words, and
# those that only fill up the vocabulary.
CONTROL, USER_DEFINED, UNUSED = 3, 4, 5
TIED_WITHIN = 0.1  # relative distance of two matrices that were one before quantization


def convert(gguf_file: Path, output: Path) -> None:
    """Write the model, tokenizer and chat template of a GGUF file as a Hugging Face folder.

    Args:
        gguf_file: a GGUF file of one of `ARCHITECTURES` with a byte-level BPE tokenizer.
        output: an existing folder; gets bfloat16 safetensors, config and tokenizer files.

    Raises:
        UserError: the file's architecture or pre-tokenizer is one we have not checked.
    """
    import torch
    from gguf import GGUFReader
    from transformers import AutoModelForCausalLM

    reader = GGUFReader(gguf_file)
    architecture = reader.fields["general.architecture"].contents()
    if architecture not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise UserError(f"{gguf_file}: architecture '{architecture}' is none of: {known}")
    tokenizer = build_tokenizer(gguf_file, reader.fields)
    sizes: dict[str, int] = {}
    if architecture == "qwen3":  # which transformers does not read
        sizes["head_dim"] = int(reader.fields["qwen3.attention.key_length"].contents())
    model: Any = AutoModelForCausalLM.from_pretrained(
        gguf_file.parent, gguf_file=gguf_file.name, dtype=torch.float32, **sizes
    )
    _tie(model, {tensor.name: tensor.tensor_type.value for tensor in reader.tensors})
    model.to(torch.bfloat16)
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
    """Build the fast tokenizer from the vocabulary, merges and special tokens in GGUF fields.

    Raises:
        UserError: the pre-tokenizer is one we have not checked.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models
    from transformers import PreTrainedTokenizerFast

    tokens: list[str] = fields["tokenizer.ggml.tokens"].contents()
    types: list[int] = fields["tokenizer.ggml.token_type"].contents()
    merges = [tuple(m.split(" ")) for m in fields["tokenizer.ggml.merges"].contents()]
    numbered = enumerate(zip(tokens, types, strict=True))
    vocabulary = {token: number for number, (token, kind) in numbered if kind != UNUSED}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    pretokenizer = str(fields["tokenizer.ggml.pre"].contents())
    normalizer, tokenizer.pre_tokenizer = _text_rules(pretokenizer, gguf_file)
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.decoder = decoders.ByteLevel()
    for kind, special in ((CONTROL, True), (USER_DEFINED, False)):
        added = [token for token, its_kind in zip(tokens, types, strict=True) if its_kind == kind]
        tokenizer.add_tokens([AddedToken(t, special=special, normalized=False) for t in added])

    def token_of(role: str) -> str | None:
        field = fields.get(f"tokenizer.ggml.{role}_token_id")
        return tokens[int(field.contents())] if field else None

    begins = fields.get("tokenizer.ggml.add_bos_token")
    architecture = fields["general.architecture"].contents()
    template = fields.get("tokenizer.chat_template")
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=token_of("bos") if begins is None or begins.contents() else None,
        eos_token=token_of("eos"),
        pad_token=token_of("padding") or token_of("eos"),
        unk_token=token_of("unknown"),
        model_max_length=int(fields[f"{architecture}.context_length"].contents()),
        clean_up_tokenization_spaces=False,
        chat_template=template.contents() if template else None,
    )


def _text_rules(pretokenizer: str, gguf_file: Path) -> tuple[Any, Any]:
    """Return normalizer (or None) and pre-tokenizer that `tokenizer.ggml.pre` stands for."""
    from tokenizers import Regex, normalizers, pre_tokenizers

    def byte_level(regex: bool) -> Any:
        return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=regex)

    if pretokenizer == "smollm":
        digits = pre_tokenizers.Digits(individual_digits=True)
        return None, pre_tokenizers.Sequence([digits, byte_level(True)])
    if pretokenizer == "qwen2":
        split = pre_tokenizers.Split(Regex(QWEN2_SPLIT), behavior="isolated")
        return normalizers.NFC(), pre_tokenizers.Sequence([split, byte_level(False)])
    raise UserError(f"{gguf_file}: pre-tokenizer '{pretokenizer}' is not one we know")


def _tie(model: Any, types: dict[str, int]) -> None:
    """Make input and output embeddings one matrix again, where they were one in the original.

    Quantization stores them apart, in two types: the two then differ by no more than its error.
    What took more bits is kept.
    """
    import torch

    embeddings, output = model.get_input_embeddings().weight, model.get_output_embeddings().weight
    if "output.weight" not in types or embeddings.shape != output.shape:
        return
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

    def bits(name: str) -> float:
        block, size = GGML_QUANT_SIZES[GGMLQuantizationType(types[name])]
        return 8 * size / block

    if (embeddings - output).norm() > TIED_WITHIN * output.norm():
        return
    if bits("output.weight") > bits("token_embd.weight"):
        with torch.no_grad():
            embeddings.copy_(output)
    model.config.tie_word_embeddings = True
    model.tie_weights()
