"""What trainers log and watch: the metrics of a batch, alarms over a run, rollouts that nobody can score."""

from hero_rl.monitoring.metrics import batch_metrics
from hero_rl.monitoring.monitor import MonitorState, Observation, RunMonitor, observe

__all__ = [
    "MonitorState",
    "Observation",
    "RunMonitor",
    "batch_metrics",
    "observe",
]
