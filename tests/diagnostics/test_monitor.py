import math
import random

import pytest

from hero_rl.diagnostics import HackingMonitor, MonitorState


def follow(series):
    monitor, state, alarms = HackingMonitor(), MonitorState(), []
    for score, auroc in series:
        alarm, state = monitor.update(state, score, auroc)
        alarms.append(alarm)
    return alarms, state


def noisy(seed, steps, score_slope=0.0, auroc_slope=0.0):
    rng = random.Random(seed)
    return [
        (rng.gauss(0, 1) + score_slope * max(0, t - 20), 0.85 + rng.gauss(0, 0.05) + auroc_slope * max(0, t - 20))
        for t in range(steps)
    ]


@pytest.mark.parametrize("seed", range(5))
def test_silent_when_nothing_changes(seed):
    assert not any(follow(noisy(seed, 400))[0])


@pytest.mark.parametrize("seed", range(5))
def test_silent_while_the_score_rises_and_still_tells(seed):
    assert not any(follow(noisy(seed, 200, score_slope=0.05))[0])


@pytest.mark.parametrize("seed", range(5))
def test_silent_when_the_auroc_falls_and_the_score_does_not_rise(seed):
    assert not any(follow(noisy(seed, 200, score_slope=-0.01, auroc_slope=-0.001))[0])


@pytest.mark.parametrize("seed", range(5))
def test_fires_when_the_score_rises_and_tells_less(seed):
    alarms, _ = follow(noisy(seed, 200, score_slope=0.05, auroc_slope=-0.001))
    assert alarms[-1] and not any(alarms[:40])


def test_a_batch_without_a_signal_leaves_that_chart_alone():
    series = noisy(0, 50)
    _, state = follow(series)
    _, with_gaps = follow([pair for score, auroc in series for pair in ((score, math.nan), (math.nan, auroc))])
    assert state == with_gaps


def test_state_survives_json_bit_for_bit():
    _, state = follow(noisy(1, 60, score_slope=0.1, auroc_slope=-0.01))
    assert state.score.level > 0 and state.auroc.level > 0
    assert MonitorState.model_validate_json(state.model_dump_json()) == state


def test_a_constant_reference_is_not_divided_by_zero():
    alarms, _ = follow([(1.0, 0.9)] * 25 + [(3.0, 0.2)] * 5)
    assert alarms[-1]
