"""Histograms, and percentile bootstrap intervals over groups, which are what is drawn independently in a batch."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from hero_rl.diagnosis.numbers import Bin, Histogram, Interval

__all__ = ["LEAST_GROUPS", "bootstrap_interval", "histogram", "interval_of_mean"]

LEAST_GROUPS = 5
"""Groups below which no interval is given: resampling so few says nothing about others."""

_DRAWN_AT_A_TIME = 1_000_000  # group numbers in memory
_SEED = 0  # one file, one report


def bootstrap_interval(
    value: float, groups: int, statistic: Callable[[Int[np.ndarray, " S"]], float], rows: int = 0
) -> Interval:
    """A 95% percentile interval (Efron, 1979) by resampling groups with replacement.

    Args:
        value: the estimate.
        groups: S, the number of groups to draw from.
        statistic: the estimate from S drawn group numbers; NaN where they define none.
        rows: rollouts that the statistic passes over, to spend less on large files.
    """
    if groups < LEAST_GROUPS or math.isnan(value):
        return Interval(value=value)
    from scipy.stats import DegenerateDataWarning, bootstrap

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateDataWarning)  # draws that define nothing are left out below
        drawn = bootstrap(
            (np.arange(groups),),
            statistic,
            vectorized=False,
            batch=max(1, _DRAWN_AT_A_TIME // groups),
            n_resamples=1000 if rows <= 50_000 else 200,
            method="percentile",
            rng=np.random.default_rng(_SEED),
        ).bootstrap_distribution
    drawn = drawn[~np.isnan(drawn)]
    low, high = np.quantile(drawn, [0.025, 0.975]) if len(drawn) else (math.nan, math.nan)
    return Interval(value=value, low=float(low), high=float(high))


def interval_of_mean(values: Float[Tensor, " S"]) -> Interval:
    """Mean of one value a group, with its interval."""
    each = values.numpy()
    return bootstrap_interval(values.mean().item(), len(each), lambda drawn: float(each[drawn].mean()))


def histogram(values: Float[Tensor, " n"], low: float, high: float, bins: int) -> Histogram:
    """How many values lie in each of so many bins of one width; the last one has its upper end too."""
    heights, edges = np.histogram(values.numpy(), bins=bins, range=(low, high))
    return [Bin(low=float(edges[n]), high=float(edges[n + 1]), count=int(height)) for n, height in enumerate(heights)]
