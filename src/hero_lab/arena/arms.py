"""One arm: a policy trained under one rule and one seed, through the same code as `hero train`, and what it became.

An arm's folder is that of any run, plus `curve.jsonl` (accuracy by the oracle while it trains) and `result.json`.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hero_lab.arena.answers import ANSWER_MARKER
from hero_lab.arena.evaluation import KINDS, PromptAccuracy, evaluate, held_out_problems, prompt_accuracy
from hero_lab.arena.oracle import ArenaTrainConfig, Oracle
from hero_lab.arena.pipeline import ArenaModels
from hero_lab.arena.sampling import MAX_COMPLETION_TOKENS
from hero_lab.arena.task import Regime, Split
from hero_rl.errors import ConfigError
from hero_rl.reward_models import LocalRewardModelConfig
from hero_rl.rules import AuditableRule, AuditedHero, GatedHero, Gdpo, Hero, RewardModelOnly, VerifierOnly, WeightedSum
from hero_rl.training.configs.policy import DataConfig, ModelConfig, TrainConfig
from hero_rl.verifiers import ExactVerifier

__all__ = ["ARMS", "ArmSettings", "arm_config", "arm_folder", "arm_rule", "read_result", "run_arm", "send_output_to"]

ARMS: dict[str, Any] = {
    "hero": Hero,
    "gated_hero": GatedHero,
    "audited_hero": AuditedHero,
    "verifier_only": VerifierOnly,
    "reward_model_only": RewardModelOnly,
    "weighted_sum": WeightedSum,
    "gdpo": Gdpo,
}
"""Rules that can be an arm, by their type. The auditor is the oracle, and trust is by type of problem."""


class ArmSettings(BaseModel):
    """What all arms share.

    Attributes:
        regime: types of the training prompts.
        steps: optimiser steps.
        prompts_per_step: groups of one step.
        num_generations: rollouts of a group.
        learning_rate: of AdamW (beta2 0.99, no decay of rate or weights).
        curve_every: steps between two looks at the oracle.
        curve_prompts: held-out prompts of each kind for such a look.
        prompts: held-out prompts of each kind for the final figures.
        samples: completions of each at temperature 1; the greedy one comes on top.
        trl: further arguments of TRL's `GRPOConfig`, over those of the arena.
        evaluation_seed: draws those prompts and their samples.
        split: which held-out prompts the final figures are taken on; `report` is kept for those that are published.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    regime: Regime = "hard"
    steps: Annotated[int, Field(ge=1)] = 200
    prompts_per_step: Annotated[int, Field(ge=1)] = 32
    num_generations: Annotated[int, Field(ge=2)] = 8
    learning_rate: Annotated[float, Field(gt=0)] = 2e-4
    curve_every: Annotated[int, Field(ge=1)] = 20
    curve_prompts: Annotated[int, Field(ge=2)] = 200
    prompts: Annotated[int, Field(ge=2)] = 400
    samples: Annotated[int, Field(ge=1)] = 8
    evaluation_seed: int = 0
    split: Split = "test"
    trl: dict[str, Any] = {}


def arm_rule(name: str, overrides: dict[str, Any]) -> AuditableRule:
    """The rule of an arm, with those of the overrides that it has.

    Raises:
        ConfigError: there is no such arm, or a setting is wrong.
    """
    if name not in ARMS:
        raise ConfigError(f"no arm {name!r}; one of: {', '.join(ARMS)}")
    kind = ARMS[name]
    known = {key: value for key, value in overrides.items() if key in kind.model_fields}
    try:
        return kind(**known)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(["rule", *map(str, first["loc"])])
        raise ConfigError(f"arm {name}: {place}: {first['msg'].removeprefix('Value error, ')}") from None


def arm_folder(runs: Path, name: str, seed: int, *made_of: BaseModel) -> Path:
    """Where an arm's run lies: other settings have another folder, so that no run writes over another's."""
    recipe = json.dumps([part.model_dump() for part in made_of], sort_keys=True)
    return runs / f"{name}-seed{seed}-{hashlib.sha256(recipe.encode()).hexdigest()[:8]}"


def arm_config(
    rule: AuditableRule,
    seed: int,
    models: ArenaModels,
    prompts: Path,
    folder: Path,
    settings: ArmSettings,
    auditor: Oracle | None = None,
    by_type: bool = False,
) -> TrainConfig:
    """The configuration of one arm, as `hero train` would read it.

    All arms differ in `rule` and `seed` alone, and in what the rule needs: an auditor, and whether it is told of each
    prompt's type as its domain.
    """
    return ArenaTrainConfig(
        output_dir=str(folder),
        seed=seed,
        model=ModelConfig(path=str(models.policy), dtype="float32"),
        data=DataConfig(train=str(prompts), chat=False, domain_column="type" if by_type else None),
        verifier=ExactVerifier(marker=ANSWER_MARKER),
        reward_model=LocalRewardModelConfig(path=str(models.reward_model), device="cpu"),
        rule=rule,
        auditor=auditor,
        trl={
            "max_steps": settings.steps,
            "per_device_train_batch_size": settings.prompts_per_step * settings.num_generations,
            "num_generations": settings.num_generations,
            "max_completion_length": MAX_COMPLETION_TOKENS,
            "learning_rate": settings.learning_rate,
            "lr_scheduler_type": "constant",
            "adam_beta2": 0.99,
            "loss_type": "dr_grpo",
            "save_strategy": "no",
            # TRL's defaults for large models on GPUs: at this size bf16 hurts and checkpointing costs time.
            "bf16": False,
            "gradient_checkpointing": False,
            "use_cpu": True,
        }
        | settings.trl,
    )


def run_arm(config: TrainConfig, settings: ArmSettings, log: Path) -> None:
    """Train and evaluate one arm in this process, its output in a file."""
    log.parent.mkdir(parents=True, exist_ok=True)
    send_output_to(log)
    import hero_lab.arena.reward_model  # noqa: F401 - makes the architecture known to transformers
    from hero_rl.files.whole import write_whole
    from hero_rl.training.trl.policy import train

    folder = Path(config.output_dir)
    model = train(config, progress=False, callbacks=[_oracle_curve(folder / "curve.jsonl", settings)])
    accuracy = evaluate(
        model,
        split=settings.split,
        prompts=settings.prompts,
        samples=settings.samples,
        seed=settings.evaluation_seed,
    )
    result = {
        "settings": settings.model_dump(),
        "config": config.model_dump(),
        "accuracy": {kind: value.to_dict() for kind, value in accuracy.items()},
    }
    write_whole(folder / "result.json", json.dumps(result))


def read_result(folder: Path, config: TrainConfig, settings: ArmSettings) -> dict[str, PromptAccuracy] | None:
    """The accuracies of a finished arm, or None if there is none with just these settings."""
    path = folder / "result.json"
    if not path.is_file():
        return None
    result = json.loads(path.read_text())
    wanted = json.loads(json.dumps({"settings": settings.model_dump(), "config": config.model_dump()}))
    if any(result.get(key) != value for key, value in wanted.items()):
        return None
    return {kind: PromptAccuracy.from_dict(value) for kind, value in result["accuracy"].items()}


def _oracle_curve(path: Path, settings: ArmSettings) -> Any:
    """A callback that looks at the policy with the oracle's eyes now and then, and at the start."""
    from transformers import TrainerCallback

    held_out = {kind: held_out_problems(kind, "development", settings.curve_prompts, seed=1) for kind in KINDS}

    class OracleCurve(TrainerCallback):
        def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            path.unlink(missing_ok=True)
            self._look(state.global_step, kwargs)

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if state.global_step % settings.curve_every == 0 or state.global_step == state.max_steps:
                self._look(state.global_step, kwargs)

        def _look(self, step: int, kwargs: dict[str, Any]) -> None:
            model, tokenizer = kwargs["model"], kwargs["processing_class"]
            row: dict[str, float] = {"step": step}
            training = model.training
            model.eval()
            for kind, problems in held_out.items():
                # The same draws at every step, so that the curve moves with the policy and not with the dice.
                accuracy = prompt_accuracy(model, tokenizer, problems, samples=4, temperature=1.0, seed=0)
                row[kind] = accuracy.mean().item()
            model.train(training)
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")

    return OracleCurve()


def send_output_to(log: Path) -> None:
    """Write all that this process and its children say into a file from now on."""
    sys.stdout.flush()
    sys.stderr.flush()
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    os.close(descriptor)
