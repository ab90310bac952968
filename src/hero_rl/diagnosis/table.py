"""A log's groups as a table, one row a group."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from hero_rl.diagnosis.log import RolloutLog
from hero_rl.rules import Groups, Kinds, group_auroc

__all__ = ["GroupTable"]


@dataclass(frozen=True)
class GroupTable:
    """One row a group; S groups.

    Attributes:
        groups: the partition of the rollouts.
        kinds: what the verifier said of each.
        rate: (S,) pass rate: the mean of the verdicts; NaN without one.
        scored: (S,) rollouts with verdict and score.
        sigma: (S,) population standard deviation of their scores; NaN below two.
        auroc: (S,) AUROC (concordance) of the score against the verdict; NaN where the group is not mixed.
        spread: (S,) greatest less least score; NaN without one.
    """

    groups: Groups
    kinds: Kinds
    rate: Float[Tensor, " S"]
    scored: Float[Tensor, " S"]
    sigma: Float[Tensor, " S"]
    auroc: Float[Tensor, " S"]
    spread: Float[Tensor, " S"]

    @classmethod
    def of(cls, log: RolloutLog) -> GroupTable:
        """Reduce a log to its groups."""
        groups = log.groups
        present = ~log.verdict.isnan() & ~log.score.isnan()
        scored, kinds = groups.count(present), Kinds.of(log.verdict, groups)
        spread = groups.max(log.score, present) - groups.min(log.score, present)
        return cls(
            groups=groups,
            kinds=kinds,
            rate=groups.mean(log.verdict, ~log.verdict.isnan()).where(kinds.judged, torch.nan),
            scored=scored,
            sigma=groups.std(log.score, present, correction=0).where(spread > 0, 0).where(scored >= 2, torch.nan),
            auroc=group_auroc(log.score, log.verdict, groups),
            spread=spread.where(scored > 0, torch.nan),
        )
