"""What the rule makes of the scores: weights, bands and ties."""

from __future__ import annotations

from hero_rl.diagnosis.findings.limits import LIMITS
from hero_rl.diagnosis.numbers import Diagnosis, Finding
from hero_rl.diagnosis.wording import number, of, percent

__all__ = ["flat_weight", "lone_strata", "repeated_completions", "saturated_weight", "squashed_scores", "tied_scores"]

_EQUAL_WEIGHTS = {"rule.w_min": 1.0, "rule.w_max": 1.0}
_WITHOUT_WEIGHT = "Leave the weight out: in the study it earned nothing."


def saturated_weight(d: Diagnosis) -> Finding | None:
    """Most weights lie at an end of their range: the sigmoid is a switch."""
    here = d.weights[d.rule.sigma]
    share = (here.at_min or 0) + (here.at_max or 0)
    if here.groups < 2 or d.rule.w_max == d.rule.w_min or share <= LIMITS["saturated"]:
        return None
    return Finding(
        name="saturated_weight",
        level="look",
        title="The prompt weight is a switch, not a scale",
        evidence=f"{percent(here.at_min)} of the groups sit within 5% of w_min, {percent(here.at_max)} within 5% of "
        f"w_max: the spread of a group's scores is {number(here.sigma_mean)} in the mean, and k is {d.rule.k:g}.",
        advice=_WITHOUT_WEIGHT,
        settings=_EQUAL_WEIGHTS,
        section="weights",
    )


def flat_weight(d: Diagnosis) -> Finding | None:
    """All weights are about the same: they do nothing but scale the step."""
    w, reach = d.weights[d.rule.sigma], LIMITS["flat"] * (d.rule.w_max - d.rule.w_min)
    if w.groups < 2 or w.p10 is None or w.p90 is None or w.p90 - w.p10 >= reach:
        return None
    return Finding(
        name="flat_weight",
        level="look",
        title="The prompt weight is the same for nearly all prompts",
        evidence=f"Four fifths of the weights lie between {number(w.p10)} and {number(w.p90)}: the scores of a group "
        f"spread by {number(w.sigma_mean)} in the mean, and k is {d.rule.k:g}.",
        advice=_WITHOUT_WEIGHT,
        settings=_EQUAL_WEIGHTS,
        section="weights",
    )


def squashed_scores(d: Diagnosis) -> Finding | None:
    """Scores between 0 and 1 are probabilities more often than logits."""
    s = d.source
    if s.score_min is None or s.score_max is None or not s.score_std or s.score_min < 0 or s.score_max > 1:
        return None
    return Finding(
        name="squashed_scores",
        level="look",
        title="The scores look like probabilities, not logits",
        evidence=f"All lie between {number(s.score_min)} and {number(s.score_max)}. A sigmoid flattens the ends, "
        "where most scores are, and raw sigma has no room.",
        advice="Ask the reward model for raw logits (vLLM: use_activation false), or measure sigma relatively.",
        settings={"rule.sigma": "relative"},
        section="weights",
    )


def lone_strata(d: Diagnosis) -> Finding | None:
    """Many strata hold one rollout, which Eq. 3 puts at the floor of its band."""
    b = d.bands
    if (
        d.rule.singleton == "middle"
        or not b.mixed_strata
        or b.mixed_singletons / b.mixed_strata <= LIMITS["singletons"]
    ):
        return None
    return Finding(
        name="lone_strata",
        level="look",
        title="Lone rollouts sit at the floor of their band",
        evidence=f"{of(b.mixed_singletons, b.mixed_strata)} strata of mixed groups have one score. A lone correct "
        f"rollout gets {1 - d.rule.beta:g}, the least of its band.",
        advice="Put them in the middle, or generate more rollouts a prompt.",
        settings={"rule.singleton": "middle"},
        section="bands",
    )


def tied_scores(d: Diagnosis) -> Finding | None:
    """Many rollouts of a stratum share a score, and not because they are the same text."""
    # Texts that repeat each other share verdict and score: what is left over is the reward model's doing.
    scored = d.source.rows - d.source.missing_scores
    beyond = ((d.bands.tied or 0.0) * scored - d.source.repeated) / d.source.rows
    if beyond <= LIMITS["tied"]:
        return None
    return Finding(
        name="tied_scores",
        level="look",
        title=f"{percent(beyond)} of the rollouts share their score with other texts of their stratum",
        evidence=f"{percent(d.bands.tied)} of the scores are those of another rollout with the same prompt and "
        f"verdict; {of(d.source.repeated, d.source.rows)} rollouts repeat a completion of their group word for word.",
        advice="Where completions differ and scores do not, the reward model answers in too few digits: bfloat16 has "
        "two to three.",
        settings={"reward_model.dtype": "float32"},
        section="bands",
    )


def repeated_completions(d: Diagnosis) -> Finding | None:
    """Many rollouts are the same text as another of their group, which nothing can rank above it."""
    share = d.source.repeated / d.source.rows
    if share <= LIMITS["repeated"]:
        return None
    return Finding(
        name="repeated_completions",
        level="look",
        title=f"{percent(share)} of the rollouts repeat another one of their group",
        evidence=f"{of(d.source.repeated, d.source.rows)} completions are word for word that of another rollout of the "
        "same prompt: same verdict, same score, same advantage.",
        advice="Sample at a higher temperature, or ask for the reasoning before the answer.",
        section="bands",
    )
