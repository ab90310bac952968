"""One group at a time gives what whole batches give."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import columns, heroes, signals

from hero_rl import Gdpo, Hero, VerifierOnly
from hero_rl.errors import CheckpointError
from hero_rl.rules import HeroState
from hero_rl.trainers.group_by_group import GroupByGroup, filled


def split(batch):
    """(places, verdict, score) of each group, in order of its first rollout."""
    verdict, score, group = batch
    for name in dict.fromkeys(group):
        places = [i for i, other in enumerate(group) if other == name]
        yield places, [verdict[i] for i in places], [score[i] for i in places]


@given(columns(), heroes(scale="none"), st.floats(0.01, 20))
def test_groups_one_by_one_equal_the_batch(batch, rule, sigma_bar):
    groups = list(split(batch))
    shaper = GroupByGroup(rule, groups_per_batch=len(groups))
    shaper.state = HeroState(sigma_bar=sigma_bar)
    whole, after = rule.update(signals(batch), shaper.state)
    for places, verdict, score in reversed(groups):
        shaped = shaper.shape(verdict, score)
        for name in ("reward", "advantage", "weight", "sigma"):
            torch.testing.assert_close(getattr(shaped, name), getattr(whole, name)[places], equal_nan=True)
    assert shaper.state.sigma_bar == pytest.approx(after.sigma_bar)


@given(columns(), heroes(scale="none"))
def test_filled_rewards_give_the_advantages_once_centred(batch, rule):
    for _, verdict, score in split(batch):
        shaped = GroupByGroup(rule, groups_per_batch=1).shape(verdict, score)
        rewards = torch.tensor(filled(shaped.reward), dtype=torch.float64)
        torch.testing.assert_close(rewards - rewards.mean(), shaped.advantage)


def test_the_state_stays_frozen_for_a_batch_of_groups():
    shaper = GroupByGroup(Hero(), groups_per_batch=2)
    assert shaper.shape([1, 0], [1.0, 0.0]).weight.tolist() == pytest.approx([1.7, 1.7])
    assert shaper.state.sigma_bar is None
    assert shaper.shape([1, 0], [3.0, 0.0]).weight.tolist() == pytest.approx([1.7, 1.7])
    assert shaper.state.sigma_bar == pytest.approx(1.0)  # mean of 0.5 and 1.5
    shaper.shape([1, 0], [4.0, 0.0])
    shaper.end_batch()
    assert shaper.state.sigma_bar == pytest.approx(1.1)
    shaper.end_batch()
    assert shaper.state.sigma_bar == pytest.approx(1.1)


def test_none_is_nan():
    shaped = GroupByGroup(groups_per_batch=1).shape([1, None, 0], [1.0, 2.0, None])
    assert math.isnan(shaped.reward[1])
    assert filled(shaped.reward)[1] == pytest.approx((shaped.reward[0] + shaped.reward[2]).item() / 2)
    assert filled(torch.tensor([math.nan, math.nan])) == [0.0, 0.0]


def test_the_state_survives_in_its_file(tmp_path):
    folder = tmp_path / "run"
    first = GroupByGroup(Hero(), groups_per_batch=1, folder=folder)
    first.shape([1, 0], [0.1, 0.7])
    again = GroupByGroup(Hero(), groups_per_batch=1, folder=folder)
    assert again.state == first.state
    with pytest.raises(CheckpointError, match="holds the state of rule 'hero', not 'verifier_only'"):
        GroupByGroup(VerifierOnly(), groups_per_batch=1, folder=folder)


def test_rules_that_need_whole_batches_are_refused():
    for rule in (Gdpo(), Hero(scale="batch"), VerifierOnly(scale="batch")):
        with pytest.raises(ValueError, match="needs whole batches"):
            GroupByGroup(rule, groups_per_batch=1)
    with pytest.raises(ValueError, match="groups_per_batch is 0"):
        GroupByGroup(groups_per_batch=0)
