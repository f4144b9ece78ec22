"""What is asked of a model folder before the model is loaded: is it whole, does it fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

from text2sql.errors import UserError
from text2sql.files import read_json
from text2sql.models.gguf_header import find_gguf, read_header

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
# Names under which models keep the embedding of their tokens.
EMBEDDINGS = (
    *("embed_tokens.weight", "wte.weight", "word_embeddings.weight"),
    *("tok_embeddings.weight", "embed_in.weight"),
)
# Files of which a model has one or more, for its words.
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt")
OVERHEAD_BYTES = 600_000_000  # Python with torch, and the activations of a small batch


def require_model(folder: Path) -> None:
    """Raise UserError unless a folder holds a Hugging Face model with weights."""
    if not folder.is_dir():
        raise UserError(f"{folder}: no such model folder")
    if not (folder / "config.json").is_file():
        what = (
            "a LoRA adapter, not a model; merge it first (make merge), or set adapter: true with"
            " vllm"
            if (folder / "adapter_config.json").is_file()
            else "no config.json; this is not a Hugging Face model folder"
        )
        raise UserError(f"{folder}: {what}")
    if not any(folder.glob("*.safetensors")):
        raise UserError(f"{folder}: no *.safetensors in it")


def tensor_shapes(folder: Path) -> dict[str, list[int]]:
    """Return the shape of each tensor in a folder's safetensors files, from their headers alone.

    Raises:
        UserError: a file is cut short or no safetensors file.
    """
    from safetensors import SafetensorError, safe_open

    shapes: dict[str, list[int]] = {}
    for path in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(path, "numpy") as weights:
                names = weights.keys()  # what it gives is no dict: it cannot be iterated over
                shapes |= {name: weights.get_slice(name).get_shape() for name in names}
        except SafetensorError:
            raise UserError(
                f"{path}: broken or incomplete safetensors file; copy or make it anew"
            ) from None
    return shapes


def require_all_parts(folder: Path) -> None:
    """Raise UserError where a file that the index of a folder's weights names is missing."""
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return
    parts = set((read_json(index).get("weight_map") or {}).values())
    missing = sorted(name for name in parts if not (folder / name).is_file())
    if missing:
        raise UserError(f"{folder}: weights are missing: {', '.join(missing)}; copy them as well")


def require_whole_model(folder: Path) -> None:
    """Raise UserError unless a folder holds a model of which nothing is missing or cut short."""
    require_model(folder)
    require_all_parts(folder)
    tensor_shapes(folder)
    if not any((folder / name).is_file() for name in TOKENIZERS):
        raise UserError(f"{folder}: no tokenizer; copy it as well")


def embedding_rows(config: dict[str, Any], shapes: dict[str, list[int]]) -> int | None:
    """Return how many tokens a model has an embedding for, None where nothing tells.

    Args:
        config: the model's config.json.
        shapes: of its tensors, by name.
    """
    rows = [shape[0] for name, shape in shapes.items() if name.endswith(EMBEDDINGS)]
    said = config.get("vocab_size") or (config.get("text_config") or {}).get("vocab_size")
    return min([*rows, *([said] if isinstance(said, int) else [])], default=None)


def token_count(folder: Path) -> int | None:
    """Return one more than the largest token id in a folder's tokenizer.json, None without any.

    Raises:
        UserError: the file is no tokenizer.
    """
    path = folder / "tokenizer.json"
    if not path.is_file():
        return None
    try:
        value = read_json(path)
        if not value.get("model"):
            return None
        vocabulary = value["model"]["vocab"]
        ids = vocabulary.values() if isinstance(vocabulary, dict) else range(len(vocabulary))
        added = [token["id"] for token in value.get("added_tokens") or ()]
        return 1 + max([*ids, *added], default=-1)
    except (KeyError, TypeError, AttributeError):
        raise UserError(f"{path}: not a tokenizer; copy the base model's") from None


def count_parameters(folder: Path) -> int:
    """Return the number of values in a folder's safetensors files."""
    return sum(map(prod, tensor_shapes(folder).values()))


@contextmanager
def loading(what: str) -> Iterator[None]:
    """Turn what goes wrong while a model is loaded into one line that names it."""
    try:
        yield
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{what}: cannot be loaded: {reason}") from None


def load_tokenizer(folder: Path) -> Any:
    """Return a model folder's tokenizer; raise UserError when there is none that loads."""
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(folder)
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{folder}: its tokenizer does not load ({reason})") from None


def special_tokens(model: Path) -> tuple[str, str]:
    """Return the tokens that begin and end a text for a model; empty where it has none.

    Args:
        model: Hugging Face folder, GGUF file, or folder with one.

    Raises:
        UserError: the tokenizer does not load, or the GGUF file is broken.
    """
    if model.is_file() or any(model.glob("*.gguf")):
        header = read_header(find_gguf(model))
        return header.bos_token, header.eos_token
    tokenizer = load_tokenizer(model)
    return tokenizer.bos_token or "", tokenizer.eos_token or ""


def stop_token_ids(tokenizer: Any, stops: Sequence[str], folder: Path) -> list[int]:
    """Return the token of each stop word.

    Raises:
        UserError: a stop word is not one token of the model, so that the template is a wrong one.
    """
    ids = []
    for text in stops:
        tokens = tokenizer.encode(text, add_special_tokens=False)
        if len(tokens) != 1:
            raise wrong_template(folder, text)
        ids.append(int(tokens[0]))
    return ids


def wrong_template(source: Path, stop: str) -> UserError:
    """Return the error for a model that does not know a template's stop word."""
    return UserError(
        f"{source}: '{stop}' is no token of this model, so its prompt template is another one; set"
        " model.template in the profile"
    )


def weight_bytes(folder: Path, dtype: str) -> int:
    """Return how much memory a model's weights take in a data type, from the files' headers."""
    return BYTES[dtype] * count_parameters(folder)


def cache_bytes(folder: Path, tokens: int, dtype: str) -> int:
    """Return what the keys and values of so many tokens take (0 where the config does not tell)."""
    config = read_json(folder / "config.json")
    try:
        heads = config["num_attention_heads"]
        width = config.get("head_dim") or config["hidden_size"] // heads
        kv_heads = config.get("num_key_value_heads") or heads
        return int(2 * config["num_hidden_layers"] * kv_heads * width * tokens * BYTES[dtype])
    except (KeyError, TypeError):
        return 0


def require_memory(needed: int, what: str, fix: str) -> None:
    """Raise UserError, with the estimate, when this machine has less memory free than needed."""
    free = available_bytes()
    if needed > free:
        raise UserError(
            f"{what} needs about {needed / 2**30:.1f} GiB of memory, {free / 2**30:.1f} GiB are"
            f" free; {fix}"
        )


def available_bytes() -> int:
    """Return the memory that programs can still take."""
    import psutil

    return int(psutil.virtual_memory().available)
