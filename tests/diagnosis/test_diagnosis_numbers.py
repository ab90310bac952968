"""The numbers of a diagnosis against slow references, one Python float at a time."""

import dataclasses
import json
import math
from collections import defaultdict

import numpy as np
import pytest
import reference
import torch
from diagnosed import Word, collected, diagnosed, quiet
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata
from scipy.stats import spearmanr as scipy_spearman
from sklearn.metrics import roc_auc_score
from strategies import columns, heroes

from hero_rl.diagnosis import Collector, parse_sweep
from hero_rl.diagnosis.bands import bands
from hero_rl.diagnosis.groups import counts
from hero_rl.diagnosis.intervals import bootstrap_interval, histogram
from hero_rl.diagnosis.labels import label_check
from hero_rl.diagnosis.ranking import overlap, ranking, weighted_auroc
from hero_rl.diagnosis.replay import gated, mass_shares, replay
from hero_rl.diagnosis.sweep import sign_agreement
from hero_rl.diagnosis.table import GroupTable
from hero_rl.diagnosis.trends import by_step, length_bias, spearman
from hero_rl.errors import ConfigError, DataError
from hero_rl.rollouts import Rollout
from hero_rl.rules import GatedHero, Gdpo, Hero, RewardModelOnly, VerifierOnly, WeightedSum
from hero_rl.signals import Signals


@st.composite
def logs(draw, verdicts=(0.0, 1.0, math.nan)):
    """A few batches; each a list of (verdict, score, group)."""
    return [list(zip(*draw(columns(verdicts)), strict=True)) for _ in range(draw(st.integers(1, 3)))]


def approx(value):
    return pytest.approx(value, rel=1e-9, abs=1e-12, nan_ok=True)


@given(logs(), heroes())
@settings(max_examples=60)
def test_a_replay_is_training_batch_by_batch(batches, rule):
    log = collected(batches).log()
    played, expected, sigma_bar = replay(log, rule), [], None
    for batch in batches:
        *shaped, sigma_bar = reference.hero(rule, *zip(*batch, strict=True), sigma_bar)
        expected += shaped[1]
    assert played.advantage.tolist() == approx(expected)
    assert played.state.sigma_bar == (None if sigma_bar is None else approx(sigma_bar))


@given(
    logs(), st.sampled_from([VerifierOnly, RewardModelOnly, WeightedSum]), st.sampled_from(["none", "group", "batch"])
)
@settings(max_examples=40)
def test_rules_without_a_memory_may_see_all_batches_at_once(batches, kind, scale):
    rule, log = kind(scale=scale), collected(batches).log()
    apart = [collected([batch]).log() for batch in batches]
    each = torch.cat([rule.update(one.signals, rule.init())[0].advantage for one in apart])
    assert replay(log, rule).advantage.tolist() == approx(each.tolist())


def kind_of(verdicts):
    said = {v for v in verdicts if not math.isnan(v)}
    if len(said) > 1:
        return "mixed"
    return {(): "unjudged", (1.0,): "all_correct", (0.0,): "all_incorrect"}.get(tuple(said), "all_partial")


@given(
    logs((0.0, 1.0, math.nan, 0.5, 0.25)),
    st.sampled_from([Hero(), Hero(scale="group"), VerifierOnly(), RewardModelOnly(), WeightedSum(), Gdpo()]),
)
@settings(max_examples=60)
def test_mass_and_counts_by_kind_of_group(batches, rule):
    log = collected(batches).log()
    advantage = replay(log, rule).advantage
    groups, mass = defaultdict(list), defaultdict(float)
    for n, (verdict, _, group) in enumerate(row for batch in batches for row in batch):
        batch = int(np.searchsorted(log.starts, n, side="right"))
        groups[batch, group].append((verdict, abs(advantage[n].item())))
    for members in groups.values():
        mass[kind_of([v for v, _ in members])] += sum(m for _, m in members)
    total = sum(mass.values())
    shares = mass_shares(advantage, GroupTable.of(log))
    for kind in ("mixed", "all_correct", "all_incorrect", "all_partial", "unjudged"):
        assert shares[kind] == (approx(mass[kind] / total) if total else None)
    found = counts(GroupTable.of(log))
    kinds = [kind_of([v for v, _ in members]) for members in groups.values()]
    assert found.total == len(kinds)
    for kind in ("mixed", "all_correct", "all_incorrect", "all_partial", "unjudged"):
        assert getattr(found, kind) == kinds.count(kind)


@given(logs())
@settings(max_examples=20)
def test_every_diagnosis_is_strict_json(batches):
    found = diagnosed(collected(batches), grid=parse_sweep(["alpha=0.05,0.2"], Hero()))
    text = json.dumps(found.model_dump(mode="json"), allow_nan=False)
    assert type(found).model_validate_json(text) == found
    assert sum(row.groups for row in found.difficulty) == found.groups.total - found.groups.unjudged
    assert found.starvation.starved == found.groups.all_correct + found.groups.all_incorrect
    assert found.starvation.rescued + found.starvation.few_scores + found.starvation.tied <= found.starvation.starved


def test_the_trust_is_that_of_a_run_over_the_same_batches():
    batches = [[(v, 3 * v + n % 3, g) for g in range(5) for n, v in enumerate((1.0, 0.0, 0.0, 1.0))]] * 4
    found = diagnosed(collected(batches))
    rule, state = GatedHero(), GatedHero().init()
    for batch in batches:
        verdict, score, group = (torch.tensor(column) for column in zip(*batch, strict=True))
        _, state = rule.update(Signals(verdict.double(), score.double(), group), state)
    assert 0.5 < found.ranking.trust < 1
    assert found.ranking.trust == pytest.approx(state.trust)
    gated = {mass.scale: mass for mass in found.mass if mass.rule == "gated_hero"}
    assert gated.keys() == {"none", "group", "batch"}


@given(columns())
@settings(max_examples=40)
def test_pooled_auroc_equals_scikit_learn_also_weighted(batch):
    log = collected([list(zip(*batch, strict=True))]).log()
    kept = ~log.verdict.isnan() & ~log.score.isnan()
    verdict, score = log.verdict[kept].numpy(), log.score[kept].numpy()
    pooled = ranking(log, GroupTable.of(log), Hero()).pooled.value
    if len(set(verdict)) < 2:
        assert pooled is None
        return
    assert pooled == approx(roc_auc_score(verdict, score))
    weight = np.arange(len(score)) % 3 + 1.0
    place = np.unique(score, return_inverse=True)[1]
    expected = roc_auc_score(verdict, score, sample_weight=weight)
    assert weighted_auroc(place, verdict == 1, weight) == approx(expected)


@given(logs())
@settings(max_examples=60)
def test_strata_singletons_and_ties(batches):
    strata, mixed = defaultdict(list), defaultdict(set)
    for step, batch in enumerate(batches):
        for verdict, score, group in batch:
            if not math.isnan(verdict):
                mixed[step, group].add(verdict)
                if not math.isnan(score):
                    strata[step, group, verdict].append(score)
    log = collected(batches).log()
    found = bands(log, GroupTable.of(log), Hero())
    lone = [name for name, scores in strata.items() if len(scores) == 1]
    assert (found.strata, found.singletons) == (len(strata), len(lone))
    assert found.mixed_singletons == sum(len(mixed[name[:2]]) == 2 for name in lone)
    assert found.flat == sum(len(s) > 1 and len(set(s)) == 1 for s in strata.values())
    scores = [(s, stratum) for stratum in strata.values() for s in stratum]
    assert found.tied == (approx(sum(t.count(s) > 1 for s, t in scores) / len(scores)) if scores else None)
    floor = [s == min(t) for s, t in scores]
    assert found.at_floor == (approx(sum(floor) / len(floor)) if floor else None)


@given(logs(), st.randoms(use_true_random=False))
@settings(max_examples=60)
def test_length_bias_is_a_correlation_of_ranks_within_strata(batches, random):
    rows = [(step, *row) for step, batch in enumerate(batches) for row in batch]
    lengths = [random.randint(10, 30) for _ in rows]
    strata = defaultdict(list)
    for (step, verdict, score, group), length in zip(rows, lengths, strict=True):
        if not math.isnan(verdict) and not math.isnan(score):
            strata[step, group, verdict].append((score, length))
    x, y = [], []
    for members in strata.values():
        if len(members) >= 3:
            for values, out in zip(zip(*members, strict=True), (x, y), strict=True):
                out += list((rankdata(values) - 1) / (len(values) - 1) - 0.5)
    log = collected(batches, lengths).log()
    found = length_bias(log, GroupTable.of(log))
    below = math.sqrt(sum(v * v for v in x) * sum(v * v for v in y))
    expected = sum(a * b for a, b in zip(x, y, strict=True)) / below if below else None
    assert found.within.value == (None if expected is None else approx(expected))
    assert found.rollouts == len(x)


def test_spearman_is_scipys_and_none_where_nothing_varies():
    one, other = torch.tensor([1.0, 2.0, 2.0, 5.0]), torch.tensor([3.0, 1.0, 2.0, 9.0])
    assert spearman(one, other) == approx(scipy_spearman(one, other)[0])
    assert math.isnan(spearman(one, torch.ones(4)))


def test_the_interval_is_over_groups_and_holds_what_it_should():
    """Of many samples of a known mean, about 95 in 100 intervals hold it; few groups give none."""
    rng, held = np.random.default_rng(1), 0
    for _ in range(100):
        values = rng.normal(0.7, 0.2, 40)
        found = bootstrap_interval(values.mean(), 40, lambda drawn, values=values: values[drawn].mean())
        held += found.low <= 0.7 <= found.high
    assert 85 <= held <= 100
    few = bootstrap_interval(0.7, 4, lambda drawn: 0.0)
    assert (few.value, few.low, few.high) == (0.7, None, None)


def test_a_bootstrap_passes_over_draws_that_define_nothing():
    found = bootstrap_interval(0.5, 6, lambda drawn: math.nan if 0 in drawn else 0.25)
    assert (found.low, found.high) == (0.25, 0.25)


def test_overlap_by_hand():
    rows = [(1, s, 0) for s in (1.0, 2.0, 3.0)] + [(0, s, 0) for s in (-1.0, 0.0, 2.5)] + [(math.nan, 9.0, 0)]
    found = overlap(collected([rows]).log())
    assert found.model_dump() == {"incorrect": 3, "incorrect_above": 1, "correct": 3, "correct_below": 0}


def test_sign_agreement_by_hand():
    """Group 0 is uniform for the verifier and mixed by label; group 1 has one label and does not count."""
    rows = [(0, 1.0, 0, 1), (0, 2.0, 0, 0), (0, 0.0, 0, 0), (1, 1.0, 1, 1), (0, 5.0, 1, 1)]
    log = collected([rows]).log()
    advantage = torch.tensor([0.0, 0.3, -0.3, -1.0, -1.0])
    assert sign_agreement(advantage, log.label, GroupTable.of(log)) == (0.5, 0.5)
    unlabelled = collected([[row[:3] for row in rows]]).log()
    assert all(math.isnan(v) for v in sign_agreement(advantage, unlabelled.label, GroupTable.of(unlabelled)))


def test_labels_by_hand():
    """A right one rejected, a wrong one accepted; in both groups the score ranks half or none of the pairs."""
    rows = [(0, 1.0, 0, 1), (0, 2.0, 0, 0), (0, 0.0, 0, 0), (1, 1.0, 1, 1), (1, 5.0, 1, 0), (math.nan, 1.0, 1, 1)]
    log = collected([rows]).log()
    found = label_check(log, GroupTable.of(log))
    assert (found.right, found.wrong, found.missed, found.accepted) == (2, 3, 1, 1)
    assert (found.auroc.value, found.auroc_starved.value, found.starved) == (0.25, 0.25, 2)
    unlabelled = collected([[row[:3] for row in rows]]).log()
    assert label_check(unlabelled, GroupTable.of(unlabelled)) is None


def test_steps_that_are_spread_over_batches_are_joined():
    log = collected([[(1, 1.0, 0)], [(0, 3.0, 0)], [(1, 5.0, 0), (0, 1.0, 0)]]).log()
    joined = type(log)(**{**vars(log), "steps": (4, 4, 9)})
    rows = by_step(joined, GroupTable.of(joined))
    assert [(row.step, row.rows, row.score, row.verdict, row.mixed) for row in rows] == [
        (4, 2, 2.0, 0.5, 0.0),
        (9, 2, 3.0, 0.5, 1.0),
    ]
    assert by_step(type(log)(**{**vars(log), "steps": (None, None, None)}), GroupTable.of(log)) == []


def test_steps_have_means_by_domain_where_there_is_more_than_one():
    log = collected([[(1, 1.0, 0), (0, 3.0, 0), (math.nan, 5.0, 1)], [(1, 2.0, 0), (1, 4.0, 1)]]).log()
    assert log.domain is None and by_step(log, GroupTable.of(log))[0].score_by_domain == {}
    more = {"steps": (1, 2), "domain": ("sums", "sums", "chat", "sums", "chat")}
    log = dataclasses.replace(log, **more)
    first, second = by_step(log, GroupTable.of(log))
    assert (first.verdict_by_domain, first.score_by_domain) == ({"sums": 0.5}, {"sums": 2.0, "chat": 5.0})
    assert (second.verdict_by_domain, second.score_by_domain) == (
        {"sums": 1.0, "chat": 1.0},
        {"sums": 2.0, "chat": 4.0},
    )


def test_saturation_of_raw_and_relative_sigma():
    """Scores in the hundreds make a switch of raw sigma; shrunk to hundredths they make it flat."""
    batches = [[(n % 2, n * (1 + group % 5), group) for group in range(40) for n in range(4)]]
    for factor, share in ((100.0, 1.0), (0.001, 0.0)):
        scaled = [[(v, s * factor, g) for v, s, g in batches[0]]]
        found = diagnosed(collected(scaled)).weights
        at_ends = found["raw"].at_min + found["raw"].at_max
        assert at_ends >= 0.8 * share and (share or at_ends == 0)
        relative = diagnosed(collected(batches)).weights["relative"]
        assert found["relative"].p10 == approx(relative.p10) and found["relative"].p90 == approx(relative.p90)


def test_drift_of_a_rising_score():
    batches = [[(n % 2, step + 0.1 * n, g) for g in range(4) for n in range(4)] for step in range(9)]
    found = diagnosed(collected(batches))
    assert found.drift.score == approx(6.0) and found.drift.verdict == 0.0
    assert "rising_score" in {finding.name for finding in found.findings}


@pytest.mark.parametrize(
    ("axes", "said"),
    [
        (["alpha"], "'' is no value|Input should be|expected"),
        (["aplha=0.1"], "a setting of HERO with its values is expected"),
        (["type=gdpo"], "a setting of HERO"),
        (["alpha=0.1", "alpha=0.2"], "once each"),
        (["alpha=0.95"], "alpha=0.95: alpha \\+ beta must be below 1"),
        (["scale=groups"], "scale=groups: scale: Input should be 'none', 'group' or 'batch'"),
        (["alpha=[0.1"], "is no value"),
        ([f"k={','.join(map(str, range(201)))}"], "201 settings are more than 200"),
    ],
)
def test_sweeps_that_are_refused(axes, said):
    with pytest.raises(ConfigError, match=said):
        parse_sweep(axes, Hero())


def test_a_sweep_is_a_grid_and_the_base_ranks_as_itself():
    grid = parse_sweep(["alpha=0.1,2e-1", "scale=none,group"], Hero())
    assert [point for point, _ in grid] == [{"alpha": a, "scale": s} for a in (0.1, 0.2) for s in ("none", "group")]
    rows = diagnosed(quiet(), grid=grid).sweep
    assert rows[0].rank_correlation == approx(1.0) and rows[0].agreement is None
    assert rows[0].uniform == 0.0


def test_histogram_counts_both_ends():
    assert [b.count for b in histogram(torch.tensor([0.0, 0.1, 0.5, 1.0]), 0.0, 1.0, 2)] == [2, 2]


def test_telling_rollouts_are_the_extremes_one_a_prompt():
    batches = [[(0, step + n / 10, "g") for n in range(3)] + [(1, -step - n / 10, "h") for n in range(3)]
               for step in range(15)]  # fmt: skip
    found = diagnosed(collected(batches)).telling
    high = [row for row in found if row.kind == "incorrect_high"]
    low = [row for row in found if row.kind == "correct_low"]
    assert [row.score for row in high] == approx([step + 0.2 for step in range(14, 4, -1)])
    assert [row.score for row in low] == approx([-step - 0.2 for step in range(14, 4, -1)])
    assert high[0].passes == 1.0 and (high[0].right, high[0].wrong) == (0, 3)
    again = collected([[(0, float(step), "g")] for step in range(5)])
    same = again.telling.picked("incorrect_high")
    assert len(same) == 5 and len({row.prompt for row in same}) == 5


def test_one_prompt_is_told_once_by_its_most_extreme_rollout():
    from diagnosed import Word

    from hero_rl.diagnosis import Collector

    collector = Collector()
    for score in (1.0, 3.0, 2.0):
        collector.add([Rollout("same", f"{score}", group=0)], [Word(0.0, score)], [None])
    assert [row.score for row in collector.telling.picked("incorrect_high")] == [3.0]
    for score in range(-9, 0):
        collector.add([Rollout(f"{score}", "c", group=0)], [Word(0.0, float(score))], [None])
    collector.add([Rollout("same", "c", group=0)], [Word(0.0, 4.0)], [None])
    assert [row.score for row in collector.telling.picked("incorrect_high")] == [4.0, *range(-1, -10, -1)]


def test_repeated_completions_are_counted_within_a_group():
    from diagnosed import Word

    from hero_rl.diagnosis import Collector

    collector = Collector()
    texts = [("a", 0), ("a", 0), ("b", 0), ("a", 1)]
    collector.add([Rollout("p", t, group=g) for t, g in texts], [Word(1.0, 0.0)] * 4, [None] * 4)
    assert collector.repeated == 2


def test_no_rollouts_are_an_error():
    with pytest.raises(DataError, match="made up: no rollouts"):
        diagnosed(collected([]))


def test_domains_are_told_apart():
    """A reward model that is right in one domain and upside down in the other, as a whole no better than chance."""
    import random

    rng = random.Random(0)
    collector = Collector()
    for step in range(6):
        rollouts, words = [], []
        for group in range(20):
            domain = ("maths", "code")[group % 2]
            for n in range(4):
                verdict = float(n < 2)
                score = (2 * verdict - 1) * (1 if domain == "maths" else -1) + rng.gauss(0, 0.2)
                rollouts.append(Rollout(f"{step} {group}", f"{n}", group=group, step=step, extra={"domain": domain}))
                words.append(Word(verdict, score))
        collector.add(rollouts, words, [None] * len(rollouts))
    found = diagnosed(collector)
    assert [(one.name, one.rows, one.groups.mixed, one.verdict) for one in found.domains] == [
        ("code", 240, 60, 0.5),
        ("maths", 240, 60, 0.5),
    ]
    code, maths = found.domains
    assert code.auroc.high < 0.1 and maths.auroc.low > 0.9
    assert (code.trust, maths.trust > 0.9) == (0.0, True)
    assert "misranks_in_a_domain" in {finding.name for finding in found.findings}
    assert diagnosed(quiet()).domains == []


def test_the_gated_rule_keeps_its_own_defaults_and_takes_what_is_set():
    assert gated(Hero()) == GatedHero()
    assert gated(Hero(alpha=0.2, w_max=2.0)) == GatedHero(alpha=0.2, w_max=2.0)
