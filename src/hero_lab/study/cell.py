"""One cell in a process of its own: its models are there, its policy is trained and measured, its result is written.

A cell's folder is that of an arm, with `result.json` in place of the arm's: all that the study's table needs of it.
"""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

from hero_lab.arena.arms import arm_config, run_arm
from hero_lab.arena.evaluation import evaluate
from hero_lab.arena.pipeline import ArenaModels, prepare_policy, prepare_reward_model, write_prompts
from hero_lab.study.plan import Cell
from hero_lab.study.ranking import rank

__all__ = ["CELL_FILE", "read_cell", "run_cell"]

CELL_FILE = "cell.json"
"""Name of the file in a cell's folder that holds its result."""

# What is kept of each step's metrics, under the names of the study's table.
_FOLLOWED = {
    "hero/rm_auroc": "rm_auroc",
    "hero/trust": "trust",
    "hero/audit_auroc": "audit_auroc",
    "hero/audit_calls": "audit_calls",
    "hero/audit_trust": "audit_trust",
    "hero/hacking_alarm": "alarm hacking",
    "hero/alarm/ranking": "alarm ranking",
    "hero/alarm/range": "alarm range",
    "hero/advantage_mass_uniform": "uniform_mass",
    "hero/frac_groups_mixed": "mixed_groups",
    "rewards/reward_model/mean": "score",
    "rewards/verifier/mean": "verdict",
}

_DOMAINS = "hero/domains/"


def run_cell(cell: Cell, folder: Path, cache: Path) -> None:
    """Run one cell from its models to `cell.json`."""
    from hero_rl.files.whole import write_whole
    from hero_rl.training.quiet import quiet_libraries

    began = time.monotonic()
    models = ArenaModels(
        policy := prepare_policy(cache, cell.arena.policy), prepare_reward_model(cache, policy, cell.arena.reward_model)
    )
    shutil.rmtree(folder, ignore_errors=True)  # what a cell that was stopped has left
    folder.mkdir(parents=True)
    arm = cell.arm
    with quiet_libraries():
        result: dict[str, Any] = {"cell": json.loads(cell.model_dump_json())}
        if cell.rule is None:
            accuracy = evaluate(
                policy, split=arm.split, prompts=arm.prompts, samples=arm.samples, seed=arm.evaluation_seed
            )
            result["accuracy"] = {kind: value.to_dict() for kind, value in accuracy.items()}
        else:
            result |= _trained(cell, models, folder)
    result["id"] = cell.id
    result["seconds"] = round(time.monotonic() - began, 1)
    write_whole(folder / CELL_FILE, json.dumps(result))


def _trained(cell: Cell, models: ArenaModels, folder: Path) -> dict[str, Any]:
    """Train the cell's policy as an arm, and rank its reward model before and after."""
    assert cell.rule is not None
    prompts = folder / "prompts.jsonl"
    arm = cell.arm
    write_prompts(
        prompts, arm.regime, "train", arm.steps * arm.prompts_per_step, seed=cell.seed, blind_types=cell.blind_types
    )
    run = folder / "run"
    config = arm_config(cell.rule, cell.seed, models, prompts, run, arm, cell.auditor, cell.by_type)
    run_arm(config, arm, folder / "log.txt")
    ranks = {
        when: rank(models.reward_model, policy, arm.regime, cell.blind_types).to_dict()
        for when, policy in (("before", models.policy), ("after", run / "model"))
    }
    trained = json.loads((run / "result.json").read_text())
    environment = json.loads((run / "environment.json").read_text())
    result = {
        "accuracy": trained["accuracy"],
        "train": trained["config"],
        "environment": {name: environment[name] for name in ("python", "platform", "versions")},
        "ranks": ranks,
        "curve": _lines(run / "curve.jsonl"),
        "steps": [_followed(line) for line in _lines(run / "metrics.jsonl") if "rewards/verifier/mean" in line],
    }
    shutil.rmtree(run / "rollouts", ignore_errors=True)  # 50,000 rollouts a cell, which no table needs
    return result


def _followed(line: dict[str, Any]) -> dict[str, float]:
    names = dict(_FOLLOWED)
    for key in line:
        if key.startswith(_DOMAINS) and key.endswith(("/trust", "/rm_auroc")):
            domain, _, name = key.removeprefix(_DOMAINS).rpartition("/")
            names[key] = f"{name} {domain}"
    return {"step": line["step"]} | {name: line[key] for key, name in names.items() if line.get(key) is not None}


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def read_cell(folder: Path) -> dict[str, Any] | None:
    """The result of a finished cell, or None."""
    path = folder / CELL_FILE
    return json.loads(path.read_text()) if path.is_file() else None
