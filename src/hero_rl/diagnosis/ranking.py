"""How the reward model orders rollouts against the verifier: AUROC per mixed group and over the whole file."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from hero_rl.diagnosis.intervals import bootstrap_interval, histogram, interval_of_mean
from hero_rl.diagnosis.log import RolloutLog
from hero_rl.diagnosis.numbers import Interval, Overlap, Ranking
from hero_rl.diagnosis.replay import gated, replay
from hero_rl.diagnosis.table import GroupTable
from hero_rl.rules import Hero

__all__ = ["overlap", "ranking", "weighted_auroc"]


def ranking(log: RolloutLog, table: GroupTable, rule: Hero) -> Ranking:
    """AUROC in each mixed group, and pooled; intervals over groups. And the trust that gated HERO would draw from it.

    The pooled one also counts that the reward model tells easy prompts from hard ones, which no group-relative
    advantage uses; the mean over groups is the one that matters to training.
    """
    values = table.auroc[~table.auroc.isnan()]
    return Ranking(
        groups=len(values),
        mean=interval_of_mean(values),
        median=values.quantile(0.5).item() if len(values) else None,
        under_half=(values < 0.5).double().mean().item(),
        pooled=_pooled(log),
        histogram=histogram(values, 0.0, 1.0, 10),
        trust=replay(log, gated(rule)).state.trust,
    )


def _pooled(log: RolloutLog) -> Interval:
    present = ~log.verdict.isnan() & ~log.score.isnan()
    score, right = log.score[present].numpy(), log.verdict[present].numpy() == 1
    groups, group = np.unique(log.group[present].numpy(), return_inverse=True)
    place = np.unique(score, return_inverse=True)[1]

    def of_drawn(drawn: Int[np.ndarray, " S"]) -> float:
        return weighted_auroc(place, right, np.bincount(drawn, minlength=len(groups))[group].astype(float))

    value = weighted_auroc(place, right, np.ones(len(score)))
    return bootstrap_interval(value, len(groups), of_drawn, rows=len(score))


def weighted_auroc(
    place: Int[np.ndarray, " B"], right: Bool[np.ndarray, " B"], weight: Float[np.ndarray, " B"]
) -> float:
    """AUROC of weighted rollouts, ties counted half (the Mann-Whitney statistic); NaN without both verdicts.

    Args:
        place: place of the score among the distinct scores, ascending from 0.
        right: the verdicts.
        weight: how often each rollout counts.
    """
    rights = np.bincount(place[right], weights=weight[right], minlength=place.max(initial=0) + 1)
    wrongs = np.bincount(place[~right], weights=weight[~right], minlength=place.max(initial=0) + 1)
    pairs = rights.sum() * wrongs.sum()
    wins = (rights * (wrongs.cumsum() - 0.5 * wrongs)).sum()
    return float(wins / pairs) if pairs else float("nan")


def overlap(log: RolloutLog) -> Overlap:
    """Rollouts beyond the other verdict's median score; none where the other verdict has no scores."""
    present = ~log.score.isnan()
    right, wrong = log.score[present & (log.verdict == 1)], log.score[present & (log.verdict == 0)]
    if not len(right) or not len(wrong):
        return Overlap(incorrect=len(wrong), incorrect_above=0, correct=len(right), correct_below=0)
    return Overlap(
        incorrect=len(wrong),
        incorrect_above=int((wrong > _median(right)).sum()),
        correct=len(right),
        correct_below=int((right < _median(wrong)).sum()),
    )


def _median(values: torch.Tensor) -> float:
    return float(np.median(values.numpy()))
