"""The order of scores within groups: who is below whom, ties and near ties as one level."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hero_rl.rules.groups import Groups

__all__ = ["Levels"]


@dataclass(frozen=True)
class Levels:
    """Where each of B rollouts stands in its group; rows that do not count have 0 everywhere.

    Attributes:
        upto: (B,) how many of its group are on its level or below, itself included.
        from_top: (B,) its level counted from the top: 1 the best.
        number: (B,) the number of levels in its group.
    """

    upto: Float[Tensor, " B"]
    from_top: Float[Tensor, " B"]
    number: Float[Tensor, " B"]

    @classmethod
    def of(
        cls, score: Float[Tensor, " B"], groups: Groups, where: Bool[Tensor, " B"], tie: float | Tensor = 0.0
    ) -> Levels:
        """Sort once, for all groups.

        Args:
            score: (B,) what to order by.
            groups: the partition.
            where: (B,) the rollouts that count.
            tie: neighbours in the order whose scores are no further apart than this share a level.
        """
        rows = where.nonzero().flatten()
        rows = rows[score[rows].argsort(stable=True)]
        rows = rows[groups.index[rows].argsort(stable=True)]
        value, index = score[rows], groups.index[rows]
        begins = torch.ones_like(index, dtype=torch.bool)
        begins[1:] = (value[1:] - value[:-1] > tie) | (index[1:] != index[:-1])
        level = Groups(begins.cumsum(0) - 1, int(begins.sum()))
        one = torch.ones_like(begins)
        by_group = Groups(index, groups.number)
        sizes, levels = by_group.count(one), by_group.count(begins)
        reached = level.count(one).cumsum(0)[level.index]  # over all groups, up to the end of the level
        upto = reached - by_group.spread(sizes.cumsum(0) - sizes)
        from_top = by_group.spread(levels.cumsum(0)) - level.index
        results = []
        for found in (upto, from_top, by_group.spread(levels)):
            results.append(torch.zeros_like(score, dtype=torch.float64).index_put_((rows,), found.double()))
        return cls(*results)
