"""Whole steps of verl through `hero train`: its actor, weight transfer and reward model server, and vLLM."""

import json
from pathlib import Path

import pytest
import torch
from engine_processes import HERO
from verl_runs import column, dump, metrics, recomputed, scores_apart, write_config, write_problems

from hero_rl.rules import HeroState
from hero_rl.trainers.state import STATE_FILE

NEVER, UNREADABLE = "999", r"\frac{"  # what the policy never writes; what no verifier can read
SCORE = 1e-4  # logits, in float32


def train(engines, config, *more, seconds):
    done = engines.run(*HERO, "train", config, *more, seconds=seconds)
    assert done.returncode == 0, done.stdout[-6000:]
    return Path(config).parent / "run"


def agreed(step):
    """Figures of a step that show that rollout and actor had the same weights."""
    return {name: step[f"training/{name}"] for name in ("rollout_actor_probs_pearson_corr", "rollout_probs_diff_max")}


def test_a_step_with_verl_s_own_reward_model_server(engines, models, tmp_path):
    """Not one right answer, so that every gradient there is comes from groups that the verifier is silent on."""
    problems = write_problems(tmp_path / "problems.jsonl", [NEVER, NEVER, NEVER, UNREADABLE])
    server = {
        "enable": True,
        "enable_resource_pool": True,
        "n_gpus_per_node": 1,
        "nnodes": 1,
        "model_path": str(models["reward_model"]),
        "rollout": {
            "name": "vllm",
            "dtype": "float32",
            "tensor_model_parallel_size": 1,
            "free_cache_engine": False,
            "+enable_sleep_mode": False,
            "max_model_len": 512,
            "max_num_batched_tokens": 512,
            "max_num_seqs": 16,
        },
    }
    trainer = {"n_gpus_per_node": 1, "total_training_steps": 1, "save_freq": 1, "test_freq": 1}
    config = write_config(
        tmp_path,
        models,
        problems,
        {"data": {"train_batch_size": 4}, "actor_rollout_ref": {"actor": {"ppo_mini_batch_size": 4}}},
        {"reward": {"reward_model": server}, "trainer": trainer, "ray_kwargs": {"ray_init": {"+num_gpus": 2}}},
        max_unscorable=1.0,
    )
    run = train(engines, config, seconds=300)

    (step,) = metrics(run)
    rows = dump(run, 1)
    assert len(rows) == 16
    silent = [row for row in rows if row["verdict"] == 0.0]
    abstained = [row for row in rows if row["verdict"] is None]
    assert (len(silent), len(abstained)) == (12, 4)

    off = scores_apart(rows, models["reward_model"])
    shaped, after = recomputed(rows, HeroState())
    advantages = column(rows, "advantage")
    assert off < SCORE
    torch.testing.assert_close(advantages, shaped.advantage, atol=1e-6, rtol=0)
    assert all(row["advantage"] == 0 for row in abstained)
    assert column(silent, "advantage").abs().min() > 0
    assert step["actor/grad_norm"] > 1e-3
    print(f"\nserved and local scores apart by {off:.1e}; gradient {step['actor/grad_norm']:.3f}; {agreed(step)}")
    assert step["training/rollout_actor_probs_pearson_corr"] > 0.99
    assert step["hero/frac_unscorable"] == pytest.approx(0.25)
    saved = json.loads((run / "checkpoints" / "global_step_1" / STATE_FILE).read_text())
    assert saved["state"]["sigma_bar"] == pytest.approx(after.sigma_bar, rel=1e-12)


def test_two_ranks_and_a_resumption(engines, models, tmp_path):
    """Two FSDP2 ranks, vLLM over both, two mini-batches a step; two steps, then a third from the checkpoint."""
    problems = write_problems(tmp_path / "problems.jsonl", ["4", "4", "7", NEVER])
    actor = {"ppo_mini_batch_size": 2, "ppo_micro_batch_size_per_gpu": 2}
    config = write_config(
        tmp_path,
        models,
        problems,
        {"data": {"train_batch_size": 4}, "ray_kwargs": {"ray_init": {"+num_gpus": 2}}},
        {"actor_rollout_ref": {"actor": actor, "rollout": {"tensor_model_parallel_size": 2}}},
        {"trainer": {"n_gpus_per_node": 2, "total_training_steps": 2, "save_freq": 2, "test_freq": 2}},
        reward_model={"type": "local", "path": str(models["reward_model"]), "dtype": "float32"},
    )
    run = train(engines, config, seconds=300)
    train(engines, config, "--resume", "--verl.trainer.total_training_steps", "3", seconds=300)

    steps = metrics(run)
    assert len(steps) == 3
    state = HeroState()
    for number, step in enumerate(steps, start=1):
        rows = dump(run, number)
        assert len(rows) == 16
        shaped, after = recomputed(rows, state)
        print(f"\nstep {number}: gradient {step['actor/grad_norm']:.3f}; {agreed(step)}")
        assert scores_apart(rows, models["reward_model"]) < SCORE
        torch.testing.assert_close(column(rows, "advantage"), shaped.advantage, atol=1e-6, rtol=0)
        read = after if number == 1 else state  # the first batch uses its own mean
        assert step["hero/sigma_bar"] == pytest.approx(read.sigma_bar, rel=1e-12)
        assert step["actor/grad_norm"] > 1e-3
        assert step["training/rollout_actor_probs_pearson_corr"] > 0.99
        # The actor rounds to bfloat16. The weights of the step before are another policy, whose probabilities differ by
        # tenths: a step here changes much.
        assert step["training/rollout_probs_diff_max"] < 0.05
        state = after
    saved = json.loads((run / "checkpoints" / "global_step_2" / STATE_FILE).read_text())
    assert saved["state"]["sigma_bar"] == pytest.approx(steps[2]["hero/sigma_bar"], rel=1e-12)


def test_the_asynchronous_trainer_on_one_set_of_gpus(engines, models, tmp_path):
    """Rollouts of the next batch are under way while a batch is learnt from, so that some are of older weights."""
    problems = write_problems(tmp_path / "problems.jsonl", ["4", "4", "7", NEVER] * 4)
    config = write_config(
        tmp_path,
        models,
        problems,
        {"data": {"train_batch_size": 2}, "actor_rollout_ref": {"actor": {"ppo_mini_batch_size": 2}}},
        {"trainer": {"n_gpus_per_node": 1, "total_training_steps": 3, "v1": {"trainer_mode": "hero_colocate_async"}}},
        {"ray_kwargs": {"ray_init": {"+num_gpus": 1}}},
        data={"train": str(problems)},
        reward_model={"type": "local", "path": str(models["reward_model"]), "dtype": "float32"},
    )
    run = train(engines, config, seconds=240)

    state, steps, ages = HeroState(), metrics(run), []
    assert len(steps) == 3
    for number, step in enumerate(steps, start=1):
        rows = dump(run, number)
        assert len(rows) == 8
        shaped, after = recomputed(rows, state)
        torch.testing.assert_close(column(rows, "advantage"), shaped.advantage, atol=1e-6, rtol=0)
        assert scores_apart(rows, models["reward_model"]) < SCORE
        read = after if number == 1 else state
        assert step["hero/sigma_bar"] == pytest.approx(read.sigma_bar, rel=1e-12)
        stale = step["training/off_policy/trajectory_staleness/max"]
        print(f"\nstep {number}: gradient {step['actor/grad_norm']:.3f}; {agreed(step)}; {stale} steps old")
        ages.append(stale)
        state = after
    assert max(ages) > 0, "no rollout was of older weights"
