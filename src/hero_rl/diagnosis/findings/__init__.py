"""What the numbers of a diagnosis say in plain words: one pure function a finding, each silent where it has no reason.

    for finding in findings(diagnosis):
        print(finding.level, finding.title)

The limits are rules of thumb, set where a reader would want to know, and stand in one table in `limits` and in
docs/guides/diagnose.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hero_rl.diagnosis.findings.course import falling_verdict, rising_score
from hero_rl.diagnosis.findings.groups import few_groups, lonely_groups, too_easy, too_hard
from hero_rl.diagnosis.findings.limits import LIMITS
from hero_rl.diagnosis.findings.mass import not_rescued, reward_model_dominates, scale_unbounds, starved_groups
from hero_rl.diagnosis.findings.ranking import (
    few_mixed,
    length_bias,
    misranks,
    misranks_in_a_domain,
    misranks_starved,
    no_scores,
    ranks_doubtfully,
    ranks_well,
)
from hero_rl.diagnosis.findings.shaping import (
    flat_weight,
    lone_strata,
    repeated_completions,
    saturated_weight,
    squashed_scores,
    tied_scores,
)
from hero_rl.diagnosis.findings.verdicts import (
    abstentions,
    missing_scores,
    suspected_false_negatives,
    suspected_false_positives,
    without_verifier,
    wrong_verdicts,
)
from hero_rl.diagnosis.numbers import Diagnosis, Finding
from hero_rl.diagnosis.trainers import blocks_of

__all__ = ["CHECKS", "LIMITS", "findings", "suggested"]

# The obvious, and what is not to be known, before any judgement that rests on it.
_FIRST = {"few_groups": 0, "too_easy": 1, "too_hard": 1, "few_mixed": 2}
_LEVELS = ("act", "look", "good")
_CERTAIN = ("few_groups", "lonely_groups", "no_scores")  # facts, however few groups there are

CHECKS: tuple[Callable[[Diagnosis], Finding | None], ...] = (
    few_groups,
    lonely_groups,
    too_easy,
    too_hard,
    no_scores,
    reward_model_dominates,
    misranks,
    misranks_in_a_domain,
    misranks_starved,
    ranks_doubtfully,
    rising_score,
    falling_verdict,
    wrong_verdicts,
    starved_groups,
    not_rescued,
    scale_unbounds,
    suspected_false_negatives,
    suspected_false_positives,
    saturated_weight,
    flat_weight,
    squashed_scores,
    length_bias,
    lone_strata,
    tied_scores,
    repeated_completions,
    abstentions,
    without_verifier,
    missing_scores,
    few_mixed,
    ranks_well,
)
"""Every check, in the order in which findings of one level are told."""


def findings(diagnosis: Diagnosis) -> list[Finding]:
    """All that is to be said, what asks for a change first."""
    found = [finding for check in CHECKS if (finding := check(diagnosis)) is not None]
    if all(finding.level == "good" for finding in found):
        found.append(_nothing())
    if found[0].name == "few_groups":  # what rests on a handful of groups is no reason to change anything
        found = [finding if finding.name in _CERTAIN else _doubted(finding) for finding in found]
    return sorted(found, key=lambda finding: (_FIRST.get(finding.name, 3), _LEVELS.index(finding.level)))


def _doubted(finding: Finding) -> Finding:
    return finding.model_copy(update={"level": "look"}) if finding.level == "act" else finding


def suggested(diagnosis: Diagnosis) -> dict[str, Any]:
    """The base rule and every suggested setting as blocks of `hero train`; of two suggestions the first one stands."""
    first: dict[str, Any] = {}
    for finding in diagnosis.findings:
        first = {**finding.settings, **first}
    rule = diagnosis.rule
    other = first.get("rule.type", rule.type) != rule.type  # has defaults of its own
    return blocks_of({f"rule.{name}": value for name, value in rule.model_dump(exclude_defaults=other).items()} | first)


def _nothing() -> Finding:
    return Finding(
        name="nothing",
        level="good",
        title="Nothing here asks for a change",
        evidence="No check reached its limit.",
        section="groups",
    )
