"""The demo: several arms side by side from one start, then who won and by how much.

result = run_demo(DemoSettings(arms=["hero", "verifier_only"], seeds=2), Path("runs/demo"))
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, NamedTuple

from pydantic import BaseModel, ConfigDict, Field
from rich.console import Console

from hero_lab.arena.arms import ARMS, ArmSettings, arm_config, arm_folder, arm_rule, read_result, run_arm
from hero_lab.arena.evaluation import PromptAccuracy
from hero_lab.arena.oracle import Oracle
from hero_lab.arena.pipeline import ArenaModels, prepare, write_prompts
from hero_lab.arena.results import FEW_SEEDS, covered, kinds
from hero_lab.arena.settings import ArenaSettings
from hero_lab.arena.watch import watch_arms, watch_models
from hero_lab.arena.workers import worker_pool
from hero_rl.errors import ConfigError, HeroError
from hero_rl.rules import AuditedHero
from hero_rl.training.configs.policy import TrainConfig

__all__ = [
    "REGIMES",
    "Arm",
    "DemoResult",
    "DemoSettings",
    "Panel",
    "check_rules",
    "raise_failures",
    "run_demo",
    "summary",
]

REGIMES = {
    "easy": "easy-to-verify prompts",
    "hard": "hard-to-verify prompts",
    "mixed": "easy- and hard-to-verify prompts",
}
"""How the kinds of training prompts are called where people read."""


class DemoSettings(BaseModel):
    """What a demo compares.

    Attributes:
        arms: rules, by type.
        seeds: RL seeds of each arm.
        first_seed: the first of them.
        rule: settings for every arm whose rule has them.
        arm: what all arms share.
        arena: the models they start from.
        workers: arms that train at the same time, each on one thread.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    arms: list[str] = ["hero", "verifier_only", "reward_model_only", "weighted_sum"]
    seeds: Annotated[int, Field(ge=1)] = 1
    first_seed: int = 0
    rule: dict[str, Any] = {}
    arm: ArmSettings = ArmSettings()
    arena: ArenaSettings = ArenaSettings()
    workers: Annotated[int, Field(ge=1)] = 2


@dataclass(frozen=True)
class Arm:
    """One finished arm.

    Attributes:
        name: of its rule.
        seed: of its run.
        folder: of its run.
        accuracy: of the trained policy, by kind of prompt.
        curve: accuracy by kind while it trained, a line a look with its `step`.
        steps: the metrics of its steps, a line each.
    """

    name: str
    seed: int
    folder: Path
    accuracy: dict[str, PromptAccuracy]
    curve: list[dict[str, Any]]
    steps: list[dict[str, Any]]

    @classmethod
    def read(cls, name: str, seed: int, folder: Path, accuracy: dict[str, PromptAccuracy], steps: int) -> Arm:
        """With the course of the run that lies in its folder, up to that step: it may have gone on since."""
        curve, metrics = (
            [line for line in map(json.loads, (folder / file).read_text().splitlines()) if line["step"] <= steps]
            for file in ("curve.jsonl", "metrics.jsonl")
        )
        # The last line is of the whole run, and has no rewards.
        return cls(name, seed, folder, accuracy, curve, [line for line in metrics if "rewards/verifier/mean" in line])


class Panel(NamedTuple):
    """One of the curves above: what it shows of a line, its title, and what it is multiplied by."""

    key: str
    title: str
    factor: float


@dataclass(frozen=True)
class DemoResult:
    """All arms, and the policies that they started from.

    Attributes:
        settings: what was compared.
        start: accuracy of each policy before RL.
        arms: the finished ones.
        seconds: that the call took.
    """

    settings: Any
    start: list[dict[str, PromptAccuracy]]
    arms: list[Arm]
    seconds: float

    title: ClassVar[str] = "The arena: who wins?"
    above: ClassVar[str] = "accuracy at temperature 1 on development prompts while training"
    panels: ClassVar[tuple[Panel, ...]] = (
        Panel("hard", "accuracy on hard-to-verify prompts, %", 100),
        Panel("easy", "accuracy on easy-to-verify prompts, %", 100),
    )

    def course(self, arm: Arm) -> list[dict[str, Any]]:
        """What the panels show of an arm: lines with a `step` and the panels' keys."""
        return arm.curve

    def exact(self, name: str) -> list[dict[str, list[float]]]:
        """Of each seed that an arm, or `start`, has, by kind and prompt the share of what is paid; here not kept."""
        return []

    def details(self) -> dict[str, Any]:
        """What a script reads beside accuracies."""
        return {"intervals": self.caveat}

    @property
    def introduction(self) -> str:
        """What was done, for the head of a page."""
        return (
            f"One small policy, trained on {REGIMES[self.settings.arm.regime]} through TRL under different "
            "combinations of a rule verifier and a reward model. Everything but the rule is the same."
        )

    @property
    def caveat(self) -> str:
        """What the intervals do not cover."""
        prompts = f"{self.settings.arm.prompts} prompts of each kind"
        said = covered(self.settings.seeds, prompts, "all with one policy and one reward model")
        return said if self.settings.seeds < FEW_SEEDS else f"{said}; before RL, over {prompts}"


def run_demo(
    settings: DemoSettings,
    folder: Path,
    *,
    cache: Path | None = None,
    fresh: bool = False,
    console: Console | None = None,
) -> DemoResult:
    """Prepare the models, train every arm that has no result yet, and gather the results.

    Args:
        settings: what to compare.
        folder: where prompts and runs go.
        cache: where the models are kept between runs.
        fresh: train again what has a result.
        console: where progress is shown; none shows nothing.

    Raises:
        ConfigError: an arm or a setting is wrong.
        HeroError: an arm failed; the message names its log.
    """
    began = time.monotonic()
    rules = check_rules(settings.arms, settings.rule)
    if settings.arm.trl:
        _check_trl(rules, settings)
    with watch_models(console) as report:
        models = prepare(cache, settings.arena, report)
    prompts = _prompts(folder, settings)
    jobs = []
    for seed in range(settings.first_seed, settings.first_seed + settings.seeds):
        for name, rule in rules.items():
            place = arm_folder(folder, name, seed, rule, settings.arm, settings.arena)
            jobs.append((name, seed, _config(rule, seed, models, prompts, place, settings)))
    start, arms = _train(jobs, models, settings, fresh, console)
    return DemoResult(settings, [start], arms, time.monotonic() - began)


def check_rules(arms: Sequence[str], overrides: dict[str, Any]) -> dict[str, Any]:
    """The arms' rules by name.

    Raises:
        ConfigError: there is no such arm, a setting is wrong, or no arm has it.
    """
    rules = {name: arm_rule(name, overrides) for name in arms}
    for key in overrides:
        if not any(key in ARMS[name].model_fields for name in rules):
            raise ConfigError(f"--rule.{key}: none of the arms {', '.join(rules)} has such a setting")
    return rules


def _config(
    rule: Any, seed: int, models: ArenaModels, prompts: Path, folder: Path, settings: DemoSettings
) -> TrainConfig:
    audited = isinstance(rule, AuditedHero)
    auditor = Oracle() if audited else None
    return arm_config(rule, seed, models, prompts, folder, settings.arm, auditor, by_type=audited)


def _check_trl(rules: dict[str, Any], settings: DemoSettings) -> None:
    """Refuse a wrong TRL argument before minutes go into the models."""
    from hero_rl.training.trl.policy import trl_arguments

    nowhere = Path("unused")
    trl_arguments(_config(next(iter(rules.values())), 0, ArenaModels(nowhere, nowhere), nowhere, nowhere, settings))


def _prompts(folder: Path, settings: DemoSettings) -> Path:
    """One file of training prompts for all arms, a fresh row for every group."""
    folder.mkdir(parents=True, exist_ok=True)
    count = settings.arm.steps * settings.arm.prompts_per_step
    path = folder / f"prompts-{settings.arm.regime}-{count}.jsonl"
    if not path.exists():
        write_prompts(path, settings.arm.regime, "train", count)
    return path


def _train(
    jobs: list[tuple[str, int, TrainConfig]],
    models: ArenaModels,
    settings: DemoSettings,
    fresh: bool,
    console: Console | None,
) -> tuple[dict[str, PromptAccuracy], list[Arm]]:
    """Run what has no result, `workers` at a time, and read all results."""
    pool = worker_pool(settings.workers)
    try:
        start = pool.submit(_accuracy_before, models.policy, settings.arm)
        running: dict[Path, Future[None]] = {}
        for _, _, config in jobs:
            folder = Path(config.output_dir)
            if fresh or read_result(folder, config, settings.arm) is None:
                _clear(folder)
                running[folder] = pool.submit(run_arm, config, settings.arm, folder / "log.txt")
        watch_arms(running, settings.arm.steps, console)
        raise_failures(running)
        arms = []
        for name, seed, config in jobs:
            accuracy = read_result(Path(config.output_dir), config, settings.arm)
            assert accuracy is not None
            arms.append(Arm.read(name, seed, Path(config.output_dir), accuracy, settings.arm.steps))
        return start.result(), arms
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _accuracy_before(policy: Path, settings: ArmSettings) -> dict[str, PromptAccuracy]:
    from hero_lab.arena.evaluation import evaluate
    from hero_rl.training.quiet import quiet_libraries

    with quiet_libraries():  # this process writes to the terminal that the progress is shown on
        accuracy = evaluate(
            policy,
            split=settings.split,
            prompts=settings.prompts,
            samples=settings.samples,
            seed=settings.evaluation_seed,
        )
    return {**accuracy}


def _clear(folder: Path) -> None:
    """Make room for a new run; only what a run writes is removed."""
    import shutil

    for name in ("config.yaml", "environment.json", "metrics.jsonl", "curve.jsonl", "result.json", "log.txt"):
        (folder / name).unlink(missing_ok=True)
    for place in (folder / "rollouts", folder / "model", *folder.glob("checkpoint-*")):
        shutil.rmtree(place, ignore_errors=True)


def raise_failures(running: Mapping[Path, Future[None]]) -> None:
    """Say of arms that have ended which failed.

    Args:
        running: by their folders.

    Raises:
        HeroError: names each and its log.
    """
    failed = {folder: error for folder, future in running.items() if (error := future.exception()) is not None}
    if failed:
        said = (
            f"the arm in {folder} failed: {error}; its output is in {folder / 'log.txt'}"
            for folder, error in failed.items()
        )
        raise HeroError("\n".join(said)) from next(iter(failed.values()))


def summary(result: DemoResult) -> dict[str, Any]:
    """Everything of a result that a script would read, as plain data."""
    return {
        "seconds": round(result.seconds, 1),
        "settings": json.loads(result.settings.model_dump_json()),
        "start": [{kind: start[kind].estimates() for kind in kinds(result)} for start in result.start],
        "arms": [
            {
                "name": arm.name,
                "seed": arm.seed,
                "folder": str(arm.folder),
                "accuracy": {kind: arm.accuracy[kind].estimates() for kind in kinds(result)},
            }
            for arm in result.arms
        ],
        **result.details(),
    }
