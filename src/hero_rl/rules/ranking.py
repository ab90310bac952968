"""How well scores rank what the verifier tells apart, group by group."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from hero_rl.rules.groups import Groups

__all__ = ["group_auroc"]


def group_auroc(score: Float[Tensor, " B"], verdict: Float[Tensor, " B"], groups: Groups) -> Float[Tensor, " S"]:
    """AUROC of the score against the verdict within each group, ties counted half; NaN where a group is not mixed.

    The Mann-Whitney statistic, for all groups in one sort: each correct rollout counts the incorrect ones of its group
    below it, and half of those level with it.
    """
    kept = ~(score.isnan() | verdict.isnan())
    score, verdict, index = score[kept].double(), verdict[kept], groups.index[kept]
    order = score.argsort(stable=True)
    order = order[index[order].argsort(stable=True)]
    score, right, index = score[order], verdict[order] == 1, index[order]
    new_run = torch.ones_like(right)
    new_run[1:] = (score[1:] != score[:-1]) | (index[1:] != index[:-1])
    runs = Groups(new_run.cumsum(0) - 1, int(new_run.sum()))  # rollouts of one group with one score
    by_group = Groups(index, groups.number)
    wrong_in_run, right_in_run = runs.count(~right), runs.count(right)
    wrong, total_right = by_group.count(~right), by_group.count(right)
    group_of_run = index[new_run]
    below = wrong_in_run.cumsum(0) - wrong_in_run - (wrong.cumsum(0) - wrong)[group_of_run]
    wins = wrong.new_zeros(groups.number).index_add_(0, group_of_run, right_in_run * (below + 0.5 * wrong_in_run))
    return (wins / (wrong * total_right)).where((wrong > 0) & (total_right > 0), torch.nan)
