"""RLRR: a rollout's rank in its group in place of its score (arXiv 2601.23058)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field

from hero_rl.rules.base import Batch, Eps, Settings, State, only_plain, shaped_like
from hero_rl.rules.groups import Scale, normalise
from hero_rl.rules.levels import Levels
from hero_rl.signals import Shaped, Signals

__all__ = ["RelativeRanks"]


class RelativeRanks(Settings):
    """`R = verdict + tau tanh(r_max / r - 1)`, r the rank by verdict, then score; 1 is the best (hybrid form, Eq. 3).

    After centring, a correct rollout has at least `-margin` and an incorrect one at most `+margin` (Eq. 5). The paper's
    binning by length is left out. A rollout without a score has no rank, and gets the mean of what the ranks of its
    stratum add; an empty completion is below all.

    Attributes:
        tau: the most that a rank adds.
        tie: scores no further apart than this, neighbour by neighbour, share a rank. 0 takes equal scores alone. What
            differs by the reward model's own noise should: Discretizing Reward Models (arXiv 2606.21795) finds such
            levels from dropout, which is not to be had from scores alone.
        margin: how far an incorrect rollout may be raised, and a correct one be lowered.
        scale: divisor of the centred reward: none, the group's or the batch's sample standard deviation.
        eps: added to that divisor.
    """

    takes_graded: ClassVar[bool] = False

    type: Literal["relative_ranks"] = "relative_ranks"
    tau: Annotated[float, Field(gt=0)] = 0.1
    tie: Annotated[float, Field(ge=0)] = 0.0
    margin: Annotated[float, Field(ge=0)] = 1e-3
    scale: Scale = "none"
    eps: Eps = 1e-6

    def update(self, signals: Signals, state: State) -> tuple[Shaped, State]:
        """Shape one batch."""
        only_plain(self, signals)
        batch = Batch.of(signals)
        groups, verdict, scorable = batch.groups, batch.verdict, batch.scorable
        correct = verdict == 1
        score = batch.score.masked_fill(batch.empty, -torch.inf)
        ranked = scorable & ~score.isnan()
        # Ranks of the correct ones come first, then those of the incorrect ones.
        strata = groups.split(correct)
        place = Levels.of(score, strata, ranked, self.tie)
        right, wrong = (groups.spread(groups.max(place.number, part)) for part in (correct, scorable & ~correct))
        right, wrong = right.clamp(min=0), wrong.clamp(min=0)  # minus infinity of a group with none
        rank = place.from_top + torch.where(correct, 0, right)
        raised = self.tau * torch.tanh((right + wrong) / rank.clamp(min=1) - 1)
        raised = raised.where(ranked, strata.spread(strata.mean(raised, ranked)))
        reward = verdict + raised
        advantage = normalise(reward, groups, scorable, self.scale, self.eps)
        held = torch.where(correct, advantage.clamp(min=-self.margin), advantage.clamp(max=self.margin))
        return shaped_like(signals, reward, held.where(scorable, 0), scorable, batch.sigma), state
