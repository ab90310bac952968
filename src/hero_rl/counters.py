"""Named totals of what an object has done so far.

counters = Counters("calls", "retries")
counters.add(calls=1)
counters.totals  # {"calls": 1, "retries": 0}
"""

from __future__ import annotations

import threading
from typing import Any

__all__ = ["Counters"]


class Counters:
    """Named totals that any thread may add to; a copy starts at zero, and no two are told apart."""

    def __init__(self, *names: str) -> None:
        self._totals: dict[str, float] = dict.fromkeys(names, 0)
        self._lock = threading.Lock()

    def add(self, **counts: float) -> None:
        """Add to some of the totals."""
        with self._lock:
            for name, count in counts.items():
                self._totals[name] += count

    @property
    def totals(self) -> dict[str, float]:
        """Name -> total, now."""
        with self._lock:
            return dict(self._totals)

    # Equality and pickling of the objects that count are those of their settings.
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Counters)

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __reduce__(self) -> tuple[Any, ...]:
        return Counters, tuple(self._totals)
