"""What a run ran on, for the record in its folder."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from typing import Any

__all__ = ["environment"]

_PACKAGES = (
    *("hero-rl", "torch", "trl", "transformers", "accelerate", "peft", "datasets", "math-verify", "numpy"),
    *("verl", "ray", "vllm", "sglang", "tensordict", "TransferQueue"),
)


def environment(**more: Any) -> dict[str, Any]:
    """The command, the machine and the versions of what matters; None for packages that are not there.

    Args:
        more: put behind the command.
    """
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = None
    return {
        "command": sys.argv,
        **more,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "versions": versions,
    }
