"""A platform with which verl 0.9.1 trains on a CPU: `VERL_USE_EXTERNAL_MODULES=verl_on_cpu VERL_ENGINE_DEVICE=cuda`.

verl has a registry of platforms for hardware of one's own, and imports the modules of that variable in every process
before it decides which one it has. The second variable picks the training engine, which is registered for `cuda` and
`npu` and asks the platform for everything that differs.

Not one class of verl is replaced. Three functions of torch are, each where verl takes an accelerator for granted.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import torch
import torch.distributed
from verl.plugin.platform import PlatformBase, PlatformRegistry, set_platform


class _Cpu(str):
    """The CPU where verl wants the index of a device.

    `.to(index)` and `torch.device(index)` are then the CPU, where the number 0 would be an accelerator, and
    `f"cpu:{index}"` is `cpu:0`.
    """

    __slots__ = ()

    def __format__(self, specification: str) -> str:
        return "0"


@PlatformRegistry.register(platform="cpu")
class PlatformCpu(PlatformBase):
    """verl's questions about its hardware, answered for a CPU."""

    @property
    def device_name(self) -> str:
        return "cpu"

    @property
    def vendor_name(self) -> str:
        return "cpu"

    @property
    def device_module(self) -> ModuleType:
        return torch.cpu  # this very module: verl compares with it (verl/utils/flops_counter.py)

    def is_available(self) -> bool:
        return True

    def current_device(self) -> Any:
        return _Cpu("cpu")

    def device_count(self) -> int:
        return 1

    def set_device(self, device_index: int) -> None: ...

    def synchronize(self, device_index: int | None = None) -> None: ...

    def manual_seed(self, seed: int) -> None:
        torch.manual_seed(seed)

    def manual_seed_all(self, seed: int) -> None:
        torch.manual_seed(seed)

    def set_allocator_settings(self, settings: str) -> None: ...

    def empty_cache(self) -> None: ...

    def get_device_capability(self, device_index: int = 0) -> tuple[int | None, int | None]:
        return None, None

    def communication_backend_name(self) -> str:
        return "gloo"

    def visible_devices_envvar(self) -> str:
        return "CUDA_VISIBLE_DEVICES"  # Ray sets it for what it hands out as GPUs

    @contextmanager
    def nvtx_range(self, msg: str) -> Iterator[None]:
        yield

    def profiler_start(self) -> None: ...

    def profiler_stop(self) -> None: ...

    def ray_resource_name(self) -> str:
        return "GPU"  # as many as `ray.init(num_gpus=...)` says there are

    def ray_noset_envvars(self) -> list[str]:
        return []

    def is_ipc_supported(self) -> bool:
        return False  # weights then go through shared memory

    def cudart(self) -> None:
        return None


def _complete_torch_cpu() -> None:
    """Give `torch.cpu` what verl asks of a device's module and it lacks: caches and counters, of which it has none."""
    given = {
        "empty_cache": lambda: None,
        "memory_allocated": lambda *_: 0,
        "memory_reserved": lambda *_: 0,
        "max_memory_allocated": lambda *_: 0,
        "max_memory_reserved": lambda *_: 0,
        "get_rng_state": torch.get_rng_state,
        "set_rng_state": torch.set_rng_state,
    }
    for name, function in given.items():
        if not hasattr(torch.cpu, name):
            setattr(torch.cpu, name, function)


def _gloo_once() -> None:
    """Let verl's backend `cpu:gloo,<device>:<backend>` mean gloo where the device is the CPU, which torch refuses."""
    original = torch.distributed.init_process_group

    def init_process_group(backend: str | None = None, *rest: Any, **more: Any) -> None:
        original("gloo" if backend == "cpu:gloo,cpu:gloo" else backend, *rest, **more)

    torch.distributed.init_process_group = init_process_group


def _nothing_to_pin() -> None:
    """Leave memory as it is where verl pins a reference model's for the way to the accelerator (FSDP2's offload)."""
    torch.Tensor.pin_memory = lambda self, *_: self  # pyright: ignore[reportAttributeAccessIssue]


_complete_torch_cpu()
_gloo_once()
_nothing_to_pin()
set_platform(PlatformCpu())
