import logging
import math
import random

import pytest
import torch

from hero_rl.errors import ConfigError
from hero_rl.monitoring import MonitorState, Observation, RunMonitor, observe
from hero_rl.monitoring.monitor import _slope_in_errors, warn_once
from hero_rl.monitoring.watch import Watch
from hero_rl.rules import Groups, group_auroc
from hero_rl.signals import Signals


def follow(series, state=None, **settings):
    monitor, state, alarms = RunMonitor(**settings), state or MonitorState(), []
    for seen in series:
        on, state = monitor.update(state, seen)
        alarms.append({name for name, is_on in on.items() if is_on})
    return alarms, state


def noisy(seed, steps, score=0.0, auroc=0.0, verdict=0.0):
    """Batches whose series move by so much a batch after the first forty."""
    rng = random.Random(seed)
    series = []
    for t in range(steps):
        after = max(0, t - 40)
        mean = rng.gauss(0, 1) + score * after
        rate = 0.3 + rng.gauss(0, 0.03) + verdict * after
        ranks = 0.85 + rng.gauss(0, 0.05) + auroc * after
        series.append(Observation(mean, ranks, rate, 0.0, mean - 1.5, mean + 1.5, mean - 3, mean + 3))
    return series


@pytest.mark.parametrize("seed", range(5))
def test_silent_when_nothing_changes(seed):
    assert not any(follow(noisy(seed, 400))[0])


@pytest.mark.parametrize("seed", range(5))
def test_silent_while_the_score_rises_and_still_tells(seed):
    alarms, _ = follow(noisy(seed, 220, score=0.02))
    assert not any(on & {"hacking", "ranking"} for on in alarms)


@pytest.mark.parametrize("seed", range(5))
def test_the_ranking_alone_when_the_score_does_not_rise(seed):
    alarms, _ = follow(noisy(seed, 220, score=-0.01, auroc=-0.002))
    assert alarms[-1] == {"ranking"} and not any(alarms[:60])


@pytest.mark.parametrize("seed", range(5))
def test_no_hacking_while_more_and_more_is_verified(seed):
    alarms, _ = follow(noisy(seed, 220, score=0.02, auroc=-0.002, verdict=0.003))
    assert alarms[-1] >= {"ranking"} and not any("hacking" in on for on in alarms)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("verdict", [0.0, -0.001])
def test_hacking_when_the_score_rises_tells_less_and_no_more_is_verified(seed, verdict):
    alarms, _ = follow(noisy(seed, 220, score=0.05, auroc=-0.002, verdict=verdict))
    # A slope's error is that of chance: now and then fifty batches rise by themselves.
    assert sum("hacking" in on for on in alarms[-20:]) > 10 and not any(alarms[:60])


def test_hacking_when_held_out_accuracy_stands_still():
    series = noisy(0, 220, score=0.05, auroc=-0.002, verdict=0.003)
    _, state = follow(series[:-1])
    monitor = RunMonitor()
    for accuracies, expected in (((0.3, 0.4, 0.5), False), ((0.3, 0.4, 0.39), True)):
        after = state
        for accuracy in (*accuracies, math.nan):
            after = monitor.evaluated(after, accuracy)
        assert monitor.update(after, series[-1])[0]["hacking"] is expected


def test_scores_that_leave_their_range():
    alarms, state = follow(noisy(0, 40))
    high = Observation(9.0, 0.85, 0.3, 0.0, 8.0, 10.0, 7.0, 11.0)
    assert state.bounds is not None and not any(alarms)
    assert "range" in follow([high] * 8, state)[0][-1]
    assert "range" not in follow([high] * 3, state)[0][-1], "a few batches are not a range"


def test_rollouts_without_a_verdict():
    lost = Observation(0.0, math.nan, math.nan, 0.5)
    assert "unscorable" in follow([lost] * 5)[0][-1]


def test_a_batch_without_a_signal_leaves_everything_alone():
    series = noisy(0, 50)
    nothing = Observation(*[math.nan] * 8)
    assert follow(series)[1] == follow([each for seen in series for each in (seen, nothing)])[1]


def test_state_survives_json_bit_for_bit():
    _, state = follow(noisy(1, 90, score=0.1, auroc=-0.01))
    assert state.score.level > 0 and state.auroc.level > 0 and len(state.verdicts) == 50
    assert MonitorState.model_validate_json(state.model_dump_json()) == state


def test_a_constant_reference_is_not_divided_by_zero():
    before, after = Observation(1.0, 0.9, 0.3), Observation(3.0, 0.2, 0.3)
    assert "hacking" in follow([before] * 60 + [after] * 5)[0][-1]


def test_what_a_batch_shows():
    verdict, score = torch.tensor([1.0, 0.0, math.nan, 1.0]), torch.tensor([3.0, math.nan, -1.0, 1.0])
    seen = observe(Signals(verdict, score, torch.zeros(4, dtype=torch.long)), auroc=0.7)
    assert seen == (1.0, 0.7, pytest.approx(2 / 3), 0.25, -1.0, 3.0, -1.0, 3.0, 0.25)
    nothing = observe(Signals(torch.zeros(0), torch.zeros(0), torch.zeros(0, dtype=torch.long)), math.nan)
    assert all(map(math.isnan, nothing))


def test_a_slope_in_its_errors():
    assert _slope_in_errors([0.0, 1.0, 2.0, 3.0]) > 1e6
    assert _slope_in_errors([5.0] * 9) == 0.0
    assert _slope_in_errors([0.0, 1.0, 0.0, 1.0, 0.0]) == pytest.approx(0.0, abs=1e-12)


def test_a_warning_comes_once(caplog):
    warned: set[str] = set()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            warn_once({"hacking": True, "range": False}, warned)
    (record,) = caplog.records
    assert "the alarm hacking is on" in record.getMessage() and warned == {"hacking"}


def test_a_watch_says_which_alarm_ends_the_run_and_refuses_one_that_is_not():
    watch = Watch(["unscorable"])
    lost = Signals(torch.full((4,), math.nan), torch.zeros(4), torch.zeros(4, dtype=torch.long))
    ends = [watch.batch(lost, math.nan)[1] for _ in range(3)]
    assert ends == [None, "unscorable", "unscorable"]
    watch.evaluation(0.2)
    watch.evaluation(0.4)
    metrics, _ = watch.batch(lost, math.nan)
    assert watch.state.held_out == (pytest.approx(0.3),) and metrics["hero/alarm/unscorable"] == 1.0
    with pytest.raises(ConfigError, match="there is no alarm 'hack'"):
        Watch(["hack"])


def mixed(step, rng):
    """Sixteen rollouts of either domain; from batch 60 on the scores of code say the contrary."""
    verdict = torch.tensor([0.0, 1.0] * 16)
    group = torch.arange(32) // 4
    score = verdict + torch.tensor([rng.gauss(0, 0.7) for _ in range(32)])
    if step >= 60:
        score[16:] = 1 - score[16:]
    return Signals(verdict, score, group, domain=("maths",) * 16 + ("code",) * 16)


def ranks(signals):
    return group_auroc(signals.score, signals.verdict, Groups.of(signals.group)).nanmean().item()


def test_a_domain_has_alarms_of_its_own(caplog):
    rng, watch, logged = random.Random(0), Watch(["ranking"]), []
    ended = []
    for step in range(75):
        batch = mixed(step, rng)
        if step == 70:  # as a checkpoint has it
            watch.state = MonitorState.model_validate_json(watch.state.model_dump_json())
        metrics, last = watch.batch(batch, 0.8)
        logged.append(metrics)
        ended.append(last)
    assert set(ended) == {None}
    on = [row["hero/domains/code/alarm/ranking"] for row in logged]
    assert not any(on[:60]) and all(on[66:])
    assert not any(row["hero/domains/maths/alarm/ranking"] or row["hero/alarm/ranking"] for row in logged)
    assert [record.getMessage()[:47] for record in caplog.records] == [
        "the alarm ranking is on in the domain 'code': t"
    ]


def test_a_domain_shows_nothing_before_it_is_known_nor_where_it_is_the_only_one():
    lost = torch.full((8,), math.nan)
    rare = Signals(lost, torch.zeros(8), torch.arange(8) // 4, domain=("a",) * 4 + ("b",) * 4)
    watch = Watch()
    on = [watch.batch(rare, math.nan)[0]["hero/domains/b/alarm/unscorable"] for _ in range(41)]
    assert on == [0.0] * 39 + [1.0] * 2
    other = Signals(lost[:4], torch.zeros(4), torch.zeros(4, dtype=torch.long), domain=("a",) * 4)
    assert watch.batch(other, math.nan)[0]["hero/domains/b/alarm/unscorable"] == 1.0
    alone = Watch()
    assert not any("domains" in name for _ in range(41) for name in alone.batch(other, math.nan)[0])


def test_missing_scores_are_an_alarm_where_there_is_a_reward_model():
    lost = Signals(torch.tensor([1.0, 0.0]), torch.tensor([math.nan, math.nan]), torch.tensor([0, 0]))
    assert follow([observe(lost, math.nan)] * 2)[0][-1] == {"missing"}
    assert follow([observe(lost, math.nan, scored=False)] * 50)[0][-1] == set()
    half = Signals(torch.tensor([1.0, 0.0]), torch.tensor([math.nan, 0.5]), torch.tensor([0, 0]))
    fine = Signals(torch.tensor([1.0, 0.0]), torch.tensor([0.1, 0.5]), torch.tensor([0, 0]))
    assert "missing" not in follow([observe(half, math.nan), *[observe(fine, math.nan)] * 9] * 9)[0][-1]
