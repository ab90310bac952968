"""How well the reward model ranks right above wrong, and what else it likes."""

from __future__ import annotations

from hero_rl.diagnosis.findings.limits import LIMITS
from hero_rl.diagnosis.findings.suggestions import AUDITED, GATED, narrower
from hero_rl.diagnosis.numbers import Diagnosis, Finding
from hero_rl.diagnosis.wording import number, percent, within

__all__ = [
    "few_mixed",
    "length_bias",
    "misranks",
    "misranks_in_a_domain",
    "misranks_starved",
    "no_scores",
    "ranks_doubtfully",
    "ranks_well",
    "score_is_verdict",
]


def no_scores(d: Diagnosis) -> Finding | None:
    """There is no reward model in the file."""
    if d.has_scores:
        return None
    return Finding(
        name="no_scores",
        level="act",
        title="No rollout has a score",
        evidence=f"All {d.source.rows:,} scores are missing, so that HERO is the verifier alone.",
        advice="Name the column with --score_column, or have the scores made with --reward_model.path.",
        settings={"reward_model.type": "local", "reward_model.path": "nvidia/AceMath-7B-RM"},
        section="ranking",
    )


def score_is_verdict(d: Diagnosis) -> Finding | None:
    """What was read as scores is right or wrong once more: it praises itself, and ranks nothing."""
    s = d.source
    shows = s.score_values > 1 and s.rows - s.missing_scores >= LIMITS["some_scores"]  # one value shows neither
    if not shows or not (s.score_values == 2 or s.score_equals_verdict):
        return None
    same = "equal the verdict of every rollout that has both"
    return Finding(
        name="score_is_verdict",
        level="act",
        title="The score is a verdict, and no reward model's",
        evidence=f"The scores, from {s.scores_from}, "
        f"{same if s.score_equals_verdict else f'are {number(s.score_min)} or {number(s.score_max)}, nothing else'}. "
        "What is said of them shows no reward model.",
        advice="Name the reward model's column with --score_column, or have the scores made with --reward_model.path. "
        "A column of verdicts is for --verdict_column.",
        section="ranking",
    )


def misranks(d: Diagnosis) -> Finding | None:
    """The reward model does not order right and wrong."""
    r = d.ranking
    weak = r.mean.high is not None and r.mean.high < LIMITS["weak_auroc"]
    often = r.groups >= LIMITS["mixed_groups"] and (r.under_half or 0) > LIMITS["under_half"]
    if not weak and not often:
        return None
    return Finding(
        name="misranks",
        level="act",
        title="The reward model often ranks wrong above right",
        evidence=f"AUROC in {r.groups:,} mixed groups: {within(r.mean)}; {percent(r.under_half)} of them lie "
        "under 0.5.",
        advice=f"Take another reward model. Gated HERO would give this one a trust of {r.trust:.2f}; 0 is the verifier "
        "alone.",
        settings=GATED,
        section="ranking",
    )


def misranks_in_a_domain(d: Diagnosis) -> Finding | None:
    """The reward model does not order right and wrong in some domains, whatever it does in the others."""
    weak = [one for one in d.domains if one.auroc.high is not None and one.auroc.high < LIMITS["weak_auroc"]]
    if not weak:
        return None
    said = "; ".join(f"{one.name}: {within(one.auroc)} in {one.mixed:,} mixed groups" for one in weak[:5])
    names = ", ".join(repr(one.name) for one in weak[:5])
    return Finding(
        name="misranks_in_a_domain",
        level="act",
        title=f"The reward model ranks badly in {len(weak):,} of {len(d.domains):,} domains",
        evidence=f"AUROC by domain: {said}.",
        advice=f"Gated HERO that is told of the domains (domain_column) trusts it in the others, and not in {names}.",
        settings=GATED,
        section="ranking",
    )


def misranks_starved(d: Diagnosis) -> Finding | None:
    """The reward model ranks badly where the verifier has nothing to say, which only labels or an auditor show."""
    c = d.labels
    if c is None or c.auroc_starved.high is None or c.auroc_starved.high >= LIMITS["weak_auroc"]:
        return None
    return Finding(
        name="misranks_starved",
        level="act",
        title="The reward model ranks badly where the verifier cannot tell",
        evidence=f"AUROC by label in {c.starved:,} groups that the verifier calls uniform: {within(c.auroc_starved)}; "
        f"by verdict in mixed groups: {within(d.ranking.mean)}.",
        advice="No rule that sees verdicts and scores alone can notice this in a run. Audited HERO asks a judge about "
        "a few answers; without a judge take the verifier alone.",
        settings=AUDITED,
        section="ranking",
    )


def ranks_doubtfully(d: Diagnosis) -> Finding | None:
    """The reward model orders right and wrong better than chance, but not, or not surely, as well as HERO needs."""
    r = d.ranking
    if r.mean.low is None or misranks(d) or ranks_well(d):
        return None
    return Finding(
        name="ranks_doubtfully",
        level="look",
        title="The reward model may rank too weakly for plain HERO",
        evidence=f"AUROC in {r.groups:,} mixed groups: {within(r.mean)}.",
        advice="Gated HERO gives it as much room as its ranking has earned, and takes that back if it is hacked.",
        settings=GATED,
        section="ranking",
    )


def ranks_well(d: Diagnosis) -> Finding | None:
    """The reward model orders right and wrong well, as far as mixed groups tell."""
    r = d.ranking
    if r.mean.low is None or r.mean.low < LIMITS["good_auroc"] or misranks(d) is not None:
        return None
    return Finding(
        name="ranks_well",
        level="good",
        title="The reward model ranks right above wrong",
        evidence=f"AUROC in {r.groups:,} mixed groups: {within(r.mean)}; {percent(r.under_half)} of them lie under "
        "0.5. Of uniform groups this says nothing.",
        section="ranking",
    )


def few_mixed(d: Diagnosis) -> Finding | None:
    """Too few mixed groups to know how well the reward model ranks."""
    r = d.ranking
    if not d.has_scores or r.groups >= LIMITS["mixed_groups"]:
        return None
    said = f"AUROC rests on them alone: {within(r.mean)}." if r.groups else "There is nothing to measure AUROC on."
    return Finding(
        name="few_mixed",
        level="look",
        title=f"Only {r.groups:,} mixed groups show how well the reward model ranks",
        evidence=said,
        advice="Read more rollouts, or prompts that are neither always nor never solved, before trusting it.",
        section="ranking",
    )


def length_bias(d: Diagnosis) -> Finding | None:
    """Among rollouts of one prompt and verdict, the score follows the length."""
    w = d.length.within
    if w.value is None or w.low is None or w.high is None or abs(w.value) < LIMITS["length"] or w.low <= 0 <= w.high:
        return None
    what = "longer" if w.value > 0 else "shorter"
    return Finding(
        name="length_bias",
        level="look",
        title=f"The reward model likes {what} completions",
        evidence=f"Rank correlation of score and length among rollouts of one prompt and verdict: {within(w)}, over "
        f"{d.length.rollouts:,} rollouts.",
        advice="In uniform groups nothing else holds it: narrow the bands, and watch the length of completions.",
        settings=narrower(d),
        section="length",
    )
