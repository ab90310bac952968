"""Partial credit: bands around any verdicts between 0 and 1, and a trust that rests on their order."""

import math
from typing import ClassVar, get_args

import pytest
import reference
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import columns, heroes, scores, signals
from test_gated_hero import VALUES, assert_same_state, gated_rules, states

from hero_rl.rules import (
    AuditableRule,
    AuditedHero,
    AuditedState,
    GatedHero,
    GatedState,
    Gdpo,
    Groups,
    Hero,
    HeroState,
    RewardModelOnly,
    VerifierOnly,
    WeightedSum,
    group_auroc,
)
from hero_rl.rules.banded import banded_reward
from hero_rl.rules.base import State, only_plain
from hero_rl.signals import Signals

GRADES = (0.0, 1.0, math.nan, 0.5, 1 / 3, 2 / 3, 0.1, 0.9, 0.25, 0.99)
graded = columns(verdicts=GRADES)


def close(tensor, values, atol=1e-9):
    expected = torch.tensor(values, dtype=torch.float64)
    torch.testing.assert_close(tensor.double(), expected, rtol=1e-9, atol=atol, equal_nan=True)


def r_hat(rule, data):
    groups = Groups.of(data.group)
    return banded_reward(data, groups, alpha=rule.alpha, beta=rule.beta, singleton=rule.singleton, eps=rule.eps)


def eq3(rule, data):
    """Eq. 3 as the paper has it, for verdicts of 0 and 1, in the same operations."""
    groups, score, correct = Groups.of(data.group), data.score.double(), data.verdict == 1
    present = ~data.verdict.isnan() & ~score.isnan()
    strata = groups.split(correct)
    low, high = strata.spread(strata.min(score, present)), strata.spread(strata.max(score, present))
    z = ((score - low) / (high - low + rule.eps)).where(high > low, 0.0 if rule.singleton == "floor" else 0.5)
    z = z.where(present, 0.5).masked_fill(data.empty, 0.0)
    alpha, beta = rule.alpha, rule.beta
    banded = torch.where(correct, 1 - beta + 2 * beta * z, -alpha + 2 * alpha * z)
    return banded.where(~data.verdict.isnan(), 0)


def pairs(data):
    """Rows (i, j) of one group with verdict[i] > verdict[j]."""
    higher = data.verdict.unsqueeze(1) > data.verdict.unsqueeze(0)
    return (higher & (data.group.unsqueeze(1) == data.group.unsqueeze(0))).nonzero().T


@given(heroes(), columns(score=scores | st.just(-math.inf)))
def test_verdicts_of_0_and_1_give_eq_3_to_the_bit(rule, batch):
    data = signals(batch)
    assert torch.equal(r_hat(rule, data), eq3(rule, data))


@given(heroes(), graded, st.none() | st.floats(0.01, 20))
def test_hero_equals_the_slow_reference(rule, batch, sigma_bar):
    shaped, after = rule.update(signals(batch), HeroState(sigma_bar=sigma_bar))
    *expected, bar = reference.hero(rule, *batch, sigma_bar)
    for name, values in zip(VALUES, expected, strict=True):
        # A group whose banded rewards differ by rounding alone is constant for one of the two and not for the other.
        if name != "advantage" or rule.scale != "group":
            close(getattr(shaped, name), values, atol=1e-8)
    assert after.sigma_bar == (None if bar is None else pytest.approx(bar, rel=1e-12))


@given(gated_rules(scale="none"), graded, states())
def test_gated_hero_equals_the_slow_reference(rule, batch, state):
    shaped, after = rule.update(signals(batch), state)
    *expected, then = reference.gated_hero(rule, *batch, state)
    for name, values in zip(VALUES, expected, strict=True):
        close(getattr(shaped, name), values)
    assert_same_state(after, then)


@given(heroes(), graded)
def test_a_higher_verdict_is_a_higher_reward_by_the_share_that_the_bands_leave(rule, batch):
    """Between (1 - alpha - beta) and (1 + alpha + beta) times the distance of the verdicts, whatever the scores."""
    data = signals(batch)
    reward, (high, low) = r_hat(rule, data), pairs(data)
    rise, distance = reward[high] - reward[low], (data.verdict[high] - data.verdict[low]).double()
    both = rule.alpha + rule.beta
    assert (rise > 0).all()
    assert (rise >= (1 - both) * distance - 1e-12).all()
    assert (rise <= (1 + both) * distance + 1e-12).all()


@given(heroes(), graded)
def test_bands_are_no_wider_than_the_settings_say(rule, batch):
    data = signals(batch)
    judged = ~data.verdict.isnan()
    off = (r_hat(rule, data) - data.verdict.double()).abs()[judged]
    word = data.verdict[judged].double()
    assert (off <= (1 - word) * rule.alpha + word * rule.beta + 1e-12).all()


@given(heroes(), columns(verdicts=(0.0, 1.0)), st.integers(0, 98), st.integers(1, 99))
def test_two_verdicts_of_a_group_are_shaped_as_0_and_1_are_on_another_scale(rule, batch, low, rise):
    low, rise = low / 100, min(rise, 100 - low) / 100
    data = signals(batch)
    groups = Groups.of(data.group)
    mixed = groups.spread(groups.min(data.verdict, data.verdict >= 0) < groups.max(data.verdict, data.verdict >= 0))
    moved = Signals(low + rise * data.verdict, data.score, data.group)
    close(r_hat(rule, moved)[mixed], (low + rise * r_hat(rule, data))[mixed].tolist())


@given(heroes(), graded, st.randoms(use_true_random=False))
def test_order_of_the_rollouts_does_not_matter(rule, batch, random):
    data = signals(batch)
    order = list(range(len(data)))
    random.shuffle(order)
    moved = Signals(data.verdict[order], data.score[order], data.group[order])
    assert torch.equal(r_hat(rule, moved), r_hat(rule, data)[order])


@given(heroes(scale="none"), graded, st.floats(0.01, 20), st.integers(-3, 4))
def test_shards_of_whole_groups_give_what_the_whole_batch_gives(rule, batch, sigma_bar, cut):
    data, state = signals(batch), HeroState(sigma_bar=sigma_bar)
    whole, _ = rule.update(data, state)
    for shard in (data.group <= cut * 1000003, data.group > cut * 1000003):
        part = Signals(data.verdict[shard], data.score[shard], data.group[shard])
        assert torch.equal(r_hat(rule, part), r_hat(rule, data)[shard])
        close(rule.update(part, state)[0].advantage, whole.advantage[shard].tolist())


@given(graded, st.sampled_from([torch.float32, torch.float64]))
def test_the_gates_evidence_is_the_concordance_of_pairs(batch, dtype):
    verdict, score, _ = batch
    data = signals(batch, dtype)
    ours = group_auroc(data.score, data.verdict, Groups.of(data.group))
    for value, name in zip(ours.tolist(), data.group.unique(), strict=True):
        rows = (data.group == name).nonzero().flatten().tolist()
        rows = [i for i in rows if not math.isnan(verdict[i]) and not math.isnan(score[i])]
        expected = reference.concordance([verdict[i] for i in rows], [data.score[i].item() for i in rows])
        assert value == pytest.approx(math.nan if expected is None else expected, nan_ok=True, rel=1e-12)


@given(columns(verdicts=(0.0, 1.0, math.nan)))
def test_of_0_and_1_the_concordance_is_the_auroc_to_the_bit(batch):
    data = signals(batch)
    ours = group_auroc(data.score, data.verdict, Groups.of(data.group)).tolist()
    for value, name in zip(ours, data.group.unique(), strict=True):
        there = (data.group == name) & ~data.score.isnan()
        right, wrong = (data.score[there & (data.verdict == word)] for word in (1, 0))
        if not len(right) or not len(wrong):
            assert math.isnan(value)
            continue
        won = (right.unsqueeze(1) > wrong).sum() + 0.5 * (right.unsqueeze(1) == wrong).sum()
        assert value == won.item() / (len(right) * len(wrong))


@pytest.mark.parametrize("scale", ["none", "group"])
@given(st.data(), columns(verdicts=(0.0, 1.0, 0.5, 0.25, 0.9, 0.99)), st.floats(0, 1))
def test_the_distance_from_the_verifier_alone_is_bounded_by_the_trust(scale, draws, batch, trust):
    """The bounds of docs/science/method.md hold for partial credit as they stand."""
    rule, data = draws.draw(gated_rules(scale=scale)), signals(batch)
    gated, _ = rule.update(data, GatedState(trust=trust))
    alone, _ = VerifierOnly(scale=scale).update(data, State())
    groups, everyone = Groups.of(data.group), torch.ones_like(data.verdict, dtype=torch.bool)
    distance = groups.sum((gated.advantage - alone.advantage).square(), everyone).sqrt()
    size = groups.count(everyone)
    mixed = groups.min(data.verdict, everyone) < groups.max(data.verdict, everyone)
    band, gain = max(rule.alpha, rule.beta), max(rule.w_max - 1, 1 - rule.w_min)
    if scale == "none":
        bound = size.sqrt() * torch.where(mixed, torch.tensor(band + gain * (0.5 + band)), band * (1 + gain))
    else:
        bound = torch.where(mixed, 2 * band * size + gain * (size - 1).sqrt(), (1 + gain) * (size - 1).sqrt())
    assert (distance <= trust * bound + 1e-9).all()


@given(graded, st.sampled_from(["none", "group", "batch"]))
def test_without_trust_it_is_the_verifier_alone_to_the_bit(batch, scale):
    data = signals(batch)
    ours, _ = GatedHero(scale=scale).update(data, GatedState())
    theirs, _ = VerifierOnly(scale=scale).update(data, State())
    assert torch.equal(ours.advantage, theirs.advantage)


def test_a_graded_group_by_hand():
    """Seven of ten tests, three, three, and none: the middle band takes a tenth of the way to its nearer neighbour."""
    rule = Hero(alpha=0.1, beta=0.2, w_min=1, w_max=1, eps=1e-12)
    batch = ([0.7, 0.3, 0.3, 0.0, 0.0], [9.0, 2.0, 4.0, 5.0, 1.0], [0] * 5)
    shaped, _ = rule.update(signals(batch), rule.init())
    # 0.7: a fifth of 0.4 down. 0.3: a tenth of 0.4 up, less than a fifth of 0.3 down. 0: a tenth of 0.3 up.
    close(shaped.reward, [0.7 - 0.08, 0.3 - 0.04, 0.3 + 0.04, 0.03, -0.03])


def test_a_group_of_one_grade_is_ranked_by_the_score_in_the_band_between():
    rule = Hero(alpha=0.1, beta=0.2, w_min=1, w_max=1, eps=1e-12)
    shaped, _ = rule.update(signals(([0.25] * 3, [1.0, 3.0, 2.0], [0] * 3)), rule.init())
    close(shaped.reward, [0.125, 0.375, 0.25])


class Halves(VerifierOnly):
    """A rule that partial credit means nothing to."""

    takes_graded: ClassVar[bool] = False

    def update(self, signals, state):
        only_plain(self, signals)
        return super().update(signals, state)


@pytest.mark.parametrize("rule", [kind() for kind in get_args(get_args(AuditableRule)[0])] + [Halves()], ids=repr)
def test_every_rule_takes_partial_credit_or_names_itself(rule):
    """Never rounded: a rule that says that it takes grades tells 0.4 from 0 and 0.6 from 1."""
    plain = signals(([0.0, 1.0, 0.0], [math.nan] * 3, [0] * 3))
    partial = signals(([0.4, 0.6, 0.0], [math.nan] * 3, [0] * 3))
    if not rule.takes_graded:
        rule.update(plain, rule.init())
        with pytest.raises(
            ValueError, match=rf"rule '{rule.type}' takes verdicts of 0 and 1 alone; verdict\[0\] is 0.4"
        ):
            rule.update(partial, rule.init())
        return
    rewards = [rule.update(data, rule.init())[0].reward.nan_to_num() for data in (plain, partial)]
    assert isinstance(rule, RewardModelOnly) or not torch.allclose(*rewards)


@given(graded, st.floats(0, 1))
def test_the_rules_to_compare_with_read_a_grade_as_a_number(batch, weight):
    verdict, _, group = batch
    scorable = [not math.isnan(v) for v in verdict]
    alone, _ = VerifierOnly().update(signals(batch), State())
    close(alone.reward, verdict)
    close(alone.advantage, reference.normalise(verdict, group, scorable, "none", 1e-6))
    unscored = signals((verdict, [math.nan] * len(verdict), group))
    summed, _ = WeightedSum(weight=weight).update(unscored, State())
    close(summed.reward, [weight * v for v in verdict])
    added, _ = Gdpo().update(unscored, State())
    close(added.reward.nan_to_num(), reference.normalise(verdict, group, scorable, "group", 1e-6))


def test_audits_may_be_graded():
    """Of a group that the verifier holds alike, the auditor's grades say what the score should have put first."""
    rule, nan = AuditedHero(), math.nan
    data = Signals(
        torch.tensor([0.5, 0.5, 0.5]).double(),
        torch.tensor([2.0, 1.0, 0.0]).double(),
        torch.zeros(3, dtype=torch.long),
        audit=torch.tensor([0.8, 0.3, nan]).double(),
    )
    _, after = rule.update(data, AuditedState())
    assert (after.audit.evidence, after.audit.auroc) == (1.0, 1.0)


@pytest.mark.parametrize("verdict", [-0.1, 1.1, math.inf])
def test_verdicts_outside_of_0_and_1_are_refused(verdict):
    with pytest.raises(ValueError, match=r"verdict\[1\] is .*; it must lie in \[0, 1\] or be NaN"):
        signals(([1.0, verdict], [0.0, 0.0], [0, 0]))
