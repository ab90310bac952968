"""The gated rule: equal to its slow reference, verifier-only without trust, bounded as docs/science/method.md says."""

import math

import pytest
import reference
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import columns, signals

from hero_rl.rules import GatedHero, GatedState, Groups, VerifierOnly
from hero_rl.rules.evidence import trust_of
from hero_rl.signals import Signals

VALUES = ["reward", "advantage", "weight", "sigma"]


@st.composite
def gated_rules(draw, **fixed):
    settings = {
        "alpha": draw(st.floats(0.01, 0.5)),
        "beta": draw(st.floats(0.01, 0.49)),
        "w_min": draw(st.floats(0, 1)),
        "w_max": draw(st.floats(1, 4)),
        "k": draw(st.floats(0, 10)),
        "sigma": draw(st.sampled_from(["raw", "relative"])),
        "scale": draw(st.sampled_from(["none", "group", "batch"])),
        "memory": draw(st.floats(0, 0.99)),
    }
    return GatedHero(**(settings | fixed))


@st.composite
def states(draw):
    auroc = draw(st.floats(0, 1))
    return GatedState(
        sigma_bar=draw(st.none() | st.floats(0, 10)),
        trust=draw(st.sampled_from([0.0, 1.0]) | st.floats(0, 1)),
        evidence=draw(st.sampled_from([0.0, 8.0]) | st.floats(0, 1000)),
        auroc=auroc,
        auroc_squared=draw(st.floats(auroc**2, auroc)),
    )


def assert_same_state(state, expected):
    ours, theirs = (
        {n: v for n, v in one.items() if v is not None and n != "domains"} for one in (state.model_dump(), expected)
    )
    assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-9)
    assert state.domains == {}


@given(gated_rules(), columns(), states())
def test_equals_the_slow_reference(rule, batch, state):
    shaped, after = rule.update(signals(batch), state)
    expected = reference.gated_hero(rule, *batch, state)
    for name, values in zip(VALUES, expected, strict=False):
        torch.testing.assert_close(
            getattr(shaped, name), torch.tensor(values, dtype=torch.float64), rtol=1e-9, atol=1e-9, equal_nan=True
        )
    assert_same_state(after, expected[-1])


@given(columns(), st.sampled_from(["none", "group", "batch"]))
def test_without_trust_it_is_verifier_only_to_the_bit(batch, scale):
    data = signals(batch)
    ours, _ = GatedHero(scale=scale).update(data, GatedState())
    theirs, _ = VerifierOnly(scale=scale).update(data, VerifierOnly().init())
    assert torch.equal(ours.advantage, theirs.advantage)
    torch.testing.assert_close(ours.reward, theirs.reward, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("scale", ["none", "group"])
@given(st.data(), columns(verdicts=(0.0, 1.0)), st.floats(0, 1))
def test_the_distance_from_verifier_only_is_bounded_by_the_trust(scale, draws, batch, trust):
    """The bounds of docs/science/method.md, group by group."""
    rule = draws.draw(gated_rules(scale=scale))
    data = signals(batch)
    gated, _ = rule.update(data, GatedState(trust=trust))
    alone, _ = VerifierOnly(scale=rule.scale).update(data, VerifierOnly().init())
    groups, everyone = Groups.of(data.group), torch.ones_like(data.verdict, dtype=torch.bool)
    distance = groups.sum((gated.advantage - alone.advantage).square(), everyone).sqrt()
    size, right = groups.count(everyone), groups.count(data.verdict == 1)
    mixed = (right > 0) & (right < size)
    band, gain = max(rule.alpha, rule.beta), max(rule.w_max - 1, 1 - rule.w_min)
    if rule.scale == "none":
        bound = size.sqrt() * torch.where(mixed, torch.tensor(band + gain * (0.5 + band)), band * (1 + gain))
    else:
        bound = torch.where(mixed, 2 * band * size + gain * (size - 1).sqrt(), (1 + gain) * (size - 1).sqrt())
    assert (distance <= trust * bound + 1e-9).all()


@pytest.mark.parametrize(("memory", "per_batch"), [(0.0, 8), (0.9, 8), (0.95, 3), (0.95, 20)])
def test_a_chance_reward_model_earns_no_more_trust_than_the_bound(memory, per_batch):
    """The bound of docs/science/method.md in its worst case: pairs, whose AUROC is 0 or 1 by a coin, at every age."""
    torch.manual_seed(0)
    rule, runs, steps = GatedHero(memory=memory), 120, 25
    verdict, group = torch.tensor([1.0, 0.0] * per_batch), torch.arange(per_batch).repeat_interleave(2)
    trust, excess = torch.zeros(steps, runs), torch.zeros(steps, runs)
    for run in range(runs):
        state = rule.init()
        for step in range(steps):
            _, state = rule.update(Signals(verdict, torch.randn(2 * per_batch), group), state)
            trust[step, run], excess[step, run] = state.trust, max(0.0, 2 * state.auroc - 1)
    kept = memory ** torch.arange(1, steps + 1)
    bound = 0.5 * ((1 - memory) / (1 + memory) * (1 + kept) / (1 - kept) / per_batch).sqrt()
    error = 3 * excess.std(dim=1) / runs**0.5
    assert (excess.mean(dim=1) <= bound + error).all()
    assert (excess.mean(dim=1) >= 0.7 * bound - error).all()  # a coin's mean is sqrt(2/pi) of its standard deviation
    assert (trust <= excess).all()
    assert 0 < trust[-1].mean() < 0.5 * bound[-1]


@pytest.mark.parametrize(("score", "least", "most"), [([3.0, 1.0, 0.0, 2.0], 0.6, 1.0), ([0.0, 2.0, 3.0, 1.0], 0, 0)])
def test_trust_is_earned_by_ranking_and_never_by_ranking_upside_down(score, least, most):
    rule = GatedHero()
    state = rule.init()
    for _ in range(40):
        _, state = rule.update(signals(([1.0, 0.0, 0.0, 1.0], score, [0] * 4)), state)
    assert least <= state.trust <= most


def test_trust_is_lost_when_the_reward_model_stops_ranking():
    rule = GatedHero()
    state = rule.init()
    trusts = []
    for step in range(80):
        good = step < 40
        data = signals(([1.0, 0.0] * 8, [float(good), float(not good)] * 8, [i // 2 for i in range(16)]))
        _, state = rule.update(data, state)
        trusts.append(state.trust)
    assert trusts[39] > 0.95
    assert trusts[-1] == 0.0


def test_a_batch_is_shaped_with_the_trust_of_the_batches_before():
    data = signals(([1.0, 0.0] * 20, [1.0, 0.0] * 20, [i // 2 for i in range(40)]))
    rule = GatedHero()
    shaped, after = rule.update(data, rule.init())
    alone, _ = VerifierOnly().update(data, VerifierOnly().init())
    assert torch.equal(shaped.advantage, alone.advantage)
    assert after.trust > 0


def test_batches_without_mixed_groups_let_the_evidence_fade():
    rule = GatedHero()
    state = GatedState(trust=1.0, evidence=100.0, auroc=1.0, auroc_squared=1.0)
    for _ in range(60):
        _, state = rule.update(signals(([0.0, 0.0], [1.0, 2.0], [0, 0])), state)
    assert state.evidence < 8
    assert state.trust == 0.0
    assert state.auroc == 1.0


@given(gated_rules(), columns(), states(), st.randoms())
def test_order_does_not_matter(rule, batch, state, random):
    order = list(range(len(batch[0])))
    random.shuffle(order)
    shuffled = tuple([column[i] for i in order] for column in batch)
    shaped, after = rule.update(signals(batch), state)
    again, after_again = rule.update(signals(shuffled), state)
    torch.testing.assert_close(again.advantage, shaped.advantage[order], rtol=1e-9, atol=1e-9)
    assert_same_state(after_again, after.model_dump())


@pytest.mark.parametrize("k", [0.0, 5.0])
def test_a_spread_next_to_nothing_leaves_every_weight_a_number(k):
    state = GatedState(sigma_bar=2.225073858507203e-309)
    shaped, _ = GatedHero(k=k, sigma="relative").update(signals(([0.0, 0.0], [0.0, 1.0], [7, 7])), state)
    assert shaped.weight.isfinite().all() and shaped.advantage.isfinite().all()


@given(states())
def test_state_survives_json_bit_for_bit(state):
    assert GatedState.model_validate_json(state.model_dump_json()) == state


@given(st.floats(0, 1), st.floats(0, 0.25), st.floats(0, 1e6))
def test_trust_is_a_share_and_never_above_what_the_mean_allows(auroc, variance, evidence):
    assume(math.isfinite(evidence))
    trust = trust_of(auroc, auroc**2 + variance, evidence)
    assert 0 <= trust <= max(0.0, 2 * auroc - 1) + 1e-12
