"""How many steps and tokens a training takes, and how long, before it has begun."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from text2sql.errors import UserError
from text2sql.train.lengths import Lengths, packed_rows, shared_sequences
from text2sql.train.recipe import Recipe

# Dense bf16 peak, TFLOP/s, and memory, GiB, from the makers' data sheets.
GPUS: dict[str, tuple[float, float]] = {
    "rtx-4090": (165, 24),
    "rtx-3090": (71, 24),
    "rtx-5090": (209, 32),
    "rtx-a6000": (155, 48),
    "a10": (125, 24),
    "l4": (121, 24),
    "l40s": (362, 48),
    "a100-40gb": (312, 40),
    "a100-80gb": (312, 80),
    "h100": (989, 80),
    "h200": (989, 141),
}
# What nvidia-smi calls them: the maker's name before its form, memory and cooling. A name that goes
# on otherwise (RTX 4090 D, A10G, H100 NVL, Laptop GPU) is another card.
_NAMES = {
    "rtx-4090": r"GeForce RTX 4090",
    "rtx-3090": r"GeForce RTX 3090",
    "rtx-5090": r"GeForce RTX 5090",
    "rtx-a6000": r"RTX A6000",
    "a10": r"A10",
    "l4": r"L4",
    "l40s": r"L40S",
    "a100-40gb": r"A100-(SXM4|PCIE)-40GB",
    "a100-80gb": r"A100(-SXM4-80GB|[- ]80GB PCIe)",
    "h100": r"H100( 80GB HBM3)?",
    "h200": r"H200",
}
# Share of that peak that training reaches: the slow end is small models and cards without
# peer-to-peer, the fast end large micro-batches on one data-centre GPU.
UTILIZATION = (0.10, 0.40)
USUAL_QUANTILE = 0.9


@dataclass(frozen=True)
class Schedule:
    """What the trainer will do with a dataset."""

    rows: int  # sequences, after holding out rows for evaluation and packing
    micro_batch_tokens: int  # of the longest micro-batch, padding included
    usual_tokens: int  # of a micro-batch of rows at the 90 % quantile of the lengths
    effective_batch: int
    steps: int
    tokens: int  # trained on, over all epochs, padding not counted
    mean_length: float  # of a sequence


def gpu_key(name: str) -> str | None:
    """Return the key in `GPUS` of a card by the name nvidia-smi gives it; None for any other."""
    plain = name.removeprefix("NVIDIA ").strip()
    return next((key for key, known in _NAMES.items() if re.fullmatch(known, plain)), None)


def replicas(recipe: Recipe, nodes: int = 1) -> int:
    """Return how many copies of the model read different rows.

    Raises:
        UserError: the processes cannot be split so.
    """
    processes = recipe.launch.processes * nodes
    share = recipe.tensor_parallel * recipe.pipeline_parallel
    if processes % share:
        raise UserError(
            f"{processes} processes cannot be split into groups of {share} (tensor parallel"
            f" {recipe.tensor_parallel} x pipeline {recipe.pipeline_parallel}); set"
            f" processes={share * max(1, processes // share)}"
        )
    return processes // share


def plan_schedule(recipe: Recipe, lengths: Lengths, nodes: int = 1) -> Schedule:
    """Work out batches, steps and tokens, as transformers' Trainer does.

    Args:
        recipe: the training recipe.
        lengths: of the rows of the dataset.
        nodes: machines that train together.
    """
    keys, cutoff = recipe.llamafactory, recipe.cutoff
    # LLaMA-Factory keeps one token of a packed sequence for itself, and so of a shared one.
    rows = [min(length, cutoff - recipe.packed) for length in lengths.rows]
    rows = rows[: int(keys.get("max_samples") or len(rows))]
    held_out = float(keys.get("val_size", 0.0))
    used = len(rows) - math.ceil(held_out * len(rows) if held_out < 1 else held_out)
    total = sum(rows) * used / len(rows)
    sequences, usual, longest = used, sorted(rows)[int(USUAL_QUANTILE * (len(rows) - 1))], max(rows)
    if recipe.packed:
        sequences = math.ceil(packed_rows(rows, cutoff - 1) * used / len(rows))
        usual = longest = cutoff
    if recipe.shared_schema and lengths.schemas:  # else the rows are made up
        shared = shared_sequences(lengths, len(rows), cutoff - 1)
        total, sequences = sum(shared), math.ceil(len(shared) * used / len(rows))
        usual, longest = sorted(shared)[int(USUAL_QUANTILE * (len(shared) - 1))], max(shared)
    copies = replicas(recipe, nodes)
    batches = math.ceil(sequences / (recipe.batch * copies))
    epochs = float(keys.get("num_train_epochs", 3))
    steps = math.ceil(epochs * math.ceil(batches / recipe.accumulation))
    most = int(keys.get("max_steps", -1))
    share = 1.0
    if most > 0:
        share, steps = most / steps, most
    return Schedule(
        rows=sequences,
        micro_batch_tokens=longest * recipe.batch * recipe.sequences_of_row,
        usual_tokens=usual * recipe.batch * recipe.sequences_of_row,
        effective_batch=recipe.batch * recipe.accumulation * copies,
        steps=steps,
        tokens=round(total * epochs * share) * recipe.sequences_of_row,
        mean_length=total / sequences,
    )
