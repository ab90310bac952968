"""The configuration of one training run with verl: the blocks of `hero train`, and verl's own settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, Field, model_validator

from hero_rl.settings import nested
from hero_rl.training.configs.policy import DataConfig, ModelConfig, RunConfig

__all__ = ["VerlSettings", "VerlTrainConfig", "flat", "refuse_reserved", "refuse_what_verl_lacks"]

VerlSettings: TypeAlias = Annotated[
    dict[str, Any], BeforeValidator(lambda given: nested(given) if isinstance(given, Mapping) else given)
]
"""verl's own settings, dotted names nested."""

# verl's settings that other blocks stand for; a name covers all below it.
_RESERVED = {
    "hero.verifier": "verifier",
    "hero.verifier_processes": "verifier_processes",
    "hero.reward_model": "reward_model",
    "hero.rule": "rule",
    "hero.auditor": "auditor",
    "hero.max_unscorable": "max_unscorable",
    "actor_rollout_ref.model.path": "model.path",
    "actor_rollout_ref.model.custom_chat_template": "model.chat_template",
    "actor_rollout_ref.model.trust_remote_code": "model.trust_remote_code",
    "actor_rollout_ref.actor.fsdp_config.model_dtype": "model.dtype",
    "data.trust_remote_code": "model.trust_remote_code",
    "data.seed": "seed",
    "actor_rollout_ref.actor.data_loader_seed": "seed",
    "actor_rollout_ref.rollout.seed": "seed",
    "trainer.default_local_dir": "output_dir",
    "trainer.rollout_data_dir": "output_dir",
    "trainer.validation_data_dir": "output_dir",
    "trainer.resume_mode": "--resume",
    "trainer.use_v1": "engine",
    "algorithm.adv_estimator": "engine",
    "algorithm.norm_adv_by_std_in_grpo": "rule.scale",
    "critic.enable": "engine",
    "reward.reward_manager": "engine",
    "reward.custom_reward_function": "engine",
    "hydra": "output_dir",
}


def flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Nested settings by dotted name; an empty block is a value.

    A mark of hydra's (`+`, `++`, `~`) on an inner key stands before the whole name, where hydra wants it:
    `{"rollout": {"+sleep": False}}` is `{"+rollout.sleep": False}`.

    Raises:
        ValueError: the same name comes of two places.
    """
    values: dict[str, Any] = {}
    for given, value in _flat(settings, ""):
        if (name := _mark_first(given)) in values:
            raise ValueError(f"{name} is given twice")
        values[name] = value
    return values


def _flat(settings: Mapping[str, Any], place: str) -> Iterator[tuple[str, Any]]:
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{place}{key}.")
        else:
            yield f"{place}{key}", value


def _mark_first(name: str) -> str:
    keys = name.split(".")
    marks = [key[: len(key) - len(key.lstrip("+~"))] for key in keys]
    return max(marks, key=len) + ".".join(key.lstrip("+~") for key in keys)


def refuse_reserved(settings: Mapping[str, Any], reserved: Mapping[str, str]) -> None:
    """Raise a `ValueError` for a verl setting that another setting stands for."""
    for name in flat(settings):
        for held, place in reserved.items():
            if f"{name.lstrip('+~')}.".startswith(f"{held}."):
                raise ValueError(f"verl.{name} is set by {place}")


def refuse_what_verl_lacks(model: ModelConfig, data: Any) -> None:
    """Raise a `ValueError` for a setting of the shared blocks that verl has nothing for."""
    if model.revision is not None:
        raise ValueError("model.revision: verl loads no revisions; download that one and name its folder in model.path")
    if model.dtype == "auto":
        raise ValueError("model.dtype: verl wants to be told: float32, bfloat16 or float16")
    if data is not None and not data.chat:
        raise ValueError("data.chat: verl always applies a chat template; give one as model.chat_template")


class VerlTrainConfig(RunConfig):
    """One training run with verl.

    Attributes:
        data: prompts and references, written into the run's folder in verl's layout; leave the block out to name files
            in that layout in `verl.data.train_files` and `verl.data.val_files`.
        engine: the trainer's library.
        verl: verl's own settings, by their own dotted or nested names; one that verl's configuration does not have
            needs a `+`, as on verl's command line.
    """

    data: DataConfig | None = None
    engine: Literal["verl"]
    verl: VerlSettings = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check(self) -> VerlTrainConfig:
        refuse_reserved(self.verl, _RESERVED)
        refuse_what_verl_lacks(self.model, self.data)
        settings = flat(self.verl)
        files = [name for name in ("data.train_files", "data.val_files") if name in settings]
        if self.data is not None and files:
            raise ValueError(f"verl.{files[0]} is set by data")
        if self.data is None and len(files) < 2:
            raise ValueError("data: missing (or verl.data.train_files and verl.data.val_files)")
        validates = settings.get("trainer.test_freq", -1) not in (-1, 0) or settings.get(
            "trainer.val_before_train", False
        )
        if self.data is not None and self.data.eval is None and validates:
            raise ValueError("verl.trainer.test_freq and val_before_train need data.eval")
        if self.data is not None and self.data.eval and not validates:
            raise ValueError("data.eval is never used unless verl.trainer.test_freq or val_before_train says when")
        return self
