"""Run megatron-core on a machine without CUDA: CPU tensors, gloo between processes.

Megatron-core is written for CUDA: it asks `torch.cuda` for the current device, random state and
streams, and makes tensors with ``device="cuda"``. Nothing in its arithmetic needs a GPU. `install`
answers those questions for the CPU, so that the very code path of a GPU run (tensor and sequence
parallelism, distributed optimizer, gradient buffers) is exercised by tests on any machine. It is
slow, and does nothing at all where CUDA is available.

What it cannot do: kernels of Transformer Engine and Apex. Configs must say
``transformer_impl: local``, ``bias_activation_fusion: false`` and ``apply_rope_fusion: false``.

Call `install` before anything of megatron is imported.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

CPU = torch.device("cpu")
_installed: list[TorchFunctionMode] = []


class _CudaMeansCpu(TorchFunctionMode):
    """While entered, tensors asked for on CUDA are made on the CPU."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if _is_cuda(kwargs.get("device")):
            kwargs["device"] = CPU
        if kwargs.get("pin_memory"):
            kwargs["pin_memory"] = False
        if func in (torch.Tensor.cuda, torch.Tensor.pin_memory):
            return args[0]
        if func is torch.Tensor.to and len(args) > 1 and _is_cuda(args[1]):
            args = (args[0], CPU, *args[2:])
        result = func(*args, **kwargs)
        # Optimizers sort parameters by the name of their type, and know only torch.cuda.*Tensor.
        if func is torch.Tensor.type and isinstance(result, str):
            return result.replace("torch.", "torch.cuda.", 1)
        return result


class _Stream:
    """A stream or event where there is only one order of execution: every method does nothing."""

    def __init__(self, *_: Any, **__: Any) -> None: ...

    def __enter__(self) -> _Stream:
        return self

    def __exit__(self, *_: object) -> None: ...

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _nothing


class _Event(_Stream):
    """A point in the one order of execution."""


def install() -> None:
    """Make megatron-core use the CPU in this process; no effect where CUDA is available."""
    if torch.cuda.is_available() or _installed:
        return
    # Megatron's fused functions go through torch.compile, which takes minutes and gains nothing;
    # tensor parallelism asserts the second.
    os.environ.setdefault("TORCH_COMPILE_DISABLE", "1")
    os.environ.setdefault("CUDA_DEVICE_MAX_CONNECTIONS", "1")
    _answer_for_cuda()
    mode = _CudaMeansCpu()
    mode.__enter__()
    _installed.append(mode)
    _patch_random_state()
    _patch_norms()
    _load_cpu_checkpoints()


def _answer_for_cuda() -> None:
    """Replace the functions of torch.cuda that megatron calls without asking whether it may."""
    cuda: Any = torch.cuda
    cpu: Any = torch.cpu
    zero = ("memory_allocated", "max_memory_allocated", "memory_reserved", "max_memory_reserved")
    nothing = ("set_device", "synchronize", "empty_cache", "reset_peak_memory_stats")
    # A function of its own for each name: torch's compiler keeps rules by function.
    answers: dict[str, Any] = {name: _answering(lambda: 0) for name in zero}
    answers |= {name: _answering(lambda: None) for name in (*nothing, "manual_seed_all")}
    streams = ("stream", "current_stream", "default_stream")
    answers |= {name: _answering(_Stream) for name in streams}
    answers |= {
        "Stream": _Stream,
        "Event": _Event,
        "current_device": lambda: CPU,
        "get_device_capability": lambda *_, **__: (0, 0),
        "manual_seed": lambda seed: torch.manual_seed(seed),
        "get_rng_state": _get_rng_state,
        "set_rng_state": _set_rng_state,
    }
    for name, answer in answers.items():
        setattr(cuda, name, answer)
    cuda.random.get_rng_state = _get_rng_state
    cuda.random.set_rng_state = _set_rng_state
    # ROLL's CPU platform asks torch.cpu for what only torch.cuda has.
    for name in (*zero, "empty_cache", "get_rng_state", "set_rng_state"):
        setattr(cpu, name, answers[name])


def _patch_random_state() -> None:
    """Megatron's generator states, one a parallel group, are those of the CPU's generator."""
    from megatron.core.tensor_parallel import random

    random._get_cuda_rng_state = _get_rng_state
    random._set_cuda_rng_state = _set_rng_state


def _patch_norms() -> None:
    """Let torch's norms work under sequence parallelism, as Transformer Engine's and Apex's do.

    All that is needed is the mark on their weights by which `finalize_model_grads` adds up the
    gradients of the tensor-parallel processes, each of which has seen only its share of the tokens.
    """
    from megatron.core.transformer.torch_norm import WrappedTorchNorm

    kinds = {"LayerNorm": torch.nn.LayerNorm, "RMSNorm": torch.nn.RMSNorm}

    def make(cls: type, config: Any, hidden_size: int, eps: float = 1e-5, **_: Any) -> Any:
        norm = kinds[config.normalization](hidden_size, eps=eps)
        for parameter in norm.parameters():
            setattr(parameter, "sequence_parallel", config.sequence_parallel)  # noqa: B010
        return norm

    WrappedTorchNorm.__new__ = make


def _load_cpu_checkpoints() -> None:
    """Accelerate calls the device of a gloo process ``cpu:0``; torch.load knows only ``cpu``."""

    def restore(storage: Any, location: str) -> Any:
        return storage if location.startswith("cpu:") else None

    torch.serialization.register_package(5, lambda storage: None, restore)


def _is_cuda(device: Any) -> bool:
    """Whether something that names a device names a CUDA device; a bare number does."""
    if isinstance(device, torch.device):
        return device.type == "cuda"
    if isinstance(device, str):
        return device.partition(":")[0] == "cuda"
    return isinstance(device, int) and not isinstance(device, bool)


def _get_rng_state(*_: Any, **__: Any) -> torch.Tensor:
    return torch.random.get_rng_state()


def _set_rng_state(state: torch.Tensor, *_: Any, **__: Any) -> None:
    torch.random.set_rng_state(state)


def _nothing(*_: Any, **__: Any) -> None:
    return None


def _answering(make: Callable[[], Any]) -> Callable[..., Any]:
    """Return a new function that takes anything and returns what `make` gives."""

    def answer(*_: Any, **__: Any) -> Any:
        return make()

    return answer
