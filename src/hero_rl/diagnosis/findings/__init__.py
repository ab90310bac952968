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
    score_is_verdict,
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

# Within a level: the obvious, and what is not to be known, before any judgement that rests on it.
_FIRST = ("lonely_groups", "few_groups", "score_is_verdict", "too_easy", "too_hard", "few_mixed")
_LEVELS = ("act", "look", "good")
_CERTAIN = ("few_groups", "lonely_groups", "no_scores", "score_is_verdict")  # facts, however few groups there are
# What says nothing, or something wrong, where another finding speaks.
_SILENCED = {
    "lonely_groups": (
        "too_easy",
        "too_hard",
        "starved_groups",
        "not_rescued",
        "reward_model_dominates",
        "scale_unbounds",
        "few_mixed",
        "lone_strata",
    ),
    "score_is_verdict": (
        "reward_model_dominates",
        "misranks",
        "misranks_in_a_domain",
        "misranks_starved",
        "ranks_doubtfully",
        "ranks_well",
        "rising_score",
        "not_rescued",
        "scale_unbounds",
        "suspected_false_negatives",
        "suspected_false_positives",
        "saturated_weight",
        "flat_weight",
        "squashed_scores",
        "length_bias",
        "lone_strata",
        "tied_scores",
        "few_mixed",
    ),
}
_RULES = ("hero", "gated_hero", "audited_hero")  # that are suggested, the most careful one last

CHECKS: tuple[Callable[[Diagnosis], Finding | None], ...] = (
    few_groups,
    lonely_groups,
    too_easy,
    too_hard,
    no_scores,
    score_is_verdict,
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
    found = {finding.name: finding for check in CHECKS if (finding := check(diagnosis)) is not None}
    silenced = {name for loud in found for name in _SILENCED.get(loud, ())}
    told = [_changing(finding, diagnosis) for name, finding in found.items() if name not in silenced]
    if all(finding.level == "good" for finding in told):
        told.append(_nothing())
    if "few_groups" in found:  # what rests on a handful of groups is no reason to change anything
        told = [finding if finding.name in _CERTAIN else _doubted(finding) for finding in told]
    return sorted(told, key=_place)


def _place(finding: Finding) -> tuple[int, int]:
    first = _FIRST.index(finding.name) if finding.name in _FIRST else len(_FIRST)
    return _LEVELS.index(finding.level), first


def _changing(finding: Finding, diagnosis: Diagnosis) -> Finding:
    """Without the settings that the base rule has already; its type is only what the file was replayed under."""
    base = {f"rule.{name}": value for name, value in diagnosis.rule.model_dump(exclude={"type"}).items()}
    settings = {name: value for name, value in finding.settings.items() if name not in base or base[name] != value}
    return finding.model_copy(update={"settings": settings})


def _doubted(finding: Finding) -> Finding:
    return finding.model_copy(update={"level": "look"}) if finding.level == "act" else finding


def suggested(diagnosis: Diagnosis) -> dict[str, Any]:
    """All suggested settings together, as blocks of `hero train`; a rule keeps what the base rule has set.

    Of several rules the most careful one stands; of two verifiers, and of two values of another setting, the first.
    """
    asked: dict[str, Any] = {}
    for finding in diagnosis.findings:
        # Parts of two verifiers make none.
        has_verifier = "verifier.type" in asked
        asked |= {
            name: value
            for name, value in finding.settings.items()
            if name not in asked and not (has_verifier and name.startswith("verifier."))
        }
    blocks = blocks_of(asked)
    if "rule" in blocks:
        named = [finding.settings.get("rule.type", diagnosis.rule.type) for finding in diagnosis.findings]
        base = diagnosis.rule.model_dump(exclude={"type"}, exclude_defaults=True)
        blocks["rule"] = {"type": "", **base, **blocks["rule"]} | {"type": max(named, key=_RULES.index)}
    return blocks


def _nothing() -> Finding:
    return Finding(
        name="nothing",
        level="good",
        title="Nothing here asks for a change",
        evidence="No check reached its limit.",
        section="groups",
    )
