"""Whether Megatron training is installed, and whether it is the right package.

MCoreAdapter is a folder of ROLL's repository. On PyPI another project has its name, and
LLaMA-Factory's own error message tells users to install that one.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from typing import Any

from text2sql.errors import UserError

# What ROLL's package has and we use; the package on PyPI has none of it.
NEEDED = ("trainer/trainer.py", "training_args.py", "models/converter/post_converter.py")
ENGINE = ((2, 9), (2, 12))  # versions of Transformer Engine: from, and before
HOW = (
    "run: make setup-megatron MCORE_ADAPTER=<git URL or folder of ROLL>"
    " (never: pip install mcore-adapter, which is another project on PyPI)"
)


def require_mcore_adapter() -> None:
    """Raise UserError unless ROLL's mcore_adapter and megatron-core are installed."""
    folder = mcore_adapter_folder()
    if folder is None:
        raise UserError(f"this recipe needs ROLL's mcore_adapter; {HOW}")
    if not all((folder / name).is_file() for name in NEEDED):
        raise UserError(f"{folder} is not ROLL's mcore_adapter; uninstall it and {HOW}")
    if from_package_index():
        raise UserError(
            "mcore-adapter was installed from a package index, where another project has that"
            f" name; uninstall it and {HOW}"
        )
    if importlib.util.find_spec("megatron") is None:
        raise UserError(f"megatron-core is not installed; {HOW}")


def require_transformer_engine(keys: Mapping[str, Any]) -> None:
    """Raise UserError where a training on GPUs needs Transformer Engine and it is not installed.

    Args:
        keys: the recipe's LLaMA-Factory keys; ``transformer_impl: local`` does without.
    """
    if keys.get("transformer_impl") == "local":
        return
    if importlib.util.find_spec("transformer_engine") is None:
        raise UserError(f"Megatron on GPUs needs Transformer Engine; {HOW}")
    try:
        there = version("transformer-engine")
    except PackageNotFoundError:
        return  # built from a checkout, whose version nobody tells
    if not ENGINE[0] <= _numbers(there) < ENGINE[1]:
        raise UserError(
            f"Transformer Engine {there} is installed, and megatron-core 0.16 wants 2.9 or later,"
            f" before 2.12; {HOW}"
        )


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:2] if part.isdigit())


def check_resume(keys: Mapping[str, Any], checkpoint: Path) -> None:
    """Raise UserError where going on from a checkpoint would not continue the same training.

    Megatron's distributed optimizer, over torch's Adam in place of Transformer Engine's or Apex's,
    asserts while loading; what it loads once that is repaired has other losses (tried on CPU).
    """
    fused = any(importlib.util.find_spec(name) for name in ("transformer_engine", "apex"))
    if keys.get("use_distributed_optimizer") and not fused:
        raise UserError(
            f"{checkpoint}: Megatron's distributed optimizer goes on from a checkpoint only with"
            " Transformer Engine or Apex; remove the checkpoint to start again, or train with"
            " SET=use_distributed_optimizer=false"
        )


def mcore_adapter_folder() -> Path | None:
    """Return the folder of the installed package, whatever it is; None when there is none."""
    spec = importlib.util.find_spec("mcore_adapter")
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


def from_package_index() -> bool:
    """Whether pip took mcore-adapter from an index: it then left no direct_url.json (PEP 610)."""
    try:
        record = distribution("mcore-adapter").read_text("direct_url.json")
    except PackageNotFoundError:
        return False  # on the path of Python without having been installed
    return not record or "url" not in json.loads(record)
