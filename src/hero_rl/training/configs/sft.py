"""The configuration of one supervised fine-tuning, the cold start: what `hero sft` reads."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from hero_rl.settings import Block
from hero_rl.training.configs.policy import ModelConfig, PromptConfig
from hero_rl.training.configs.verl import VerlSettings, flat, refuse_reserved, refuse_what_verl_lacks

__all__ = ["DemonstrationConfig", "SftConfig", "SftRunConfig", "VerlSftConfig"]

_TRL_RESERVED = {
    "output_dir": "output_dir",
    "seed": "seed",
    "data_seed": "seed",
    "model_init_kwargs": "model",
    "trust_remote_code": "model.trust_remote_code",
    "chat_template_path": "model.chat_template",
    "dataset_text_field": "data",
    "resume_from_checkpoint": "--resume",
}

_VERL_RESERVED = {
    "model.path": "model.path",
    "model.custom_chat_template": "model.chat_template",
    "model.trust_remote_code": "model.trust_remote_code",
    "engine.model_dtype": "model.dtype",
    "data.train_files": "data.train",
    "data.val_files": "data.eval",
    "data.messages_key": "data",
    "trainer.seed": "seed",
    "trainer.default_local_dir": "output_dir",
    "trainer.resume_mode": "--resume",
    "hydra": "output_dir",
}


class DemonstrationConfig(PromptConfig):
    """Prompts and completions to imitate.

    Attributes:
        completion_column: the completion: text, or a list of one message of the assistant.
    """

    completion_column: str = "completion"


class SftRunConfig(Block):
    """What both engines' runs have in common.

    Attributes:
        output_dir: the run's folder: configuration, versions, metrics, checkpoints, the model.
        model: what is trained.
        data: prompts and completions.
        seed: of data order.
    """

    output_dir: str
    model: ModelConfig
    data: DemonstrationConfig
    seed: int = 0


class SftConfig(SftRunConfig):
    """One supervised fine-tuning with TRL.

    Attributes:
        engine: the trainer's library; the other one has settings of its own.
        peft: arguments of `peft.LoraConfig`; none trains all weights.
        trl: arguments of TRL's `SFTConfig`, by their own names.
    """

    engine: Literal["trl"] = "trl"
    peft: dict[str, Any] | None = None
    trl: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check(self) -> SftConfig:
        for name, place in _TRL_RESERVED.items():
            if name in self.trl:
                raise ValueError(f"trl.{name} is set by {place}")
        if self.data.eval and self.trl.get("eval_strategy", "no") == "no":
            raise ValueError("data.eval is never used unless trl.eval_strategy says when, for example steps or epoch")
        return self


class VerlSftConfig(SftRunConfig):
    """One supervised fine-tuning with verl, on one node.

    Attributes:
        engine: the trainer's library.
        verl: verl's own settings (its `sft_trainer_engine.yaml`), by their own dotted or nested names.
    """

    engine: Literal["verl"]
    verl: VerlSettings = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check(self) -> VerlSftConfig:
        refuse_reserved(self.verl, _VERL_RESERVED)
        refuse_what_verl_lacks(self.model, self.data)
        settings = flat(self.verl)
        if settings.get("trainer.nnodes", 1) != 1:
            raise ValueError("verl.trainer.nnodes: one node alone; start command.txt's program on each node yourself")
        if self.data.eval and settings.get("trainer.test_freq", -1) == -1:
            raise ValueError("data.eval is never used unless verl.trainer.test_freq says when")
        return self
