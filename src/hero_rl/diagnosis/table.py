"""A log's groups as a table, one row a group."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hero_rl.diagnosis.log import RolloutLog
from hero_rl.rules import Groups, group_auroc

__all__ = ["GroupTable"]


@dataclass(frozen=True)
class GroupTable:
    """One row a group; S groups.

    Attributes:
        groups: the partition of the rollouts.
        right, wrong: (S,) rollouts by verdict.
        scored: (S,) rollouts with verdict and score.
        sigma: (S,) population standard deviation of their scores; NaN below two.
        auroc: (S,) AUROC of the score against the verdict; NaN where the group is not mixed.
        spread: (S,) greatest less least score; NaN without one.
    """

    groups: Groups
    right: Float[Tensor, " S"]
    wrong: Float[Tensor, " S"]
    scored: Float[Tensor, " S"]
    sigma: Float[Tensor, " S"]
    auroc: Float[Tensor, " S"]
    spread: Float[Tensor, " S"]

    @classmethod
    def of(cls, log: RolloutLog) -> GroupTable:
        """Reduce a log to its groups."""
        groups = log.groups
        present = ~log.verdict.isnan() & ~log.score.isnan()
        scored = groups.count(present)
        spread = groups.max(log.score, present) - groups.min(log.score, present)
        return cls(
            groups=groups,
            right=groups.count(log.verdict == 1),
            wrong=groups.count(log.verdict == 0),
            scored=scored,
            sigma=groups.std(log.score, present, correction=0).where(spread > 0, 0).where(scored >= 2, torch.nan),
            auroc=group_auroc(log.score, log.verdict, groups),
            spread=spread.where(scored > 0, torch.nan),
        )

    @property
    def judged(self) -> Bool[Tensor, " S"]:
        """Groups with a verdict."""
        return self.right + self.wrong > 0

    @property
    def mixed(self) -> Bool[Tensor, " S"]:
        """Groups with correct and incorrect rollouts."""
        return (self.right > 0) & (self.wrong > 0)

    @property
    def all_correct(self) -> Bool[Tensor, " S"]:
        """Groups of correct rollouts only."""
        return (self.right > 0) & (self.wrong == 0)

    @property
    def all_incorrect(self) -> Bool[Tensor, " S"]:
        """Groups of incorrect rollouts only."""
        return (self.wrong > 0) & (self.right == 0)

    @property
    def uniform(self) -> Bool[Tensor, " S"]:
        """Groups of one stratum: starved under the verifier alone."""
        return self.judged & ~self.mixed
