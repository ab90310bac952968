"""Inside the reward of rollouts that are there already: numbers, findings, a report.

collected = Collector()
collected.add(batch, words, labels)
diagnosis = diagnose(collected, source, Hero())
write_report(diagnosis, Path("report.html"))
"""

from hero_rl.diagnosis.diagnose import diagnose, replays
from hero_rl.diagnosis.findings import findings, suggested
from hero_rl.diagnosis.log import Collector, RolloutLog
from hero_rl.diagnosis.numbers import Diagnosis, Finding
from hero_rl.diagnosis.sweep import parse_sweep

__all__ = [
    "Collector",
    "Diagnosis",
    "Finding",
    "RolloutLog",
    "diagnose",
    "findings",
    "parse_sweep",
    "replays",
    "suggested",
]
