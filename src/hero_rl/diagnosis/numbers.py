"""What a diagnosis holds: plain numbers, so that findings, report and terminal are functions of nothing else.

Shares are fractions between 0 and 1. A number that the rollouts do not define is None, never NaN.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict

from hero_rl.rules import Hero

__all__ = [
    "Bands",
    "Bin",
    "Diagnosis",
    "Difficulty",
    "DomainNumbers",
    "Drift",
    "Finding",
    "GroupCounts",
    "Histogram",
    "Interval",
    "LabelCheck",
    "LengthBias",
    "Mass",
    "Number",
    "Overlap",
    "Ranking",
    "ReasonCount",
    "Saturation",
    "Source",
    "Starvation",
    "StepNumbers",
    "SweepRow",
    "Telling",
    "Width",
]


def _finite_or_none(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


Number = Annotated[float | None, BeforeValidator(_finite_or_none)]
"""A finite number, or None where there is none."""


class _Numbers(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Interval(_Numbers):
    """An estimate with its 95% percentile bootstrap interval over groups; no interval below five groups."""

    value: Number
    low: Number = None
    high: Number = None


class Bin(_Numbers):
    """A bin of a histogram: from `low` up to `high`, and how many lie in it."""

    low: float
    high: float
    count: int


Histogram = list[Bin]


class Source(_Numbers):
    """What was read.

    Attributes:
        path: the file or folder.
        format: whose rows they are.
        columns: field -> the column that it was read from.
        passed_over: why -> how many rows were no rollouts.
        verdicts_from, scores_from, labels_from: columns or models; None for labels that there are none of.
        rows, batches: rollouts, and the batches that a rule sees one at a time.
        group_size: least, median and greatest number of rollouts of a group.
        abstained, missing_scores: rollouts of which the verifier said nothing, and those without score.
        unverified: rollouts without verdict because no verifier applies.
        partial: rollouts with a verdict between 0 and 1, which are neither correct nor incorrect.
        repeated: rollouts whose completion another of their group has word for word.
        verdict_mean, score_mean, score_std: over the rollouts that have one.
        score_min, score_max: extremes of the scores.
        score_values: how many different scores there are.
        score_equals_verdict: whether each rollout that has both has the same number for both; False where none has.
        scores: histogram of the scores of correct and of incorrect rollouts, in the same bins.
    """

    path: str
    format: str
    columns: dict[str, str] = {}
    passed_over: dict[str, int] = {}
    verdicts_from: str
    scores_from: str
    labels_from: str | None
    rows: int
    batches: int
    group_size: tuple[int, float, int]
    abstained: int
    unverified: int
    partial: int
    missing_scores: int
    repeated: int
    verdict_mean: Number
    score_mean: Number
    score_std: Number
    score_min: Number
    score_max: Number
    score_values: int
    score_equals_verdict: bool
    scores: dict[Literal["correct", "incorrect"], Histogram]


class GroupCounts(_Numbers):
    """Groups by what the verifier said; `all_partial` ones have one grade between 0 and 1, `unjudged` ones none."""

    total: int
    mixed: int
    all_correct: int
    all_incorrect: int
    all_partial: int
    unjudged: int


class Difficulty(_Numbers):
    """Groups by pass rate, the mean of their verdicts.

    Attributes:
        name: the range of pass rates.
        groups: how many groups lie in it.
        sigma: mean standard deviation of a group's scores, in the reward model's units.
        score: mean score of their rollouts.
        auroc: mean AUROC of the score against the verdict in a group; mixed groups only.
        mass: their share of the |advantage| under the base rule.
    """

    name: str
    groups: int
    sigma: Number
    score: Number
    auroc: Number
    mass: Number


class Starvation(_Numbers):
    """Groups that give no gradient under the verifier alone.

    Attributes:
        starved: uniform groups.
        rescued: those of them with an advantage under the base rule.
        few_scores: those not rescued that have fewer than two scores.
        tied: those not rescued whose scores are all the same.
        mass: share of the |advantage| that uniform groups hold under the base rule.
    """

    starved: int
    rescued: int
    few_scores: int
    tied: int
    mass: Number


class Mass(_Numbers):
    """Where a rule puts its |advantage|: shares by kind of group, None where it gives none at all.

    Attributes:
        rule: name of the rule.
        scale: divisor of the centred reward; None for a rule that has no such setting.
        mixed, all_correct, all_incorrect, all_partial, unjudged: shares; they sum to 1.
        groups: number of groups with any advantage.
    """

    rule: str
    scale: str | None
    mixed: Number
    all_correct: Number
    all_incorrect: Number
    all_partial: Number
    unjudged: Number
    groups: int


class Width(_Numbers):
    """Share of |advantage| in uniform groups under the base rule with alpha = beta = `width` and one scale."""

    width: float
    scale: str
    uniform: Number


class Ranking(_Numbers):
    """How the reward model orders rollouts against the verifier.

    Attributes:
        groups: mixed groups with scores on both sides.
        mean: AUROC of such a group, mean over them.
        median: the same, median.
        under_half: share of those groups with an AUROC under 0.5.
        pooled: AUROC of the correct rollouts against all others of the file, whatever their group.
        histogram: groups by AUROC, bins of a tenth.
        trust: what gated HERO gives the reward model after the last batch, 0 to 1.
    """

    groups: int
    mean: Interval
    median: Number
    under_half: Number
    pooled: Interval
    trust: float
    histogram: Histogram


class DomainNumbers(_Numbers):
    """The rollouts of one domain, by the column `domain`.

    Attributes:
        name: of the domain.
        rows: its rollouts.
        groups: its groups by what the verifier said.
        unverified: those of its rollouts that no verifier applies to.
        verdict: mean verdict.
        score: mean score.
        auroc: AUROC of a mixed group, mean over its own.
        mixed: how many of them have scores on both sides.
        trust: what gated HERO gives the reward model there after the last batch.
    """

    name: str
    rows: int
    groups: GroupCounts
    unverified: int
    verdict: Number
    score: Number
    auroc: Interval
    mixed: int
    trust: float


class Overlap(_Numbers):
    """How often verdict and score contradict each other, over the whole file.

    Attributes:
        incorrect: incorrect rollouts with a score.
        incorrect_above: those of them that score above the median of the correct ones.
        correct: correct rollouts with a score.
        correct_below: those of them that score below the median of the incorrect ones.
    """

    incorrect: int
    incorrect_above: int
    correct: int
    correct_below: int


class LabelCheck(_Numbers):
    """Verdicts and scores against known correctness.

    Attributes:
        right, wrong: judged rollouts by label.
        missed: right ones that the verifier calls incorrect: its false negatives.
        accepted: wrong ones that it calls correct: its false positives.
        auroc: AUROC of the score against the label, mean over groups whose labels differ.
        auroc_starved: the same over those of them that the verifier calls uniform.
        starved: how many those are.
    """

    right: int
    wrong: int
    missed: int
    accepted: int
    auroc: Interval
    auroc_starved: Interval
    starved: int


class Bands(_Numbers):
    """How HERO's bands are filled.

    Attributes:
        strata: those with a score.
        singletons: those with one score.
        mixed_strata, mixed_singletons: the same in mixed groups.
        flat: strata of several scores that are all the same.
        tied: share of scored rollouts whose score another of the same stratum has too.
        at_floor: share of scored rollouts at the floor of their band under the base rule.
        places: histogram of z of Eq. 3, of correct and of incorrect rollouts.
    """

    strata: int
    singletons: int
    mixed_strata: int
    mixed_singletons: int
    flat: int
    tied: Number
    at_floor: Number
    places: dict[Literal["correct", "incorrect"], Histogram]


class Saturation(_Numbers):
    """The weight of Eq. 4 under one reading of sigma.

    Attributes:
        groups: those with a weight: at least two scores.
        at_min, at_max: shares of them within 5% of the range from w_min to w_max of its ends.
        p10, median, p90: quantiles over groups.
        sigma_mean: mean of sigma_u, in the reward model's units.
        sigma_bar: the running mean after the last batch.
        histogram: groups by weight.
    """

    groups: int
    at_min: Number
    at_max: Number
    p10: Number
    median: Number
    p90: Number
    sigma_mean: Number
    sigma_bar: Number
    histogram: Histogram


class LengthBias(_Numbers):
    """Rank correlation of score and length of the completion, in characters.

    Attributes:
        pooled: Spearman's, over all scored rollouts.
        within: correlation of the two ranks within strata of at least three scores.
        rollouts: how many `within` rests on.
        by_length: mean place of the score in its stratum (0 lowest, 1 highest), for five classes of the length's place.
    """

    pooled: Number
    within: Interval
    rollouts: int
    by_length: list[Number]


class StepNumbers(_Numbers):
    """Means of the rollouts of one step; verdict and score also by domain, where the file has more than one."""

    step: int
    rows: int
    verdict: Number
    score: Number
    mixed: Number
    auroc: Number
    verdict_by_domain: dict[str, Number] = {}
    score_by_domain: dict[str, Number] = {}


class Drift(_Numbers):
    """The last third of the steps against the first, each difference with twice its standard error over steps.

    Attributes:
        steps: number of steps.
        score: change of the mean score, in the reward model's units.
        score_error: twice its standard error.
        verdict: change of the share of correct rollouts.
        verdict_error: twice its standard error.
        sigma: mean standard deviation of a group's scores, the yardstick of the score's change.
    """

    steps: int
    score: Number
    score_error: Number
    verdict: Number
    verdict_error: Number
    sigma: Number


class ReasonCount(_Numbers):
    """How often the verifier gave a reason; `verdict` is None for an abstention, 0.5 for any grade between 0 and 1."""

    reason: str
    verdict: float | None
    count: int


class Telling(_Numbers):
    """A rollout on which verifier and reward model disagree most; texts are excerpts.

    Attributes:
        kind: the verifier says incorrect and the score is high, or correct and it is low.
        place: file and row.
        step: optimiser step.
        prompt, completion, reference: excerpts.
        answer: the final answer that the verifier extracted.
        reason: the verifier's.
        score: the reward model's.
        passes: share of the rollouts with the other verdict, over the file, that it scores above
            (`incorrect_high`) or below (`correct_low`).
        right, wrong: rollouts of its group by verdict.
    """

    kind: Literal["incorrect_high", "correct_low"]
    place: str
    step: int | None
    prompt: str
    completion: str
    reference: str | None
    answer: str | None
    reason: str | None
    score: float
    passes: Number
    right: int
    wrong: int


class SweepRow(_Numbers):
    """The logged rollouts under other settings of HERO.

    Attributes:
        settings: what differs from the base rule.
        uniform, all_correct, all_incorrect: shares of the |advantage|.
        agreement: share of the advantages, in groups that the labels call mixed, whose sign is the label's.
        agreement_starved: the same in those of the groups that the verifier calls uniform.
        rank_correlation: Spearman's, with the advantages of the base rule.
        saturated: share of groups with a weight within 5% of the range of w_min or w_max.
    """

    settings: dict[str, Any]
    uniform: Number
    all_correct: Number
    all_incorrect: Number
    agreement: Number
    agreement_starved: Number
    rank_correlation: Number
    saturated: Number


class Finding(_Numbers):
    """One plain sentence on the rollouts.

    Attributes:
        name: of the check.
        level: `act` asks for a change, `look` for a look, `good` for nothing.
        title: the finding.
        evidence: the numbers behind it.
        advice: what to do about it; None where there is nothing to do.
        settings: the same as settings of `hero train`, by dotted name.
        section: the part of the report that shows the numbers.
    """

    name: str
    level: Literal["act", "look", "good"]
    title: str
    evidence: str
    advice: str | None = None
    settings: dict[str, Any] = {}
    section: str


class Diagnosis(_Numbers):
    """All that is computed of a file of rollouts; `findings` are functions of the rest."""

    source: Source
    rule: Hero
    groups: GroupCounts
    difficulty: list[Difficulty]
    starvation: Starvation
    mass: list[Mass]
    widths: list[Width]
    ranking: Ranking
    domains: list[DomainNumbers] = []
    overlap: Overlap
    labels: LabelCheck | None
    bands: Bands
    weights: dict[Literal["raw", "relative"], Saturation]
    length: LengthBias
    steps: list[StepNumbers]
    drift: Drift | None
    reasons: list[ReasonCount]
    telling: list[Telling]
    sweep: list[SweepRow]
    findings: list[Finding] = []

    @property
    def judged_groups(self) -> int:
        """Groups that have a verdict."""
        return self.groups.total - self.groups.unjudged

    @property
    def has_scores(self) -> bool:
        """Whether any rollout has a score."""
        return self.source.missing_scores < self.source.rows
