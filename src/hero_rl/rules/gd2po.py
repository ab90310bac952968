"""GD2PO: rollouts that the signals disagree about are left out, and such prompts count less (arXiv 2606.16771)."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field

from hero_rl.rules.base import Batch, Eps, Settings, State, shaped_like
from hero_rl.rules.groups import normalise
from hero_rl.signals import Shaped, Signals

__all__ = ["Gd2po"]

# A product of standardised values this near to 0 is rounding, and has no sign.
_ROUNDING = 1e-9


class Gd2po(Settings):
    """GDPO without the rollouts whose standardised verdict and score have opposite signs: the paper's hard filter.

    What is kept is divided by the batch's spread and multiplied by the share of its group that is kept. The batch's
    mean is not taken off, as in `gdpo`: it would move groups that say nothing. Where one of the two is 0, as the
    verdict in a uniform group, nothing conflicts.

    Attributes:
        verdict_weight: factor of the standardised verdict.
        score_weight: factor of the standardised score.
        eps: added to every standard deviation.
    """

    type: Literal["gd2po"] = "gd2po"
    verdict_weight: Annotated[float, Field(ge=0)] = 1.0
    score_weight: Annotated[float, Field(ge=0)] = 1.0
    eps: Eps = 1e-6

    def update(self, signals: Signals, state: State) -> tuple[Shaped, State]:
        """Shape one batch; the weight is the share of the group's scorable rollouts that is kept."""
        batch = Batch.of(signals)
        groups, verdict, scorable = batch.groups, batch.verdict, batch.scorable
        score, present = batch.lowest_for_empty()
        told = self.verdict_weight * normalise(verdict, groups, scorable, "group", self.eps)
        ranked = self.score_weight * normalise(score, groups, present, "group", self.eps)
        kept = scorable & (told * ranked > -_ROUNDING)
        reward = torch.where(kept, told + ranked, 0)
        counted = reward[kept]
        spread = counted.std() if counted.numel() > 1 else counted.new_zeros(())
        weight = groups.spread(groups.count(kept) / groups.count(scorable).clamp(min=1))
        advantage = weight * reward / (spread + self.eps)
        return shaped_like(signals, reward, advantage, scorable, batch.sigma, weight), state
