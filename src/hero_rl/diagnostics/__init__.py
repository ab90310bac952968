"""What a batch of signals, a rule's answer to it and a trainer's settings say about the training run."""

from hero_rl.diagnostics.metrics import batch_metrics
from hero_rl.diagnostics.monitor import MonitorState, Observation, RunMonitor, observe
from hero_rl.diagnostics.preflight import Finding, verl_findings

__all__ = [
    "Finding",
    "MonitorState",
    "Observation",
    "RunMonitor",
    "batch_metrics",
    "observe",
    "verl_findings",
]
