"""Every finding fires on what it is for and is silent otherwise."""

import pytest
import yaml
from diagnosed import diagnosed, quiet

from hero_rl.diagnosis import findings, suggested
from hero_rl.diagnosis.findings import CHECKS, LIMITS
from hero_rl.diagnosis.numbers import DomainNumbers, Drift, GroupCounts, Interval, LabelCheck, ReasonCount
from hero_rl.rules import GatedHero, Hero

QUIET = diagnosed(quiet())


def changed(diagnosis=QUIET, **changes):
    """A diagnosis with other numbers, by name joined with two underscores."""
    for name, value in changes.items():
        *path, last = name.split("__")
        parts = [diagnosis]
        for part in path:
            parts.append(parts[-1][part] if isinstance(parts[-1], dict) else getattr(parts[-1], part))
        for part, owner in zip([last, *reversed(path)], reversed(parts), strict=True):
            is_dict = isinstance(owner, dict)
            value = {**owner, part: value} if is_dict else owner.model_copy(update={part: value})
        diagnosis = value
    return diagnosis


def names(diagnosis):
    return {finding.name for finding in findings(diagnosis)}


def with_mass(scale, **shares):
    """The masses of HERO under one scale replaced."""
    return [row.model_copy(update=shares) if (row.rule, row.scale) == ("hero", scale) else row for row in QUIET.mass]


def labels(missed=0, accepted=0, starved=None):
    nothing = Interval(value=None)
    auroc = nothing if starved is None else Interval(value=0.4, low=0.3, high=starved)
    return LabelCheck(
        right=250, wrong=250, missed=missed, accepted=accepted, auroc=nothing, auroc_starved=auroc, starved=20
    )


def in_domain(high):
    counts = GroupCounts(total=40, mixed=40, all_correct=0, all_incorrect=0, all_partial=0, unjudged=0)
    auroc = Interval(value=0.4, low=0.3, high=high)
    return DomainNumbers(
        name="code", rows=320, groups=counts, unverified=0, verdict=0.5, score=0.0, auroc=auroc, mixed=40, trust=0.0
    )


DRIFT = Drift(steps=30, score=2.0, score_error=0.3, verdict=0.01, verdict_error=0.05, sigma=1.0)
TIMED_OUT = [ReasonCount(reason="timed_out", verdict=None, count=40)]

# name -> (numbers that make it fire, numbers close by that do not)
CASES = {
    "few_groups": ({"groups__total": 29}, {"groups__total": 30}),
    "too_easy": ({"groups__all_correct": 36}, {"groups__all_correct": 35}),
    "too_hard": ({"groups__all_incorrect": 36}, {"groups__all_incorrect": 35}),
    "lonely_groups": ({"source__group_size": (1, 1.0, 3)}, {"source__group_size": (1, 2.0, 3)}),
    "no_scores": ({"source__missing_scores": 480}, {"source__missing_scores": 479}),
    "starved_groups": ({"starvation__starved": 12}, {"starvation__starved": 11}),
    "not_rescued": (
        {"starvation__starved": 20, "starvation__rescued": 10, "starvation__tied": 10},
        {"starvation__starved": 20, "starvation__rescued": 20},
    ),
    "reward_model_dominates": ({"starvation__mass": 0.51}, {"starvation__mass": 0.5}),
    "scale_unbounds": (
        {"mass": with_mass("group", all_correct=0.3, all_incorrect=0.3)},
        {"mass": with_mass("group", all_correct=0.05, all_incorrect=0.04)},
    ),
    "misranks": (
        {"ranking__mean__value": 0.5, "ranking__mean__low": 0.4, "ranking__mean__high": 0.59},
        {"ranking__mean__value": 0.5, "ranking__mean__low": 0.4, "ranking__mean__high": 0.61},
    ),
    "misranks_in_a_domain": ({"domains": [in_domain(0.59)]}, {"domains": [in_domain(0.61)]}),
    "misranks_starved": ({"labels": labels(starved=0.59)}, {"labels": labels(starved=0.61)}),
    "ranks_well": (
        {"ranking__mean__value": 0.9, "ranking__mean__low": 0.81},
        {"ranking__mean__value": 0.9, "ranking__mean__low": 0.79},
    ),
    "ranks_doubtfully": (
        {"ranking__mean__value": 0.9, "ranking__mean__low": 0.79},
        {"ranking__mean__value": 0.9, "ranking__mean__low": 0.81},
    ),
    "few_mixed": ({"ranking__groups": 29}, {"ranking__groups": 30}),
    "suspected_false_negatives": (
        {"overlap__incorrect": 100, "overlap__incorrect_above": 11},
        {"overlap__incorrect": 100, "overlap__incorrect_above": 10},
    ),
    "suspected_false_positives": (
        {"overlap__correct": 100, "overlap__correct_below": 11},
        {"overlap__correct": 100, "overlap__correct_below": 10},
    ),
    "saturated_weight": (
        {"weights__raw__at_min": 0.3, "weights__raw__at_max": 0.3},
        {"weights__raw__at_min": 0.2, "weights__raw__at_max": 0.3},
    ),
    "flat_weight": (
        {"weights__raw__p10": 1.69, "weights__raw__p90": 1.71},
        {"weights__raw__p10": 1.5, "weights__raw__p90": 1.71},
    ),
    "squashed_scores": (
        {"source__score_min": 0.001, "source__score_max": 0.999},
        {"source__score_min": -0.001, "source__score_max": 0.999},
    ),
    "length_bias": (
        {"length__within__value": -0.35, "length__within__low": -0.4, "length__within__high": -0.3},
        {"length__within__value": -0.35, "length__within__low": -0.8, "length__within__high": 0.1},
    ),
    "lone_strata": (
        {"bands__mixed_strata": 100, "bands__mixed_singletons": 26},
        {"bands__mixed_strata": 100, "bands__mixed_singletons": 25},
    ),
    "wrong_verdicts": ({"labels": labels(missed=11)}, {"labels": labels(missed=5, accepted=5)}),
    "tied_scores": ({"bands__tied": 0.11}, {"bands__tied": 0.1}),
    "repeated_completions": ({"source__repeated": 145}, {"source__repeated": 144}),
    "without_verifier": ({"source__unverified": 5}, {"source__unverified": 4}),
    "abstentions": ({"source__abstained": 5, "reasons": TIMED_OUT}, {"source__abstained": 4}),
    "missing_scores": ({"source__missing_scores": 5}, {"source__missing_scores": 4}),
    "falling_verdict": (
        {"drift": DRIFT.model_copy(update={"verdict": -0.06})},
        {"drift": DRIFT.model_copy(update={"verdict": -0.06, "verdict_error": 0.07})},
    ),
    "rising_score": ({"drift": DRIFT}, {"drift": DRIFT.model_copy(update={"verdict": 0.2})}),
}


def test_there_is_a_case_for_every_check():
    assert set(CASES) == {check.__name__ for check in CHECKS}


@pytest.mark.parametrize("name", CASES)
def test_it_fires_and_is_silent(name):
    fires, silent = CASES[name]
    found = [finding for finding in findings(changed(**fires)) if finding.name == name]
    assert len(found) == 1 and found[0].title and found[0].evidence
    assert name not in names(changed(**silent))


def test_a_quiet_file_has_nothing_to_complain_of():
    assert names(QUIET) == {"ranks_well", "nothing"}
    assert all(finding.level == "good" for finding in QUIET.findings)


@pytest.mark.parametrize("silent", [
    {"drift": None},
    {"drift": DRIFT.model_copy(update={"verdict": -0.04, "verdict_error": 0.01, "score": 0.0})},
    {"overlap__incorrect": 100, "overlap__incorrect_above": 50, "labels": labels()},
    {"overlap__correct": 100, "overlap__correct_below": 50, "labels": labels()},
    {"drift": DRIFT.model_copy(update={"score": 0.4})},
    {"drift": DRIFT.model_copy(update={"score_error": 2.5})},
    {"drift": DRIFT.model_copy(update={"verdict": None})},
    {"overlap__incorrect": 19, "overlap__incorrect_above": 19},
    {"overlap__incorrect": 100, "overlap__incorrect_above": 50, "ranking__mean__value": 0.6},
    {"bands__mixed_singletons": 90, "bands__mixed_strata": 100, "rule": Hero(singleton="middle")},
    {"starvation__mass": None},
    {"length__within__value": None},
    {"weights__raw__at_min": None, "weights__raw__at_max": None},
])  # fmt: skip
def test_silent_where_there_is_no_ground(silent):
    assert not {finding.name for finding in findings(changed(**silent)) if finding.level != "good"}


def test_a_suggestion_is_not_hidden_by_what_stays_as_it_is():
    """Starvation names the rule; its width is for the finding that narrows it."""
    both = changed(**CASES["starved_groups"][0], **CASES["length_bias"][0])
    blocks = suggested(both.model_copy(update={"findings": findings(both)}))
    assert (blocks["rule"]["type"], blocks["rule"]["alpha"], blocks["rule"]["beta"]) == ("hero", 0.05, 0.05)


def test_what_asks_for_a_change_comes_first():
    many = changed(**CASES["reward_model_dominates"][0], **CASES["tied_scores"][0])
    levels = [finding.level for finding in findings(many)]
    assert levels[0] == "act" and levels == sorted(levels, key=("act", "look", "good").index)


def test_settings_are_those_of_a_training_run():
    """Every suggested setting is one that `hero train` knows, alone and all together."""
    from hero_rl.training.configs.policy import TrainConfig

    required = {
        "output_dir": "out",
        "model": {"path": "m"},
        "data": {"train": "t"},
        "verifier": {"type": "math"},
        "reward_model": {"type": "local", "path": "r"},
    }
    everything = {}
    for fires, _ in CASES.values():
        found = changed(**fires)
        found = found.model_copy(update={"findings": findings(found)})
        blocks = yaml.safe_load(yaml.safe_dump(suggested(found)))
        TrainConfig.model_validate({**required, **{n: {**required.get(n, {}), **b} for n, b in blocks.items()}})
        everything |= fires
    found = changed(**everything)
    blocks = suggested(found.model_copy(update={"findings": findings(found)}))
    assert GatedHero.model_validate(blocks["rule"])


@pytest.mark.parametrize(
    ("rule", "settings"),
    [
        (Hero(alpha=0.3, beta=0.05), {"rule.alpha": 0.05}),
        (Hero(), {"rule.alpha": 0.05, "rule.beta": 0.05}),
        (Hero(alpha=0.05, beta=0.02), {"rule.type": "gated_hero"}),  # narrower bands lose what HERO gains
        (Hero(alpha=0.3, scale="group"), {"rule.scale": "none"}),
    ],
)
def test_a_reward_model_that_dominates_gets_narrower_bands_then_a_gate(rule, settings):
    loud = changed(starvation__mass=0.8, rule=rule)
    assert next(f for f in findings(loud) if f.name == "reward_model_dominates").settings == settings


def test_limits_are_told_in_the_documents():
    from pathlib import Path

    page = (Path(__file__).parents[2] / "docs" / "guides" / "diagnose.md").read_text()
    for check in CHECKS:
        assert f"`{check.__name__}`" in page
    assert LIMITS


def test_the_obvious_comes_before_what_rests_on_it():
    easy = changed(**CASES["too_easy"][0], **CASES["few_mixed"][0], **CASES["reward_model_dominates"][0])
    assert [finding.name for finding in findings(easy)][:3] == ["too_easy", "few_mixed", "reward_model_dominates"]


def test_few_groups_are_no_reason_to_change_anything():
    few = findings(changed(**CASES["few_groups"][0], **CASES["reward_model_dominates"][0]))
    assert few[0].name == "few_groups" and [f.name for f in few if f.level == "act"] == ["few_groups"]


def test_settings_in_the_words_of_each_trainer():
    from hero_rl.diagnosis.trainers import trl_lines, verl_line

    settings = {"rule.alpha": 0.05, "reward_model.dtype": "float32", "trl.num_generations": 8}
    assert trl_lines(settings) == [
        "rule=Hero(alpha=0.05)",
        "reward_model=LocalRewardModelConfig(path=..., dtype='float32')",
        "args=HeroGRPOConfig(num_generations=8)",
    ]
    assert verl_line(settings) == (
        "+hero.rule.alpha=0.05 +hero.reward_model.dtype=float32 actor_rollout_ref.rollout.n=8"
    )
