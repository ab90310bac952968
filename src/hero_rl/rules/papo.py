"""PAPO: the verdict over all rollouts, the score among the correct ones alone (arXiv 2603.26535)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from hero_rl.rules.base import Batch, Eps, Settings, State, only_plain, shaped_like, with_lowest
from hero_rl.rules.groups import normalise
from hero_rl.signals import Shaped, Signals

__all__ = ["Papo"]


class Papo(Settings):
    """`A = standardised verdict + score_weight * score standardised among the group's correct rollouts`.

    An incorrect rollout gets nothing from its score, so that a group without a correct one stays silent: of HERO's two
    bands this has the upper one. A missing score adds 0.

    Attributes:
        score_weight: lambda, the factor of the second part.
        eps: added to every standard deviation.
    """

    takes_graded: ClassVar[bool] = False

    type: Literal["papo"] = "papo"
    score_weight: Annotated[float, Field(ge=0)] = 1.0
    eps: Eps = 1e-6

    def update(self, signals: Signals, state: State) -> tuple[Shaped, State]:
        """Shape one batch."""
        only_plain(self, signals)
        batch = Batch.of(signals)
        groups, verdict, scorable = batch.groups, batch.verdict, batch.scorable
        correct = verdict == 1
        strata = groups.split(correct)
        score = with_lowest(batch.score, strata, correct & batch.present, batch.empty)
        outcome = normalise(verdict, groups, scorable, "group", self.eps)
        process = normalise(score, strata, correct & ~score.isnan(), "group", self.eps)
        advantage = outcome + self.score_weight * process
        return shaped_like(signals, advantage, advantage, scorable, batch.sigma), state
