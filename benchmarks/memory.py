"""Memory and time of long runs on a CPU, with and without oneDNN's cache of kernels.

    python benchmarks/memory.py    # writes docs/benchmarks/memory.md

oneDNN keeps a kernel for every shape of matrix that it meets, 1,024 of them unless ONEDNN_PRIMITIVE_CACHE_CAPACITY says
otherwise. Measured is what a process holds (VmRSS) as it goes on: one of the study's workers from cell to cell, and
`hero train` from step to step, in float32 and in bfloat16, on texts of every length.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "benchmarks" / "memory.md"
CAPACITIES = {"cache": "1024", "no cache": "0"}
CELLS, CELL_STEPS = 4, 50
TRAIN_STEPS, TRAIN_EVERY = 100, 25

_PAGE = """# Memory of long runs

`python benchmarks/memory.py`: MiB that a process holds as it goes on, and its time, with oneDNN's cache of kernels
(1,024 of them, the default) and with `ONEDNN_PRIMITIVE_CACHE_CAPACITY=0`. One thread on a CPU.

A worker of the study, {cells} cells of {cell_steps} steps one after the other (the models are made before):

{cells_table}

`hero train`, {train_steps} steps of 8 rollouts of up to 64 tokens on models of two layers, in float32:

{float32_table}

The same in bfloat16:

{bfloat16_table}

The workers of `hero demo` and `hero study` keep no kernels: they train in float32. `hero train` keeps oneDNN's default,
for bfloat16.
"""


def measure(kind: str, capacity: str, folder: Path, models: Path) -> dict[str, Any]:
    """MiB by how far a process of its own has come, and its seconds."""
    variables = {**os.environ, "ONEDNN_PRIMITIVE_CACHE_CAPACITY": capacity, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, kind, str(folder), str(models)]
    start = time.monotonic()
    said = subprocess.run(command, env=variables, stdout=subprocess.PIPE, text=True, check=True).stdout
    held = [json.loads(line) for line in said.splitlines() if line.startswith("[")]
    return {"held": dict(held), "seconds": time.monotonic() - start}


def held() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def cells(folder: Path, models: Path, steps: int = CELL_STEPS, count: int = CELLS) -> None:
    from hero_lab.arena.arms import ArmSettings
    from hero_lab.study.cell import run_cell
    from hero_lab.study.plan import cells_of

    said = os.fdopen(os.dup(1), "w")  # a cell turns what its process says into its log
    arm = ArmSettings(steps=steps, prompts=20, curve_prompts=20, curve_every=steps)
    wanted = [cell for cell in cells_of(["main"], seeds=1, arm=arm) if cell.rule is not None][:count]
    for number, cell in enumerate(wanted, start=1):
        run_cell(cell, folder / cell.id, models)
        print(json.dumps([number, held()]), file=said, flush=True)


def train(folder: Path, models: Path, bf16: bool) -> None:
    import yaml
    from tiny_models import write  # pyright: ignore[reportMissingImports]
    from transformers import TrainerCallback

    from hero_rl.training.configs.policy import TrainConfig
    from hero_rl.training.trl.policy import train as run

    class Watch(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if state.global_step % TRAIN_EVERY == 0:
                print(json.dumps([state.global_step, held()]), flush=True)

    policy, reward_model = write(folder / "models")
    settings = yaml.safe_load((ROOT / "examples" / "smoke.yaml").read_text())
    settings["model"]["path"], settings["reward_model"]["path"] = str(policy), str(reward_model)
    settings["reward_model"]["type"], settings["output_dir"] = "local", str(folder / "run")
    settings["data"]["train"] = str(ROOT / "examples" / "problems.jsonl")
    settings["trl"] |= {"max_steps": TRAIN_STEPS, "save_steps": TRAIN_STEPS, "bf16": bf16}
    run(TrainConfig.model_validate(settings), callbacks=[Watch()], progress=False)


KINDS = {
    "models": lambda folder, models: cells(folder, models, steps=1, count=1),
    "cells": cells,
    "float32": lambda folder, models: train(folder, models, bf16=False),
    "bfloat16": lambda folder, models: train(folder, models, bf16=True),
}


def table(found: dict[str, dict[str, Any]], after: str) -> str:
    places = list(found["cache"]["held"])
    lines = [f"| after {after} | {' | '.join(map(str, places))} | time |", "|---|" + "---:|" * (len(places) + 1)]
    for name, one in found.items():
        lines.append(
            f"| {name} | {' | '.join(f'{mib:.0f}' for mib in one['held'].values())} | {one['seconds']:.0f} s |"
        )
    return "\n".join(lines)


def main() -> None:
    tables: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as temporary:
        models = Path(temporary) / "models"
        measure("models", "0", Path(temporary) / "first", models)  # before, so that no figure holds their making
        for kind in list(KINDS)[1:]:
            found = {
                name: measure(kind, capacity, Path(temporary) / f"{kind}-{capacity}", models)
                for name, capacity in CAPACITIES.items()
            }
            tables[f"{kind}_table"] = table(found, "cells" if kind == "cells" else "steps")
    PAGE.write_text(_PAGE.format(cells=CELLS, cell_steps=CELL_STEPS, train_steps=TRAIN_STEPS, **tables))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.path.insert(0, str(ROOT / "examples"))
        KINDS[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        main()
