"""What in ROLL's mcore_adapter (commit 8eb27cc) fails beside the versions we pin."""

from __future__ import annotations

import inspect
from typing import Any


def repair() -> None:
    """Set it right in this process; call it before LLaMA-Factory is imported.

    - Its hook hands the logits on as a view, and the vocabulary-parallel loss then works in place
      on them, which autograd refuses in float32.
    - It replaces a function of torch's checkpointing by one that returns a truth value, where newer
      versions of torch expect a list of errors.
    """
    from mcore_adapter.models import model_utils
    from mcore_adapter.trainer import trainer
    from torch.distributed.checkpoint import default_planner

    model_utils._McaLoraLogitsHelper.forward = staticmethod(_copied)
    returned = inspect.signature(default_planner._validate_global_plan).return_annotation
    if returned not in (bool, "bool"):
        trainer.patch_torch_validate_global_plan = lambda: None


def _copied(_: Any, logits: Any) -> Any:
    return logits.clone()
