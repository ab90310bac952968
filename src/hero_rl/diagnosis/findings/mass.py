"""Where the gradient comes from: starved groups, and the share that the reward model alone decides."""

from __future__ import annotations

from hero_rl.diagnosis.findings.limits import LIMITS
from hero_rl.diagnosis.findings.ranking import ranks_well, score_is_verdict
from hero_rl.diagnosis.findings.suggestions import GATED, base_rule, narrower
from hero_rl.diagnosis.numbers import Diagnosis, Finding
from hero_rl.diagnosis.replay import uniform_share
from hero_rl.diagnosis.wording import of, percent

__all__ = ["not_rescued", "reward_model_dominates", "scale_unbounds", "starved_groups"]


def starved_groups(d: Diagnosis) -> Finding | None:
    """A large share of groups gives no gradient under the verifier alone."""
    starved, judged = d.starvation.starved, d.judged_groups
    if not judged or starved / judged < LIMITS["starved"]:
        return None
    partial = f", {d.groups.all_partial:,} all of one grade between" if d.groups.all_partial else ""
    said = f"{d.groups.all_correct:,} are all correct, {d.groups.all_incorrect:,} all incorrect{partial}."
    advice, settings = "A reward model can rank their rollouts; HERO keeps it inside the verifier's gate.", {}
    if d.has_scores:
        said += (
            f" {base_rule(d)}, gives {of(d.starvation.rescued, starved)} of them a gradient; together they carry "
            f"{percent(d.starvation.mass)} of the advantage mass."
        )
    if d.starvation.rescued and not score_is_verdict(d):
        advice = "alpha sets how much the all incorrect groups carry, beta how much the all correct ones do."
        settings = {"rule.type": "hero"} if ranks_well(d) else GATED
    return Finding(
        name="starved_groups",
        level="look",
        title=f"{starved:,} of {judged:,} groups give no gradient under verifier-only",
        evidence=said,
        advice=advice,
        settings=settings,
        section="starvation",
    )


def not_rescued(d: Diagnosis) -> Finding | None:
    """Uniform groups that stay starved although there is a reward model."""
    lost = d.starvation.starved - d.starvation.rescued
    if not d.has_scores or not lost or lost / max(d.judged_groups, 1) < LIMITS["starved"] / 2:
        return None
    return Finding(
        name="not_rescued",
        level="look",
        title=f"{lost:,} starved groups stay starved under HERO",
        evidence=f"{d.starvation.few_scores:,} of them have fewer than two scores, in {d.starvation.tied:,} all "
        "scores are the same.",
        advice="Scores are missing, completions repeat each other, or the reward model's precision is too low.",
        settings={"reward_model.dtype": "float32"} if d.starvation.tied else {},
        section="starvation",
    )


def reward_model_dominates(d: Diagnosis) -> Finding | None:
    """Groups that only the reward model ranks hold most of the gradient."""
    if d.starvation.mass is None or d.starvation.mass <= LIMITS["uniform_mass"]:
        return None
    narrow = narrower(d)
    return Finding(
        name="reward_model_dominates",
        level="act",
        title=f"The reward model alone decides {percent(d.starvation.mass)} of the gradient",
        evidence=f"That is the share of the advantage mass in uniform groups under {base_rule(d)}.",
        advice="Centre without dividing: a group's standard deviation takes alpha and beta out of uniform groups."
        if d.rule.scale != "none"
        else "Narrow the bands: alpha for groups that are all incorrect, beta for those that are all correct."
        if narrow
        else "The bands are as narrow as is of use: let the reward model earn its room.",
        settings={"rule.scale": "none"} if d.rule.scale != "none" else narrow or GATED,
        section="mass",
    )


def scale_unbounds(d: Diagnosis) -> Finding | None:
    """Dividing by the group's standard deviation would undo the bound that alpha and beta set."""
    shares = {m.scale: uniform_share(m.model_dump()) for m in d.mass if m.rule == "hero"}
    uniform = {scale: share for scale, share in shares.items() if share is not None}
    if not {"none", "group"} <= uniform.keys() or uniform["group"] - uniform["none"] < LIMITS["scale_gain"]:
        return None
    return Finding(
        name="scale_unbounds",
        level="act" if d.rule.scale == "group" else "look",
        title="Dividing by the group's standard deviation lifts the bound on the reward model",
        evidence=f"Uniform groups carry {percent(uniform['none'])} of the advantage mass with scale none and "
        f"{percent(uniform['group'])} with scale group, where alpha and beta cancel.",
        advice="Keep scale none, and divide nowhere else: in other trainers, scale_rewards or norm_adv_by_std_in_grpo.",
        settings={"rule.scale": "none"},
        section="mass",
    )
