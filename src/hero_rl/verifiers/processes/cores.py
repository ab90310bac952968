"""How many processes fit on the cores at hand."""

from __future__ import annotations

import os

__all__ = ["own_cores", "share_of_cores"]


def own_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def share_of_cores() -> int:
    """`own_cores`, shared with the other ranks on this machine; launchers say how many (`LOCAL_WORLD_SIZE`)."""
    ranks = os.environ.get("LOCAL_WORLD_SIZE", "")
    return max(1, own_cores() // int(ranks)) if ranks.isdecimal() and int(ranks) else own_cores()
