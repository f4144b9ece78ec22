"""Run LLaMA-Factory's trainer where something must be set right in the process before it.

Usage: ``python -m text2sql.train.entry ARGUMENTS.yaml``
or     ``torchrun --nproc_per_node 2 -m text2sql.train.entry ARGUMENTS.yaml``

On CPUs, DeepSpeed's communication must be up before transformers reads the arguments, since
accelerate leaves that out where ``use_cpu`` is set (which bf16 needs); it compiles nothing for it.
Under Megatron, mcore_adapter needs two repairs. Shared schemas are put in the place of packed rows;
their lengths differ so much that on CPUs freed memory is given back after each step. Under autocast
adapters take their input as it is. For the rest LLaMA-Factory's own launcher does.
"""

from __future__ import annotations

import inspect
import os
from typing import Any

from text2sql.hardware import give_back_memory
from text2sql.train.recipe import SHARED_SCHEMA_VARIABLE
from text2sql.train.shared_schema import install


def main() -> None:
    """Prepare the process, then train as ``llamafactory-cli train`` does."""
    megatron = os.environ.get("USE_MCA") == "1"
    if megatron:
        repair_mcore_adapter()
    elif "LOCAL_RANK" in os.environ:
        start_deepspeed_on_cpus()
    if os.environ.get(SHARED_SCHEMA_VARIABLE) == "1":
        install()
    from llamafactory.train.tuner import run_exp

    callbacks = [returning_memory()]
    if not megatron:
        callbacks.append(taking_input_as_it_is())
    run_exp(callbacks=callbacks)


def returning_memory() -> Any:
    """Return a trainer's callback that, on CPUs, gives the system what each step freed."""
    import torch
    from transformers import TrainerCallback

    class Returning(TrainerCallback):
        def on_step_end(self, *_: Any, **__: Any) -> None:
            if not torch.cuda.is_available():
                give_back_memory()

    return Returning()


def taking_input_as_it_is() -> Any:
    """Return a trainer's callback that spares adapters a detour under autocast.

    Their weights are float32, so peft makes their input float32, which autocast makes bfloat16
    again: the same numbers, at a cost that shows on CPUs. DeepSpeed and Megatron use no autocast.
    """
    from contextlib import ExitStack

    from peft.helpers import disable_input_dtype_casting
    from transformers import TrainerCallback

    class TakingInput(TrainerCallback):
        def __init__(self) -> None:
            self._during = ExitStack()

        def on_train_begin(
            self, args: Any, state: Any, control: Any, model: Any = None, **_: Any
        ) -> None:
            if (args.bf16 or args.fp16) and not args.deepspeed:
                self._during.enter_context(disable_input_dtype_casting(model))

        def on_train_end(self, *_: Any, **__: Any) -> None:
            self._during.close()

    return TakingInput()


def start_deepspeed_on_cpus() -> None:
    """Bring up DeepSpeed's communication, where there are no GPUs to bring it up for."""
    import torch

    if torch.cuda.is_available():
        return
    os.environ.setdefault("ACCELERATE_USE_DEEPSPEED", "true")
    import deepspeed

    # DeepSpeed would compile a sum over shared memory here, which ZeRO never calls and AutoTP does
    # without. That wants a compiler and a path without blanks; killed, it leaves a lock that every
    # later training waits for.
    deepspeed.ops.__compatible_ops__ = {"deepspeed_shm_comm": False}
    deepspeed.init_distributed(dist_backend="gloo", auto_mpi_discovery=False)


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
