"""What the groups are made of: too few, too small, too easy, too hard."""

from __future__ import annotations

from hero_rl.diagnosis.findings.limits import LIMITS
from hero_rl.diagnosis.numbers import Diagnosis, Finding
from hero_rl.diagnosis.wording import percent

__all__ = ["few_groups", "lonely_groups", "too_easy", "too_hard"]


def lonely_groups(d: Diagnosis) -> Finding | None:
    """Most groups have one rollout: nothing is relative to anything."""
    if d.source.group_size[1] >= 2:
        return None
    return Finding(
        name="lonely_groups",
        level="act",
        title="Most groups have a single rollout",
        evidence=f"{d.groups.total:,} groups hold {d.source.rows:,} rollouts; the median is "
        f"{d.source.group_size[1]:g}.",
        advice="Group-relative training needs several rollouts of a prompt. If there are, name their column with "
        "--group_column; else generate more.",
        settings={"trl.num_generations": 8},
        section="groups",
    )


def few_groups(d: Diagnosis) -> Finding | None:
    """So few groups that no share of them means much: said before anything that rests on them."""
    judged = d.judged_groups
    if judged >= LIMITS["few_groups"]:
        return None
    return Finding(
        name="few_groups",
        level="act",
        title=f"Too few groups to know: {judged:,}",
        evidence=f"Shares and means of fewer than {LIMITS['few_groups']:g} judged groups move by chance, so that all "
        "that follows is a hint.",
        advice="Read more rollouts: several steps, or a folder of them.",
        section="groups",
    )


def too_easy(d: Diagnosis) -> Finding | None:
    """Most prompts are always solved: there is little left to learn from them."""
    return _one_kind(d, d.groups.all_correct, "correct", "too_easy", "easy", "harder")


def too_hard(d: Diagnosis) -> Finding | None:
    """Most prompts are never solved."""
    return _one_kind(d, d.groups.all_incorrect, "incorrect", "too_hard", "hard", "easier")


def _one_kind(d: Diagnosis, count: int, kind: str, name: str, what: str, wanted: str) -> Finding | None:
    judged = d.judged_groups
    if not judged or count / judged < LIMITS["one_kind"]:
        return None
    return Finding(
        name=name,
        level="act",
        title=f"The prompts are too {what} for this policy: {percent(count / judged)} of the groups are all {kind}",
        evidence=f"Of {judged:,} groups {count:,} are all {kind} and {d.groups.mixed:,} mixed. No rule makes as "
        "much of them as other prompts would.",
        advice=f"Change the prompts: take {wanted} ones, with some right and some wrong answers each. If that is "
        "surprising, look at the references and the verifier first.",
        section="groups",
    )
