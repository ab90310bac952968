import math
import random

import pytest

from hero_rl.diagnostics import HackingMonitor, MonitorState


def follow(series, monitor=None):
    monitor, state, alarms = monitor or HackingMonitor(), MonitorState(), []
    for score, verdict in series:
        alarm, state = monitor.update(state, score, verdict)
        alarms.append(alarm)
    return alarms, state


def noisy(rng, steps, score_slope=0.0, verdict_slope=0.0):
    return [
        (rng.gauss(0, 1) + score_slope * max(0, t - 20), 0.4 + rng.gauss(0, 0.05) + verdict_slope * max(0, t - 20))
        for t in range(steps)
    ]


@pytest.mark.parametrize("seed", range(5))
def test_silent_when_nothing_changes(seed):
    assert not any(follow(noisy(random.Random(seed), 300))[0])


@pytest.mark.parametrize("seed", range(5))
def test_silent_while_both_rise(seed):
    assert not any(follow(noisy(random.Random(seed), 200, score_slope=0.05, verdict_slope=0.01))[0])


@pytest.mark.parametrize("seed", range(5))
def test_fires_when_the_score_rises_and_the_verdict_rate_falls(seed):
    alarms, _ = follow(noisy(random.Random(seed), 200, score_slope=0.05, verdict_slope=-0.002))
    assert alarms[-1] and not any(alarms[:20])


def test_batches_without_a_signal_change_nothing():
    series = noisy(random.Random(0), 50)
    _, state = follow(series)
    _, with_gap = follow([*series, (math.nan, 0.5), (1.0, math.nan)])
    assert state == with_gap


def test_state_survives_json_bit_for_bit():
    _, state = follow(noisy(random.Random(1), 60, score_slope=0.1))
    assert MonitorState.model_validate_json(state.model_dump_json()) == state


def test_a_constant_reference_is_not_divided_by_zero():
    alarms, _ = follow([(1.0, 0.0)] * 25 + [(3.0, 0.0)] * 5)
    assert alarms[-1]
