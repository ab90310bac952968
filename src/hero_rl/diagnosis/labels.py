"""What known correctness says of verifier and reward model, where a file has labels beside its verdicts."""

from __future__ import annotations

import torch
from jaxtyping import Bool
from torch import Tensor

from hero_rl.diagnosis.intervals import bootstrap_interval
from hero_rl.diagnosis.log import RolloutLog
from hero_rl.diagnosis.numbers import Interval, LabelCheck
from hero_rl.diagnosis.table import GroupTable
from hero_rl.rules import group_auroc

__all__ = ["label_check"]


def label_check(log: RolloutLog, table: GroupTable) -> LabelCheck | None:
    """Verdicts and scores against the labels; None without labels.

    In groups that the verifier calls uniform and the labels do not, the AUROC against the labels says what the one
    against the verdicts cannot: how well the reward model ranks where HERO relies on it alone.
    """
    if bool(log.label.isnan().all()):
        return None
    judged = ~log.label.isnan() & ~log.verdict.isnan()
    right = log.label == 1
    each = group_auroc(log.score, log.label, table.groups)
    return LabelCheck(
        right=int((judged & right).sum()),
        wrong=int((judged & ~right).sum()),
        missed=int((judged & right & (log.verdict == 0)).sum()),
        accepted=int((judged & ~right & (log.verdict == 1)).sum()),
        auroc=_mean(each, torch.ones_like(table.kinds.mixed)),
        auroc_starved=_mean(each, table.kinds.uniform),
        starved=int((table.kinds.uniform & ~each.isnan()).sum()),
    )


def _mean(auroc: Tensor, where: Bool[Tensor, " S"]) -> Interval:
    values = auroc[where & ~auroc.isnan()]
    each = values.numpy()
    return bootstrap_interval(values.mean().item(), len(values), lambda drawn: float(each[drawn].mean()))
