"""How HERO's bands are filled, and how far its weight is saturated."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hero_rl.diagnosis.intervals import histogram
from hero_rl.diagnosis.log import RolloutLog
from hero_rl.diagnosis.numbers import Bands, Saturation
from hero_rl.diagnosis.replay import Replay, replay
from hero_rl.diagnosis.table import GroupTable
from hero_rl.rules import Hero, Strata
from hero_rl.rules.banded import places

__all__ = ["bands", "saturated", "saturation"]

_NEAR = 0.05  # of the range from w_min to w_max


def bands(log: RolloutLog, table: GroupTable, rule: Hero) -> Bands:
    """Strata, singletons, ties and places in the bands under a rule."""
    groups = table.groups
    present = ~log.verdict.isnan() & ~log.score.isnan()
    parts = Strata.of(log.verdict, groups)
    strata = parts.parts
    count = strata.count(present)
    flat = (count >= 2) & (strata.max(log.score, present) == strata.min(log.score, present))
    in_mixed = table.kinds.mixed[parts.group] & (count > 0)
    z = places(log.signals, parts, rule.singleton, rule.eps)
    return Bands(
        strata=int((count > 0).sum()),
        singletons=int((count == 1).sum()),
        mixed_strata=int(in_mixed.sum()),
        mixed_singletons=int((in_mixed & (count == 1)).sum()),
        flat=int(flat.sum()),
        tied=_tied(strata.index[present], log.score[present]),
        at_floor=(z[present] < 1e-9).double().mean().item(),
        places={
            "correct": histogram(z[present & (log.verdict == 1)], 0.0, 1.0, 10),
            "incorrect": histogram(z[present & (log.verdict == 0)], 0.0, 1.0, 10),
        },
    )


def _tied(stratum: Tensor, score: Tensor) -> float:
    """Share of rollouts whose score another of their stratum has; NaN without rollouts."""
    if not len(score):
        return float("nan")
    pairs = np.stack([stratum.numpy().astype(np.float64), score.numpy()], axis=1)
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    as_next = np.append((pairs[1:] == pairs[:-1]).all(axis=1), False)
    return float((as_next | np.roll(as_next, 1)).mean())


def saturation(log: RolloutLog, table: GroupTable, rule: Hero, sigma: Literal["raw", "relative"]) -> Saturation:
    """The weights that a rule gives the groups under one reading of sigma."""
    played = replay(log, rule.model_copy(update={"sigma": sigma}))
    known = table.scored >= 2
    weight = group_values(played.weight, table)[known]
    low, high = _near_ends(weight, rule)
    p10, median, p90 = (
        weight.quantile(torch.tensor([0.1, 0.5, 0.9], dtype=weight.dtype)).tolist()
        if len(weight)
        else (None, None, None)
    )
    return Saturation(
        groups=int(known.sum()),
        at_min=low.double().mean().item(),
        at_max=high.double().mean().item(),
        p10=p10,
        median=median,
        p90=p90,
        sigma_mean=table.sigma[known].mean().item(),
        sigma_bar=played.state.sigma_bar,
        histogram=histogram(weight, rule.w_min, rule.w_max, 13) if rule.w_max > rule.w_min else [],
    )


def saturated(played: Replay, table: GroupTable, rule: Hero) -> float:
    """Share of the groups with at least two scores whose weight is near an end of its range."""
    weight = group_values(played.weight, table)[table.scored >= 2]
    low, high = _near_ends(weight, rule)
    return (low | high).double().mean().item()


def _near_ends(weight: Float[Tensor, " S"], rule: Hero) -> tuple[Bool[Tensor, " S"], Bool[Tensor, " S"]]:
    near = _NEAR * (rule.w_max - rule.w_min)
    return weight <= rule.w_min + near, weight >= rule.w_max - near


def group_values(values: Float[Tensor, " B"], table: GroupTable) -> Float[Tensor, " S"]:
    """One value a group, of a column that is the same for all rollouts of a group."""
    groups = table.groups
    return values.new_zeros(groups.number).index_copy_(0, groups.index, values)
