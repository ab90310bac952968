"""SAW: each signal weighs by its coefficient of variation in the batch (arXiv 2606.07705)."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor

from hero_rl.rules.base import Batch, Eps, Settings, State, shaped_like
from hero_rl.rules.groups import Scale, normalise
from hero_rl.signals import Shaped, Signals

__all__ = ["Saw"]


class Saw(Settings):
    """A weighted sum whose weights follow what still varies: `CV_k / sum_l CV_l`, anew in every batch.

    `CV_k = std(s_k) / (mean(s_k) + delta)` over the batch, with `s_k = r_k - min_k + delta` and min_k the least that
    the signal can be: 0 of the verdict. A learned score has no such bound; unless one is given the batch's least
    stands for it. Where nothing varies both weigh alike. A missing score is the mean of its group's, as in
    `weighted_sum`; that of an empty completion the lowest.

    Attributes:
        verdict_weight: priority of the verdict, times its weight.
        score_weight: the same of the score.
        score_minimum: the least that a score can be; None takes the batch's least.
        delta: keeps the coefficients finite.
        scale: divisor of the centred reward: none, the group's (as in the paper) or the batch's standard deviation.
        eps: added to that divisor.
    """

    type: Literal["saw"] = "saw"
    verdict_weight: Annotated[float, Field(ge=0)] = 1.0
    score_weight: Annotated[float, Field(ge=0)] = 1.0
    score_minimum: float | None = None
    delta: Eps = 1e-4
    scale: Scale = "group"
    eps: Eps = 1e-6

    def update(self, signals: Signals, state: State) -> tuple[Shaped, State]:
        """Shape one batch.

        Raises:
            ValueError: a score is below `score_minimum`.
        """
        batch = Batch.of(signals)
        groups, verdict, score, scorable = batch.groups, batch.verdict, batch.score, batch.scorable
        told, ranked = (
            self._variation(verdict, scorable, 0.0),
            self._variation(score, batch.present, self.score_minimum),
        )
        total = told + ranked
        share = told / total if total > self.delta else torch.tensor(0.5)
        reward = share * self.verdict_weight * verdict + (1 - share) * self.score_weight * batch.filled(score)
        advantage = normalise(reward, groups, scorable, self.scale, self.eps)
        return shaped_like(signals, reward, advantage, scorable, batch.sigma), state

    def _variation(self, signal: Float[Tensor, " B"], where: Bool[Tensor, " B"], least: float | None) -> Tensor:
        """CV of a signal over the batch; 0 of fewer than two values."""
        values = signal[where]
        if values.numel() < 2:
            return signal.new_zeros(())
        floor = values.min() if least is None else values.new_tensor(least)
        if values.min() < floor:
            raise ValueError(f"a score of {values.min().item():g} is below score_minimum {floor.item():g}")
        shifted = values - floor + self.delta
        return shifted.std() / (shifted.mean() + self.delta)
