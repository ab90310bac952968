"""The rule's state of a bounded number of runs, each by the name that its client chose."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass

from hero_rl.rules import AnyRule, State
from hero_rl.signals import Shaped, Signals

__all__ = ["NoPlace", "Runs"]


class NoPlace(Exception):
    """As many runs as may be kept are in use."""


@dataclass
class _Run:
    state: State
    batches: int
    used: float


class Runs:
    """States of runs, in memory: they end with the process.

    When all places are taken, a new run gets that of the run that was idle longest, if that was idle long enough: the
    state of a run at work is never lost to a newcomer.

    Attributes:
        rule: shapes.
        most: places.
        idle_seconds: after so long a run may lose its place.
    """

    def __init__(self, rule: AnyRule, most: int, idle_seconds: float) -> None:
        self.rule = rule
        self.most = most
        self.idle_seconds = idle_seconds
        self._runs: OrderedDict[str, _Run] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._runs)

    def update(self, name: str, signals: Signals) -> tuple[Shaped, State, int]:
        """Shape a batch under a run's state and keep the next one; returns it too, and how many batches it has seen.

        Raises:
            NoPlace: the run is new and all places are in use.
        """
        with self._lock:
            run = self._runs.get(name) or _Run(self.rule.init(), 0, 0.0)
            if name not in self._runs:
                self._make_place()
            shaped, state = self.rule.update(signals, run.state)  # pyright: ignore[reportArgumentType]
            self._runs[name] = _Run(state, run.batches + 1, time.monotonic())
            self._runs.move_to_end(name)
            return shaped, state, run.batches + 1

    def forget(self, name: str) -> bool:
        """Drop a run; returns whether there was one."""
        with self._lock:
            return self._runs.pop(name, None) is not None

    def _make_place(self) -> None:
        if len(self._runs) < self.most:
            return
        oldest = next(iter(self._runs))
        if time.monotonic() - self._runs[oldest].used < self.idle_seconds:
            raise NoPlace
        del self._runs[oldest]
