"""Run LLaMA-Factory's trainer in several processes: what torchrun starts where its own cannot.

Usage: ``torchrun --nproc_per_node 2 -m text2sql.train.entry ARGUMENTS.yaml``

For DeepSpeed on GPUs LLaMA-Factory's own launcher does. Elsewhere something must be set right
before transformers reads the arguments. On CPUs, DeepSpeed's communication must be up, since
accelerate leaves that out where ``use_cpu`` is set (which bf16 needs). Under Megatron,
mcore_adapter needs two repairs.
"""

from __future__ import annotations

import inspect
import os
from typing import Any


def main() -> None:
    """Prepare the process, then train as ``llamafactory-cli train`` does."""
    if os.environ.get("USE_MCA") == "1":
        repair_mcore_adapter()
    else:
        os.environ.setdefault("ACCELERATE_USE_DEEPSPEED", "true")
        import deepspeed

        deepspeed.init_distributed(dist_backend="gloo", auto_mpi_discovery=False)
    from llamafactory.train.tuner import run_exp

    run_exp()


def repair_mcore_adapter() -> None:
    """Set right what in ROLL's mcore_adapter (commit 8eb27cc) fails beside the versions we pin.

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


if __name__ == "__main__":
    main()
