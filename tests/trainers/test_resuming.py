"""A resumed run is the unbroken one, to the last bit."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pandas
import pytest
import torch
from parts import trainer
from safetensors.torch import load_file

from hero_rl.rules import Hero
from hero_rl.trainers.trl import STATE_FILE, HeroGRPOTrainer, HeroRLOOTrainer

TIMED = ("runtime", "per_second", "step_time", "seconds", "total_flos")


def run(policy, folder, resume=None, **changes):
    """A run of two and a half epochs, five steps each, that saves after every step; evaluated now and then."""
    settings = {"save_strategy": "steps", "save_steps": 1, "max_steps": 13, "rows": 10, "beta": 0.05}
    settings |= {"rollouts_dir": str(folder / "rollouts")}
    begun = trainer(policy, folder, Hero(), **(settings | changes))
    begun.train(resume_from_checkpoint=resume)
    return begun


def assert_equal(straight, resumed, after):
    """Every row, rollout, weight, optimizer tensor and state of two runs' folders, from a step on."""
    names = sorted(path.name for path in (straight / "rollouts").iterdir() if int(path.name.split("_")[1]) > after)
    assert names == sorted(path.name for path in (resumed / "rollouts").iterdir())
    for name in names:
        tables = (pandas.read_parquet(folder / "rollouts" / name) for folder in (straight, resumed))
        pandas.testing.assert_frame_equal(*tables, check_exact=True)
    last = max((path.name for path in straight.glob("checkpoint-*")), key=lambda name: int(name.split("-")[1]))
    one, other = straight / last, resumed / last
    weights, same = load_file(one / "model.safetensors"), load_file(other / "model.safetensors")
    assert all(torch.equal(tensor, same[name]) for name, tensor in weights.items())
    states = [torch.load(folder / "optimizer.pt", weights_only=True)["state"] for folder in (one, other)]
    assert states[0].keys() == states[1].keys()
    for at, state in states[0].items():
        assert all(torch.equal(torch.as_tensor(v), torch.as_tensor(states[1][at][name])) for name, v in state.items())
    assert json.loads((one / STATE_FILE).read_text()) == json.loads((other / STATE_FILE).read_text())


def rows(history):
    kept = [{name: v for name, v in row.items() if not any(part in name for part in TIMED)} for row in history]
    return [{name: None if isinstance(v, float) and math.isnan(v) else v for name, v in row.items()} for row in kept]


@pytest.mark.slow
@pytest.mark.parametrize("kind", [HeroGRPOTrainer, HeroRLOOTrainer])
def test_after_any_number_of_epochs(policy, tmp_path, kind):
    straight = run(policy, tmp_path / "straight", kind=kind)
    for step in (3, 5, 7, 10, 12):
        folder = tmp_path / f"from{step}"
        resumed = run(policy, folder, str(tmp_path / "straight" / f"checkpoint-{step}"), kind=kind)
        assert_equal(tmp_path / "straight", folder, step)
        assert rows(resumed.state.log_history) == rows(straight.state.log_history)
        assert resumed.state.log_history[-1]["train_loss"] == straight.state.log_history[-1]["train_loss"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"num_iterations": 3},
        {"steps_per_generation": 2, "gradient_accumulation_steps": 1},
        {"gradient_accumulation_steps": 2, "logging_steps": 4, "rows": 11},
        {"shuffle_dataset": False, "logging_steps": 3},
        {"max_steps": -1, "num_train_epochs": 3},
    ],
    ids=str,
)
def test_between_generations_and_between_logs(policy, tmp_path, changes):
    straight = run(policy, tmp_path / "straight", **changes)
    for step in (4, 7, 11):
        folder = tmp_path / f"from{step}"
        resumed = run(policy, folder, str(tmp_path / "straight" / f"checkpoint-{step}"), **changes)
        assert_equal(tmp_path / "straight", folder, step)
        assert rows(resumed.state.log_history) == rows(straight.state.log_history)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["grpo", "rloo"])
def test_in_two_processes(policy, tmp_path, kind):
    def both(folder, *checkpoint):
        here = Path(__file__).parent
        command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--standalone"]
        done = subprocess.run(
            [*command, here / "resuming_ranks.py", kind, policy, folder, *checkpoint],
            env=os.environ | {"PYTHONPATH": str(here), "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads((folder / "checkpoint-13" / "trainer_state.json").read_text())["log_history"]

    straight = both(tmp_path / "straight")
    step = 7  # in the second epoch, as one has six steps, and in the middle of a generation, which has two
    resumed = both(tmp_path / "resumed", tmp_path / "straight" / f"checkpoint-{step}")
    assert_equal(tmp_path / "straight", tmp_path / "resumed", step)
    assert rows(resumed) == rows(straight)
