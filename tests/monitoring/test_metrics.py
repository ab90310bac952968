import math

import numpy as np
import pytest
import torch
from hypothesis import given
from sklearn.metrics import roc_auc_score
from strategies import columns, signals

from hero_rl.monitoring import batch_metrics
from hero_rl.rules import Groups, Hero, VerifierOnly, group_auroc


@given(columns())
def test_auroc_of_each_group_equals_scikit_learn(batch):
    data = signals(batch)
    groups = Groups.of(data.group)
    values = group_auroc(data.score, data.verdict, groups)
    assert values.shape == (groups.number,)
    for number, name in enumerate(data.group.unique()):
        kept = (data.group == name) & ~data.verdict.isnan() & ~data.score.isnan()
        verdict, score = data.verdict[kept].numpy(), data.score[kept].numpy()
        if len(np.unique(verdict)) == 2:
            assert values[number].item() == pytest.approx(roc_auc_score(verdict, score))
        else:
            assert values[number].isnan()


def measured(rule, batch):
    data = signals(batch)
    shaped, _ = rule.update(data, rule.init())
    return batch_metrics(data, shaped)


# Four groups: mixed, all correct, all incorrect, and one that the verifier never judged.
BATCH = (
    [1, 0, 1, 1, 0, 0, math.nan, math.nan],
    [2.0, 1.0, 3.0, 4.0, 5.0, 7.0, 1.0, 9.0],
    [0, 0, 1, 1, 2, 2, 3, 3],
)


def test_groups_by_kind():
    metrics = measured(Hero(), BATCH)
    assert metrics["hero/frac_groups_mixed"] == pytest.approx(1 / 3)
    assert metrics["hero/frac_groups_all_correct"] == pytest.approx(1 / 3)
    assert metrics["hero/frac_groups_all_incorrect"] == pytest.approx(1 / 3)
    assert metrics["hero/frac_groups_rescued"] == pytest.approx(2 / 3)
    assert metrics["hero/frac_unscorable"] == pytest.approx(1 / 4)
    assert metrics["hero/rm_auroc"] == 1.0


def test_verifier_only_rescues_nothing():
    metrics = measured(VerifierOnly(), BATCH)
    assert metrics["hero/frac_groups_rescued"] == 0
    assert metrics["hero/advantage_mass_uniform"] == 0


def test_advantage_mass_of_uniform_groups_by_hand():
    rule = Hero(alpha=0.1, beta=0.1, w_min=1, w_max=1, eps=1e-12)
    metrics = measured(rule, ([1, 0, 0, 0], [2.0, 1.0, 5.0, 7.0], [0, 0, 1, 1]))
    mixed, uniform = 2 * (0.9 + 0.1) / 2, 2 * 0.2 / 2  # a lone rollout sits on its band's floor
    assert metrics["hero/advantage_mass_uniform"] == pytest.approx(uniform / (uniform + mixed))


def test_weights_and_sigma_count_each_group_once():
    rule = Hero(k=1.0)
    metrics = measured(rule, ([0] * 6, [0, 2, 0, 2, 0, 4], [0, 0, 0, 0, 1, 1]))
    assert metrics["hero/sigma"] == pytest.approx(1.5)
    weights = [0.4 + 2.6 / (1 + math.exp(-x)) for x in (-0.5, 0.5)]
    assert metrics["hero/weight/mean"] == pytest.approx(sum(weights) / 2)
    assert metrics["hero/weight/p10"] == pytest.approx(weights[0])
    assert metrics["hero/weight/p90"] == pytest.approx(weights[1])


def test_sigma_is_taken_over_the_groups_that_sigma_bar_is_taken_over():
    rule, data = Hero(), signals(([0] * 4, [0, 2, 5, math.nan], [0, 0, 1, 1]))
    shaped, state = rule.update(data, rule.init())
    assert batch_metrics(data, shaped)["hero/sigma"] == state.sigma_bar == 1.0


def test_a_batch_without_verdicts_or_rows_defines_no_shares():
    for batch in (([math.nan] * 2, [1.0, 2.0], [0, 0]), ([], [], [])):
        metrics = measured(Hero(), batch)
        assert math.isnan(metrics["hero/frac_groups_mixed"])
        assert metrics["hero/advantage_mass_uniform"] == 0
    assert math.isnan(
        batch_metrics(signals(([], [], [])), Hero().update(signals(([], [], [])), Hero().init())[0])["hero/weight/p10"]
    )


def test_more_values_than_torch_quantile_takes():
    """torch.quantile stops at 2**24 values; the weights' quantiles must not."""
    from hero_rl.monitoring.metrics import _quantile

    values = torch.arange(2**24 + 2, dtype=torch.float64)
    assert _quantile(values, 0.5) == 2**23 + 0 or _quantile(values, 0.5) == 2**23 + 1


def test_groups_of_partial_credit_are_told_from_right_and_wrong_ones():
    """Three tests of ten passed by all is no correct group and no incorrect one, and starves all the same."""
    verdict = [0.3, 0.3, 1.0, 1.0, 0.0, 0.0, 0.3, 0.7]
    data = signals((verdict, [1.0, 2.0] * 4, [0, 0, 1, 1, 2, 2, 3, 3]))
    metrics = batch_metrics(data, VerifierOnly().update(data, VerifierOnly().init())[0])
    for kind in ("mixed", "all_correct", "all_incorrect", "all_partial"):
        assert metrics[f"hero/frac_groups_{kind}"] == 0.25
    assert metrics["hero/rm_auroc"] == 1.0
