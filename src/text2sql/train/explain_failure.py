"""What went wrong in a training program, from its output, as one line that says what to do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from text2sql.files import GIB, free_bytes

# The first that fits any line wins, so causes stand before what they bring about.
KNOWN: tuple[tuple[str, str], ...] = (
    (
        # The third is torch.save's way to say it.
        r"No space left on device|Disk quota exceeded|PytorchStreamWriter failed writing",
        "the disk of {folder} is full ({free} free); make room and run the same command again, it"
        " goes on from the last checkpoint",
    ),
    (
        r"(?:PermissionError|OSError|Read-only file system).*(?:Permission denied|Read-only)",
        "{folder} cannot be written ({match}); set TEXT2SQL_BUILD to a folder that can",
    ),
    (
        r"CUDA out of memory|torch\.OutOfMemoryError|DefaultCPUAllocator: can't allocate",
        "memory is not enough; see what would fit with DRY_RUN=1, or halve"
        " per_device_train_batch_size and double gradient_accumulation_steps (SET=...)",
    ),
    (
        r"Torch not compiled with CUDA.*|Found no NVIDIA driver.*|No CUDA GPUs are available.*",
        "this training needs a CUDA GPU ({match}); run it on a machine that has one, or choose"
        " another RECIPE=",
    ),
    (
        r"EADDRINUSE|address already in use|errno: 98",
        "the port for the training processes is taken; set MASTER_PORT to a free one",
    ),
    (
        r"NCCL error|ncclUnhandledCudaError|ncclSystemError|ncclInternalError|ProcessGroupNCCL",
        "NCCL could not connect the GPUs ({match}); run with NCCL_DEBUG=INFO to see why, and on"
        " cards without peer-to-peer set NCCL_P2P_DISABLE=1 (launch.environment of the recipe)",
    ),
    (
        r"(?:gloo|Gloo).*(?:connectFullMesh|Connection refused|timed out|Unable to find address"
        r"|unsupported gloo device|resolve hostname|getaddrinfo).*",
        "the training processes could not reach each other ({match}); check MASTER_ADDR,"
        " MASTER_PORT and GLOO_SOCKET_IFNAME (for GPUs NCCL_SOCKET_IFNAME)",
    ),
    (
        r"(?:DistNetworkError|DistStoreError|RendezvousConnectionError"
        r"|RendezvousTimeoutError).*|The client socket has timed out.*",
        "the training processes could not reach each other ({match}); check that every node was"
        " started, and MASTER_ADDR, MASTER_PORT and GLOO_SOCKET_IFNAME / NCCL_SOCKET_IFNAME",
    ),
    (
        r"Failed to initialize SwanLab.*",
        "{match}; set SWANLAB_API_KEY (`swanlab login` gives one), or SET=swanlab_mode=local",
    ),
    (
        r"Undefined dataset (\S+) in dataset_info",
        "the dataset is missing from dataset_info.json ({match}); run: make data",
    ),
    (
        r"Template \S+ does not exist",
        "{match}: LLaMA-Factory has no such template; set model.template in the profile",
    ),
    (
        r"(?:Ninja is required|Python\.h: No such file|Error building extension).*",
        "DeepSpeed could not compile a part of itself ({match}), as offloading to the CPU makes it"
        " do; install a compiler and Python's headers: sudo apt-get install -y g++ python3-dev, and"
        " keep the checkout in a folder without a blank in its path",
    ),
)
EXCEPTION = re.compile(r"^(?:\[rank\d+\]: ?)?((?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception): .+)$")
NOT_CAUSES = ("ChildFailedError", "CalledProcessError", "DistBackendError: Connection closed")


def explain(program: str, lines: Sequence[str], status: int, folder: Path) -> str:
    """Return one line that says why a program failed.

    Args:
        program: how the message names it.
        lines: the end of its output.
        status: its exit status; negative when a signal ended it.
        folder: where it wrote.
    """
    free = f"{free_bytes(folder) / GIB:.1f} GiB"
    for pattern, advice in KNOWN:
        for line in lines:
            if match := re.search(pattern, line):
                text = " ".join(match.group(0).split())[:200]
                return f"{program}: " + advice.format(folder=folder, free=free, match=text)
    if status in (-9, 137):
        return (
            f"{program} was killed, by the system when memory ran out or by hand; see DRY_RUN=1 for"
            " what it needs, and run the same command again to go on"
        )
    errors = [m.group(1) for line in lines if (m := EXCEPTION.match(line.strip()))]
    causes = [e for e in errors if not any(name in e for name in NOT_CAUSES)]
    # Of many processes the first to fail tells why; the rest fail because it is gone.
    reason = causes[0] if causes else f"ended with status {status}"
    return f"{program}: {' '.join(reason.split())[:400]}"
