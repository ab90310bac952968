"""The exact command of a run with verl, `python -m verl.trainer.main_ppo ...`, from the blocks of `hero train`.

Nothing here needs verl.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel

from hero_rl.own import Own
from hero_rl.preflight import Objection, verl_objections
from hero_rl.settings import nested
from hero_rl.training.configs.policy import ModelConfig
from hero_rl.training.configs.verl import VerlTrainConfig, flat
from hero_rl.training.verl.hydra_words import hydra_words

__all__ = ["MODULE", "PRECISIONS", "model_settings", "objections", "place", "verl_settings", "verl_words"]

MODULE = "verl.trainer.main_ppo"
"""verl's program."""

PRECISIONS = {"float32": "fp32", "bfloat16": "bf16", "float16": "fp16"}
"""verl's word for a dtype."""

_MANAGER = "pkg://hero_rl.trainers.verl.reward_manager"


def verl_words(config: VerlTrainConfig, *, resume: bool = False) -> list[str]:
    """Every override of the command, as hydra reads it.

    Args:
        config: of the run; its data is taken to lie where `place` says.
        resume: go on from the newest checkpoint.
    """
    own = flat(config.verl)
    ours = {name: value for name, value in _settings(config, resume).items() if name not in own}
    return [*hydra_words(ours), *hydra_words(own, literal=False), *hydra_words(_hero(config), add=True)]


def objections(config: VerlTrainConfig) -> list[Objection]:
    """What would make HERO do nothing in this run, or cost something; see `verl_objections`."""
    return verl_objections(verl_settings(config), rule=config.rule, own_reward_model=config.reward_model is not None)


def verl_settings(config: VerlTrainConfig) -> dict[str, Any]:
    """What the run says to verl, as nested mappings."""
    return nested({name.lstrip("+~"): value for name, value in (_settings(config, False) | _hero(config)).items()})


def place(config: Any, which: str) -> str:
    """Where the run keeps its `train` or `eval` data in verl's layout."""
    return f"{config.output_dir}/data/{which}.parquet"


def model_settings(model: ModelConfig, block: str) -> dict[str, Any]:
    """The block `model` in verl's words."""
    settings: dict[str, Any] = {f"{block}.path": model.path}
    if model.trust_remote_code:
        settings[f"{block}.trust_remote_code"] = True
    if model.chat_template is not None:
        settings[f"{block}.custom_chat_template"] = model.chat_template
    if model.attn_implementation is not None:
        settings[f"+{block}.override_config.attn_implementation"] = model.attn_implementation
    return settings


def _settings(config: VerlTrainConfig, resume: bool) -> dict[str, Any]:
    """Verl's settings by dotted name: those that make it train with HERO, those of the blocks, its own."""
    folder = config.output_dir
    logged = {
        "trainer.project_name": "hero-rl",
        "trainer.experiment_name": Path(folder).name,
        "trainer.logger": ["console", "file"],
        "trainer.val_before_train": False,
    }
    return {
        **_trainer(config),
        **model_settings(config.model, "actor_rollout_ref.model"),
        **({"data.trust_remote_code": True} if config.model.trust_remote_code else {}),
        "actor_rollout_ref.actor.fsdp_config.model_dtype": PRECISIONS[config.model.dtype],
        **_data(config),
        "data.seed": config.seed,
        "actor_rollout_ref.actor.data_loader_seed": config.seed,
        "actor_rollout_ref.rollout.seed": config.seed,
        "trainer.default_local_dir": f"{folder}/checkpoints",
        "trainer.rollout_data_dir": f"{folder}/rollouts",
        "trainer.validation_data_dir": f"{folder}/validation",
        "trainer.resume_mode": "auto" if resume else "disable",
        "hydra.run.dir": f"{folder}/hydra",
        **(logged | flat(config.verl)),
    }


def _trainer(config: VerlTrainConfig) -> dict[str, Any]:
    return {
        "trainer.v1.trainer_mode": "hero_sync",
        "algorithm.adv_estimator": "hero",
        # Without effect on HERO's estimator; it says what the rule does.
        "algorithm.norm_adv_by_std_in_grpo": getattr(config.rule, "scale", "none") == "group",
        "critic.enable": False,
        "reward.reward_manager.source": "importlib",
        "reward.reward_manager.name": "HeroRewardManager",
        "reward.reward_manager.module.path": _MANAGER,
        "reward.custom_reward_function.path": _MANAGER,
    }


def _data(config: VerlTrainConfig) -> dict[str, Any]:
    if config.data is None:
        return {}
    # verl opens its validation data even where it never validates.
    evaluation = "eval" if config.data.eval else "train"
    return {"data.train_files": place(config, "train"), "data.val_files": place(config, evaluation)}


def _hero(config: VerlTrainConfig) -> dict[str, Any]:
    """The block `hero`, see `hero_rl.trainers.verl.settings`."""
    block = {
        "verifier": config.verifier,
        "verifier_processes": config.verifier_processes,
        "reward_model": config.reward_model,
        "rule": config.rule,
        "auditor": config.auditor,
    }
    settings: dict[str, Any] = {}
    for name, part in block.items():
        if part is not None:
            settings |= {f"hero.{name}.{key}": value for key, value in _said(part).items()}
    return settings | {"hero.max_unscorable": config.max_unscorable}


def _said(part: BaseModel) -> dict[str, Any]:
    """A block's types and what differs from its defaults; all of a rule, as it is the run's subject."""
    whole, values = hasattr(part, "needs_score"), part.model_dump()
    if isinstance(part, Own):
        return values
    said: dict[str, Any] = {}
    for name, value in part:
        if isinstance(value, BaseModel):
            said |= {f"{name}.{inner}": one for inner, one in _said(value).items()}
        elif whole or name == "type" or value != type(part).model_fields[name].get_default(call_default_factory=True):
            said[name] = values[name]
    return said
