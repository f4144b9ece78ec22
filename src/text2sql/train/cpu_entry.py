"""Run LLaMA-Factory's trainer in several processes on CPUs: what torchrun starts there.

Usage: ``torchrun --nproc_per_node 2 -m text2sql.train.cpu_entry ARGUMENTS.yaml``

On GPUs LLaMA-Factory's own launcher does. Without one, two things must be right before transformers
reads the arguments: DeepSpeed's communication must be up, since accelerate leaves that out where
``use_cpu`` is set (which bf16 needs); and Megatron needs `text2sql.train.megatron_cpu`.
"""

from __future__ import annotations

import os


def main() -> None:
    """Prepare the process, then train as ``llamafactory-cli train`` does."""
    if os.environ.get("USE_MCA") == "1":
        from text2sql.train import megatron_cpu

        megatron_cpu.install()
        megatron_cpu.patch_mcore_adapter()
    else:
        os.environ.setdefault("ACCELERATE_USE_DEEPSPEED", "true")
        import deepspeed

        deepspeed.init_distributed(dist_backend="gloo", auto_mpi_discovery=False)
    from llamafactory.train.tuner import run_exp

    run_exp()


if __name__ == "__main__":
    main()
