"""What known correctness says of verifier and reward model, where a file has labels beside its verdicts."""

from __future__ import annotations

from hero_rl.diagnosis.intervals import interval_of_mean
from hero_rl.diagnosis.log import RolloutLog
from hero_rl.diagnosis.numbers import LabelCheck
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
    auroc = group_auroc(log.score, log.label, table.groups)
    known = ~auroc.isnan()
    return LabelCheck(
        right=int((judged & right).sum()),
        wrong=int((judged & ~right).sum()),
        missed=int((judged & right & (log.verdict == 0)).sum()),
        accepted=int((judged & ~right & (log.verdict == 1)).sum()),
        auroc=interval_of_mean(auroc[known]),
        auroc_starved=interval_of_mean(auroc[table.kinds.uniform & known]),
        starved=int((table.kinds.uniform & known).sum()),
    )
