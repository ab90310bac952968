"""Runs of `hero train` with `engine: verl`, and what they leave behind."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import yaml
from engine_processes import FEW_BLOCKS, Engines

from hero_rl.reward_models import LocalRewardModelConfig
from hero_rl.rules import Hero, HeroState
from hero_rl.signals import Shaped, Signals

ROLLOUTS = 4  # of a prompt

# Small enough for two cores, and what a CPU lacks turned off: each name is verl's own.
_ON_CPU = {
    "data": {"max_prompt_length": 64, "max_response_length": 12, "dataloader_num_workers": 0},
    "actor_rollout_ref": {
        "model": {"use_remove_padding": False, "enable_gradient_checkpointing": False},
        "actor": {
            "strategy": "fsdp2",
            "use_torch_compile": False,
            "fsdp_config": {"use_torch_compile": False},
            "ppo_micro_batch_size_per_gpu": 4,
            "use_dynamic_bsz": False,
            "optim": {"lr": 3e-4},  # a step moves probabilities by tenths, and three of them leave some variety
        },
        "ref": {"strategy": "fsdp2", "log_prob_micro_batch_size_per_gpu": 4},
        "rollout": {
            "name": "vllm",
            "n": ROLLOUTS,
            "dtype": "float32",
            "tensor_model_parallel_size": 1,
            "enforce_eager": True,
            "free_cache_engine": False,
            "+enable_sleep_mode": False,
            "max_model_len": 128,
            "max_num_batched_tokens": 512,
            "max_num_seqs": 16,
            "log_prob_micro_batch_size_per_gpu": 4,
            "engine_kwargs": {"vllm": {"+num_gpu_blocks_override": FEW_BLOCKS}},
            "agent": {"num_workers": 1},
            "checkpoint_engine": {"update_weights_bucket_megabytes": 64},
        },
    },
    "reward": {"num_workers": 1},
    "trainer": {"device": "cpu", "nnodes": 1, "total_epochs": 50},
    "transfer_queue": {"backend": {"SimpleStorage": {"num_data_storage_units": 1}}},
}
CPUS = 32
"""More processors than there are: Ray counts actors, most of which wait."""

_ACTORS = """
import json, pathlib, ray, sys
from ray._private.state import actors
ray.init(logging_level="error", log_to_driver=False)
told = [(one["ActorClassName"], one["Address"]["IPAddress"]) for one in actors().values()]
pathlib.Path(sys.argv[1]).write_text(json.dumps(told))
"""


def ray_of_its_own(gpus: int) -> dict[str, Any]:
    """Verl's settings for a Ray that the run starts itself; GPUs are what the platform calls CPUs."""
    init = {"num_cpus": CPUS, "+num_gpus": gpus, "+include_dashboard": False, "+object_store_memory": 300_000_000}
    return {"ray_kwargs": {"ray_init": init}}


def actors(engines: Engines, around: Mapping[str, str]) -> dict[str, set[str]]:
    """Where actors of a cluster of Ray were, by class; those that have ended too."""
    told = engines.folder / "actors.json"  # Ray prints what it likes, such as that a disk is almost full
    done = engines.run(sys.executable, "-c", _ACTORS, str(told), seconds=60, **around)
    assert done.returncode == 0, done.stdout
    where: dict[str, set[str]] = {}
    for name, address in json.loads(told.read_text()):
        where.setdefault(name, set()).add(address)
    return where


def write_problems(path: Path, references: Sequence[str]) -> Path:
    """Sums with these references, whatever they come to."""
    rows = [{"prompt": f"{n} + {n} =", "answer": reference} for n, reference in enumerate(references)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def write_config(
    folder: Path, models: Mapping[str, Path], problems: Path, *blocks: dict[str, Any], **more: Any
) -> Path:
    """A configuration of `hero train`; blocks are verl's settings."""
    settings = {
        "engine": "verl",
        "output_dir": str(folder / "run"),
        "model": {"path": str(models["policy"]), "attn_implementation": "sdpa", "dtype": "float32"},
        "data": {"train": str(problems), "eval": str(problems)},
        "verifier": {"type": "math"},
        "verifier_processes": {"workers": 1},
        "rule": {"type": "hero"},
        "verl": _laid_over(_ON_CPU, *blocks),
    }
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(settings | more))
    return path


def metrics(run: Path) -> list[dict[str, float]]:
    """What each training step logged, over all resumptions."""
    logs = sorted(run.glob("metrics*.jsonl"), key=lambda path: (len(path.name), path.name))
    logged = [json.loads(line)["data"] for log in logs for line in log.read_text().splitlines()]
    return [one for one in logged if "hero/sigma_bar" in one]


def dump(run: Path, step: int) -> list[dict[str, Any]]:
    """The rollouts of a step, without padding."""
    rows = [json.loads(line) for line in (run / "rollouts" / f"{step}.jsonl").read_text().splitlines()]
    return [row for row in rows if row["reason"] is not None]


def scores_apart(rows: Sequence[Mapping[str, Any]], reward_model: Path) -> float:
    """How far the scores of a dump are from those of the reward model in this process, in logits at most."""
    rows = [row for row in rows if row["output"].strip()]  # an empty one is not scored
    conversations = [
        [{"role": "user", "content": _prompt(row["input"])}, {"role": "assistant", "content": row["output"]}]
        for row in rows
    ]
    expected = LocalRewardModelConfig(path=str(reward_model), dtype="float32").load().score(conversations)
    return (column(rows, "rm_score") - expected).abs().max().item()


def recomputed(rows: Sequence[Mapping[str, Any]], state: HeroState) -> tuple[Shaped, HeroState]:
    """The rule's own result for a dumped batch."""
    uids = [row["uid"].rsplit("_", 2)[0] for row in rows]
    groups = torch.tensor([uids.index(uid) for uid in uids])
    empty = torch.tensor(
        [not row["output"].strip() for row in rows]
    )  # the policy's own doing, which the dump shows as null
    score = column(rows, "rm_score").masked_fill(empty, -torch.inf)
    return Hero().update(Signals(column(rows, "verdict"), score, groups), state)


def column(rows: Sequence[Mapping[str, Any]], name: str) -> torch.Tensor:
    """A column of numbers, NaN for null."""
    return torch.tensor([float("nan") if row[name] is None else row[name] for row in rows], dtype=torch.float64)


def _prompt(decoded: str) -> str:
    found = re.search(r"\d+ \+ \d+ =", decoded)
    assert found, decoded
    return found[0]


def _laid_over(*blocks: Mapping[str, Any]) -> dict[str, Any]:
    whole: dict[str, Any] = {}
    for block in blocks:
        for key, value in block.items():
            inner = isinstance(value, dict) and isinstance(whole.get(key), dict)
            whole[key] = _laid_over(whole[key], value) if inner else value
    return whole
