"""The verifier alone, on the rollouts that the reward model agrees with it about (PROF, arXiv 2509.03403)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field

from hero_rl.rules.base import Batch, Eps, Settings, State, only_plain, shaped_like
from hero_rl.rules.groups import Scale, normalise
from hero_rl.rules.levels import Levels
from hero_rl.signals import Shaped, Signals

__all__ = ["ConsistencyFilter"]


class ConsistencyFilter(Settings):
    """Of each group's n rollouts m are kept; the reward is the verdict, and the score only says which they are.

    The correct rollouts with the lowest scores go, and the incorrect ones with the highest: k+ and k- of them, so many
    that what is left is as balanced as can be. With n+ correct and n- incorrect ones and `D = n+ - n-`,
    `k+ = clip(ceil((D + n - m) / 2), 0, n - m)` and `k- = n - m - k+`. The paper's score is the mean over the steps
    of a process reward model, less a penalty on the number of steps; here it is the reward model's one score. A rollout
    without a score stays, that of an empty completion counts as the lowest; of rollouts with one score all go or none.

    Attributes:
        keep: m as a share of n, rounded up (the paper keeps 4 of 8).
        scale: divisor of the centred verdict of what is kept.
        eps: added to that divisor.
    """

    takes_graded: ClassVar[bool] = False

    type: Literal["consistency_filter"] = "consistency_filter"
    keep: Annotated[float, Field(gt=0, le=1)] = 0.5
    scale: Scale = "group"
    eps: Eps = 1e-6

    def update(self, signals: Signals, state: State) -> tuple[Shaped, State]:
        """Shape one batch; what is filtered out has advantage 0."""
        only_plain(self, signals)
        batch = Batch.of(signals)
        groups, verdict, scorable = batch.groups, batch.verdict, batch.scorable
        correct = verdict == 1
        number, right = groups.count(scorable), groups.count(correct)
        surplus = number - (self.keep * number).ceil()
        from_right = ((2 * right - number + surplus) / 2).ceil().clamp(min=0).minimum(surplus)
        score = batch.score.masked_fill(batch.empty, -torch.inf)
        present = scorable & ~score.isnan()
        leaving = torch.where(correct, groups.spread(from_right), groups.spread(surplus - from_right))
        place = Levels.of(torch.where(correct, score, -score), groups.split(correct), present)
        kept = scorable & ~(present & (place.upto <= leaving))
        advantage = normalise(verdict, groups, kept, self.scale, self.eps)
        return shaped_like(signals, verdict, advantage, scorable, batch.sigma), state
