import math

import pytest
import reference
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import columns, signals

from hero_rl.rules import Gdpo, Groups, RewardModelOnly, State, VerifierOnly, WeightedSum, leave_one_out, normalise

scales = st.sampled_from(["none", "group", "batch"])


def run(rule, batch):
    shaped, state = rule.update(signals(batch), rule.init())
    assert state == State()
    assert (shaped.weight == 1).all()
    return shaped


def close(tensor, values):
    expected = torch.tensor(values, dtype=torch.float64)
    torch.testing.assert_close(tensor, expected, rtol=1e-8, atol=1e-8, equal_nan=True)


@given(columns(), scales)
def test_verifier_only(batch, scale):
    verdict, _, group = batch
    shaped = run(VerifierOnly(scale=scale), batch)
    close(shaped.reward, verdict)
    close(shaped.advantage, reference.normalise(verdict, group, [not math.isnan(v) for v in verdict], scale, 1e-6))


@given(columns(), scales)
def test_reward_model_only(batch, scale):
    _, score, group = batch
    shaped = run(RewardModelOnly(scale=scale), batch)
    close(shaped.reward, score)
    close(shaped.advantage, reference.normalise(score, group, [not math.isnan(s) for s in score], scale, 1e-6))


@given(columns(), scales, st.floats(0, 1), st.sampled_from(["none", "sigmoid"]))
def test_weighted_sum(batch, scale, weight, squash):
    verdict, score, group = batch
    shaped = run(WeightedSum(weight=weight, scale=scale, squash=squash, temperature=2.0), batch)
    part = [s if squash == "none" or math.isnan(s) else reference.sigmoid(s / 2) for s in score]
    reward = [math.nan] * len(verdict)
    for rows in reference.members(group):
        present = [part[i] for i in rows if not math.isnan(part[i]) and not math.isnan(verdict[i])]
        filler = reference.mean(present) if present else 0.0
        for i in rows:
            reward[i] = weight * verdict[i] + (1 - weight) * (filler if math.isnan(part[i]) else part[i])
    close(shaped.reward, reward)
    # A group whose rewards differ by rounding alone is constant for one of the two sums and not for the other.
    if scale != "group":
        scorable = [not math.isnan(v) for v in verdict]
        close(shaped.advantage, reference.normalise(reward, group, scorable, scale, 1e-6))


@given(columns())
def test_gdpo(batch):
    verdict, score, group = batch
    scorable = [not math.isnan(v) for v in verdict]
    present = [s and not math.isnan(x) for s, x in zip(scorable, score, strict=True)]
    by_verdict = reference.normalise(verdict, group, scorable, "group", 1e-6)
    by_score = reference.normalise(score, group, present, "group", 1e-6)
    total = [a + 2 * b for a, b in zip(by_verdict, by_score, strict=True)]
    counted = [t for t, s in zip(total, scorable, strict=True) if s]
    spread = reference.std(counted, 1) if len(counted) > 1 else 0.0
    shaped = run(Gdpo(score_weight=2.0), batch)
    close(shaped.reward, [t if s else math.nan for t, s in zip(total, scorable, strict=True)])
    close(shaped.advantage, [t / (spread + 1e-6) if s else 0.0 for t, s in zip(total, scorable, strict=True)])


@given(columns())
def test_leave_one_out(batch):
    verdict, _, group = batch
    scorable = [not math.isnan(v) for v in verdict]
    data = signals(batch)
    groups, mask = Groups.of(data.group), ~data.verdict.isnan()
    advantage = leave_one_out(normalise(data.verdict, groups, mask, "none", 1e-6), groups, mask)
    for rows in reference.members(group):
        rows = [i for i in rows if scorable[i]]
        for i in rows:
            others = [verdict[j] for j in rows if j != i]
            expected = verdict[i] - reference.mean(others) if others else 0.0
            assert advantage[i].item() == pytest.approx(expected, abs=1e-12)


def test_sigma_is_logged_by_every_rule():
    batch = ([1, 0, 0, 0], [1.0, 3.0, 5.0, 5.0], [0, 0, 1, 1])
    for rule in (VerifierOnly(), RewardModelOnly(), WeightedSum(), Gdpo()):
        assert run(rule, batch).sigma.tolist() == [1.0, 1.0, 0.0, 0.0]


def test_constant_rewards_leave_no_residue():
    """The mean of three 0.1s is not 0.1 in binary; divided by a small deviation the rest would be a gradient."""
    groups, mask = Groups.of(torch.zeros(3, dtype=torch.int64)), torch.ones(3, dtype=torch.bool)
    assert (normalise(torch.full((3,), 0.1).double(), groups, mask, "group", 1e-6) == 0).all()
