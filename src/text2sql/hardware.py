"""What machine this is, and whether it is enough, without importing torch."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import subprocess
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import Field

from text2sql.config import StrictModel
from text2sql.errors import UserError

# Of the memory that a card is sold with, what it reports at least: an A10 of 24 GB says 22.5 GiB,
# for error correction and the driver keep some.
USABLE = 0.93
PEER_TO_PEER = "NCCL_P2P_DISABLE"


class Environments(StrictModel):
    """Where stages run: an environment ``x`` is the folder ``.venv-x``.

    Where none is named, stages run in the one that runs the command.
    """

    train: str | None = None
    infer: str | None = None
    rag: str | None = None


class MachineConfig(StrictModel):
    """A kind of machine, and how the stages of a run share it.

    It has `gpus` CUDA GPUs of `gpu_memory_gb` (GiB) each, or none. `workers` stages run side by
    side, each on `threads` cores; fewer where there is less than `worker_memory_gb` (GiB) for each.
    `evaluation_jobs` queries are judged at a time. `variables` are set where stages run, unless the
    user has set them.
    """

    gpus: int = Field(default=0, ge=0)
    gpu_memory_gb: float = Field(default=0.0, ge=0)
    workers: int = Field(default=1, ge=1)
    worker_memory_gb: float = Field(default=0.0, ge=0)
    threads: int = Field(default=1, ge=1)
    evaluation_jobs: int = Field(default=2, ge=1)
    environments: Environments = Environments()
    variables: dict[str, str] = {}

    @property
    def device(self) -> str:
        """Where models run, in torch's words: ``cuda`` on machines with GPUs, else ``cpu``."""
        return "cuda" if self.gpus else "cpu"


@cache
def driver() -> tuple[str, str]:
    """Version of the NVIDIA driver, and why there is none where there is none."""
    if shutil.which("nvidia-smi") is None:
        return "", "nvidia-smi is not there"
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    result = subprocess.run(query, capture_output=True, text=True, check=False)
    lines = (result.stdout + result.stderr).strip().splitlines() or ["it says nothing"]
    if result.returncode != 0:
        return "", f"nvidia-smi fails: {lines[0].strip()}"
    return lines[0].strip(), ""


@cache
def visible_gpus() -> tuple[tuple[str, float], ...]:
    """Name and memory (GiB) of every GPU that nvidia-smi shows and CUDA_VISIBLE_DEVICES allows."""
    if shutil.which("nvidia-smi") is None:
        return ()
    query = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    result = subprocess.run(query, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        return ()
    rows = [line.rsplit(",", 1) for line in result.stdout.splitlines() if "," in line]
    gpus = tuple((name.strip(), float(mib) / 1024) for name, mib in rows)
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allowed is None:
        return gpus
    return gpus[: len([part for part in allowed.split(",") if part.strip() not in ("", "-1")])]


def machine_here(needed: MachineConfig) -> MachineConfig:
    """Return the machine that a profile asks for with the cards that are here.

    There may be more or fewer, of no less memory. Where no card is good enough, it is returned
    unchanged: `require` then refuses it, and plans are made for it.
    """
    good = [gpu for gpu in visible_gpus() if gpu[1] >= needed.gpu_memory_gb * USABLE]
    if not needed.gpus or not good:
        return needed
    # GeForce cards since the RTX 40 have no peer-to-peer, and some drivers say they had.
    without = any("GeForce" in name for name, _ in good)
    kept = {k: v for k, v in needed.variables.items() if k != PEER_TO_PEER}
    return needed.model_copy(
        update={
            "gpus": len(good),
            "gpu_memory_gb": needed.gpu_memory_gb
            if len(good) == needed.gpus
            else round(min(memory for _, memory in good), 1),
            "variables": kept | ({PEER_TO_PEER: "1"} if without and len(good) > 1 else {}),
        }
    )


def gpu_names() -> list[str]:
    """Return the names by which CUDA_VISIBLE_DEVICES allows each visible card."""
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = allowed.split(",") if allowed else map(str, range(len(visible_gpus())))
    return [name.strip() for name in names]


def first_gpu() -> str:
    """Return the name by which CUDA_VISIBLE_DEVICES allows the first card alone."""
    return (gpu_names() or ["0"])[0]


def require(needed: MachineConfig, profile: str) -> None:
    """Raise UserError, saying what is missing, when this machine lacks what a profile needs."""
    if not needed.gpus:
        return
    found = visible_gpus()
    good = [gpu for gpu in found if gpu[1] >= needed.gpu_memory_gb * USABLE]
    if len(good) >= needed.gpus:
        return
    shown = ", ".join(f"{name} {memory:.0f} GB" for name, memory in found) or "none"
    raise UserError(
        f"profile '{profile}' needs {needed.gpus} CUDA GPUs of at least {needed.gpu_memory_gb:.0f}"
        f" GB each, this machine shows {shown}; run it there, look at the stages with"
        f" 'make plan PROFILE={profile}', or use the CPU profile: make reproduce"
    )


def thread_count() -> int:
    """Return how many threads may work: OMP_NUM_THREADS, else one for each core allowed."""
    return int(os.environ.get("OMP_NUM_THREADS") or len(os.sched_getaffinity(0)))


def memory_gb() -> float:
    """Memory of this machine in GiB."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def give_back_memory() -> None:
    """Give the system what was freed and the C library keeps; on others than glibc do nothing.

    Batches of ever new sizes leave holes that glibc keeps: a training on CPU cores grows by gigabytes
    of memory that nobody uses.
    """
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


def affordable_workers(workers: int, worker_memory_gb: float) -> int:
    """Return how many of the workers this machine has memory for; at least one."""
    if not worker_memory_gb:
        return workers
    return max(1, min(workers, int(memory_gb() / worker_memory_gb)))


def describe() -> dict[str, Any]:
    """Facts about this machine for a run record: CPU, cores, memory (GiB), GPUs, system."""
    return {
        "cpu": _cpu_name(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(memory_gb(), 1),
        "gpus": [f"{name} {memory:.0f} GB" for name, memory in visible_gpus()],
        "system": f"{platform.system()} {platform.machine()}",
    }


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
