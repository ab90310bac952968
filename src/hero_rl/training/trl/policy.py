"""One training run from its configuration: the code behind `hero train`, and behind every arm of the arena."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from hero_rl.foreign import refuse_no_folder
from hero_rl.reward_models import AnyRewardModel, LocalRewardModelConfig
from hero_rl.trainers.state import STATE_FILE
from hero_rl.trainers.trl import HeroGRPOConfig, HeroGRPOTrainer, HeroRLOOConfig, HeroRLOOTrainer
from hero_rl.training.configs.policy import TrainConfig
from hero_rl.training.quiet import quiet_libraries
from hero_rl.training.rows.prompts import load_prompts
from hero_rl.training.trl.fit import fit
from hero_rl.training.trl.loading import (
    check_template,
    checked_arguments,
    load_tokenizer,
    lora_config,
    model_arguments,
    named,
    register_models,
)
from hero_rl.verifiers import in_processes

__all__ = ["Run", "check", "train", "trl_arguments"]

_TRAINERS = {"grpo": (HeroGRPOConfig, HeroGRPOTrainer), "rloo": (HeroRLOOConfig, HeroRLOOTrainer)}


@dataclass(frozen=True)
class Run:
    """A run whose settings and data are known to be good, before any model is loaded."""

    config: TrainConfig
    arguments: HeroGRPOConfig | HeroRLOOConfig
    train_dataset: Any
    eval_dataset: Any


def check(config: TrainConfig) -> Run:
    """Check all that can be checked without a model: TRL's arguments, the files and their rows.

    Raises:
        ConfigError: a TRL argument is unknown or wrong.
        DataError: a file, column or row is missing or bad.
    """
    refuse_no_folder("model.path", config.model.path)
    refuse_no_folder("reward_model.path", _path_of(config.reward_model))
    with quiet_libraries():
        arguments = trl_arguments(config)
    evaluation = (
        load_prompts(config.data, "eval", config.verifier, config.rule, config.auditor) if config.data.eval else None
    )
    return Run(
        config, arguments, load_prompts(config.data, "train", config.verifier, config.rule, config.auditor), evaluation
    )


def train(
    config: TrainConfig, *, resume: bool = False, callbacks: Sequence[TrainerCallback] = (), progress: bool = True
) -> Path:
    """Train a policy and keep the whole record of it.

    Args:
        config: what to do.
        resume: continue the run in `config.output_dir` from its newest complete checkpoint.
        callbacks: more callbacks of transformers' `Trainer`.
        progress: show a progress line.

    Returns:
        Folder of the trained model, `<output_dir>/model`.

    Raises:
        HeroError: settings, data or checkpoint are wrong, or too much could not be scored.
    """
    with quiet_libraries():
        register_models()
        run = check(config)
        return fit(
            config,
            run.arguments,
            lambda own: _trainer(run, own),
            resume=resume,
            progress=progress,
            needed=(STATE_FILE,),
            callbacks=callbacks,
        )


def trl_arguments(config: TrainConfig) -> HeroGRPOConfig | HeroRLOOConfig:
    """The configuration's TRL arguments, checked by TRL.

    Raises:
        ConfigError: an argument is unknown or wrong.
    """
    kind, _ = _TRAINERS[config.algorithm]
    return checked_arguments(
        kind,
        config.trl,
        output_dir=config.output_dir,
        seed=config.seed,
        reference_column=config.data.reference_column,
        domain_column=config.data.domain_column,
        max_unscorable=config.max_unscorable,
        trust_remote_code=config.model.trust_remote_code,
        model_init_kwargs=model_arguments(config.model),
        rollouts_dir=None if config.rollouts == 0 else str(Path(config.output_dir) / "rollouts"),
        rollouts_kept=config.rollouts or None,
    )


def _path_of(reward_model: AnyRewardModel | None) -> str:
    return reward_model.path if isinstance(reward_model, LocalRewardModelConfig) else ""


def _trainer(run: Run, callbacks: list[TrainerCallback]) -> HeroGRPOTrainer | HeroRLOOTrainer:
    config = run.config
    tokenizer = load_tokenizer(config.model, padding_side="left", truncation_side="left")
    if config.data.chat:
        check_template(tokenizer, config.model.path, run.train_dataset[0]["prompt"])
    _, kind = _TRAINERS[config.algorithm]
    with named("model.path"):
        return kind(
            model=config.model.path,
            verifier=in_processes(config.verifier, config.verifier_processes),
            reward_model=config.reward_model,
            rule=config.rule,
            auditor=in_processes(config.auditor, config.verifier_processes) if config.auditor is not None else None,
            args=run.arguments,
            train_dataset=run.train_dataset,
            eval_dataset=run.eval_dataset,
            processing_class=tokenizer,
            callbacks=callbacks,
            peft_config=lora_config(config.peft),
        )
