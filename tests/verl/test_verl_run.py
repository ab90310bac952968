"""Runs of verl: its own entry point up to the question for GPUs, and whole steps with stand-ins for what needs them."""

import json
import os
import subprocess
import sys

import pytest

pytest.importorskip("verl.trainer")

import numpy as np
import torch
from reward_server import RewardServer
from verl.trainer.ppo.v1 import get_trainer_cls
from verl_parts import composed, overrides

from hero_rl.errors import CheckpointError, ConfigError
from hero_rl.rollouts import read_rollouts
from hero_rl.rules import AuditedHero, Hero, HeroState
from hero_rl.signals import Signals
from hero_rl.trainers.state import STATE_FILE

pytestmark = pytest.mark.filterwarnings("default")  # verl's and torchdata's own, of which there are many

LOCAL_RAY = {"ray_kwargs.ray_init.num_cpus": 8, "+ray_kwargs.ray_init.include_dashboard": False}


def test_verl_s_entry_point_gets_as_far_as_its_gpus(tiny, problems, tmp_path):
    lines = overrides(tiny[0], problems, tmp_path, **LOCAL_RAY)
    command = [sys.executable, "-W", "ignore", "-m", "verl.trainer.main_ppo", *lines]
    outside = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=outside, timeout=170)
    said = done.stdout + done.stderr
    assert done.returncode != 0
    for line in (
        "All configuration checks passed",
        "train and validate dataloader initialized, train dataset size: 8",
        "Total available GPUs 0 is less than total desired GPUs 1",
    ):
        assert line in said, said[-3000:]


def test_the_trainer_that_verl_would_make_refuses_before_anything_else(tiny, problems, tmp_path):
    """Without Ray, a queue or a model: nothing but the configuration was looked at."""
    inert = composed(overrides(tiny[0], problems, tmp_path, **{"actor_rollout_ref.rollout.n": 1}))
    with pytest.raises(ConfigError, match=r"do not fit:\nactor_rollout_ref\.rollout\.n: 1 rollout a prompt"):
        get_trainer_cls("hero_sync")(inert)


@pytest.fixture(scope="module")
def plain_policy(tmp_path_factory):
    """A policy's configuration and tokenizer: verl asks a Qwen's tokenizer for tokens that the byte tokenizer lacks."""
    from tiny_models import byte_tokenizer
    from transformers import LlamaConfig

    folder = tmp_path_factory.mktemp("policy")
    shape = {"vocab_size": 264, "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    LlamaConfig(**shape, architectures=["LlamaForCausalLM"]).save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture
def run_config(plain_policy, tiny, problems, tmp_path, monkeypatch):
    def make(server, steps, **changes):
        monkeypatch.setenv("VERL_FILE_LOGGER_PATH", str(tmp_path / f"until_{steps}.jsonl"))
        settings = {
            "trainer.total_training_steps": steps,
            "algorithm.rollout_correction.bypass_mode": True,  # the rollouts' log-probabilities serve as the old ones
            "actor_rollout_ref.rollout.calculate_log_probs": True,
            "trainer.save_freq": 1,
            "trainer.test_freq": 1,
            "trainer.logger": "[file]",
            "trainer.rollout_data_dir": tmp_path / "rollouts",
            "+hero.verifier.marker": "'####'",
            "+hero.rule.type": "hero",
            "+hero.reward_model.type": "remote",
            "+hero.reward_model.urls": f"[{server.url}]",
            "+hero.reward_model.tokenizer": tiny[1],
        }
        return composed(overrides(plain_policy, problems, tmp_path, **(settings | changes)))

    return make


def logged(tmp_path):
    logs = (tmp_path / "until_2.jsonl", tmp_path / "until_3.jsonl")
    return [json.loads(line)["data"] for log in logs for line in log.read_text().splitlines()]


def test_steps_of_a_run_and_its_resumption_are_the_core_s(queue, run_config, tmp_path):
    """Two steps, then one more from the checkpoint: advantages, state and log recomputed from verl's dumps."""
    from verl_loop import run

    with RewardServer() as server:
        first = run(run_config(server, 2))
        second = run(run_config(server, 3))
        with pytest.raises(CheckpointError, match="holds the state of rule 'hero', not 'gdpo'"):
            run(run_config(server, 4, **{"+hero.rule.type": "gdpo"}))
    rule, state = Hero(), HeroState()
    for step, metrics in enumerate(logged(tmp_path), start=1):
        rows = [row for row in dump(tmp_path, step) if row["verdict"] is not None]
        assert len(rows) == 8
        uids = [row["uid"].rsplit("_", 2)[0] for row in rows]
        signals = Signals(
            torch.tensor([row["verdict"] for row in rows], dtype=torch.float64),
            torch.tensor([row["rm_score"] for row in rows], dtype=torch.float64),
            torch.tensor([uids.index(uid) for uid in uids]),
        )
        shaped, after = rule.update(signals, state)
        np.testing.assert_allclose([row["advantage"] for row in rows], shaped.advantage, atol=1e-6)
        assert metrics["hero/sigma_bar"] == pytest.approx(after.sigma_bar if step == 1 else state.sigma_bar, rel=1e-12)
        assert metrics["critic/score/mean"] == pytest.approx(signals.verdict.mean().item())
        assert metrics["critic/advantages/max"] == pytest.approx(shaped.advantage.max().item(), abs=1e-6)
        assert {
            "val-core/sums/reward/mean@1",
            "hero/hacking_alarm",
            "verifier/timed_out",
            "reward_model/missing",
        } <= set(metrics)
        state = after
        if step == 2:
            assert first.rule_state.sigma_bar == pytest.approx(state.sigma_bar, rel=1e-12)
    assert step == 3
    assert second.rule_state.sigma_bar == pytest.approx(state.sigma_bar, rel=1e-12)
    saved = tmp_path / "checkpoints" / "global_step_3" / STATE_FILE
    assert json.loads(saved.read_text())["state"] == second.rule_state.model_dump()
    assert len(second.actor_rollout_wg.learnt[0][0]) == 24, "padded to three ranks"
    read = [rollout for rollout in read_rollouts(tmp_path / "rollouts" / "3.jsonl") if rollout.verdict is not None]
    assert [rollout.score for rollout in read] == [row["rm_score"] for row in rows]
    np.testing.assert_allclose([rollout.reward for rollout in read], shaped.reward, atol=1e-6)


def test_audits_of_a_run_and_of_its_resumption_are_the_core_s(queue, run_config, tmp_path):
    """A verifier that knows no answer, an auditor that does: what it was asked, recomputed from verl's dumps."""
    from verl_loop import run

    audited = {
        "+hero.verifier.marker": "'never'",
        "+hero.rule.type": "audited_hero",
        "+hero.rule.audits": 1,
        "+hero.auditor.type": "exact",
        "+hero.auditor.marker": "'####'",
    }
    with RewardServer() as server:
        first = run(run_config(server, 2, **audited))
        second = run(run_config(server, 3, **audited))
    rule = AuditedHero(audits=1)
    state = rule.init()
    for step, metrics in enumerate(logged(tmp_path), start=1):
        rows = [row for row in dump(tmp_path, step) if row["verdict"] is not None]
        uids = [row["uid"].rsplit("_", 2)[0] for row in rows]
        group = torch.tensor([uids.index(uid) for uid in uids])
        verdict, score, audit = (
            torch.tensor([np.nan if row[name] is None else row[name] for row in rows], dtype=torch.float64)
            for name in ("verdict", "rm_score", "audit")
        )
        domain = ("sums",) * len(rows)
        asked = [row for row in rows if row["audit"] is not None]
        assert len(asked) == metrics["hero/audit_calls"] == 2
        assert len({row["uid"].rsplit("_", 2)[0] for row in asked}) == 1, "two rollouts of one group"
        assert [row["audit"] for row in asked] == [float(f"#### {row['gts']}<" in row["output"] + "<") for row in asked]
        assert metrics["hero/audit_failed"] == 0
        shaped, after = rule.update(Signals(verdict, score, group, domain, audit), state)
        np.testing.assert_allclose([row["advantage"] for row in rows], shaped.advantage, atol=1e-6)
        assert metrics["hero/audit_auroc"] == state.audit.auroc
        state = after
        if step == 2:
            assert first.rule_state.audit == state.audit
    assert second.rule_state == state and state.batches == 3
    saved = tmp_path / "checkpoints" / "global_step_3" / STATE_FILE
    assert json.loads(saved.read_text())["state"] == state.model_dump()


def test_an_auditor_reads_the_columns_of_verl_s_rows(queue, run_config, tmp_path):
    from verl_loop import run

    audited = {
        "+hero.verifier.marker": "'never'",
        "+hero.rule.type": "audited_hero",
        "+hero.rule.audits": 2,
        "+hero.auditor.type": "verl_parts:ByColumns",
    }
    with RewardServer() as server:
        run(run_config(server, 2, **audited))
    asked = [row for step in (1, 2) for row in dump(tmp_path, step) if row["audit"] is not None]
    assert len(asked) == 8, "one that raises for want of a column has no audit"
    assert [row["audit"] for row in asked] == [float(f"#### {row['gts']}<" in row["output"] + "<") for row in asked]


def dump(tmp_path, step):
    return [json.loads(line) for line in (tmp_path / "rollouts" / f"{step}.jsonl").read_text().splitlines()]
