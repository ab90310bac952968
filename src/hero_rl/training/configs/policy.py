"""The configuration of one training run: a pydantic model, read from YAML, with overrides by dotted name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, overload

from pydantic import BaseModel, Discriminator, Field, Tag, model_validator

from hero_rl.auditing import FittingRule
from hero_rl.problems import GeneratedProblems
from hero_rl.reward_models import AnyRewardModel
from hero_rl.rules import AuditableRule, GatedHero
from hero_rl.settings import Block, read_yaml, resolve
from hero_rl.verifiers import AnyVerifier, Processes

__all__ = [
    "DataConfig",
    "ModelConfig",
    "PromptConfig",
    "RunConfig",
    "TrainConfig",
    "load_config",
]

_RESERVED = {
    "output_dir": "output_dir",
    "seed": "seed",
    "data_seed": "seed",
    "reference_column": "data.reference_column",
    "domain_column": "data.domain_column",
    "max_unscorable": "max_unscorable",
    "model_init_kwargs": "model",
    "trust_remote_code": "model.trust_remote_code",
    "resume_from_checkpoint": "--resume",
    "rollouts_dir": "output_dir, in whose folder `rollouts` they are, and rollouts (0 keeps none)",
    "rollouts_kept": "rollouts",
}

AnyConfig = TypeVar("AnyConfig", bound=BaseModel)


class ModelConfig(Block):
    """The policy: any causal language model that transformers loads.

    Attributes:
        path: a folder or a Hub id.
        revision: branch, tag or commit of a Hub id.
        trust_remote_code: run the code that comes with the model. Off unless you say so.
        dtype: of the weights that are trained; `auto` is what the checkpoint says. In bfloat16 without a float32 copy
            the update of a small learning rate rounds away, so float32 is the default, as it is TRL's.
        attn_implementation: as in transformers, for example `flash_attention_2`.
        chat_template: a Jinja template in the place of the tokenizer's own; it is saved with the trained model.
    """

    path: str
    revision: str | None = None
    trust_remote_code: bool = False
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "float32"
    attn_implementation: str | None = None
    chat_template: str | None = None


class PromptConfig(Block):
    """Where prompts come from and how they are put.

    Attributes:
        train: a .jsonl, .json (lines) or .parquet file, or a Hub id.
        eval: the same for evaluation, or none.
        name: configuration name of a Hub dataset.
        train_split: split of a Hub dataset to train on.
        eval_split: split of a Hub dataset to evaluate on.
        prompt_column: text, or a list of chat messages.
        chat: turn a text prompt into a user message, so that the model's chat template applies.
        system_prompt: put before every prompt; needs `chat`.
        limit: use the first so many rows of each split.
    """

    train: str
    eval: str | None = None
    name: str | None = None
    train_split: str = "train"
    eval_split: str = "test"
    prompt_column: str = "prompt"
    chat: bool = True
    system_prompt: str | None = None
    limit: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _check_prompt(self) -> PromptConfig:
        if self.system_prompt and not self.chat:
            raise ValueError("system_prompt needs chat")
        return self


Source = Annotated[
    Annotated[str, Tag("file")] | Annotated[GeneratedProblems, Tag("generated")],
    Discriminator(lambda given: "file" if isinstance(given, str) else "generated"),
]
"""A file or a Hub id, or problems that are made."""


class DataConfig(PromptConfig):
    """Prompts and references.

    Attributes:
        train: a .jsonl, .json (lines) or .parquet file, a Hub id, or a block of problems that are generated.
        eval: the same for evaluation, or none; of generated problems with a seed of at least that of training plus its
            size.
        reference_column: the reference answer: text or a number.
        domain_column: a name of the prompt's domain, text: rules that earn trust then earn it in each domain.
    """

    train: Source  # pyright: ignore[reportIncompatibleVariableOverride]
    eval: Source | None = None  # pyright: ignore[reportIncompatibleVariableOverride]
    reference_column: str = "answer"
    domain_column: str | None = None

    @model_validator(mode="after")
    def _check_generated(self) -> DataConfig:
        if isinstance(self.train, GeneratedProblems) and isinstance(self.eval, GeneratedProblems):
            for name, seeds in self.eval.shared_with(self.train).items():
                raise ValueError(
                    f"eval.generators.{name}: makes problems that are trained on; problem number n is made of seed "
                    f"+ n, and train takes those of {seeds.start} to {seeds.stop - 1}: give eval a seed of {seeds.stop}"
                )
        return self


class RunConfig(Block, FittingRule):
    """What every engine's runs have in common.

    Attributes:
        output_dir: the run's folder: configuration, versions, metrics, rollouts, checkpoints.
        model: the policy.
        verifier: judges completions.
        verifier_processes: the processes that a rule verifier runs in.
        reward_model: scores them; needed by every rule but `verifier_only`.
        rule: combines both signals.
        auditor: judges the few rollouts that the rule `audited_hero` draws.
        seed: of weights, data order and sampling.
        max_unscorable: stop when more than this share of the last 256 rollouts have no verdict, or no score where the
            rule needs one.
    """

    output_dir: str
    model: ModelConfig
    verifier: AnyVerifier
    verifier_processes: Processes = Processes()
    reward_model: AnyRewardModel | None = None
    rule: AuditableRule = GatedHero()
    auditor: AnyVerifier | None = None
    seed: int = 0
    max_unscorable: Annotated[float, Field(ge=0, le=1)] = 0.5


class TrainConfig(RunConfig):
    """One training run with TRL.

    Attributes:
        data: prompts and references.
        rollouts: optimiser steps whose rollouts are kept on disk, the newest; 0 keeps none, null those of every step.
        algorithm: TRL's `GRPOTrainer` or its `RLOOTrainer`.
        engine: the trainer's library; the other one has settings of its own.
        peft: arguments of `peft.LoraConfig`; none trains all weights.
        trl: arguments of TRL's `GRPOConfig` or `RLOOConfig`, by their own names.
    """

    data: DataConfig
    rollouts: Annotated[int, Field(ge=0)] | None = None
    algorithm: Literal["grpo", "rloo"] = "grpo"
    engine: Literal["trl"] = "trl"
    peft: dict[str, Any] | None = None
    trl: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check(self) -> TrainConfig:
        if self.rule.needs_score and self.reward_model is None:
            raise ValueError(f"rule {self.rule.type!r} needs a reward_model")
        for name, place in _RESERVED.items():
            if name in self.trl:
                raise ValueError(f"trl.{name} is set by {place}")
        if self.data.eval and self.trl.get("eval_strategy", "no") == "no":
            raise ValueError("data.eval is never used unless trl.eval_strategy says when, for example steps or epoch")
        if self.trl.get("num_generations") == 1:
            raise ValueError("trl.num_generations is 1: a group of one rollout has no advantage; at least 2 are needed")
        return self


@overload
def load_config(path: str | Path, overrides: dict[str, Any] | None = None) -> TrainConfig: ...
@overload
def load_config(path: str | Path, overrides: dict[str, Any] | None, kind: type[AnyConfig]) -> AnyConfig: ...
def load_config(
    path: str | Path, overrides: dict[str, Any] | None = None, kind: type[BaseModel] = TrainConfig
) -> BaseModel:
    """Read a YAML file, lay overrides over it and check every key.

    Args:
        path: the file.
        overrides: values by dotted name, as from `parse_overrides`.
        kind: the model that checks it.

    Raises:
        ConfigError: the file cannot be read, or a setting is unknown, missing or wrong; names file and setting.
    """
    return resolve(read_yaml(path), overrides or {}, str(path), kind)
