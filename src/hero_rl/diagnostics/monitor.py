"""A first alarm for reward hacking: the score climbs and the verdict rate does not follow."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["HackingMonitor", "MonitorState"]


class MonitorState(BaseModel):
    """What the monitor remembers; JSON keeps it bit for bit.

    Attributes:
        seen: number of batches.
        score_sums: sum and sum of squares of the mean score over the reference batches.
        verdict_sums: the same of the verdict rate.
        score_rise: one-sided CUSUM of the standardised mean score.
        verdict_rise: one-sided CUSUM of the standardised verdict rate.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    seen: int = 0
    score_sums: tuple[float, float] = (0.0, 0.0)
    verdict_sums: tuple[float, float] = (0.0, 0.0)
    score_rise: float = 0.0
    verdict_rise: float = 0.0


class HackingMonitor(BaseModel):
    """Two one-sided CUSUM charts (Page, 1954), one of the mean score and one of the verdict rate.

    The first `reference` batches set each series' mean and standard deviation. After them the alarm is on while the
    score's chart is over `threshold` and the verdict rate's is not: the reward model sees progress, the verifier sees
    none. A batch without a score or a verdict changes nothing.

    Attributes:
        reference: batches that define what is normal.
        slack: standard deviations of rise a batch may have without counting.
        threshold: accumulated excess, in standard deviations, that counts as a rise.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    reference: Annotated[int, Field(ge=2)] = 20
    slack: Annotated[float, Field(ge=0)] = 1.0
    threshold: Annotated[float, Field(gt=0)] = 20.0

    def update(self, state: MonitorState, score: float, verdict: float) -> tuple[bool, MonitorState]:
        """Take in one batch's mean score and verdict rate; returns whether the alarm is on, and the next state."""
        if math.isnan(score) or math.isnan(verdict):
            return self._alarm(state), state
        if state.seen < self.reference:
            return False, MonitorState(
                seen=state.seen + 1,
                score_sums=(state.score_sums[0] + score, state.score_sums[1] + score**2),
                verdict_sums=(state.verdict_sums[0] + verdict, state.verdict_sums[1] + verdict**2),
            )
        state = state.model_copy(
            update={
                "seen": state.seen + 1,
                "score_rise": self._rise(state.score_rise, score, state.score_sums),
                "verdict_rise": self._rise(state.verdict_rise, verdict, state.verdict_sums),
            }
        )
        return self._alarm(state), state

    def _rise(self, rise: float, value: float, sums: tuple[float, float]) -> float:
        mean = sums[0] / self.reference
        deviation = math.sqrt(max(sums[1] / self.reference - mean**2, 0.0))
        # A series that never moved while it was the reference has no scale of its own: one part in a thousand.
        return max(0.0, rise + (value - mean) / max(deviation, 1e-3) - self.slack)

    def _alarm(self, state: MonitorState) -> bool:
        return state.score_rise > self.threshold >= state.verdict_rise
