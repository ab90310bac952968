"""GDPO: each signal is normalised within its group before they are added (arXiv 2601.05242)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hero_rl.rules.base import Batch, Eps, Settings, State, shaped_like
from hero_rl.rules.groups import normalise
from hero_rl.signals import Shaped, Signals

__all__ = ["Gdpo"]


class Gdpo(Settings):
    """Sum of the group-standardised verdict and the group-standardised score, then divided by the batch's spread.

    The same computation as TRL's `multi_objective_aggregation="normalize_then_sum"`. Each standardised signal has mean
    zero in its group, so that no further centring is needed. A missing score adds 0, that of an
    empty completion is the group's lowest.

    Attributes:
        verdict_weight: factor of the standardised verdict.
        score_weight: factor of the standardised score.
        eps: added to every standard deviation (TRL 1e-4).
    """

    type: Literal["gdpo"] = "gdpo"
    verdict_weight: Annotated[float, Field(ge=0)] = 1.0
    score_weight: Annotated[float, Field(ge=0)] = 1.0
    eps: Eps = 1e-6

    def update(self, signals: Signals, state: State) -> tuple[Shaped, State]:
        """Shape one batch."""
        batch = Batch.of(signals)
        groups, verdict, scorable = batch.groups, batch.verdict, batch.scorable
        score, present = batch.lowest_for_empty()
        reward = self.verdict_weight * normalise(verdict, groups, scorable, "group", self.eps)
        reward = reward + self.score_weight * normalise(score, groups, present, "group", self.eps)
        counted = reward[scorable]
        spread = counted.std() if counted.numel() > 1 else counted.new_zeros(())
        advantage = (reward / (spread + self.eps)).where(scorable, 0)
        return shaped_like(signals, reward, advantage, scorable, batch.sigma), state
