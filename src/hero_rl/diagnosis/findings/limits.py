"""Where a finding begins to speak, the settings that several suggest, and what several ask of a diagnosis."""

from __future__ import annotations

from typing import Any

from hero_rl.diagnosis.numbers import Diagnosis

__all__ = ["AUDITED", "CASCADE", "GATED", "LIMITS", "base_rule", "has_scores", "judged_groups", "narrower"]

LIMITS = {
    "few_groups": 30,  # judged groups
    "one_kind": 0.6,  # share of judged groups
    "starved": 0.2,  # share of judged groups
    "uniform_mass": 0.5,  # share of |advantage|
    "scale_gain": 0.1,  # difference of such shares
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
"""Where a finding begins to speak."""

CASCADE = {
    "verifier.type": "cascade",
    "verifier.rule": {"type": "math"},
    "verifier.judge": {"type": "judge", "url": "http://localhost:8000"},
}
AUDITED = {
    "rule.type": "audited_hero",
    "auditor.type": "judge",
    "auditor.url": "http://localhost:8000",
}
GATED = {"rule.type": "gated_hero"}
_NARROW = 0.05  # the paper's narrower alpha and beta; the study's cells below it lose HERO's gain


def judged_groups(d: Diagnosis) -> int:
    """Groups that have a verdict."""
    return d.groups.total - d.groups.unjudged


def has_scores(d: Diagnosis) -> bool:
    """Whether any rollout has a score."""
    return d.source.missing_scores < d.source.rows


def narrower(d: Diagnosis) -> dict[str, Any]:
    """The bands that can be narrowed, as settings."""
    bands = {"rule.alpha": d.rule.alpha, "rule.beta": d.rule.beta}
    return {name: _NARROW for name, value in bands.items() if value > _NARROW}


def base_rule(d: Diagnosis) -> str:
    """The rule that is replayed, in words."""
    return f"HERO with alpha {d.rule.alpha:g}, beta {d.rule.beta:g}, scale {d.rule.scale}"
