"""An estimate of the memory that a recipe needs on each GPU, by the rules of its framework.

The optimizer's share follows DeepSpeed's own estimators where DeepSpeed trains all weights, and
elsewhere what LLaMA-Factory and Megatron keep: see docs/training.md, "Memory".
"""

from __future__ import annotations

import math
from dataclasses import asdict, astuple, dataclass

from text2sql.files import GIB
from text2sql.train.architecture import Architecture
from text2sql.train.recipe import PREFERENCE, Recipe

# A CUDA context, the libraries' workspaces and what the allocator cannot give back.
OVERHEAD = 1.5 * GIB
# bf16 logits, their float32 copy, its softmax, and a gradient of the bf16 logits.
BYTES_PER_LOGIT = 12
# Weights in NF4 with one byte for 64 of them, or an eighth of that when quantized twice.
BYTES_PER_NF4_WEIGHT = 0.5 + 1 / 64 + 1 / 4096
# DeepSpeed's reduce and allgather buckets, 5e8 elements of 2 bytes each unless set.
BUCKET_ELEMENTS = 500_000_000


@dataclass(frozen=True)
class Memory:
    """Bytes on one GPU, by what holds them."""

    weights: float
    gradients_and_optimizer: float
    activations: float
    logits: float
    buckets: float = 0.0
    overhead: float = OVERHEAD

    @property
    def total(self) -> float:
        """All of it."""
        return float(sum(astuple(self)))

    def describe(self) -> str:
        """One line in GiB."""
        parts = {name.replace("_", " "): value for name, value in asdict(self).items() if value}
        shown = ", ".join(f"{name} {value / GIB:.1f}" for name, value in parts.items())
        return f"{self.total / GIB:.1f} GiB ({shown})"


def trained_parameters(recipe: Recipe, model: Architecture) -> int:
    """Return how many parameters get gradients; raise UserError for a wrong ``lora_target``."""
    if recipe.method == "full":
        return model.parameters
    keys = recipe.llamafactory
    return model.adapter_parameters(
        int(keys.get("lora_rank", 8)), str(keys.get("lora_target", "all"))
    )


def estimate_memory(recipe: Recipe, model: Architecture, tokens: int, nodes: int = 1) -> Memory:
    """Estimate the memory of one GPU.

    Args:
        recipe: the training recipe.
        model: the model's sizes.
        tokens: tokens of one micro-batch, padding included.
        nodes: machines that train together, each with `recipe.launch.processes` GPUs.
    """
    processes = recipe.launch.processes * nodes
    if recipe.method == "full":
        weights, states = _full(recipe, model, processes)
    else:
        weights, states = _lora(recipe, model, processes)
    if recipe.objective in PREFERENCE and recipe.method == "full":
        weights += 2 * model.parameters  # of the model as it was, which an adapter can leave out
    split = recipe.tensor_parallel
    logits = _logits(recipe, model, tokens)
    return Memory(
        weights=weights,
        gradients_and_optimizer=states,
        activations=_activations(recipe, model, tokens),
        # Only Megatron keeps the vocabulary split up to the loss.
        logits=logits / split if recipe.launch.backend == "megatron" else logits,
        buckets=_buckets(recipe, model),
    )


def _logits(recipe: Recipe, model: Architecture, tokens: int) -> float:
    """Logits of all tokens; with liger's fused loss those of a piece of them at a time.

    A piece has so many tokens that its logits take about what the hidden states of all take,
    rounded up to a power of two. Liger keeps the gradients of the hidden states and, where they are
    trained, of the output layer's weights.
    """
    if not recipe.llamafactory.get("enable_liger_kernel"):
        return float(tokens * model.vocabulary * BYTES_PER_LOGIT)
    pieces = math.ceil(model.vocabulary / model.hidden)
    piece = 2 ** math.ceil(math.log2(max(1, math.ceil(tokens / pieces))))
    weights = model.vocabulary * model.hidden if recipe.method == "full" else 0
    return 2.0 * (piece * model.vocabulary + tokens * model.hidden + weights)


def _full(recipe: Recipe, model: Architecture, processes: int) -> tuple[float, float]:
    everything = model.parameters
    optimizer = _optimizer_bytes(recipe)
    if recipe.launch.backend == "megatron":
        share = recipe.tensor_parallel * recipe.pipeline_parallel
        replicas = processes // share
        own = everything / share
        if not recipe.llamafactory.get("use_distributed_optimizer", False):
            replicas = 1
        # bf16 weights; float32 gradients; float32 weights and two moments, split over replicas
        return 2 * own, 4 * own + (4 + 8) * own / replicas
    if recipe.zero_stage:
        split = recipe.tensor_parallel
        own = model.parameters - model.decoder_parameters * (1 - 1 / split)
        states = deepspeed_states(recipe.zero_stage, own, model.largest_layer, processes // split)
        saved = (8 - optimizer) * own / (processes // split)
        weights = 2 * own / (processes if recipe.zero_stage == 3 else 1)
        return weights, states - weights - saved
    if recipe.llamafactory.get("pure_bf16"):
        return 2 * everything, (2 + min(optimizer, 4)) * everything
    # LLaMA-Factory trains float32 weights under autocast, which keeps a bf16 copy of each.
    return 6 * everything, (4 + optimizer) * everything


def deepspeed_states(stage: int, parameters: float, largest_layer: int, processes: int) -> float:
    """Bytes on a GPU for weights, gradients and Adam under ZeRO, without offloading.

    The formulas of DeepSpeed's `estimate_zero2_model_states_mem_needs` and
    `estimate_zero3_model_states_mem_needs`; tests hold them against the originals, whose import
    takes seconds.
    """
    if stage == 3:
        return 4 * largest_layer + 18 * parameters / processes
    return 2 * parameters + 18 * parameters / processes


def _lora(recipe: Recipe, model: Architecture, processes: int) -> tuple[float, float]:
    base: float = 2 * model.parameters
    if recipe.method == "qlora":
        base -= (2 - BYTES_PER_NF4_WEIGHT) * model.decoder_parameters
    if recipe.zero_stage == 3:
        # Shards, and the largest matrix gathered whole for the pass and for the one to come.
        base = base / processes + 2 * 2 * model.largest_layer
    # float32 adapters, their gradients and the optimizer's moments
    return base, (4 + 4 + _optimizer_bytes(recipe)) * trained_parameters(recipe, model)


def _optimizer_bytes(recipe: Recipe) -> float:
    """Bytes an optimizer keeps for each trained weight: two moments in float32 or in 8 bits."""
    name = str(recipe.llamafactory.get("optim", "adamw_torch"))
    return 2.0 if name.endswith("8bit") else 8.0


def _activations(recipe: Recipe, model: Architecture, tokens: int) -> float:
    """What the backward pass needs, in 2 bytes a value.

    A layer keeps its input; inside of it attention and feed-forward keep theirs. With gradient
    checkpointing only one layer at a time has the latter. Megatron does without checkpointing
    unless told otherwise, and splits both over the tensor-parallel processes.
    """
    inner = 8 * model.hidden + 2 * (model.query_width + model.key_width) + 4 * model.intermediate
    if recipe.launch.backend == "megatron":
        share = recipe.tensor_parallel * recipe.pipeline_parallel
        kept = model.layers * (model.hidden + inner)
        if recipe.llamafactory.get("recompute_granularity") == "full":
            kept = model.layers * model.hidden + inner
        return 2 * tokens * kept / share
    if recipe.llamafactory.get("disable_gradient_checkpointing"):
        kept = model.layers * (model.hidden + inner)
    else:
        kept = model.layers * model.hidden + 2 * inner
    return 2 * tokens * kept


def _buckets(recipe: Recipe, model: Architecture) -> float:
    if recipe.zero_stage != 2 or recipe.method != "full":
        return 0.0
    return 2 * 2 * min(BUCKET_ELEMENTS, model.parameters)
