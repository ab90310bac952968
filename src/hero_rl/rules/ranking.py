"""How well scores rank what the verifier tells apart, group by group."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hero_rl.rules.groups import Groups
from hero_rl.rules.strata import Strata

__all__ = ["group_auroc"]


def group_auroc(score: Float[Tensor, " B"], verdict: Float[Tensor, " B"], groups: Groups) -> Float[Tensor, " S"]:
    """How well the score ranks the verdicts within each group; NaN where a group is not mixed.

    The concordance: of the pairs of rollouts of unlike verdicts, the share in which the better one has the higher
    score, ties counted half. For verdicts of 0 and 1 that is the AUROC, by the Mann-Whitney statistic.
    """
    kept = ~(score.isnan() | verdict.isnan())
    score, verdict, by_group = score[kept].double(), verdict[kept], Groups(groups.index[kept], groups.number)
    order = score.argsort(stable=True)
    order = order[by_group.index[order].argsort(stable=True)]
    score, by_group = score[order], Groups(by_group.index[order], groups.number)
    level = Strata.of(verdict[order], by_group).level
    new_run = torch.ones_like(level, dtype=torch.bool)
    new_run[1:] = (score[1:] != score[:-1]) | (by_group.index[1:] != by_group.index[:-1])
    runs = Groups(new_run.cumsum(0) - 1, int(new_run.sum()))  # rollouts of one group with one score
    group_of_run = by_group.index[new_run]
    wins = pairs = score.new_zeros(groups.number)
    for right in range(1, int(level.max()) + 1 if len(level) else 0):
        won, met = _wins(level == right, level < right, runs, group_of_run, by_group)
        wins, pairs = wins + won, pairs + met
    return (wins / pairs).where(pairs > 0, torch.nan)


def _wins(
    right: Bool[Tensor, " B"], wrong: Bool[Tensor, " B"], runs: Groups, group_of_run: Tensor, by_group: Groups
) -> tuple[Float[Tensor, " S"], Float[Tensor, " S"]]:
    """Pairs of a right and a wrong rollout that the score ranks rightly, and all such pairs, in each group.

    All groups in one go: each right rollout counts the wrong ones of its group in lower runs, and half of its own run.
    """
    wrong_in_run, right_in_run = runs.count(wrong), runs.count(right)
    all_wrong, all_right = by_group.count(wrong), by_group.count(right)
    below = wrong_in_run.cumsum(0) - wrong_in_run - (all_wrong.cumsum(0) - all_wrong)[group_of_run]
    won = all_wrong.new_zeros(by_group.number).index_add_(0, group_of_run, right_in_run * (below + 0.5 * wrong_in_run))
    return won, all_wrong * all_right
