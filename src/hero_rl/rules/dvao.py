"""DVAO: each signal weighs by its spread within the group (arXiv 2605.25604)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hero_rl.rules.base import Batch, Eps, Settings, State, score_spread, shaped_like
from hero_rl.rules.groups import normalise
from hero_rl.signals import Shaped, Signals

__all__ = ["Dvao"]


class Dvao(Settings):
    """Sum of the standardised signals, each weighing as its standard deviation in the group does.

    With r_k the verdict and the score, mu_k and sigma_k their mean and population standard deviation in the group and
    w_k the weights below, `A = sum_k w'_k (r_k - mu_k) / sigma_k` with `w'_k = w_k sigma_k / sum_l w_l sigma_l`. What
    varies more counts more, in the signals' own units; in a uniform group the score is alone and at full size. A
    missing score adds 0, that of an empty completion is the group's lowest.

    Attributes:
        verdict_weight: w of the verdict (the paper's equal weights: 0.5).
        score_weight: w of the score.
        eps: added to the sum of the standard deviations.
    """

    type: Literal["dvao"] = "dvao"
    verdict_weight: Annotated[float, Field(ge=0)] = 0.5
    score_weight: Annotated[float, Field(ge=0)] = 0.5
    eps: Eps = 1e-6

    def update(self, signals: Signals, state: State) -> tuple[Shaped, State]:
        """Shape one batch."""
        batch = Batch.of(signals)
        groups, verdict, scorable = batch.groups, batch.verdict, batch.scorable
        score, present = batch.lowest_for_empty()
        centred = self.verdict_weight * normalise(verdict, groups, scorable, "none", self.eps)
        centred = centred + self.score_weight * normalise(score, groups, present, "none", self.eps)
        spread = self.verdict_weight * groups.std(verdict, scorable, correction=0)
        spread = spread + self.score_weight * score_spread(score, groups, present)[0]
        advantage = centred / (groups.spread(spread) + self.eps)
        return shaped_like(signals, advantage, advantage, scorable, batch.sigma), state
