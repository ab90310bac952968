"""Reductions over groups of rollouts, by id and without a loop over groups.

S is the number of distinct groups, B the number of rollouts. Every reduction takes a mask of the rollouts that count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

__all__ = ["Groups", "Scale", "leave_one_out", "normalise"]

Scale = Literal["none", "group", "batch"]


@dataclass(frozen=True)
class Groups:
    """A partition of B rollouts into S groups.

    Attributes:
        index: (B,) the group of each rollout, 0 .. S-1.
        number: S.
    """

    index: Int[Tensor, " B"]
    number: int

    @classmethod
    def of(cls, ids: Int[Tensor, " B"]) -> Groups:
        """Number the groups behind arbitrary integer ids."""
        unique, index = torch.unique(ids, return_inverse=True)
        return cls(index, unique.shape[0])

    def split(self, by: Bool[Tensor, " B"]) -> Groups:
        """Cut each group in two by a condition: S becomes 2S, and a part may be empty."""
        return Groups(2 * self.index + by, 2 * self.number)

    def sum(self, values: Float[Tensor, " B"], where: Bool[Tensor, " B"]) -> Float[Tensor, " S"]:
        """Sum of the counted values of each group, 0 for a group with none."""
        counted = values.where(where, 0)
        return counted.new_zeros(self.number).index_add_(0, self.index, counted)

    def count(self, where: Bool[Tensor, " B"]) -> Float[Tensor, " S"]:
        """Number of counted rollouts of each group, in float64."""
        return self.sum(torch.ones_like(where, dtype=torch.float64), where)

    def mean(self, values: Float[Tensor, " B"], where: Bool[Tensor, " B"]) -> Float[Tensor, " S"]:
        """Mean of the counted values of each group, 0 for a group with none."""
        return self.sum(values, where) / self.count(where).clamp(min=1)

    def min(self, values: Float[Tensor, " B"], where: Bool[Tensor, " B"]) -> Float[Tensor, " S"]:
        """Least counted value of each group, +inf for a group with none."""
        return self._extreme(values.where(where, torch.inf), "amin")

    def max(self, values: Float[Tensor, " B"], where: Bool[Tensor, " B"]) -> Float[Tensor, " S"]:
        """Greatest counted value of each group, -inf for a group with none."""
        return self._extreme(values.where(where, -torch.inf), "amax")

    def _extreme(self, values: Float[Tensor, " B"], reduce: str) -> Float[Tensor, " S"]:
        start = values.new_full((self.number,), torch.inf if reduce == "amin" else -torch.inf)
        return start.scatter_reduce_(0, self.index, values, reduce=reduce)

    def std(self, values: Float[Tensor, " B"], where: Bool[Tensor, " B"], correction: int) -> Float[Tensor, " S"]:
        """Standard deviation of each group's counted values: population (0) or sample (1) by `correction`."""
        deviation = values - self.spread(self.mean(values, where))
        degrees = (self.count(where) - correction).clamp(min=1)
        return (self.sum(deviation.square(), where) / degrees).sqrt()

    def spread(self, per_group: Float[Tensor, " S"]) -> Float[Tensor, " B"]:
        """Hand each rollout its group's value."""
        return per_group[self.index]


def normalise(
    reward: Float[Tensor, " B"],
    groups: Groups,
    scorable: Bool[Tensor, " B"],
    scale: Scale,
    eps: float,
) -> Float[Tensor, " B"]:
    """Group-relative advantage: the reward less its group's mean, divided as `scale` says.

    `none` is Dr. GRPO (arXiv 2503.20783), `group` is GRPO (arXiv 2402.03300), `batch` divides by the standard
    deviation of the whole batch's rewards. Standard deviations are sample ones, as in TRL's `GRPOTrainer` and verl's
    `compute_grpo_outcome_advantage`; their `eps` is 1e-4 and 1e-6.

    An unscorable rollout, a group with fewer than two scorable ones and a group whose rewards are all equal get
    exactly 0: rounding residue is never blown up by a small standard deviation.
    """
    constant = groups.max(reward, scorable) == groups.min(reward, scorable)
    silent = constant | (groups.count(scorable) < 2)
    centred = reward - groups.spread(groups.mean(reward, scorable))
    if scale == "group":
        centred = centred / (groups.spread(groups.std(reward, scorable, correction=1)) + eps)
    elif scale == "batch":
        counted = reward[scorable]
        centred = centred / (counted.std() + eps) if counted.numel() > 1 else centred
    return centred.where(scorable & ~groups.spread(silent), 0)


def leave_one_out(advantage: Float[Tensor, " B"], groups: Groups, scorable: Bool[Tensor, " B"]) -> Float[Tensor, " B"]:
    """Turn a mean-centred advantage into RLOO's, whose baseline leaves the rollout itself out (arXiv 2402.14740).

    With n scorable rollouts, r - mean(others) = (r - mean(all)) * n / (n - 1).
    """
    count = groups.spread(groups.count(scorable))
    return advantage * count / (count - 1).clamp(min=1)
