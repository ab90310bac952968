"""What the numbers of a diagnosis say in plain words: one pure function a finding, each silent where it has no reason.

    for finding in findings(diagnosis):
        print(finding.level, finding.title)

The limits are rules of thumb, set where a reader would want to know, and stand in one table here and in
docs/guides/diagnose.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hero_rl.diagnosis.numbers import Diagnosis, Finding
from hero_rl.diagnosis.replay import uniform_share
from hero_rl.diagnosis.trainers import blocks_of
from hero_rl.diagnosis.wording import change, number, of, percent, within

__all__ = ["CHECKS", "LIMITS", "findings", "suggested"]

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
    "tied": 0.1,  # share of scored rollouts
    "length": 0.3,  # rank correlation
    "lost": 0.01,  # share of rollouts
    "lost_badly": 0.1,
    "drift": 0.5,  # standard deviations within a group
    "fall": 0.05,  # share of correct rollouts
}
"""Where a finding begins to speak."""

_CASCADE = {
    "verifier.type": "cascade",
    "verifier.rule": {"type": "math"},
    "verifier.judge": {"type": "judge", "url": "http://localhost:8000"},
}
_AUDITED = {
    "rule.type": "audited_hero",
    "auditor.type": "judge",
    "auditor.url": "http://localhost:8000",
}
# The obvious, and what is not to be known, before any judgement that rests on it.
_FIRST = {"few_groups": 0, "too_easy": 1, "too_hard": 1, "few_mixed": 2}
_LEVELS = ("act", "look", "good")
_CERTAIN = ("few_groups", "lonely_groups", "no_scores")  # facts, however few groups there are
_NARROW = 0.05  # the paper's narrower alpha and beta; the study's cells below it lose HERO's gain
_GATED = {"rule.type": "gated_hero"}


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
    return blocks_of({f"rule.{name}": value for name, value in diagnosis.rule.model_dump().items()} | first)


def _nothing() -> Finding:
    return Finding(
        name="nothing",
        level="good",
        title="Nothing here asks for a change",
        evidence="No check reached its limit.",
        section="groups",
    )


def _judged(d: Diagnosis) -> int:
    return d.groups.total - d.groups.unjudged


def _has_scores(d: Diagnosis) -> bool:
    return d.source.missing_scores < d.source.rows


def _narrower(d: Diagnosis) -> dict[str, Any]:
    bands = {"rule.alpha": d.rule.alpha, "rule.beta": d.rule.beta}
    return {name: _NARROW for name, value in bands.items() if value > _NARROW}


def _base(d: Diagnosis) -> str:
    return f"HERO with alpha {d.rule.alpha:g}, beta {d.rule.beta:g}, scale {d.rule.scale}"


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
    judged = _judged(d)
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
    judged = _judged(d)
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


def starved_groups(d: Diagnosis) -> Finding | None:
    """A large share of groups gives no gradient under the verifier alone."""
    starved, judged = d.starvation.starved, _judged(d)
    if not judged or starved / judged < LIMITS["starved"]:
        return None
    partial = f", {d.groups.all_partial:,} all of one grade between" if d.groups.all_partial else ""
    said = f"{d.groups.all_correct:,} are all correct, {d.groups.all_incorrect:,} all incorrect{partial}."
    advice, settings = "A reward model can rank their rollouts; HERO keeps it inside the verifier's gate.", {}
    if _has_scores(d):
        said += (
            f" {_base(d)}, gives {of(d.starvation.rescued, starved)} of them a gradient; together they carry "
            f"{percent(d.starvation.mass)} of the advantage mass."
        )
        advice = "alpha sets how much the all incorrect groups carry, beta how much the all correct ones do."
        settings = {"rule.type": "hero"} if ranks_well(d) else _GATED
    return Finding(
        name="starved_groups",
        level="look",
        title=f"{starved:,} of {judged:,} groups give no gradient under verifier-only",
        evidence=said,
        advice=advice,
        settings=settings,
        section="starvation",
    )


def no_scores(d: Diagnosis) -> Finding | None:
    """There is no reward model in the file."""
    if _has_scores(d):
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


def not_rescued(d: Diagnosis) -> Finding | None:
    """Uniform groups that stay starved although there is a reward model."""
    lost = d.starvation.starved - d.starvation.rescued
    if not _has_scores(d) or not lost or lost / max(_judged(d), 1) < LIMITS["starved"] / 2:
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
    narrower = _narrower(d)
    return Finding(
        name="reward_model_dominates",
        level="act",
        title=f"The reward model alone decides {percent(d.starvation.mass)} of the gradient",
        evidence=f"That is the share of the advantage mass in uniform groups under {_base(d)}.",
        advice="Centre without dividing: a group's standard deviation takes alpha and beta out of uniform groups."
        if d.rule.scale != "none"
        else "Narrow the bands: alpha for groups that are all incorrect, beta for those that are all correct."
        if narrower
        else "The bands are as narrow as is of use: let the reward model earn its room.",
        settings={"rule.scale": "none"} if d.rule.scale != "none" else narrower or _GATED,
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
        settings=_GATED,
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
        settings=_GATED,
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
        settings=_AUDITED,
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
        settings=_GATED,
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
    if not _has_scores(d) or r.groups >= LIMITS["mixed_groups"]:
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
        settings=_CASCADE if c.missed >= c.accepted else {"verifier.type": "math"},
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
        settings=_CASCADE,
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


def saturated_weight(d: Diagnosis) -> Finding | None:
    """Most weights lie at an end of their range: the sigmoid is a switch."""
    here, other = d.weights[d.rule.sigma], d.weights["relative"]
    share = (here.at_min or 0) + (here.at_max or 0)
    if here.groups < 2 or d.rule.w_max == d.rule.w_min or share <= LIMITS["saturated"]:
        return None
    helps = d.rule.sigma == "raw" and (other.at_min or 0) + (other.at_max or 0) < share
    return Finding(
        name="saturated_weight",
        level="look",
        title="The prompt weight is a switch, not a scale",
        evidence=f"{percent(here.at_min)} of the groups sit within 5% of w_min, {percent(here.at_max)} within 5% of "
        f"w_max: the spread of a group's scores is {number(here.sigma_mean)} in the mean, and k is {d.rule.k:g}.",
        advice="Measure the spread relative to its running mean." if helps else "A smaller k makes the step gentler.",
        settings={"rule.sigma": "relative"} if helps else {"rule.k": round(d.rule.k / 2, 6)},
        section="weights",
    )


def flat_weight(d: Diagnosis) -> Finding | None:
    """All weights are about the same: the scores' unit is too small for the sigmoid."""
    spread = {sigma: w.p90 - w.p10 for sigma, w in d.weights.items() if w.p10 is not None and w.p90 is not None}
    reach = LIMITS["flat"] * (d.rule.w_max - d.rule.w_min)
    if d.rule.sigma != "raw" or not reach or len(spread) < 2 or d.weights["raw"].groups < 2:
        return None
    if spread["raw"] >= reach or spread["relative"] < 2 * spread["raw"]:
        return None
    w = d.weights["raw"]
    return Finding(
        name="flat_weight",
        level="look",
        title="The prompt weight is the same for nearly all prompts",
        evidence=f"Four fifths of the weights lie between {number(w.p10)} and {number(w.p90)}: the scores of a group "
        f"spread by {number(w.sigma_mean)}, too little for k {d.rule.k:g} in raw units.",
        advice="Measure the spread relative to its running mean.",
        settings={"rule.sigma": "relative"},
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
    """Many rollouts of a stratum share a score."""
    if d.bands.tied is None or d.bands.tied <= LIMITS["tied"]:
        return None
    return Finding(
        name="tied_scores",
        level="look",
        title=f"{percent(d.bands.tied)} of the scores are tied within their stratum",
        evidence="Another rollout of the same prompt and verdict has the same score. "
        f"{of(d.source.repeated, d.source.rows)} rollouts repeat another completion of their group word for word.",
        advice="Where completions differ and scores do not, the reward model answers in too few digits: bfloat16 has "
        "two to three.",
        settings={"reward_model.dtype": "float32"},
        section="bands",
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
        settings=_narrower(d),
        section="length",
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
        settings=_GATED | {"rule.without_reference": "rank"},
        section="verifier",
    )


def missing_scores(d: Diagnosis) -> Finding | None:
    """The reward model gave no score for a noticeable share."""
    lost = d.source.missing_scores
    if not _has_scores(d) or lost / d.source.rows <= LIMITS["lost"]:
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
        settings=_narrower(d),
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
    abstentions,
    without_verifier,
    missing_scores,
    few_mixed,
    ranks_well,
)
"""Every check, in the order in which findings of one level are told."""
