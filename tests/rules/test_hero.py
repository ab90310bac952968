import itertools
import math

import pytest
import reference
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError
from strategies import columns, heroes, signals

from hero_rl.rules import Hero, HeroState, VerifierOnly
from hero_rl.signals import Signals

sigma_bars = st.one_of(st.none(), st.just(0.0), st.floats(0.01, 20))


def close(tensor, values, **tolerance):
    expected = torch.tensor(values, dtype=torch.float64)
    torch.testing.assert_close(tensor.double(), expected, equal_nan=True, **({"rtol": 1e-9, "atol": 1e-9} | tolerance))


@given(heroes(), columns(), sigma_bars)
def test_equals_the_slow_reference(rule, batch, sigma_bar):
    shaped, after = rule.update(signals(batch), HeroState(sigma_bar=sigma_bar))
    reward, advantage, weight, sigma, expected = reference.hero(rule, *batch, sigma_bar)
    close(shaped.reward, reward)
    close(shaped.advantage, advantage, atol=1e-8)
    close(shaped.weight, weight)
    close(shaped.sigma, sigma)
    assert (after.sigma_bar is None) == (expected is None)
    if expected is not None:
        assert after.sigma_bar == pytest.approx(expected, rel=1e-12)


def test_bands_of_the_paper():
    rule = Hero(alpha=0.05, beta=0.05, w_min=1, w_max=1, eps=1e-12)
    shaped, _ = rule.update(signals(([1, 1, 1, 0, 0, 0], [2, 4, 6, 5, 7, 9], [0] * 6)), rule.init())
    close(shaped.reward, [0.95, 1.0, 1.05, -0.05, 0.0, 0.05])


def test_weight_of_the_appendix_is_a_two_level_gate_in_raw_units():
    """With k = 6 a gap of one reward-model unit already saturates the sigmoid (0.4 .. 3.0)."""
    rule = Hero()
    batch = ([0, 0, 0, 0], [-1.0, 1.0, -2.0, 2.0], [0, 0, 1, 1])
    shaped, _ = rule.update(signals(batch), HeroState(sigma_bar=2.0))
    close(shaped.weight, [0.4 + 2.6 / (1 + math.exp(6))] * 2 + [1.7] * 2)
    shaped, _ = rule.update(signals(batch), HeroState(sigma_bar=1.0))
    assert shaped.weight[2].item() == pytest.approx(3.0, abs=0.007)


def test_relative_weight_is_free_of_units():
    rule = Hero(sigma="relative")
    batch = ([0, 0, 1, 1], [-1.0, 1.0, -2.0, 2.0], [0, 0, 1, 1])
    small, _ = rule.update(signals(batch), rule.init())
    large, _ = rule.update(signals((batch[0], [100 * s for s in batch[1]], batch[2])), rule.init())
    torch.testing.assert_close(small.weight, large.weight)


@given(heroes(), columns(), sigma_bars)
def test_every_correct_rollout_outranks_every_incorrect_one(rule, batch, sigma_bar):
    assume(rule.w_min > 0)
    data = signals(batch)
    shaped, _ = rule.update(data, HeroState(sigma_bar=sigma_bar))
    for group in data.group.unique():
        right = shaped.reward[(data.group == group) & (data.verdict == 1)]
        wrong = shaped.reward[(data.group == group) & (data.verdict == 0)]
        if len(right) and len(wrong):
            assert right.min() > wrong.max()


@given(heroes(), columns(), sigma_bars)
def test_rewards_stay_in_their_bands_and_advantages_sum_to_zero(rule, batch, sigma_bar):
    data = signals(batch)
    shaped, _ = rule.update(data, HeroState(sigma_bar=sigma_bar))
    r_hat = shaped.reward / shaped.weight.clamp(min=1e-30)
    slack = 1e-9
    kept = shaped.weight > 1e-9
    right, wrong = (data.verdict == 1) & kept, (data.verdict == 0) & kept
    assert ((r_hat[right] >= 1 - rule.beta - slack) & (r_hat[right] <= 1 + rule.beta + slack)).all()
    assert (r_hat[wrong].abs() <= rule.alpha + slack).all()
    for group in data.group.unique():
        assert shaped.advantage[data.group == group].sum().abs() < 1e-7


@given(heroes(), columns(), sigma_bars, st.randoms(use_true_random=False))
def test_order_and_names_of_groups_do_not_matter(rule, batch, sigma_bar, random):
    data, state = signals(batch), HeroState(sigma_bar=sigma_bar)
    order = list(range(len(data)))
    random.shuffle(order)
    names = dict(zip(data.group.unique().tolist(), random.sample(range(10**6), 100), strict=False))
    moved = Signals(
        data.verdict[order], data.score[order], torch.tensor([names[g] for g in data.group[order].tolist()])
    )
    straight, after = rule.update(data, state)
    shuffled, after_shuffled = rule.update(moved, state)
    for field in ("reward", "advantage", "weight", "sigma"):
        close(getattr(shuffled, field), getattr(straight, field)[order].tolist(), rtol=1e-7, atol=1e-9)
    if after.sigma_bar is None:
        assert after_shuffled.sigma_bar is None
    else:
        assert after_shuffled.sigma_bar == pytest.approx(after.sigma_bar, rel=1e-9)


@given(heroes(w_min=1.0, w_max=1.0), columns(), st.floats(0.5, 50), st.floats(-30, 30))
def test_reward_is_blind_to_positive_affine_changes_of_the_score(rule, batch, factor, shift):
    verdict, score, group = batch
    gaps = sorted({s for s in score if not math.isnan(s)})
    assume(all(b - a > 1e-2 for a, b in itertools.pairwise(gaps)))
    before, _ = rule.update(signals(batch), rule.init())
    after, _ = rule.update(signals((verdict, [factor * s + shift for s in score], group)), rule.init())
    close(after.reward, before.reward.tolist(), rtol=1e-3, atol=1e-3)


@given(heroes(scale="none"), columns(), st.floats(0.01, 20), st.integers(-3, 4))
def test_shards_of_whole_groups_give_what_the_whole_batch_gives(rule, batch, sigma_bar, cut):
    data, state = signals(batch), HeroState(sigma_bar=sigma_bar)
    whole, _ = rule.update(data, state)
    for shard in (data.group <= cut * 1000003, data.group > cut * 1000003):
        part, _ = rule.update(Signals(data.verdict[shard], data.score[shard], data.group[shard]), state)
        close(part.advantage, whole.advantage[shard].tolist())


def test_sigma_bar_of_ranks_is_that_of_the_gathered_batch():
    rule = Hero()
    state = HeroState(sigma_bar=1.5)
    data = signals(([0, 1, 0, 1, 1, 0], [1, 3, 0, 4, 2, 2.5], [5, 5, 6, 6, 7, 7]))
    _, after = rule.update(data, state)
    assert after.sigma_bar == pytest.approx(0.9 * 1.5 + 0.1 * (1 + 2 + 0.25) / 3)


def test_without_a_reward_model_hero_is_verifier_only():
    batch = ([1, 0, 0, 1, 0, 0], [math.nan] * 6, [0, 0, 0, 1, 1, 1])
    hero, state = Hero().update(signals(batch), Hero().init())
    plain, _ = VerifierOnly().update(signals(batch), VerifierOnly().init())
    torch.testing.assert_close(hero.advantage, plain.advantage)
    assert (hero.weight == 1).all() and state.sigma_bar is None


def test_an_abstention_is_unscorable_and_left_out_of_every_statistic():
    with_abstention = signals(([1, 0, 0, math.nan], [1.0, 2.0, 3.0, 99.0], [0] * 4))
    without = signals(([1, 0, 0], [1.0, 2.0, 3.0], [0] * 3))
    first, state = Hero().update(with_abstention, HeroState())
    second, expected = Hero().update(without, HeroState())
    assert first.reward[3].isnan() and first.advantage[3] == 0
    torch.testing.assert_close(first.advantage[:3], second.advantage)
    assert state == expected


@pytest.mark.parametrize(
    ("verdict", "score"),
    [([1], [3.0]), ([math.nan] * 3, [1.0, 2.0, 3.0]), ([1, math.nan], [1.0, 2.0]), ([0, 0], [4.2, 4.2])],
)
def test_a_group_that_says_nothing_gets_exactly_zero(verdict, score):
    for scale in ("none", "group", "batch"):
        shaped, _ = Hero(scale=scale).update(signals((verdict, score, [1] * len(verdict))), HeroState())
        assert (shaped.advantage == 0).all()


def test_a_group_without_evidence_has_weight_one_and_stays_out_of_sigma_bar():
    batch = ([1, 0, 1, 0], [5.0, math.nan, 1.0, 3.0], [0, 0, 1, 1])
    shaped, state = Hero().update(signals(batch), HeroState())
    assert shaped.weight[:2].tolist() == [1, 1]
    assert state.sigma_bar == 1.0


def test_relative_weight_is_neutral_while_sigma_bar_is_zero():
    rule = Hero(sigma="relative", w_min=0.4, w_max=3.0)
    shaped, _ = rule.update(signals(([1, 0], [2.0, 2.0], [0, 0])), HeroState(sigma_bar=0.0))
    close(shaped.weight, [1.7, 1.7])


def test_singleton_floor_and_middle():
    batch = ([1, 0, 0], [9.0, 1.0, 2.0], [0, 0, 0])
    settings = {"alpha": 0.1, "beta": 0.2, "w_min": 1.0, "w_max": 1.0}
    floor, _ = Hero(**settings).update(signals(batch), HeroState())
    middle, _ = Hero(**settings, singleton="middle").update(signals(batch), HeroState())
    assert floor.reward[0].item() == pytest.approx(0.8)
    assert middle.reward[0].item() == pytest.approx(1.0)


def test_results_come_in_the_dtype_of_the_scores_and_empty_batches_pass():
    single, _ = Hero().update(signals(([1, 0], [1.0, 2.0], [0, 0]), torch.float32), HeroState())
    assert {single.reward.dtype, single.advantage.dtype, single.weight.dtype, single.sigma.dtype} == {torch.float32}
    empty, state = Hero().update(signals(([], [], [])), HeroState())
    assert empty.advantage.shape == (0,) and state.sigma_bar is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"alpha": 0.5, "beta": 0.5}, "alpha \\+ beta must be below 1"),
        ({"alpha": 0.0}, "alpha"),
        ({"beta": 1.5}, "beta"),
        ({"w_min": 3.0, "w_max": 2.0}, "w_min 3.0 is above w_max 2.0"),
        ({"momentum": 1.0}, "momentum"),
        ({"eps": 0.0}, "eps"),
        ({"k": math.inf}, "k"),
        ({"aplha": 0.1}, "aplha"),
    ],
)
def test_wrong_settings_are_refused_by_name(settings, message):
    with pytest.raises(ValidationError, match=message):
        Hero(**settings)


@given(sigma_bars)
def test_state_survives_json_bit_for_bit(sigma_bar):
    state = HeroState(sigma_bar=sigma_bar)
    assert HeroState.model_validate_json(state.model_dump_json()) == state
