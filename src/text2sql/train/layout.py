"""How a recipe's batch is split over the GPUs that are there: the same training on any number.

A recipe is written for some number of processes and says its effective batch: the rows of a step
over all of them. On a machine with another number of cards, processes, micro-batch, accumulation,
ZeRO stage and tensor parallelism change so that the batch stays and the memory suffices.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from text2sql.files import GIB
from text2sql.train.architecture import Architecture
from text2sql.train.memory import estimate_memory
from text2sql.train.recipe import Recipe

ZERO3 = "configs/deepspeed/zero3.json"
MARGIN = 0.97  # of a card's memory, that an estimate may fill


def layout(
    recipe: Recipe, gpus: int, memory_gib: float, nodes: int, model: Architecture | None
) -> dict[str, Any]:
    """Return the keys of a recipe to replace, for a number of cards; none where it is written so.

    Args:
        recipe: one with an effective batch.
        gpus: cards of each machine.
        memory_gib: of each card.
        nodes: machines that train together.
        model: sizes of the base model; where they are not known, the recipe's micro-batch stays.

    Returns:
        Keys as `Recipe.changed` takes them; where nothing fits, what needs least.
    """
    if fits_as_written(recipe, gpus, nodes):
        return {}
    smallest: tuple[float, dict[str, Any]] = (float("inf"), {})
    for keys in layouts(recipe, gpus, nodes):
        if model is None:
            return keys
        laid_out = recipe.laid_out(keys)
        tokens = laid_out.cutoff * laid_out.batch
        needed = estimate_memory(laid_out, model, tokens, nodes).total / GIB
        if needed <= MARGIN * memory_gib:
            return keys
        smallest = min(smallest, (needed, keys), key=lambda pair: pair[0])
    return smallest[1]


def fits_as_written(recipe: Recipe, gpus: int, nodes: int) -> bool:
    """Whether a recipe is trained as it is written: on so many cards, on one, or always."""
    return (
        recipe.effective_batch is None
        or recipe.launch.backend == "single"
        or (gpus == recipe.launch.processes and nodes == 1)
    )


def layouts(recipe: Recipe, gpus: int, nodes: int = 1) -> Iterator[dict[str, Any]]:
    """Yield ways to split a recipe's batch, all cards and the largest micro-batch first.

    Where memory is short, liger's fused loss comes before a smaller micro-batch, since it computes
    the same; it goes neither with Megatron nor with ZeRO-3.
    """
    batch = recipe.effective_batch or 0
    for processes in range(gpus, 0, -1):
        tensor = min(recipe.tensor_parallel, processes)
        share = tensor * recipe.pipeline_parallel
        if processes * nodes % share or batch % (processes * nodes // share):
            continue
        rows = batch // (processes * nodes // share)  # of a step, on each copy of the model
        for micro in (size for size in range(recipe.batch, 0, -1) if rows % size == 0):
            split = {
                "per_device_train_batch_size": micro,
                "gradient_accumulation_steps": rows // micro,
            }
            for way in _ways(recipe, processes, nodes, tensor):
                yield split | way


def _ways(recipe: Recipe, processes: int, nodes: int, tensor: int) -> Iterator[dict[str, Any]]:
    """Yield what starts so many processes, each way with less memory than the one before."""
    way: dict[str, Any] = {"processes": processes}
    if recipe.launch.backend == "megatron":
        if tensor != recipe.tensor_parallel:
            way["tensor_model_parallel_size"] = tensor
            if tensor == 1 and recipe.llamafactory.get("sequence_parallel"):
                way["sequence_parallel"] = False  # which shares the work of tensor parallelism
        yield way
        return
    if processes * nodes == 1:  # nothing to shard
        way |= {"backend": "single", "deepspeed": None}
    yield way
    alone = way.get("backend") == "single"
    plain = recipe.zero_stage == 2 and recipe.tensor_parallel == 1
    if alone or plain:
        yield way | {"enable_liger_kernel": True}
    if plain and not alone:
        yield way | {"deepspeed": ZERO3}


def describe(recipe: Recipe, nodes: int = 1) -> str:
    """Return in a line how a recipe's batch is split."""
    nodes = nodes if recipe.launch.backend != "single" else 1  # which trains on the first alone
    processes = recipe.launch.processes * nodes
    copies = processes // (recipe.tensor_parallel * recipe.pipeline_parallel)
    total = recipe.batch * recipe.accumulation * copies
    how = [f"{processes} process" + ("es" if processes > 1 else "")]
    if recipe.zero_stage:
        how.append(f"ZeRO-{recipe.zero_stage}")
    if recipe.tensor_parallel > 1:
        how.append(f"tensor parallel {recipe.tensor_parallel}")
    if recipe.llamafactory.get("enable_liger_kernel"):
        how.append("liger kernel")
    return (
        f"{', '.join(how)}; batch {total} = {recipe.batch} a device x {recipe.accumulation} steps"
        f" accumulated x {copies} replicas"
    )
