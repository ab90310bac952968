"""What a batch of signals and a rule's answer to it say about the training run."""

from hero_rl.diagnostics.metrics import batch_metrics, group_auroc
from hero_rl.diagnostics.monitor import HackingMonitor, MonitorState

__all__ = ["HackingMonitor", "MonitorState", "batch_metrics", "group_auroc"]
