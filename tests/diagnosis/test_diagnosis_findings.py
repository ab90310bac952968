"""Every finding fires on what it is for and is silent otherwise."""

import math

import pytest
from diagnosed import collected, diagnosed, quiet

from hero_rl.diagnosis import findings, suggested
from hero_rl.diagnosis.findings import _SILENCED, CHECKS, LIMITS
from hero_rl.diagnosis.findings.suggestions import CASCADE
from hero_rl.diagnosis.numbers import DomainNumbers, Drift, GroupCounts, Interval, LabelCheck, ReasonCount
from hero_rl.diagnosis.trainers import to_paste
from hero_rl.rules import Hero

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
    "score_is_verdict": ({"source__score_values": 2}, {"source__score_values": 3}),
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
    many = changed(**CASES["reward_model_dominates"][0], **CASES["few_mixed"][0], **CASES["tied_scores"][0])
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

    def check(found):
        blocks = suggested(found.model_copy(update={"findings": findings(found)}))
        TrainConfig.model_validate({**required, **{n: {**required.get(n, {}), **b} for n, b in blocks.items()}})

    everything = {}
    for fires, _ in CASES.values():
        check(changed(**fires))
        if not _SILENCED.keys() & names(changed(**fires)):
            everything |= fires
    check(changed(**everything))


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
    assert [finding.name for finding in findings(easy)][:3] == ["too_easy", "reward_model_dominates", "few_mixed"]


def test_few_groups_are_no_reason_to_change_anything():
    few = findings(changed(**CASES["few_groups"][0], **CASES["reward_model_dominates"][0]))
    assert few[0].name == "few_groups" and [f.name for f in few if f.level == "act"] == ["few_groups"]


def test_groups_of_one_rollout_are_told_first_and_alone():
    """Of single rollouts nothing is starved, mixed or rescued: what speaks of groups would be false."""
    lonely = diagnosed(collected([[(float(n % 3 == 0), (n % 3 == 0) + n % 7 / 10, n) for n in range(40)]]))
    assert lonely.findings[0].name == "lonely_groups"
    assert not names(lonely) & set(_SILENCED["lonely_groups"])
    assert suggested(lonely) == {"trl": {"num_generations": 8}}
    few = diagnosed(collected([[(float(n % 3 == 0), (n % 3 == 0) + n % 7 / 10, n) for n in range(24)]]))
    assert [finding.name for finding in few.findings][:2] == ["lonely_groups", "few_groups"]


@pytest.mark.parametrize("rescale", [lambda verdict: verdict, lambda verdict: 2 * verdict - 1])
def test_a_verdict_in_the_place_of_a_score_is_no_praise(rescale):
    rows = [(float(n % 8 < 4), rescale(float(n % 8 < 4)), n // 8) for n in range(320)]
    found = diagnosed(collected([rows]))
    assert found.ranking.mean.value == 1.0
    assert [finding.name for finding in found.findings] == ["score_is_verdict"]
    assert found.findings[0].level == "act"


@pytest.mark.parametrize(("verdict", "scored"), [(lambda n: n % 8 < 4, 1), (lambda n: True, 320)])
def test_one_score_or_one_value_shows_no_verdict(verdict, scored):
    rows = [(float(verdict(n)), float(verdict(n)) if n < scored else math.nan, n // 8) for n in range(320)]
    assert "score_is_verdict" not in names(diagnosed(collected([rows])))


@pytest.mark.parametrize("math_first", [True, False])
def test_parts_of_two_verifiers_make_none(math_first):
    asked = [{"verifier.type": "math"}, CASCADE]
    said = [QUIET.findings[0].model_copy(update={"settings": one}) for one in (asked if math_first else asked[::-1])]
    verifier = suggested(QUIET.model_copy(update={"findings": said}))["verifier"]
    assert verifier == ({"type": "math"} if math_first else suggested(changed_findings(CASCADE))["verifier"])


def changed_findings(settings):
    return QUIET.model_copy(update={"findings": [QUIET.findings[0].model_copy(update={"settings": settings})]})


def test_scores_that_follow_the_verdict_without_being_it_are_praised():
    rows = [(float(n % 8 < 4), float(n % 8 < 4) + n % 8 / 100, n // 8) for n in range(320)]
    assert "ranks_well" in names(diagnosed(collected([rows])))


def test_starved_groups_that_nothing_rescues_ask_for_no_rule():
    starved = {"starvation__starved": 20, "starvation__rescued": 0, "starvation__few_scores": 20}
    said = {finding.name: finding for finding in findings(changed(**starved))}
    assert said["starved_groups"].settings == {} and "not_rescued" in said


def test_a_finding_asks_for_nothing_that_is_set_already():
    (divided,) = [f for f in findings(changed(**CASES["scale_unbounds"][0])) if f.name == "scale_unbounds"]
    assert divided.settings == {}
    other = changed(**CASES["scale_unbounds"][0], rule=Hero(scale="group"))
    (divided,) = [f for f in findings(other) if f.name == "scale_unbounds"]
    assert divided.settings == {"rule.scale": "none"}


def test_all_suggestions_together_keep_the_gate_and_the_bands():
    """What is pasted last must not undo what was pasted before."""
    both = changed(**CASES["length_bias"][0], **CASES["scale_unbounds"][0], **CASES["ranks_doubtfully"][0])
    blocks = suggested(both.model_copy(update={"findings": findings(both)}))
    assert to_paste(blocks) == {
        "TRL": "from hero_rl import GatedHero\n\nrule=GatedHero(alpha=0.05, beta=0.05),",
        "verl": "+hero.rule.type=gated_hero \\\n+hero.rule.alpha=0.05 \\\n+hero.rule.beta=0.05",
        "hero train": "rule:\n  type: gated_hero\n  alpha: 0.05\n  beta: 0.05",
    }


def test_the_most_careful_of_several_rules_stands():
    """An auditor beside a rule that asks none would be refused."""
    both = changed(**CASES["misranks"][0], **CASES["misranks_starved"][0])
    blocks = suggested(both.model_copy(update={"findings": findings(both)}))
    assert blocks["rule"]["type"] == "audited_hero" and blocks["auditor"]["type"] == "judge"


@pytest.mark.parametrize("name", CASES)
def test_what_is_printed_for_trl_runs_as_it_stands(name):
    found = changed(**CASES[name][0])
    lines = to_paste(suggested(found.model_copy(update={"findings": findings(found)})))["TRL"]
    imports = [line for line in lines.splitlines() if line.startswith("from ")]
    arguments = [line for line in lines.splitlines() if line not in imports]
    names = {}
    exec("\n".join(imports), names)
    names["HeroGRPOConfig"] = dict  # the real one wants a GPU or to be told that there is none
    given = eval(f"dict({' '.join(arguments)})", names)
    assert len(given) == sum("=" in line for line in arguments)


def test_settings_in_the_words_of_each_trainer():
    settings = {
        "verifier": {"type": "cascade", "rule": {"type": "math"}, "judge": {"type": "judge", "url": "http://a:1"}},
        "verifier_processes": {"seconds": 5.0},
        "reward_model": {"dtype": "float32"},
        "trl": {"num_generations": 8},
    }
    pasted = to_paste(settings)
    assert pasted["TRL"].splitlines() == [
        "from hero_rl import HeroGRPOConfig, MathVerifier, Supervised",
        "from hero_rl.reward_models import LocalRewardModelConfig",
        "from hero_rl.verifiers import Cascade, JudgeVerifier",
        "",
        'verifier=Cascade(Supervised(MathVerifier(), seconds=5.0), JudgeVerifier(url="http://a:1")),',
        'reward_model=LocalRewardModelConfig(path="your/reward-model", dtype="float32"),',
        "args=HeroGRPOConfig(num_generations=8),",
    ]
    assert pasted["verl"].replace("\\\n", "") == (
        "+hero.verifier.type=cascade +hero.verifier.rule.type=math +hero.verifier.judge.type=judge "
        "+hero.verifier.judge.url=http://a:1 +hero.verifier_processes.seconds=5.0 +hero.reward_model.dtype=float32 "
        "actor_rollout_ref.rollout.n=8"
    )
    path_alone = to_paste({"reward_model": {"type": "local", "path": "nvidia/AceMath-7B-RM"}})
    assert path_alone["TRL"] == 'reward_model="nvidia/AceMath-7B-RM",'
