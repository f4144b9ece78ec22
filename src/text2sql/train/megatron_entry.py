"""Run LLaMA-Factory over Megatron, ending a resumed training at its last step.

Usage: ``torchrun --nproc_per_node 4 -m text2sql.train.megatron_entry ARGUMENTS.yaml``

mcore_adapter (ROLL, commit 8eb27cc) looks whether the last step is done after a step, not before:
a training that was stopped between its last checkpoint and its end trained one step too many.
"""

from __future__ import annotations

from typing import Any

from text2sql.train.entry import main as train


def main() -> None:
    """Repair the trainer, then train."""
    from mcore_adapter.trainer.trainer import McaTrainer

    end_at_the_last_step(McaTrainer)
    train()


def end_at_the_last_step(trainer: Any) -> None:
    """Let a trainer's class skip its loop where the checkpoint it goes on from is the last one.

    Args:
        trainer: mcore_adapter's class; its `_prepare_train_loop` returns the epochs that are done
            and those there are, and leaves both counts of steps in `state`.
    """
    prepare = trainer._prepare_train_loop

    def prepared(self: Any, *arguments: Any, **options: Any) -> Any:
        done, epochs, *rest = prepare(self, *arguments, **options)
        if self.state.global_step >= self.state.max_steps:
            done = epochs
        return (done, epochs, *rest)

    trainer._prepare_train_loop = prepared


if __name__ == "__main__":
    main()
