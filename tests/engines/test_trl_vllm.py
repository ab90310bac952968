"""TRL's two ways to have vLLM generate, through `hero train`: in the trainer's process, and on a server."""

import json
import shutil
import sys
from pathlib import Path

import pytest
import torch
import yaml
from engine_processes import HERO

from hero_rl.rollouts import read_rollouts

STEPS = 3
NEVER = "999"
TRL = str(Path(sys.prefix) / "trl")  # not where verl finds it, see the Makefile


@pytest.fixture
def config(models, tmp_path):
    """A run of three steps with a learning rate at which a step changes what the policy writes."""

    def write(**vllm):
        rows = [{"prompt": f"{n} + {n} =", "answer": ("4", "7", NEVER)[n % 3]} for n in range(6)]
        problems = tmp_path / "problems.jsonl"
        problems.write_text("".join(json.dumps(row) + "\n" for row in rows))
        settings = {
            "output_dir": str(tmp_path / "run"),
            "model": {"path": str(models["policy"])},
            "data": {"train": str(problems)},
            "verifier": {"type": "math"},
            "verifier_processes": {"workers": 1},
            "reward_model": {"path": str(models["reward_model"]), "dtype": "float32"},
            "rule": {"type": "hero"},  # gated HERO would not rank a group without a right answer in its first steps
            "trl": {
                "max_steps": STEPS,
                "logging_steps": 1,
                "num_generations": 4,
                "per_device_train_batch_size": 12,
                "max_completion_length": 12,
                "learning_rate": 3e-4,
                "save_strategy": "no",
                "bf16": False,
                "use_cpu": True,
                "use_vllm": True,
                **vllm,
            },
        }
        path = tmp_path / "run.yaml"
        path.write_text(yaml.safe_dump(settings))
        return path

    return write


def check(run: Path):
    """All steps were made, from rollouts of the policy as it was, and every scorable group had an advantage."""
    logged = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    steps = [one for one in logged if "hero/sigma_bar" in one]
    assert len(steps) == STEPS
    for step in steps:
        apart, gradient = step["sampling/sampling_logp_difference/max"], step["grad_norm"]
        print(f"\nlog-probabilities of vLLM and trainer apart by {apart:.1e}; gradient {gradient:.3f}")
        # vLLM rounds to bfloat16 here. The weights of the step before are another policy: nats, not hundredths.
        assert apart < 0.2
        assert gradient > 1e-3
    rollouts = list(read_rollouts(run / "rollouts"))
    assert len(rollouts) == 12 * STEPS
    silent = torch.tensor([r.advantage for r in rollouts if r.reference == NEVER])
    assert len(silent) and silent.abs().max() > 0


def test_colocated(engines, config, tmp_path):
    path = config(vllm_mode="colocate", vllm_max_model_length=128, vllm_gpu_memory_utilization=0.3)
    done = engines.run(*HERO, "train", path, seconds=150, PYTHONPATH=TRL, VLLM_ENABLE_V1_MULTIPROCESSING="0")
    assert done.returncode == 0, done.stdout[-6000:]
    check(tmp_path / "run")


def test_on_a_server(engines, config, models, tmp_path):
    weights = tmp_path / "weights"
    shutil.copytree(models["policy"], weights)
    with engines.serving(models["policy"], "--logprobs-mode", "processed_logprobs", "--max-logprobs", "-1") as server:
        server.wait()
        path = config(vllm_mode="server", vllm_server_base_url=server.url)
        script = Path(__file__).with_name("trl_weights_by_disk.py")
        done = engines.run(sys.executable, script, weights, "train", path, seconds=150, PYTHONPATH=TRL)
    assert done.returncode == 0, done.stdout[-6000:]
    check(tmp_path / "run")
