"""What changes from the first steps to the last."""

from __future__ import annotations

from hero_rl.diagnosis.findings.limits import LIMITS
from hero_rl.diagnosis.findings.suggestions import narrower
from hero_rl.diagnosis.numbers import Diagnosis, Finding
from hero_rl.diagnosis.wording import change, number

__all__ = ["falling_verdict", "rising_score"]


def rising_score(d: Diagnosis) -> Finding | None:
    """The score rises with the steps and the verdict does not: reward hacking looks like this."""
    t = d.drift
    if t is None or None in (t.score, t.score_error, t.verdict, t.verdict_error) or not t.sigma:
        return None
    assert t.score is not None and t.score_error is not None and t.verdict is not None and t.verdict_error is not None
    if t.score <= t.score_error or t.score < LIMITS["drift"] * t.sigma or t.verdict > t.verdict_error:
        return None
    return Finding(
        name="rising_score",
        level="act",
        title="The score rises and correctness does not",
        evidence=f"From the first to the last third of {t.steps:,} steps the mean score moves by "
        f"{change(t.score, t.score_error)} (a group's scores spread by {number(t.sigma)}), the share of correct "
        f"rollouts by {change(t.verdict, t.verdict_error, points=True)}.",
        advice="Narrow the bands, and read late rollouts of high score.",
        settings=narrower(d),
        section="steps",
    )


def falling_verdict(d: Diagnosis) -> Finding | None:
    """The share of correct rollouts falls with the steps."""
    t = d.drift
    if t is None or t.verdict is None or t.verdict_error is None:
        return None
    if t.verdict >= -t.verdict_error or t.verdict > -LIMITS["fall"]:
        return None
    return Finding(
        name="falling_verdict",
        level="look",
        title="The share of correct rollouts falls",
        evidence=f"From the first to the last third of {t.steps:,} steps it moves by "
        f"{change(t.verdict, t.verdict_error, points=True)}.",
        advice="Unless later prompts are harder, the run learns something else than to be right: read late rollouts.",
        section="steps",
    )
