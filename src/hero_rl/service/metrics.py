"""What Prometheus reads: requests, verdicts by reason, and what verifier and reward model count themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily

from hero_rl.service.messages import Signal

__all__ = ["Metrics"]

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
_ROLLOUTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class Metrics:
    """The metrics of one service, in a registry of its own.

    Args:
        parts: room name -> its object; one with `counters` shows them as `hero_<room>_<name>_total`.
    """

    def __init__(self, parts: Mapping[str, Any]) -> None:
        self._registry = registry = CollectorRegistry()
        self.requests = Counter("hero_requests", "Answers by path and status", ["path", "status"], registry=registry)
        self.seconds = Histogram(
            "hero_request_seconds", "From the head to the answer", ["path"], buckets=_SECONDS, registry=registry
        )
        self.in_flight = Gauge("hero_requests_in_flight", "Requests that are read or answered", registry=registry)
        self.verdicts = Counter("hero_verdicts", "Verdicts by reason", ["reason"], registry=registry)
        self.missing = Counter("hero_scores_missing", "Rollouts without a score", registry=registry)
        self.batch = Histogram(
            "hero_batch_rollouts", "Rollouts of a call of the scorer", buckets=_ROLLOUTS, registry=registry
        )
        self._runs = Gauge("hero_runs", "Runs whose state is kept", registry=registry)
        registry.register(_Parts(parts))  # pyright: ignore[reportArgumentType]

    def count_runs(self, runs: Callable[[], int]) -> None:
        """Read the number of runs when it is asked for."""
        self._runs.set_function(runs)

    def count_signals(self, signals: Sequence[Signal]) -> None:
        """Take in what was said of some rollouts."""
        for signal in signals:
            self.verdicts.labels(signal.reason).inc()
        self.missing.inc(sum(signal.score is None for signal in signals))

    def page(self) -> bytes:
        """All of them in Prometheus' text format."""
        return generate_latest(self._registry)


class _Parts:
    """What verifier and reward model count, read when it is asked for."""

    def __init__(self, parts: Mapping[str, Any]) -> None:
        self._parts = parts

    def collect(self) -> Iterator[CounterMetricFamily]:
        for room, part in self._parts.items():
            for name, count in getattr(part, "counters", {}).items():
                yield CounterMetricFamily(f"hero_{room}_{name}", f"{name} of the {room}", value=count)
