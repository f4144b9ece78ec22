"""Run LLaMA-Factory over Megatron, a resumed training going on where it was and ending in time.

Usage: ``torchrun --nproc_per_node 4 -m text2sql.train.megatron_entry ARGUMENTS.yaml``

mcore_adapter (ROLL, commit 8eb27cc) looks whether the last step is done after a step, not before:
a training that was stopped between its last checkpoint and its end trained one step too many. And
an epoch of it takes a step more than it counts with when it goes on, which in the second epoch left
a batch out and in the third two.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from text2sql.train.entry import main as train


def main() -> None:
    """Repair the trainer, then train."""
    from mcore_adapter.trainer.trainer import McaTrainer

    go_on_in_place(McaTrainer)
    train()


def go_on_in_place(trainer: Any) -> None:
    """Let a trainer's class go on with the batch that is next, and with none after the last step.

    Args:
        trainer: mcore_adapter's class; its `_prepare_train_loop` returns the epochs that are done
            and those there are, the batches, how many an epoch has and how many of this epoch's to
            skip, and more.
    """
    prepare = trainer._prepare_train_loop

    def prepared(self: Any, *arguments: Any, **options: Any) -> Any:
        done, epochs, loader, batches, skipped, *rest = prepare(self, *arguments, **options)
        step, args = self.state.global_step, self.args
        if batches is not None and not args.ignore_data_skip:
            done, skipped = position(step, batches, args.gradient_accumulation_steps)
        if step >= self.state.max_steps:
            done = epochs
        self._all_batches = loader
        return (done, epochs, loader, batches, skipped, *rest)

    def cyclic(self: Any, loader: Any) -> Iterator[Any]:
        yield from loader  # in the epoch that is gone on with, without those that are done
        while True:
            self.control.should_epoch_stop = True
            yield from self._all_batches

    trainer._prepare_train_loop = prepared
    trainer._get_train_cyclic_iterator = cyclic


def position(step: int, batches: int, accumulation: int) -> tuple[int, int]:
    """Return the epochs that are done after a step, and the batches done of the one it is in.

    An epoch ends with the step for which a batch is asked for after its last one; what that step
    lacks, it takes from the first ones.

    Args:
        step: optimizer steps that are done.
        batches: of an epoch, in each process.
        accumulation: batches of a step.
    """
    epochs, steps = divmod(step, batches // accumulation + 1)
    return epochs, steps * accumulation


if __name__ == "__main__":
    main()
