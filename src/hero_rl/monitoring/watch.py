"""The alarms of a run, as trainers keep them: metrics, a warning the first time, and which of them end the run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from hero_rl.errors import ConfigError
from hero_rl.monitoring import MonitorState, RunMonitor, observe
from hero_rl.monitoring.metrics import parts_by_domain
from hero_rl.monitoring.monitor import ALARMS, warn_once
from hero_rl.rules import Groups, group_auroc
from hero_rl.signals import Signals

__all__ = ["Watch"]


class Watch:
    """Follows a run's batches, and where they are of several domains each of those, too.

    A domain has its alarms once it was in as many batches as define what is normal. They end no run.

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
        metrics = _as_metrics("hero", alarms) | self._by_domain(signals)
        return metrics, next((name for name in self.stop_on if alarms[name]), None)

    def _by_domain(self, signals: Signals) -> dict[str, float]:
        """Take in a batch domain by domain; returns the alarms of all domains that were seen, as metrics."""
        states = dict(self.state.domains)
        for name, _, part in parts_by_domain(signals):
            auroc = group_auroc(part.score, part.verdict, Groups.of(part.group)).nanmean().item()
            seen = observe(part, auroc, self.scored)
            _, states[name] = self.monitor.update(states.get(name, MonitorState()), seen)
        self.state = self.state.model_copy(update={"domains": states})
        metrics: dict[str, float] = {}
        for name, state in states.items() if len(states) > 1 else ():
            known = state.batches >= self.monitor.reference
            alarms = {alarm: on and known for alarm, on in self.monitor.alarms(state).items()}
            warn_once(alarms, self._warned, f" in the domain {name!r}")
            metrics |= _as_metrics(f"hero/domains/{name}", alarms)
        return metrics

    def settle(self) -> None:
        """Count what was evaluated since the last batch as one evaluation; before the state is written, too."""
        if self._evaluated:
            self.state = self.monitor.evaluated(self.state, sum(self._evaluated) / len(self._evaluated))
            self._evaluated = []

    def evaluation(self, verdict_rate: float) -> None:
        """Take in a batch of evaluation; those between two batches of training are one evaluation."""
        if not math.isnan(verdict_rate):
            self._evaluated.append(verdict_rate)


def _as_metrics(prefix: str, alarms: Mapping[str, bool]) -> dict[str, float]:
    metrics = {f"{prefix}/alarm/{name}": float(on) for name, on in alarms.items() if name != "hacking"}
    return metrics | {f"{prefix}/hacking_alarm": float(alarms["hacking"])}
