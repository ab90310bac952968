"""The rule's state of a bounded number of runs, each by the name that its client chose."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass

from hero_rl.rules import AnyRule, State
from hero_rl.service.messages import MOST_DOMAINS
from hero_rl.signals import Shaped, Signals

__all__ = ["NoPlace", "Runs", "TooManyDomains", "shaped_after"]


class NoPlace(Exception):
    """As many runs as may be kept are in use."""


class TooManyDomains(Exception):
    """A rule's state has seen more domains than it may."""


def shaped_after(rule: AnyRule, signals: Signals, state: State) -> tuple[Shaped, State]:
    """A shaped batch and the next state, which does not grow without end.

    Raises:
        TooManyDomains: the batch names new domains, and the state has no place for them.
    """
    shaped, after = rule.update(signals, state)  # pyright: ignore[reportArgumentType]
    if signals.domain is not None and len(getattr(after, "domains", ())) > MOST_DOMAINS:
        raise TooManyDomains
    return shaped, after


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
            TooManyDomains: as `shaped_after`; the state stays what it was.
        """
        with self._lock:
            run = self._runs.get(name) or _Run(self.rule.init(), 0, 0.0)
            shaped, state = shaped_after(self.rule, signals, run.state)
            if name not in self._runs:
                self._make_place()
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
