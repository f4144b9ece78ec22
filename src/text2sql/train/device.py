"""What one device of a machine can do: memory and speed, from data sheets or measured."""

from __future__ import annotations

import time
from dataclasses import dataclass

from text2sql import hardware
from text2sql.errors import UserError
from text2sql.files import GIB
from text2sql.hardware import MachineConfig
from text2sql.train.schedule import GPUS, UTILIZATION, gpu_key

CPU_PROBE_SECONDS = 0.3
# Of the speed of one large matrix product, what training on a CPU reaches; see docs/training.md.
CPU_UTILIZATION = (0.3, 0.9)


@dataclass(frozen=True)
class Machine:
    """What a recipe is to run on: devices of one kind."""

    name: str
    memory: float  # bytes of one device
    peak: float | None  # floating-point operations a second of one device, where we know it
    utilization: tuple[float, float]


def machine_for(needed: MachineConfig, gpu: str | None) -> Machine:
    """Return what to plan a training for.

    Args:
        needed: the machine that is asked for.
        gpu: a key of `GPUS`; by default the GPU that is here, else one with the memory asked for.

    Raises:
        UserError: there is no such key.
    """
    if gpu is not None and gpu not in GPUS:
        raise UserError(f"no GPU '{gpu}' in our table; there are: {', '.join(GPUS)}")
    if gpu is None and needed.device == "cpu":
        memory = hardware.memory_gb() * GIB
        return Machine("CPU", memory, _cpu_speed(needed.threads), CPU_UTILIZATION)
    here = hardware.visible_gpus()
    if gpu is None and here:
        name, memory_gib = here[0]
        known = gpu_key(name)
        peak = GPUS[known][0] * 1e12 if known else None
        return Machine(known or name, memory_gib * GIB, peak, UTILIZATION)
    if gpu is None:
        large = [name for name in GPUS if GPUS[name][1] >= needed.gpu_memory_gb]
        gpu = min(large, key=lambda name: GPUS[name][1], default="h200")
    tflops, memory_gib = GPUS[gpu]
    return Machine(gpu, memory_gib * GIB, tflops * 1e12, UTILIZATION)


def _cpu_speed(threads: int) -> float:
    """Measure one matrix product here, in floating-point operations a second."""
    import torch

    torch.set_num_threads(threads)
    size = 768
    a, b = (torch.randn(size, size, dtype=torch.bfloat16) for _ in range(2))
    a @ b
    started, products = time.perf_counter(), 0
    while (spent := time.perf_counter() - started) < CPU_PROBE_SECONDS:
        a @ b
        products += 1
    return products * 2 * size**3 / spent
