"""Seeded choice that depends on the seed and on the names of things, not on their order or on what else is there.

    >>> draw(["a", "b", "c", "d"], 2, seed=0) == draw(["d", "c", "b", "a"], 2, seed=0)
    True

A smaller draw is the beginning of a larger one with the same seed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

__all__ = ["draw", "rank"]


def rank(name: str, seed: int, purpose: str = "") -> int:
    """Where a name stands in a random order: 64 bits of a hash of seed, purpose and name."""
    text = f"{seed}\0{purpose}\0{name}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")


def draw(names: Iterable[str], count: int | None, seed: int, purpose: str = "") -> list[str]:
    """The first `count` names (None for all) in the random order of the seed and the purpose."""
    return sorted(names, key=lambda name: (rank(name, seed, purpose), name))[:count]
