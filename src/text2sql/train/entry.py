"""Run LLaMA-Factory's trainer in several processes: what torchrun starts where its own cannot.

Usage: ``torchrun --nproc_per_node 2 -m text2sql.train.entry ARGUMENTS.yaml``

For DeepSpeed on GPUs LLaMA-Factory's own launcher does. Elsewhere something must be set right
before transformers reads the arguments. On CPUs, DeepSpeed's communication must be up, since
accelerate leaves that out where ``use_cpu`` is set (which bf16 needs). Under Megatron,
mcore_adapter needs two repairs (`text2sql.train.mcore_repairs`).
"""

from __future__ import annotations

import os


def main() -> None:
    """Prepare the process, then train as ``llamafactory-cli train`` does."""
    if os.environ.get("USE_MCA") == "1":
        from text2sql.train.mcore_repairs import repair

        repair()
    else:
        os.environ.setdefault("ACCELERATE_USE_DEEPSPEED", "true")
        import deepspeed

        deepspeed.init_distributed(dist_backend="gloo", auto_mpi_discovery=False)
    from llamafactory.train.tuner import run_exp

    run_exp()


if __name__ == "__main__":
    main()
