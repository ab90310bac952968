"""Verdicts that are wrong, doubtful or missing, and scores that are missing."""

from __future__ import annotations

from hero_rl.diagnosis.findings.limits import LIMITS
from hero_rl.diagnosis.findings.suggestions import CASCADE, GATED
from hero_rl.diagnosis.numbers import Diagnosis, Finding
from hero_rl.diagnosis.wording import of, percent

__all__ = [
    "abstentions",
    "missing_scores",
    "suspected_false_negatives",
    "suspected_false_positives",
    "without_verifier",
    "wrong_verdicts",
]


def wrong_verdicts(d: Diagnosis) -> Finding | None:
    """The verifier contradicts the labels more than now and then."""
    c = d.labels
    if c is None or c.missed + c.accepted <= LIMITS["wrong_verdicts"] * (c.right + c.wrong):
        return None
    return Finding(
        name="wrong_verdicts",
        level="act",
        title=f"The verifier contradicts the labels on {c.missed + c.accepted:,} rollouts",
        evidence=f"It rejects {of(c.missed, c.right)} of the right ones and accepts {of(c.accepted, c.wrong)} of the "
        "wrong ones.",
        advice="Read the telling rollouts. A verifier that knows more spellings, or a judge behind it, misses fewer."
        if c.missed >= c.accepted
        else "Read the telling rollouts. A stricter verifier accepts fewer.",
        settings=CASCADE if c.missed >= c.accepted else {"verifier.type": "math"},
        section="verifier",
    )


def _suspicious(d: Diagnosis, overlapping: int, rollouts: int) -> bool:
    """Whether a reward model that ranks contradicts the verifier on a share worth a look; labels would know better."""
    mean = d.ranking.mean.value
    ranks = mean is None or mean >= LIMITS["some_auroc"]
    enough = rollouts >= LIMITS["overlap_rollouts"] and overlapping / rollouts > LIMITS["overlap"]
    return d.labels is None and ranks and enough


def suspected_false_negatives(d: Diagnosis) -> Finding | None:
    """Many incorrect rollouts score like correct ones: does the verifier miss spellings?"""
    o = d.overlap
    if not _suspicious(d, o.incorrect_above, o.incorrect):
        return None
    return Finding(
        name="suspected_false_negatives",
        level="look",
        title="The verifier may miss correct answers",
        evidence=f"{of(o.incorrect_above, o.incorrect)} incorrect rollouts score above the median correct one.",
        advice="Read the telling rollouts; if they are right, let a judge see what the rule rejects.",
        settings=CASCADE,
        section="telling",
    )


def suspected_false_positives(d: Diagnosis) -> Finding | None:
    """Many correct rollouts score like incorrect ones: does the verifier accept too much?"""
    o = d.overlap
    if not _suspicious(d, o.correct_below, o.correct):
        return None
    return Finding(
        name="suspected_false_positives",
        level="look",
        title="The verifier may accept what is wrong, or a guess",
        evidence=f"{of(o.correct_below, o.correct)} correct rollouts score below the median incorrect one.",
        advice="Read the telling rollouts: a right answer by bad reasoning, or a verifier that is too lenient?",
        settings={"verifier.type": "math"},
        section="telling",
    )


def abstentions(d: Diagnosis) -> Finding | None:
    """The verifier had no opinion on a noticeable share."""
    lost = d.source.abstained
    if lost / d.source.rows <= LIMITS["lost"]:
        return None
    reasons = {r.reason: r.count for r in d.reasons if r.verdict is None and r.reason != "no_verifier"}
    named = ", ".join(f"{reason.replace('_', ' ')} {count:,}" for reason, count in list(reasons.items())[:4])
    most = max(reasons, key=lambda reason: reasons[reason]) if reasons else ""
    settings = {
        "timed_out": {"verifier_processes.seconds": 5.0},
        "crashed": {"verifier_processes.memory_mb": 4096},
    }.get(most, {})
    return Finding(
        name="abstentions",
        level="act" if lost / d.source.rows > LIMITS["lost_badly"] else "look",
        title=f"{percent(lost / d.source.rows)} of the rollouts have no verdict",
        evidence=f"{of(lost, d.source.rows)} rollouts are lost to training" + (f": {named}." if named else "."),
        advice="Give the verifier more time or memory." if settings else "Look at the references and the verifier.",
        settings=settings,
        section="verifier",
    )


def without_verifier(d: Diagnosis) -> Finding | None:
    """No verifier applies to a noticeable share, and the rule leaves them out."""
    lost = d.source.unverified
    if d.rule.without_reference == "rank" or lost / d.source.rows <= LIMITS["lost"]:
        return None
    return Finding(
        name="without_verifier",
        level="look",
        title=f"No verifier applies to {percent(lost / d.source.rows)} of the rollouts",
        evidence=f"{of(lost, d.source.rows)} rollouts have no reference, or are of a domain without a verifier; they "
        "teach nothing.",
        advice="The reward model can rank them, within alpha times its trust in gated HERO.",
        settings=GATED | {"rule.without_reference": "rank"},
        section="verifier",
    )


def missing_scores(d: Diagnosis) -> Finding | None:
    """The reward model gave no score for a noticeable share."""
    lost = d.source.missing_scores
    if not d.has_scores or lost / d.source.rows <= LIMITS["lost"]:
        return None
    return Finding(
        name="missing_scores",
        level="act" if lost / d.source.rows > LIMITS["lost_badly"] else "look",
        title=f"{percent(lost / d.source.rows)} of the rollouts have no score",
        evidence=f"{of(lost, d.source.rows)} rollouts sit in the middle of their band.",
        advice="Check the reward model's endpoint or its limit on tokens; retries cost less than a blind gradient.",
        settings={},
        section="verifier",
    )
