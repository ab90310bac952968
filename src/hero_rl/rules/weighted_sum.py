"""The weighted sum of verdict and score that everybody writes first (the paper's naive combination)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hero_rl.rules.base import Batch, Eps, Settings, State, shaped_like
from hero_rl.rules.groups import Scale, normalise
from hero_rl.signals import Shaped, Signals

__all__ = ["WeightedSum"]


class WeightedSum(Settings):
    """Reward = weight * verdict + (1 - weight) * score.

    Where a score is missing, the mean of the group's present scores stands in: no evidence either way; and the lowest,
    where that is the policy's doing. In a group with none, the score's part is dropped.

    Attributes:
        weight: share of the verdict (the paper tries 0.1, 0.5 and 0.9).
        squash: `none` adds the raw score; `sigmoid` first maps it to (0, 1), the verdict's own range.
        temperature: divides the score inside the sigmoid; unused with `none`.
        scale: divisor of the centred reward: none, the group's or the batch's sample standard deviation.
        eps: added to that divisor.
    """

    type: Literal["weighted_sum"] = "weighted_sum"
    weight: Annotated[float, Field(ge=0, le=1)] = 0.5
    squash: Literal["none", "sigmoid"] = "none"
    temperature: Annotated[float, Field(gt=0)] = 1.0
    scale: Scale = "none"
    eps: Eps = 1e-6

    def update(self, signals: Signals, state: State) -> tuple[Shaped, State]:
        """Shape one batch."""
        batch = Batch.of(signals)
        groups, verdict, score, scorable = batch.groups, batch.verdict, batch.score, batch.scorable
        if self.squash == "sigmoid":
            score = (score / self.temperature).sigmoid()
        reward = self.weight * verdict + (1 - self.weight) * batch.filled(score)
        advantage = normalise(reward, groups, scorable, self.scale, self.eps)
        return shaped_like(signals, reward, advantage, scorable, batch.sigma), state
