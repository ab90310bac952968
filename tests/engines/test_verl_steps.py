"""Whole steps of verl through `hero train`: its actor, weight transfer and reward model server, and vLLM."""

import json
from pathlib import Path

import pytest
import torch
from engine_processes import FEW_BLOCKS, HERO
from verl_runs import (
    CPUS,
    actors,
    column,
    dump,
    metrics,
    ray_of_its_own,
    recomputed,
    scores_apart,
    write_config,
    write_problems,
)

from hero_rl.rules import HeroState
from hero_rl.trainers.state import STATE_FILE

NEVER, UNREADABLE = "999", r"\frac{"  # what the policy never writes; what no verifier can read
SCORE = 1e-4  # logits, in float32


def train(engines, config, *more, seconds, **around):
    done = engines.run(*HERO, "train", config, *more, seconds=seconds, **around)
    assert done.returncode == 0, done.stdout[-6000:]
    return Path(config).parent / "run"


def check_weights(number, step):
    """Rollout and actor had the same weights.

    The actor rounds to bfloat16, which moves a probability by hundredths. A step here changes much: the weights of the
    step before are another policy, whose probabilities differ by tenths.
    """
    correlation, apart = (step[f"training/rollout_{name}"] for name in ("actor_probs_pearson_corr", "probs_diff_max"))
    found = f"correlation of probabilities {correlation:.4f}, at most {apart:.3f} apart"
    print(f"\nstep {number}: gradient {step['actor/grad_norm']:.3f}; rollout and actor: {found}")
    assert correlation > 0.99 and apart < 0.05, f"step {number}: vLLM did not write with the actor's weights: {found}"


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
            "engine_kwargs": {"+vllm": {"num_gpu_blocks_override": FEW_BLOCKS}},
        },
    }
    trainer = {"n_gpus_per_node": 1, "total_training_steps": 1, "save_freq": 1, "test_freq": 1}
    config = write_config(
        tmp_path,
        models,
        problems,
        {"data": {"train_batch_size": 4}, "actor_rollout_ref": {"actor": {"ppo_mini_batch_size": 4}}},
        {"reward": {"reward_model": server}, "trainer": trainer},
        ray_of_its_own(2),
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
    print(f"\nserved and local scores apart by {off:.1e}")
    check_weights(1, step)
    assert step["hero/frac_unscorable"] == pytest.approx(0.25)
    saved = json.loads((run / "checkpoints" / "global_step_1" / STATE_FILE).read_text())
    assert saved["state"]["sigma_bar"] == pytest.approx(after.sigma_bar, rel=1e-12)


def test_two_ranks_and_a_resumption_on_two_nodes(engines, models, tmp_path):
    """Two FSDP2 ranks, vLLM over both, two mini-batches a step; then a third step, with a rank on each of two nodes."""
    problems = write_problems(tmp_path / "problems.jsonl", ["4", "4", "7", NEVER])
    actor = {"ppo_mini_batch_size": 2, "ppo_micro_batch_size_per_gpu": 2}

    def config(steps, nodes, *blocks):
        ranks = {"rollout": {"tensor_model_parallel_size": 2 // nodes}}
        trainer = {"nnodes": nodes, "n_gpus_per_node": 2 // nodes}
        return write_config(
            tmp_path,
            models,
            problems,
            {"data": {"train_batch_size": 4}, "actor_rollout_ref": {"actor": actor} | ranks},
            {"trainer": trainer | {"total_training_steps": steps, "save_freq": 2, "test_freq": 2}},
            *blocks,
            reward_model={"type": "local", "path": str(models["reward_model"]), "dtype": "float32"},
        )

    run = train(engines, config(2, 1, ray_of_its_own(2)), seconds=300)
    with engines.ray_nodes("127.0.0.2", "127.0.0.3", cpus=CPUS, gpus=1) as around:
        train(engines, config(3, 2, {"reward": {"num_workers": 2}}), "--resume", seconds=300, **around)
        where = actors(engines, around)
    print(f"\nactors of two nodes: {where}")
    for kind in ("RewardLoopWorker", "vLLMHttpServer"):
        assert where[kind] == {"127.0.0.2", "127.0.0.3"}

    steps = metrics(run)
    assert len(steps) == 3
    state = HeroState()
    for number, step in enumerate(steps, start=1):
        rows = dump(run, number)
        assert len(rows) == 16
        shaped, after = recomputed(rows, state)
        check_weights(number, step)
        assert scores_apart(rows, models["reward_model"]) < SCORE
        torch.testing.assert_close(column(rows, "advantage"), shaped.advantage, atol=1e-6, rtol=0)
        read = after if number == 1 else state  # the first batch uses its own mean
        assert step["hero/sigma_bar"] == pytest.approx(read.sigma_bar, rel=1e-12)
        # A policy that has learned to write one text alone has no advantages, and then no gradient.
        assert (step["actor/grad_norm"] > 1e-3) == bool(shaped.advantage.abs().max() > 0)
        state = after
    assert steps[0]["actor/grad_norm"] > 1e-3
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
        ray_of_its_own(1),
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
        print(f"\nstep {number}: rollouts up to {stale} steps old")
        ages.append(stale)
        state = after
    assert max(ages) > 0, "no rollout was of older weights"
