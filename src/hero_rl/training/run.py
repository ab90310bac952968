"""One training run from its configuration: the code behind `hero train`, and behind every arm of the arena."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accelerate import PartialState
from transformers import AutoTokenizer, PrinterCallback, TrainerCallback
from transformers.trainer_callback import ProgressCallback

from hero_rl.errors import ConfigError
from hero_rl.reward_models import (
    AnyRewardModel,
    CachedRewardModel,
    LocalRewardModelConfig,
    RemoteRewardModel,
    RewardModel,
)
from hero_rl.trainers.trl import HeroGRPOConfig, HeroGRPOTrainer, HeroRLOOConfig, HeroRLOOTrainer
from hero_rl.training.config import TrainConfig, did_you_mean
from hero_rl.training.progress import ProgressLine
from hero_rl.training.prompts import load_prompts
from hero_rl.training.quiet import quiet_libraries
from hero_rl.training.records import MetricsFile, check_folder, is_finished, latest_checkpoint, write_records
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
    for setting, path in (("model.path", config.model.path), ("reward_model.path", _path_of(config.reward_model))):
        if path.startswith(("/", ".", "~")) and not Path(path).exists():
            raise ConfigError(f"{setting}: {path}: no such folder")
    with quiet_libraries():
        arguments = trl_arguments(config)
    evaluation = load_prompts(config.data, "eval") if config.data.eval else None
    return Run(config, arguments, load_prompts(config.data, "train"), evaluation)


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
        return _train(check(config), resume, callbacks, progress)


def _train(run: Run, resume: bool, callbacks: Sequence[TrainerCallback], progress: bool) -> Path:
    config = run.config
    folder = Path(config.output_dir)
    main = run.arguments.process_index == 0
    if main:
        check_folder(config, resume)
    checkpoint = latest_checkpoint(folder) if resume else None
    if checkpoint and is_finished(checkpoint, run.arguments.max_steps) and (folder / "model").is_dir():
        return folder / "model"
    line = ProgressLine() if progress else None
    shown = [] if line is None else [line]
    trainer = _trainer(run, [MetricsFile(folder / "metrics.jsonl"), *shown, *callbacks])
    if main:  # only now: a model that cannot be loaded leaves no run behind
        write_records(config)
    PartialState().wait_for_everyone()
    try:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    finally:
        if line is not None:
            line.close()
    trainer.save_model(str(folder / "model"))
    return folder / "model"


def trl_arguments(config: TrainConfig) -> HeroGRPOConfig | HeroRLOOConfig:
    """The configuration's TRL arguments, checked by TRL.

    Raises:
        ConfigError: an argument is unknown or wrong.
    """
    kind, _ = _TRAINERS[config.algorithm]
    known = kind.__dataclass_fields__
    for name in config.trl:
        if name not in known:
            raise ConfigError(f"trl.{name}: {kind.__name__} has no such argument{did_you_mean(name, known)}")
    model_init = {"revision": config.model.revision, "dtype": config.model.dtype}
    if config.model.attn_implementation:
        model_init["attn_implementation"] = config.model.attn_implementation
    settings: dict[str, Any] = {"logging_steps": 1, "report_to": "none", "disable_tqdm": True} | config.trl
    try:
        return kind(
            output_dir=config.output_dir,
            seed=config.seed,
            reference_column=config.data.reference_column,
            max_unscorable=config.max_unscorable,
            trust_remote_code=config.model.trust_remote_code,
            model_init_kwargs=model_init,
            rollouts_dir=str(Path(config.output_dir) / "rollouts"),
            **settings,
        )
    except (TypeError, ValueError) as error:
        raise ConfigError(f"trl: {error}") from error


def _path_of(reward_model: AnyRewardModel | None) -> str:
    return reward_model.path if isinstance(reward_model, LocalRewardModelConfig) else ""


def _loaded(reward_model: AnyRewardModel | None) -> RewardModel | None:
    """The reward model, ready to score; servers that cannot serve as one are refused here, before any training."""
    if reward_model is None:
        return None
    with _named("reward_model"):
        model = reward_model.load()
    inner = model.inner if isinstance(model, CachedRewardModel) else model
    if isinstance(inner, RemoteRewardModel):
        inner.check()
    return model


def _trainer(run: Run, callbacks: list[TrainerCallback]) -> HeroGRPOTrainer | HeroRLOOTrainer:
    config = run.config
    with _named("model.path"):
        tokenizer = AutoTokenizer.from_pretrained(
            config.model.path,
            revision=config.model.revision,
            trust_remote_code=config.model.trust_remote_code,
            padding_side="left",
            truncation_side="left",
        )
    reward_model = _loaded(config.reward_model)
    if config.data.chat and tokenizer.chat_template is None:
        raise ConfigError(f"{config.model.path} has no chat template; set data.chat to false to send plain text")
    _, kind = _TRAINERS[config.algorithm]
    trainer = kind(
        model=config.model.path,
        verifier=in_processes(config.verifier, config.verifier_processes),
        reward_model=reward_model,
        rule=config.rule,
        args=run.arguments,
        train_dataset=run.train_dataset,
        eval_dataset=run.eval_dataset,
        processing_class=tokenizer,
        callbacks=callbacks,
        peft_config=_peft_config(config.peft),
    )
    for noisy in (PrinterCallback, ProgressCallback):
        trainer.remove_callback(noisy)
    return trainer


@contextmanager
def _named(setting: str) -> Iterator[None]:
    """Turn a model that cannot be loaded into an error that names the setting."""
    try:
        yield
    except OSError as error:
        raise ConfigError(f"{setting}: {error}") from error


def _peft_config(settings: dict[str, Any] | None) -> Any:
    if settings is None:
        return None
    from peft import LoraConfig

    arguments: dict[str, Any] = {"task_type": "CAUSAL_LM"} | settings
    try:
        return LoraConfig(**arguments)
    except TypeError as error:
        raise ConfigError(f"peft: {error}") from None
