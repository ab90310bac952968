"""`hero_sync`'s advantages on the real trainer and queue: the core's, whatever verl does to the rows; GRPO's own."""

import math
import random

import pytest

pytest.importorskip("verl.trainer")

import numpy as np
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from verl.trainer.ppo.v1.trainer_sync import PPOTrainerSync
from verl_parts import advantages, composed, overrides, put, row

from hero_rl.errors import ConfigError, UnscorableError
from hero_rl.monitoring import MonitorState
from hero_rl.monitoring.unscorable import UnscorableWindow
from hero_rl.rules import Gdpo, Hero, HeroState, RewardModelOnly, VerifierOnly, WeightedSum
from hero_rl.signals import Signals
from hero_rl.trainers.verl.estimator import hero_advantage
from hero_rl.trainers.verl.trainer import HeroSyncTrainer

RULES = [Hero(alpha=0.05, beta=0.2), VerifierOnly(), RewardModelOnly(), WeightedSum(weight=0.3), Gdpo()]
PAD = "pad" + "0" * 31 + "1"

words = st.sampled_from([0.0, 1.0, 1.0, 0.0, math.nan])
scores = st.one_of(st.floats(-20, 20).map(lambda x: round(x, 3)), st.just(math.nan))


@pytest.fixture(scope="module")
def trainer(queue, tiny, problems, tmp_path_factory):
    lines = overrides(tiny[0], problems, tmp_path_factory.mktemp("run"), **{"+hero.max_unscorable": 1.0})
    return HeroSyncTrainer(composed(lines))


@pytest.fixture
def anew(trainer):
    """The trainer at its start, with another rule."""

    def with_rule(rule, **algorithm):
        trainer.rule, trainer.rule_state, trainer.watch.state = rule, rule.init(), MonitorState()
        for name, value in ({"use_kl_in_reward": False, "adv_estimator": "hero"} | algorithm).items():
            trainer.config.algorithm[name] = value
        return trainer

    yield with_rule
    with_rule(VerifierOnly())


@st.composite
def rollouts(draw):
    """(prompt, verdict, score, outputs) of each rollout: groups of any size, sessions of one to three outputs."""
    sizes = draw(st.lists(st.integers(1, 5), min_size=1, max_size=4))
    return [
        (prompt, draw(words), draw(scores), draw(st.integers(1, 3))) for prompt, n in enumerate(sizes) for _ in range(n)
    ]


def rows_of(batch, padding, seed):
    """The rows of a batch as they lie in the queue: shuffled, padding among them; and each row's rollout."""
    rows, made = [], random.Random(seed)
    for number, (prompt, verdict, score, outputs) in enumerate(batch):
        rows += [(number, row(f"u{prompt}_{number}_{i}", verdict, score, made.randint(1, 6))) for i in range(outputs)]
    rows += [(None, row(f"{PAD}_{i}_0", *batch[0][1:3], 1, padding=True)) for i in range(padding)]
    made.shuffle(rows)
    return [number for number, _ in rows], [one for _, one in rows]


def signals_of(batch):
    return Signals(
        torch.tensor([verdict for _, verdict, _, _ in batch], dtype=torch.float64),
        torch.tensor([score for _, _, score, _ in batch], dtype=torch.float64),
        torch.tensor([prompt for prompt, _, _, _ in batch]),
    )


def through(trainer, queue, rows, method=None):
    """Put rows into the queue, have the trainer compute, and take them out again."""
    metrics = {}
    batch = put(queue, rows)
    try:
        batch = (method or HeroSyncTrainer._compute_advantage)(trainer, batch, metrics)
        return advantages(queue, batch), metrics
    finally:
        queue.kv_clear(keys=[key for key, _, _ in rows], partition_id="train")


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batch=rollouts(), padding=st.integers(0, 3), seed=st.integers(0, 999), which=st.sampled_from(range(len(RULES))))
def test_every_row_gets_its_rollout_s_advantage_of_the_core(anew, queue, batch, padding, seed, which):
    rule = RULES[which]
    run = anew(rule)
    expected, after = rule.update(signals_of(batch), rule.init())
    numbers, rows = rows_of(batch, padding, seed)
    found, metrics = through(run, queue, rows)
    for number, (_, fields, _), tokens in zip(numbers, rows, found, strict=True):
        value = 0.0 if number is None else expected.advantage[number].item()
        np.testing.assert_allclose(tokens, [value] * len(fields["response_mask"]), atol=1e-6)
    assert metrics["hero/frac_unscorable"] == pytest.approx(expected.reward.isnan().double().mean().item())
    if rule.type == "hero" and after.sigma_bar is not None:
        assert run.rule_state.sigma_bar == pytest.approx(after.sigma_bar, rel=1e-12)
        assert metrics["hero/sigma_bar"] == run.rule_state.sigma_bar


@pytest.mark.parametrize(("scale", "divides", "kl"), [("none", False, 0.0), ("none", False, 0.3), ("group", True, 0.0)])
def test_verifier_only_is_verl_s_own_grpo(anew, queue, scale, divides, kl):
    """The same rows through verl's trainer with `grpo`, its KL penalty in the rewards and all."""
    made = torch.Generator().manual_seed(1)
    batch = [(p, float(torch.rand((), generator=made) < 0.5), 0.0, 1) for p in range(6) for _ in range(4)]
    rows = [
        row(f"u{p}_{n}_0", verdict, score, 4, logps=-torch.rand(4, generator=made))
        for n, (p, verdict, score, _) in enumerate(batch)
    ]
    settings_ = {"use_kl_in_reward": kl > 0, "norm_adv_by_std_in_grpo": divides}
    run = anew(VerifierOnly(scale=scale, eps=1e-6), **settings_)
    if kl:
        from verl.trainer.ppo.core_algos import FixedKLController

        run.kl_ctrl_in_reward = FixedKLController(kl)
    ours, _ = through(run, queue, rows)
    anew(VerifierOnly(), adv_estimator="grpo", **settings_)
    theirs, _ = through(run, queue, rows, PPOTrainerSync._compute_advantage)
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
    assert np.abs(theirs).sum() > 1


def test_the_state_moves_from_batch_to_batch_as_in_the_core(anew, queue):
    run, rule = anew(Hero()), Hero()
    state = HeroState()
    for step in range(3):
        batch = [(p, float((p + n) % 2), step + p * n / 2, 1) for p in range(3) for n in range(4)]
        before = run.rule_state
        numbers, rows = rows_of(batch, 1, step)
        found, metrics = through(run, queue, rows)
        expected, state = rule.update(signals_of(batch), state)
        assert run.rule_state.sigma_bar == pytest.approx(state.sigma_bar, rel=1e-12)
        assert metrics["hero/sigma_bar"] == (run.rule_state if step == 0 else before).sigma_bar
        first = [n for n, number in enumerate(numbers) if number is not None]
        np.testing.assert_allclose(
            [found[n][0] for n in first], expected.advantage[[numbers[n] for n in first]], atol=1e-6
        )


def test_an_output_before_the_last_one_of_its_session_is_not_judged(anew, queue):
    """verl copies the last output's facts to the others; were they to differ, the last one's count."""
    rows = [row("u_0_0", 0.0, 9.0, 2), row("u_0_1", 1.0, 1.0, 3), row("u_1_0", 0.0, 0.0, 2)]
    found, metrics = through(anew(VerifierOnly()), queue, rows)
    assert found == [[0.5, 0.5], [0.5, 0.5, 0.5], [-0.5, -0.5]]
    assert metrics["rewards/verifier/mean"] == 0.5
    assert metrics["verifier/abstained"] == 0


def test_too_many_unscorable_rollouts_stop_the_run_after_a_window_of_them(anew, queue):
    run = anew(VerifierOnly())
    whole, run._window = run._window, UnscorableWindow(0.5)
    half = [(n, [math.nan, 1.0][n % 2], 0.0, 1) for n in range(100)]
    most = [(n, [math.nan, math.nan, 1.0][n % 3], 0.0, 1) for n in range(256)]
    try:
        through(run, queue, rows_of(half, 0, 0)[1])
        with pytest.raises(UnscorableError, match=r"max_unscorable = 50%.*mismatch"):
            through(run, queue, rows_of(most, 0, 0)[1])
    finally:
        run._window = whole


def test_a_reward_model_that_is_gone_stops_the_run_too(anew, queue):
    run = anew(Hero())
    whole, run._window = run._window, UnscorableWindow(0.5)
    try:
        with pytest.raises(UnscorableError, match=r"256 of the last 256 .*256 without a score"):
            through(run, queue, rows_of([(n, 1.0, math.nan, 1) for n in range(256)], 0, 0)[1])
    finally:
        run._window = whole


def test_what_can_never_work_ends_the_run_and_says_so(anew, queue):
    run = anew(VerifierOnly())
    key, fields, tag = row("u_0_0", math.nan, math.nan, 2)
    fields["extra_fields"]["reward_extra_info"]["error"] = "ConfigError: the reward model denies"
    with pytest.raises(ConfigError, match=r"u_0_0 could not be scored.*the reward model denies"):
        through(run, queue, [(key, fields, tag)])
    fields["extra_fields"] = {"reward_extra_info": {}}
    with pytest.raises(ConfigError, match="was not scored by HeroRewardManager"):
        through(run, queue, [(key, fields, tag)])


def test_prompts_that_no_verifier_applies_to_are_ranked_by_a_rule_that_says_so(anew, queue):
    told = [(0, 1.0, 3.0, 1), (0, 0.0, 1.0, 1), *((1, math.nan, score, 1) for score in (0.0, 1.0, 4.0))]
    rows = rows_of(told, 0, 0)[1]
    for _, fields, _ in rows:
        if math.isnan(fields["extra_fields"]["reward_extra_info"]["verdict"]):
            fields["extra_fields"]["reward_extra_info"]["reason"] = "no_verifier"
    rule = Hero(without_reference="rank")
    _, metrics = through(anew(rule), queue, rows)
    assert metrics["hero/frac_unverified"] == 0.6 and metrics["hero/frac_unscorable"] == 0
    assert metrics["hero/advantage_mass_unverified"] > 0
    _, metrics = through(anew(Hero()), queue, rows)
    assert metrics["hero/frac_unscorable"] == 0.6 and metrics["hero/advantage_mass_unverified"] == 0


def test_the_estimator_alone_says_which_trainer_it_needs():
    with pytest.raises(ConfigError, match="trainer_mode=hero_"):
        hero_advantage(torch.zeros(2, 3), torch.ones(2, 3))


def test_validation_measures_what_was_judged_and_leaves_the_state_alone(anew):
    run = anew(Hero())
    run.rule_state = HeroState(sigma_bar=2.0)
    before = run.rule_state, run.watch.state
    facts = {
        "reward": [1.0, math.nan, 0.0, 1.0],
        "verdict": [1.0, math.nan, 0.0, 1.0],
        "score": [3.0, math.nan, math.nan, 1.0],
        "reason": ["matched_exactly", "timed_out", "mismatch", "matched_exactly"],
        "error": [""] * 4,
        "verifier/abstained": [1.0, 0.0, 0.0, 0.0],
    }
    metrics = run._val_metrics_update(["sums"] * 4, ["a", "a", "b", "b"], facts, [1] * 4)
    assert metrics["val-core/sums/reward/mean@2"] == 0.5
    assert metrics["val-aux/sums/verdict/mean@1"] == 1.0
    assert not any("abstained" in name or math.isnan(value) for name, value in metrics.items())
    assert (run.rule_state, run.watch.state) == before
    assert run.watch._evaluated[-1] == pytest.approx(2 / 3), "held-out accuracy, for the next step's alarms"
    with pytest.raises(ConfigError, match="validation could not be scored: boom"):
        run._val_metrics_update(["sums"], ["a"], facts | {"error": ["boom"]}, [1])
