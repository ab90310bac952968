"""The alarms of a run, as trainers keep them: metrics, a warning the first time, and which of them end the run."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hero_rl.errors import ConfigError
from hero_rl.monitoring import MonitorState, RunMonitor, observe
from hero_rl.monitoring.monitor import ALARMS, warn_once
from hero_rl.signals import Signals

__all__ = ["Watch"]


class Watch:
    """Follows a run's batches.

    Attributes:
        monitor: says which alarms are on.
        state: what it remembers; goes into checkpoints.
        stop_on: names of the alarms that end the run.
        scored: whether the run has a reward model, whose scores can be missing.

    Raises:
        ConfigError: there is no such alarm.
    """

    def __init__(self, stop_on: Sequence[str] = (), scored: bool = True) -> None:
        for name in stop_on:
            if name not in ALARMS:
                raise ConfigError(f"stop_on_alarm: there is no alarm {name!r}; known: {', '.join(ALARMS)}")
        self.monitor, self.state, self.stop_on = RunMonitor(), MonitorState(), tuple(stop_on)
        self.scored = scored
        self._warned: set[str] = set()
        self._evaluated: list[float] = []

    def batch(self, signals: Signals, auroc: float) -> tuple[dict[str, float], str | None]:
        """Take in a batch of training; returns the alarms as metrics, and the first that ends the run."""
        self.settle()
        alarms, self.state = self.monitor.update(self.state, observe(signals, auroc, self.scored))
        warn_once(alarms, self._warned)
        metrics = {f"hero/alarm/{name}": float(on) for name, on in alarms.items() if name != "hacking"}
        metrics["hero/hacking_alarm"] = float(alarms["hacking"])
        return metrics, next((name for name in self.stop_on if alarms[name]), None)

    def settle(self) -> None:
        """Count what was evaluated since the last batch as one evaluation; before the state is written, too."""
        if self._evaluated:
            self.state = self.monitor.evaluated(self.state, sum(self._evaluated) / len(self._evaluated))
            self._evaluated = []

    def evaluation(self, verdict_rate: float) -> None:
        """Take in a batch of evaluation; those between two batches of training are one evaluation."""
        if not math.isnan(verdict_rate):
            self._evaluated.append(verdict_rate)
