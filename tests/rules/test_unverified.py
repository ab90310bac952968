"""Groups that no verifier applies to: ranked inside alpha times the trust, on the user's word; no other group moves."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import heroes, scores

from hero_rl.rules import (
    AuditedHero,
    AuditedState,
    Evidence,
    GatedHero,
    GatedState,
    Groups,
    Hero,
    HeroState,
    VerifierOnly,
    WeightedSum,
    shape,
)
from hero_rl.signals import Signals

RANK = {"without_reference": "rank"}


@st.composite
def batches(draw, unverified=True):
    """Signals of several groups, some of which no verifier applies to; a domain each."""
    rows = []
    for group in range(draw(st.integers(1, 6))):
        free = draw(st.booleans()) if unverified else False
        for _ in range(draw(st.integers(1, 5))):
            verdict = math.nan if free else draw(st.sampled_from([0.0, 0.5, 1.0, math.nan]))
            score = -math.inf if draw(st.integers(0, 9)) == 0 else draw(scores)
            rows.append((verdict, score, group, free))
    verdict, score, group, free = map(list, zip(*rows, strict=True))
    return Signals(
        torch.tensor(verdict, dtype=torch.float64),
        torch.tensor(score, dtype=torch.float64),
        torch.tensor(group),
        domain=tuple("chat" if one else "math" for one in free),
        unverified=torch.tensor(free),
    )


def without_the_unverified(data: Signals) -> Signals:
    keep = ~data.unverified
    domain = tuple(name for name, kept in zip(data.domain or (), keep.tolist(), strict=True) if kept)
    return Signals(data.verdict[keep], data.score[keep], data.group[keep], domain=domain, empty=data.empty[keep])


@st.composite
def ruled(draw):
    """A rule that ranks, a state of it, and the trust that its unverified groups then have."""
    settings_of_hero = draw(heroes()).model_dump(exclude={"type"}) | RANK
    sigma_bar = draw(st.none() | st.floats(0, 10))
    trust = draw(st.sampled_from([0.0, 1.0]) | st.floats(0, 1))
    known = Evidence(trust=trust, evidence=20.0, auroc=0.5, auroc_squared=0.25)
    kind = draw(st.sampled_from([Hero, GatedHero, AuditedHero]))
    if kind is Hero:
        return Hero(**settings_of_hero), HeroState(sigma_bar=sigma_bar), 1.0
    if kind is GatedHero:
        return GatedHero(**settings_of_hero), GatedState(sigma_bar=sigma_bar, domains={"chat": known}), trust
    state = AuditedState(sigma_bar=sigma_bar, audit_domains={"chat": known}, trust=0.3)
    return AuditedHero(**settings_of_hero), state, trust


@given(ruled(), batches())
def test_they_are_bounded_by_alpha_times_the_trust_at_every_scale(case, data):
    """The bound of docs/science/method.md, group by group."""
    rule, state, trust = case
    shaped, _ = rule.update(data, state)
    groups, everyone = Groups.of(data.group), torch.ones_like(data.unverified)
    gain = max(rule.w_max - 1, 1 - rule.w_min)
    most = trust * groups.count(everyone).sqrt() * rule.alpha * (1 + trust * gain)
    length = groups.sum(shaped.advantage.square().where(data.unverified, 0), everyone).sqrt()
    assert (length <= most + 1e-9).all()
    ranked = data.unverified & (~data.score.isnan() | data.empty)
    assert torch.equal(~shaped.reward.isnan() & data.unverified, ranked)
    assert (shaped.reward[ranked].abs() <= trust * rule.alpha * (1 + trust * gain) + 1e-9).all()
    assert (shaped.advantage[~ranked & data.unverified] == 0).all()


@given(ruled(), batches())
def test_no_other_group_and_no_memory_moves_by_a_bit(case, data):
    rule, state, _ = case
    rest, keep = without_the_unverified(data), ~data.unverified
    shaped, after = rule.update(data, state)
    alone, after_alone = rule.update(rest, state)
    for name in ("reward", "advantage", "weight", "sigma"):
        ours, theirs = getattr(shaped, name)[keep], getattr(alone, name)
        assert torch.equal(ours.nan_to_num(-9.0), theirs.nan_to_num(-9.0)), name
    assert after == after_alone


@given(ruled(), batches())
def test_they_sum_to_nothing_and_follow_the_score(case, data):
    rule, state, trust = case
    shaped, _ = rule.update(data, state)
    groups = Groups.of(data.group)
    sums = groups.sum(shaped.advantage, data.unverified)
    assert sums.abs().max() < 1e-9
    for group in range(groups.number):
        rows = data.unverified & (groups.index == group) & ~data.score.isnan()
        order = data.score[rows].argsort(stable=True)
        assert (shaped.advantage[rows][order].diff() >= -1e-12).all()
    if trust == 0:
        assert (shaped.advantage[data.unverified] == 0).all()


@given(heroes(), batches())
def test_left_out_is_unscorable_and_the_default(rule, data):
    shaped, _ = rule.update(data, rule.init())
    assert shaped.reward[data.unverified].isnan().all()
    assert (shaped.advantage[data.unverified] == 0).all()


def test_a_group_by_hand():
    """Scores 0, 1, 3 within alpha 0.1: r_hat -0.1, -0.0333, 0.1 less their mean."""
    shaped = shape([None] * 3, [0.0, 1.0, 3.0], [1] * 3, Hero(alpha=0.1, eps=1e-12, **RANK), unverified=[True] * 3)
    r_hat = torch.tensor([-0.1, -0.1 + 0.2 / 3, 0.1], dtype=torch.float64)
    torch.testing.assert_close(shaped.advantage, r_hat - r_hat.mean())  # alone, it has weight 1
    assert shaped.weight.tolist() == [1.0] * 3


def test_a_verifier_that_failed_is_no_missing_verifier():
    shaped = shape([None] * 2, [0.0, 1.0], [1, 1], Hero(**RANK), unverified=[False] * 2)
    assert shaped.advantage.tolist() == [0.0, 0.0]
    assert shaped.reward.isnan().all()


def test_in_a_group_that_a_verifier_applies_to_in_part_the_others_abstain():
    both = [False, False, True]
    ours = shape([1, 0, None], [3.0, 1.0, 9.0], [1, 1, 1], Hero(**RANK), unverified=both)
    plain = shape([1, 0, None], [3.0, 1.0, 9.0], [1, 1, 1], Hero())
    assert torch.equal(ours.advantage, plain.advantage)
    assert ours.reward[2].isnan()


def test_a_domain_that_nothing_is_known_of_has_the_trust_of_the_others():
    math_ = Evidence(trust=0.8, evidence=50.0, auroc=0.95, auroc_squared=0.91)
    data = Signals(
        torch.full((2,), math.nan),
        torch.tensor([0.0, 1.0]),
        torch.tensor([1, 1]),
        ("chat",) * 2,
        unverified=torch.ones(2, dtype=torch.bool),
    )
    state = GatedState(domains={"math": math_}, trust=0.8, evidence=50.0, auroc=0.95, auroc_squared=0.91)
    shaped, _ = GatedHero(alpha=0.1, **RANK).update(data, state)
    lent = Evidence().filled_up([math_]).trust
    assert 0 < lent < 0.8
    assert shaped.advantage.tolist() == pytest.approx([-0.1 * lent, 0.1 * lent], rel=1e-4)
    audited, _ = AuditedHero(**RANK).update(data, AuditedState(audit_domains={"math": math_}))
    assert audited.advantage.abs().max() > 0.01


def test_a_verdict_and_no_verifier_contradict_each_other():
    with pytest.raises(ValueError, match=r"verdict\[1\].*unverified"):
        shape([None, 1], [0, 1], [1, 1], unverified=[True, True])


@pytest.mark.parametrize("rule", [VerifierOnly(), WeightedSum()])
def test_other_rules_leave_them_out(rule):
    shaped = shape([1, 0, None, None], [0, 1, 2, 3], [1, 1, 2, 2], rule, unverified=[False, False, True, True])
    assert shaped.reward[2:].isnan().all() and (shaped.advantage[2:] == 0).all()
