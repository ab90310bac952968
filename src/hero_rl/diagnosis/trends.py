"""What changes with the step, and what the score owes to the length of the completion."""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from hero_rl.diagnosis.intervals import bootstrap_interval
from hero_rl.diagnosis.log import RolloutLog
from hero_rl.diagnosis.numbers import Drift, LengthBias, StepNumbers
from hero_rl.diagnosis.table import GroupTable
from hero_rl.rules import Groups, Strata

__all__ = ["by_step", "drift", "length_bias", "spearman"]

_LEAST_STEPS = 6  # for a first and a last third that have a spread
_LEAST_STRATUM = 3  # two scores have no rank correlation but 1 and -1


def by_step(log: RolloutLog, table: GroupTable) -> list[StepNumbers]:
    """Means of each step, in order; empty for files without steps or with one."""
    if None in log.steps or len(set(log.steps)) < 2:
        return []
    rows: dict[int, list[Tensor]] = {}
    for step, part in zip(log.steps, log.slices(), strict=True):
        assert step is not None
        rows.setdefault(step, []).append(torch.arange(part.start, part.stop))
    return [_one_step(step, torch.cat(parts), log, table) for step, parts in sorted(rows.items())]


def _one_step(step: int, rows: Tensor, log: RolloutLog, table: GroupTable) -> StepNumbers:
    groups = table.groups.index[rows].unique()
    judged = table.kinds.judged[groups]
    return StepNumbers(
        step=step,
        rows=len(rows),
        verdict=log.verdict[rows].nanmean().item(),
        score=log.score[rows].nanmean().item(),
        mixed=(table.kinds.mixed[groups].sum() / judged.sum()).item(),
        auroc=table.auroc[groups].nanmean().item(),
        verdict_by_domain=_by_domain(log, log.verdict, rows),
        score_by_domain=_by_domain(log, log.score, rows),
    )


def _by_domain(log: RolloutLog, values: Float[Tensor, " B"], rows: Tensor) -> dict[str, float | None]:
    """The mean of a step's values in each domain that has any."""
    if log.domain is None:
        return {}
    parts: dict[str, list[int]] = {}
    for row in rows.tolist():
        parts.setdefault(log.domain[row], []).append(row)
    kept = {name: values[part] for name, part in parts.items()}
    return {name: part.nanmean().item() for name, part in kept.items() if not part.isnan().all()}


def drift(steps: list[StepNumbers], sigma: float | None) -> Drift | None:
    """The last third of the steps against the first; None below six steps."""
    if len(steps) < _LEAST_STEPS:
        return None
    third = len(steps) // 3
    score, score_error = _change([s.score for s in steps], third)
    verdict, verdict_error = _change([s.verdict for s in steps], third)
    return Drift(
        steps=len(steps),
        score=score,
        score_error=score_error,
        verdict=verdict,
        verdict_error=verdict_error,
        sigma=sigma,
    )


def _change(values: list[float | None], third: int) -> tuple[float, float]:
    first = np.array([v for v in values[:third] if v is not None])
    last = np.array([v for v in values[-third:] if v is not None])
    if len(first) < 2 or len(last) < 2:
        return math.nan, math.nan
    error = 2 * math.sqrt(first.var(ddof=1) / len(first) + last.var(ddof=1) / len(last))
    return float(last.mean() - first.mean()), error


def length_bias(log: RolloutLog, table: GroupTable) -> LengthBias:
    """Rank correlation of score and length, over all rollouts and within strata, where the verdict explains nothing."""
    present = ~log.verdict.isnan() & ~log.score.isnan()
    strata = Strata.of(log.verdict, table.groups).parts
    kept = present & (strata.spread(strata.count(present)) >= _LEAST_STRATUM)
    inside = Groups(strata.index[kept], strata.number)
    score, length = _places(log.score[kept], inside), _places(log.length[kept], inside)
    group = log.group[kept]
    numbers = Groups.of(group)
    everyone = torch.ones_like(score, dtype=torch.bool)
    x, y = score - 0.5, length - 0.5
    xy, xx, yy = (numbers.sum(product, everyone).numpy() for product in (x * y, x * x, y * y))

    def correlation(drawn: np.ndarray) -> float:
        below = xx[drawn].sum() * yy[drawn].sum()
        return float(xy[drawn].sum() / math.sqrt(below)) if below > 0 else math.nan

    value = correlation(np.arange(numbers.number))
    return LengthBias(
        pooled=spearman(log.score[present], log.length[present]),
        within=bootstrap_interval(value, numbers.number, correlation),
        rollouts=int(kept.sum()),
        by_length=_by_length(score, length),
    )


def _places(values: Float[Tensor, " n"], groups: Groups) -> Float[Tensor, " n"]:
    """Mid-rank of each value in its group, from 0 to 1; all alike are 1/2."""
    order = values.argsort(stable=True)
    order = order[groups.index[order].argsort(stable=True)]
    index, ordered = groups.index[order], values[order]
    new_run = torch.ones_like(index, dtype=torch.bool)
    new_run[1:] = (ordered[1:] != ordered[:-1]) | (index[1:] != index[:-1])
    runs = Groups(new_run.cumsum(0) - 1, int(new_run.sum()))
    everyone = torch.ones_like(new_run)
    position = torch.arange(len(values), dtype=torch.float64)
    count = groups.count(everyone)
    first = (count.cumsum(0) - count)[index]
    rank = runs.spread(runs.mean(position, everyone)) - first
    place = torch.empty_like(rank)
    place[order] = rank / (count[index] - 1).clamp(min=1)
    return place


def _by_length(score: Float[Tensor, " n"], length: Float[Tensor, " n"]) -> list[float | None]:
    fifth = (length * 5).long().clamp(max=4)
    return [score[fifth == n].mean().item() if (fifth == n).any() else None for n in range(5)]


def spearman(one: Float[Tensor, " n"], other: Float[Tensor, " n"]) -> float:
    """Spearman's rank correlation; NaN where one of the two does not vary."""
    if len(one) < 3 or (one == one[0]).all() or (other == other[0]).all():
        return math.nan
    from scipy.stats import spearmanr

    return float(spearmanr(one.numpy(), other.numpy())[0])  # pyright: ignore[reportArgumentType]
