"""CoRPO: the group's mean is a baseline only where it is good enough (arXiv 2511.04439)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from hero_rl.rules.base import Batch, Settings, State, only_plain, shaped_like
from hero_rl.signals import Shaped, Signals

__all__ = ["Corpo"]


class Corpo(Settings):
    """`A = R - max(threshold, mean of R in the group)` with `R = weight * verdict + (1 - weight) * score` (Eq. 11).

    A rollout whose reward is below the threshold is never raised, however much better than its group it is. With the
    default, the least that a correct rollout can have, that is every incorrect one: its score says only how far it is
    pushed down, and a group that is all incorrect is pushed down as a whole. A missing score is the mean of its
    group's, that of an empty completion the lowest.

    Attributes:
        weight: share of the verdict; above 1/2, so that a correct rollout is above an incorrect one.
        squash: `sigmoid` maps the score to (0, 1), as the threshold needs it; `none` is for scores that lie there.
        threshold: the paper's least reward of a correct rollout; None takes `weight`.
    """

    takes_graded: ClassVar[bool] = False

    type: Literal["corpo"] = "corpo"
    weight: Annotated[float, Field(gt=0.5, le=1)] = 0.8
    squash: Literal["none", "sigmoid"] = "sigmoid"
    threshold: Annotated[float, Field(allow_inf_nan=False)] | None = None

    def update(self, signals: Signals, state: State) -> tuple[Shaped, State]:
        """Shape one batch; a group with fewer than two scorable rollouts has advantage 0."""
        only_plain(self, signals)
        batch = Batch.of(signals)
        groups, verdict, score, scorable = batch.groups, batch.verdict, batch.score, batch.scorable
        score = score.sigmoid() if self.squash == "sigmoid" else score
        reward = self.weight * verdict + (1 - self.weight) * batch.filled(score)
        threshold = self.weight if self.threshold is None else self.threshold
        baseline = groups.mean(reward, scorable).clamp(min=threshold)
        told = scorable & groups.spread(groups.count(scorable) >= 2)
        advantage = (reward - groups.spread(baseline)).where(told, 0)
        return shaped_like(signals, reward, advantage, scorable, batch.sigma), state
