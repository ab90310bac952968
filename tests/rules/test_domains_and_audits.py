"""Trust by domain, and trust that audits have earned: by hand and against simpler rules."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import columns, signals

from hero_rl.rules import AuditedHero, AuditedState, Evidence, GatedHero, GatedState, Groups, VerifierOnly
from hero_rl.signals import Signals

GOOD, BAD = ([1.0, 0.0], [2.0, 1.0]), ([1.0, 0.0], [1.0, 2.0])


def batch_of(groups):
    """Signals of groups given as (verdicts, scores, domain) or (verdicts, scores, domain, audits)."""
    verdict, score, group, domain, audit = [], [], [], [], []
    for number, (verdicts, scores, name, *audits) in enumerate(groups):
        verdict += verdicts
        score += scores
        group += [number] * len(verdicts)
        domain += [name] * len(verdicts)
        audit += audits[0] if audits else [float("nan")] * len(verdicts)
    one = torch.tensor
    return Signals(one(verdict), one(score), one(group), tuple(domain), one(audit))


@given(columns(), st.floats(0, 100), st.floats(0, 1))
def test_one_domain_is_no_domain_to_the_bit(batch, evidence, auroc):
    plain = signals(batch)
    named = Signals(plain.verdict, plain.score, plain.group, ("maths",) * len(plain))
    known = Evidence(evidence=evidence, auroc=auroc, auroc_squared=auroc).after(torch.zeros(0), memory=1.0)
    whole = GatedState(**known.model_dump())
    ours, after = GatedHero().update(named, whole.model_copy(update={"domains": {"maths": known}}))
    theirs, plain_after = GatedHero().update(plain, whole)
    assert torch.equal(ours.advantage, theirs.advantage)
    assert after.model_copy(update={"domains": {}}) == plain_after
    if plain_after.evidence > 0.01:
        assert after.domains["maths"].model_dump() == {
            name: getattr(plain_after, name) for name in ("trust", "evidence", "auroc", "auroc_squared")
        }


def test_a_reward_model_is_trusted_where_it_ranks_and_not_where_it_is_inverted():
    rule = GatedHero()
    state = rule.init()
    for _ in range(20):
        _, state = rule.update(batch_of([(*GOOD, "maths")] * 3 + [(*BAD, "code")] * 3), state)
    assert state.domains["maths"].trust > 0.9
    assert state.domains["code"].trust == 0.0
    assert state.auroc == pytest.approx(0.5)
    assert state.trust == 0.0  # what one trust for both would be
    starved = ([0.0, 0.0], [1.0, 2.0])
    shaped, _ = rule.update(batch_of([(*starved, "maths"), (*starved, "code")]), state)
    assert shaped.advantage[1] > 0 > shaped.advantage[0]
    assert shaped.advantage[2:].tolist() == [0.0, 0.0]


def test_a_new_domain_begins_with_what_the_others_have_shown_and_ends_by_itself():
    rule = GatedHero()
    state = rule.init()
    for _ in range(20):
        _, state = rule.update(batch_of([(*GOOD, "maths")] * 4), state)
    starved = batch_of([([0.0, 0.0], [1.0, 2.0], "code")])
    lent, _ = rule.update(starved, state)
    assert lent.advantage[1] > 0
    for _ in range(10):
        _, state = rule.update(batch_of([(*GOOD, "maths")] * 4 + [(*BAD, "code")]), state)
    own, _ = rule.update(starved, state)
    assert own.advantage.tolist() == [0.0, 0.0]


def test_filling_up_by_hand():
    """Two own observations of 0 and six of the others' eighty of 1: mean .75, variance .1875."""
    own = Evidence(evidence=2, auroc=0.0, auroc_squared=0.0)
    others = [Evidence(evidence=60, auroc=1.0, auroc_squared=1.0), Evidence(evidence=20, auroc=1.0, auroc_squared=1.0)]
    filled = own.filled_up(others)
    assert filled.trust == pytest.approx(2 * (0.75 - (0.1875 / 8) ** 0.5) - 1)
    assert (filled.evidence, filled.auroc) == (2, 0.0)
    assert own.filled_up([]) == own
    enough = Evidence(evidence=8, auroc=0.2, auroc_squared=0.04)
    assert enough.filled_up(others) == enough


def test_domains_that_are_no_more_are_forgotten():
    rule = GatedHero(memory=0.5)
    _, state = rule.update(batch_of([(*GOOD, "maths")]), rule.init())
    for _ in range(10):
        _, state = rule.update(batch_of([(*GOOD, "code")]), state)
    assert set(state.domains) == {"code"}


def test_a_group_of_two_domains_is_refused():
    with pytest.raises(ValueError, match="group 0 is of two domains, 'a' and 'b'"):
        Signals(torch.zeros(2), torch.zeros(2), torch.zeros(2, dtype=torch.long), ("a", "b"))


@given(columns(), st.integers(1, 5), st.integers(0, 100))
def test_the_draw_names_two_rollouts_of_uniform_groups_and_does_not_look_at_scores(batch, audits, batches):
    rule, state = AuditedHero(audits=audits), AuditedState(batches=batches)
    data = signals(batch)
    rows = rule.draw(data, state)
    assert torch.equal(rows, rule.draw(data, state))
    elsewhere = Signals(data.verdict, torch.where(data.score.isnan(), data.score, -data.score), data.group)
    assert torch.equal(rows, rule.draw(elsewhere, state))
    groups = Groups.of(data.group)
    present = ~data.verdict.isnan() & ~data.score.isnan()
    assert present[rows].all()
    drawn = groups.count(torch.zeros_like(present).index_fill(0, rows, True))
    assert set(drawn.tolist()) <= {0.0, 2.0}
    for index in drawn.nonzero().flatten().tolist():
        words = data.verdict[(groups.index == index) & ~data.verdict.isnan()]
        assert words.unique().numel() == 1
    fit = sum(
        len(set(data.verdict[(groups.index == i) & ~data.verdict.isnan()].tolist())) == 1
        and int((present & (groups.index == i)).sum()) >= 2
        for i in range(groups.number)
    )
    assert len(rows) == 2 * min(audits, fit)


def test_every_pair_of_every_uniform_group_is_drawn_in_time():
    data = signals(([0.0] * 6, [1.0, 2.0, 3.0] * 2, [0, 0, 0, 1, 1, 1]))
    seen = {tuple(AuditedHero(audits=1).draw(data, AuditedState(batches=n)).tolist()) for n in range(100)}
    assert seen == {(0, 1), (0, 2), (1, 2), (3, 4), (3, 5), (4, 5)}


@given(columns(), st.sampled_from(["none", "group"]))
def test_without_audits_uniform_groups_say_nothing_however_well_the_model_ranks(batch, scale):
    data = signals(batch)
    state = AuditedState(trust=1.0, evidence=100.0, auroc=1.0, auroc_squared=1.0)
    ours, _ = AuditedHero(scale=scale).update(data, state)
    gated, _ = GatedHero(scale=scale).update(data, GatedState(**state.model_dump(include=set(GatedState.model_fields))))
    alone, _ = VerifierOnly(scale=scale).update(data, VerifierOnly().init())
    groups = Groups.of(data.group)
    right, wrong = groups.count(data.verdict == 1), groups.count(data.verdict == 0)
    mixed = groups.spread((right > 0) & (wrong > 0))
    assert torch.equal(ours.advantage[~mixed], alone.advantage[~mixed])
    assert torch.equal(ours.advantage[mixed], gated.advantage[mixed])


def audited(scores, audits, name="maths"):
    return ([0.0] * len(scores), scores, name, audits)


def test_trust_in_uniform_groups_is_that_of_the_audits_domain_by_domain():
    rule = AuditedHero()
    state = rule.init()
    for _ in range(20):
        right, wrong = audited([2.0, 1.0], [1.0, 0.0]), audited([2.0, 1.0], [0.0, 1.0], "code")
        _, state = rule.update(batch_of([right, right, wrong, wrong, (*GOOD, "maths"), (*GOOD, "code")]), state)
    assert state.audit_domains["maths"].trust > 0.9
    assert state.audit_domains["code"].trust == 0.0
    assert state.domains["code"].trust > 0.8  # two-faced: right where the verifier can tell
    shaped, _ = rule.update(batch_of([audited([1.0, 2.0], [float("nan")] * 2, n) for n in ("maths", "code")]), state)
    assert shaped.advantage[1] > 0 > shaped.advantage[0]
    assert shaped.advantage[2:].tolist() == [0.0, 0.0]


def test_audits_that_failed_or_agree_or_are_of_mixed_groups_are_no_evidence():
    nan = float("nan")
    groups = [
        audited([2.0, 1.0], [1.0, nan]),
        audited([2.0, 1.0], [nan, nan]),
        audited([2.0, 1.0], [1.0, 1.0]),
        ([1.0, 0.0], [2.0, 1.0], "maths", [1.0, 0.0]),
    ]
    _, state = AuditedHero().update(batch_of(groups), AuditedState())
    assert state.audit == Evidence()


def test_ties_of_scores_count_half():
    _, state = AuditedHero().update(batch_of([audited([1.0, 1.0], [1.0, 0.0])]), AuditedState())
    assert (state.audit.evidence, state.audit.auroc) == (1.0, 0.5)


def test_correcting_makes_a_mixed_group_of_a_uniform_one():
    data = batch_of([audited([2.0, 1.0, 0.0], [1.0, 0.0, float("nan")])])
    left, _ = AuditedHero().update(data, AuditedState())
    corrected, _ = AuditedHero(correct=True).update(data, AuditedState())
    assert left.advantage.tolist() == [0.0] * 3
    assert corrected.advantage.tolist() == pytest.approx([2 / 3, -1 / 3, -1 / 3])


def test_the_draw_moves_on_with_the_batches():
    rule = AuditedHero()
    _, state = rule.update(batch_of([(*GOOD, "maths")]), rule.init())
    assert state.batches == 1
    assert AuditedState.model_validate_json(state.model_dump_json()) == state


def trusts_under(error, rank, batches=40, runs=30, pairs=3):
    """Mean trust of the audits at the end, of an auditor that errs with this probability."""
    torch.manual_seed(0)
    rule, out = AuditedHero(), []
    for _ in range(runs):
        state = rule.init()
        for _ in range(batches):
            truth = torch.randint(0, 2, (pairs, 2)).double()
            better = torch.rand(pairs, 2) < rank  # whether a right answer gets the greater score
            score = torch.where(better, truth, 1 - truth) + 0.1 * torch.rand(pairs, 2)
            flipped = torch.rand(pairs, 2) < error
            audit = torch.where(flipped, 1 - truth, truth)
            group = torch.arange(pairs).repeat_interleave(2)
            _, state = rule.update(
                Signals(torch.zeros(2 * pairs), score.flatten().float(), group, audit=audit.flatten().float()), state
            )
        out.append(state.audit.trust)
    return sum(out) / runs


def test_an_auditor_that_errs_lowers_the_trust_and_never_raises_it():
    sure, erring = trusts_under(0.0, 0.95), trusts_under(0.2, 0.95)
    assert 0 < erring < sure
    assert trusts_under(0.2, 0.05) == 0.0
    assert trusts_under(0.2, 0.5) < 0.06
