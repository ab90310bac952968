"""One supervised fine-tuning with TRL from its configuration: the code behind `hero sft`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trl
from transformers import TrainerCallback

from hero_rl.foreign import refuse_no_folder
from hero_rl.training.configs.sft import SftConfig
from hero_rl.training.quiet import quiet_libraries
from hero_rl.training.rows.demonstrations import load_demonstrations
from hero_rl.training.trl.fit import fit
from hero_rl.training.trl.loading import (
    check_template,
    checked_arguments,
    load_tokenizer,
    lora_config,
    model_arguments,
    named,
)

__all__ = ["SftRun", "check_sft", "train_sft"]

_SHOWN = {"loss": "loss", "mean_token_accuracy": "token accuracy"}


@dataclass(frozen=True)
class SftRun:
    """A run whose settings and data are known to be good, before any model is loaded."""

    config: SftConfig
    arguments: Any
    train_dataset: Any
    eval_dataset: Any


def check_sft(config: SftConfig) -> SftRun:
    """Check all that can be checked without a model: TRL's arguments, the files and their rows.

    Raises:
        ConfigError: a setting is wrong.
        DataError: a file, column or row is missing or bad.
    """
    refuse_no_folder("model.path", config.model.path)
    with quiet_libraries():
        arguments = checked_arguments(
            trl.SFTConfig,
            config.trl,
            output_dir=config.output_dir,
            seed=config.seed,
            trust_remote_code=config.model.trust_remote_code,
            model_init_kwargs=model_arguments(config.model),
        )
        evaluation = load_demonstrations(config.data, "eval") if config.data.eval else None
        return SftRun(config, arguments, load_demonstrations(config.data, "train"), evaluation)


def train_sft(
    config: SftConfig, *, resume: bool = False, callbacks: Sequence[TrainerCallback] = (), progress: bool = True
) -> Path:
    """Train on completions alone, the prompt's tokens left out of the loss, and keep the whole record of it.

    Args:
        config: what to do.
        resume: continue the run in `config.output_dir` from its newest complete checkpoint.
        callbacks: more callbacks of transformers' `Trainer`.
        progress: show a progress line.

    Returns:
        Folder of the trained model, `<output_dir>/model`.

    Raises:
        HeroError: settings, data or checkpoint are wrong.
    """
    with quiet_libraries():
        run = check_sft(config)
        return fit(
            config,
            run.arguments,
            lambda own: _trainer(run, own),
            resume=resume,
            progress=progress,
            shown=_SHOWN,
            callbacks=callbacks,
        )


def _trainer(run: SftRun, callbacks: list[Any]) -> trl.SFTTrainer:
    tokenizer = load_tokenizer(run.config.model)
    first = run.train_dataset[0]
    if not isinstance(first["prompt"], str):
        check_template(tokenizer, run.config.model.path, [*first["prompt"], *first["completion"]])
    with named("model.path"):
        return trl.SFTTrainer(
            model=run.config.model.path,
            args=run.arguments,
            train_dataset=run.train_dataset,
            eval_dataset=run.eval_dataset,
            processing_class=tokenizer,
            callbacks=callbacks,
            peft_config=lora_config(run.config.peft),
        )
