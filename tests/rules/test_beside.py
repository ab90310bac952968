"""Rules of other papers: values by hand, and what every rule here keeps to."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter
from strategies import columns, signals

from hero_rl import shape
from hero_rl.rules import (
    AnyRule,
    ConsistencyFilter,
    Corpo,
    Dvao,
    Gd2po,
    Groups,
    Papo,
    RelativeRanks,
    Saw,
    State,
)
from hero_rl.rules.levels import Levels

BY_GROUP = [Dvao(), Papo(), Corpo(), ConsistencyFilter(), RelativeRanks(), RelativeRanks(tie=0.5)]
BY_BATCH = [Saw(), Saw(scale="none"), Gd2po()]
PLAIN = [Papo(), Corpo(), ConsistencyFilter(), RelativeRanks()]
NAN, EMPTY = math.nan, -math.inf


def advantage(rule, verdict, score, group=None):
    return shape(verdict, score, group or [1] * len(verdict), rule).advantage.tolist()


def near(values):
    return pytest.approx(values, abs=1e-4)


TOLD, SCORES = [1, 1, 0, 0], [3.0, 1.0, 2.0, 0.0]


def test_dvao_by_hand():
    """Centred: .5 .5 -.5 -.5 and 1.5 -.5 .5 -1.5; their spreads .5 and 1.118; half of each on both sides."""
    assert advantage(Dvao(), TOLD, SCORES) == near([1.23607, 0, 0, -1.23607])
    # In a uniform group the score alone, at full size: (r - mean) / 1.
    assert advantage(Dvao(), [0, 0], [2.0, 0.0]) == near([1.0, -1.0])


def test_saw_by_hand():
    """Spreads .57735 and 1.29099 over means .5 and 1.5: 1.1547 and .8607, so .573 of the one and .427 of the other."""
    ours = advantage(Saw(scale="none"), TOLD, SCORES)
    told, ranked = 0.57735 / 0.5002, 1.29099 / 1.5002
    share = told / (told + ranked)
    mean = [0.5 * share + (1 - share) * x for x in (1.5, -0.5)]
    assert ours == near([mean[0], mean[1], -mean[1], -mean[0]])
    # What no longer varies has no weight; where nothing does both have half.
    assert advantage(Saw(scale="none"), [1, 1], [2.0, 0.0]) == near([1.0, -1.0])
    assert shape([1, 1], [2.0, 2.0], [1, 1], Saw()).reward.tolist() == near([1.5, 1.5])
    with pytest.raises(ValueError, match="score of -1 is below score_minimum 0"):
        advantage(Saw(score_minimum=0.0), TOLD, [-1.0, 1.0, 2.0, 0.0])


def test_gd2po_by_hand():
    """Signs differ in the middle; 2.0279 and -2.0279 are left, spread 2.8679, and half of the group is kept."""
    shaped = shape(TOLD, SCORES, [1] * 4, Gd2po())
    assert shaped.advantage.tolist() == near([0.35355, 0, 0, -0.35355])
    assert shaped.weight.tolist() == [0.5] * 4


def test_papo_by_hand():
    """.866 for the verdict; among the correct 3 and 1 are .7071 above and below their mean, in their spread."""
    assert advantage(Papo(), TOLD, SCORES) == near([1.57313, 0.15892, -0.86603, -0.86603])
    assert advantage(Papo(), [0, 0, 0], [1.0, 2.0, 3.0]) == [0.0] * 3
    assert advantage(Papo(), [1, 1], [2.0, 0.0]) == near([0.70711, -0.70711])


def test_corpo_by_hand():
    """Rewards .92 .84 .08 0 with mean .46, under the threshold of .8; and 1 and .9 with mean .95 above it."""
    rule = Corpo(squash="none")
    assert advantage(rule, TOLD, [0.6, 0.2, 0.4, 0.0]) == near([0.12, 0.04, -0.72, -0.8])
    assert advantage(rule, [1, 1], [1.0, 0.5]) == near([0.05, -0.05])
    assert advantage(rule, [0, 0], [1.0, 0.0]) == near([-0.6, -0.8])


def test_the_consistency_filter_by_hand():
    """One of the two right ones goes, the lower; and one of the wrong ones, the higher."""
    assert advantage(ConsistencyFilter(), TOLD, SCORES) == near([0.70711, 0, 0, -0.70711])
    # Of one right and three wrong the two highest wrong ones go: one of each is left.
    assert advantage(ConsistencyFilter(), [1, 0, 0, 0], [0.0, 2.0, 1.0, 3.0]) == near([0.70711, 0, -0.70711, 0])
    # Those that are level stay together.
    kept = advantage(ConsistencyFilter(), [1, 0, 0, 0], [0.0, 2.0, 2.0, 2.0])
    assert kept == near([1.5, -0.5, -0.5, -0.5])
    assert advantage(ConsistencyFilter(keep=1.0, scale="none"), TOLD, SCORES) == near([0.5, 0.5, -0.5, -0.5])


def test_relative_ranks_by_hand():
    """Ranks 1 to 4 add a tenth of tanh 3, tanh 1, tanh 1/3 and 0."""
    assert advantage(RelativeRanks(), TOLD, SCORES) == near([0.54755, 0.52420, -0.51980, -0.55195])
    # Of a group that is all wrong nobody is raised by more than the margin.
    assert advantage(RelativeRanks(), [0, 0], [1.0, 0.0]) == near([0.001, -0.03808])
    # What lies within a tie is level, neighbour by neighbour.
    assert advantage(RelativeRanks(tie=1.0), [0, 0, 0], [0.0, 1.0, 2.0]) == [0.0] * 3
    # Without a score, the mean of the stratum's.
    assert shape([0, 0, 0], [1.0, 0.0, NAN], [1] * 3, RelativeRanks()).reward.tolist() == near([0.07616, 0, 0.03808])


@pytest.mark.parametrize("rule", [*BY_GROUP, *BY_BATCH], ids=repr)
@given(batch=columns(), seed=st.integers(0, 9))
def test_what_every_rule_keeps_to(rule, batch, seed):
    """No state, no word on what could not be scored, and the order of the rollouts is of no account."""
    data = signals(batch)
    shaped, state = rule.update(data, rule.init())
    assert state == State()
    unscorable = data.verdict.isnan()
    assert torch.equal(shaped.reward.isnan(), unscorable)
    assert (shaped.advantage[unscorable] == 0).all()
    assert shaped.advantage.isfinite().all()
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(seed))
    moved, _ = rule.update(signals([[column[i] for i in order] for column in batch]), rule.init())
    torch.testing.assert_close(moved.advantage, shaped.advantage[order], rtol=1e-6, atol=1e-6)
    if rule in BY_GROUP:
        for name in set(batch[2]):
            rows = [i for i, group in enumerate(batch[2]) if group == name]
            alone, _ = rule.update(signals([[column[i] for i in rows] for column in batch]), rule.init())
            torch.testing.assert_close(alone.advantage, shaped.advantage[rows], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("rule", [*BY_GROUP, *BY_BATCH], ids=repr)
@given(scores=st.lists(st.floats(-50, 50), min_size=2, max_size=6))
def test_an_empty_completion_is_never_preferred(rule, scores):
    shaped = shape([0] * (len(scores) + 1), [*scores, EMPTY], [1] * (len(scores) + 1), rule)
    assert (shaped.advantage[-1] <= shaped.advantage[:-1] + 1e-9).all()
    assert shaped.reward.isfinite().all()


@given(batch=columns())
def test_no_incorrect_rollout_is_raised_where_the_paper_says_so(batch):
    data = signals(batch)
    for rule, most in ((Corpo(), 0.0), (RelativeRanks(margin=0.01), 0.01)):
        shaped, _ = rule.update(data, rule.init())
        assert (shaped.advantage[data.verdict == 0] <= most + 1e-9).all()


@pytest.mark.parametrize("rule", PLAIN, ids=lambda rule: rule.type)
def test_rules_that_take_no_grades_say_so(rule):
    assert not rule.takes_graded
    with pytest.raises(ValueError, match=rf"rule '{rule.type}' takes verdicts of 0 and 1 alone; verdict\[1\] is 0.5"):
        shape([1, 0.5], [1.0, 0.0], [1, 1], rule)


@pytest.mark.parametrize("rule", [*BY_GROUP, *BY_BATCH], ids=repr)
def test_each_is_a_block_of_a_configuration(rule):
    assert TypeAdapter(AnyRule).validate_python({"type": rule.type, **rule.model_dump()}) == rule


@given(batch=columns(), tie=st.sampled_from([0.0, 0.5, 3.0]))
def test_levels_are_those_of_a_slow_count(batch, tie):
    _, score, group = batch
    score = [0.0 if math.isnan(x) else x for x in score]
    counts = torch.tensor([not math.isnan(x) for x in batch[1]])
    groups = Groups.of(torch.tensor(group))
    levels = Levels.of(torch.tensor(score, dtype=torch.float64), groups, counts, tie)
    for name in set(group):
        rows = sorted((i for i, g in enumerate(group) if g == name and counts[i]), key=lambda i: score[i])
        place, of = 0, {}
        for before, row in zip([None, *rows], rows, strict=False):
            place += before is None or score[row] - score[before] > tie
            of[row] = place
        for row in rows:
            assert levels.upto[row] == sum(of[other] <= of[row] for other in rows)
            assert levels.from_top[row] == place + 1 - of[row]
            assert levels.number[row] == place
    assert (levels.upto[~counts] == 0).all()
