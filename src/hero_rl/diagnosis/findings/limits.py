"""Where a finding begins to speak."""

from __future__ import annotations

__all__ = ["LIMITS"]

LIMITS = {
    "few_groups": 30,  # judged groups
    "one_kind": 0.6,  # share of judged groups
    "starved": 0.2,  # share of judged groups
    "uniform_mass": 0.5,  # share of |advantage|
    "scale_gain": 0.1,  # difference of such shares
    "some_scores": 8,  # rollouts with a score
    "weak_auroc": 0.6,
    "good_auroc": 0.8,  # lower end of the interval
    "some_auroc": 0.7,
    "under_half": 0.25,  # share of mixed groups
    "mixed_groups": 30,
    "wrong_verdicts": 0.02,  # share of rollouts with label and verdict
    "overlap": 0.1,  # share of the rollouts of one verdict
    "overlap_rollouts": 20,
    "saturated": 0.5,  # share of groups
    "flat": 0.05,  # of the range from w_min to w_max, between the 10th and the 90th percentile
    "singletons": 0.25,  # share of strata of mixed groups
    "tied": 0.1,  # share of scored rollouts, less those that repeat a text
    "repeated": 0.3,  # share of rollouts
    "length": 0.3,  # rank correlation
    "lost": 0.01,  # share of rollouts
    "lost_badly": 0.1,
    "drift": 0.5,  # standard deviations within a group
    "fall": 0.05,  # share of correct rollouts
}
"""Name -> limit; docs/guides/diagnose.md has them in words."""
