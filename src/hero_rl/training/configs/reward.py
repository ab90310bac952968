"""The configuration of one training of a reward model: what `hero train-rm` reads."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hero_rl.settings import did_you_mean
from hero_rl.training.configs.policy import ModelConfig

__all__ = ["RewardDataConfig", "RewardTrainConfig", "StartConfig"]

_COLUMNS = {
    "pairs": ("prompt", "chosen", "rejected"),
    "rollouts": ("prompt", "completion", "group", "verdict", "label", "step"),
}

_RESERVED = {
    "output_dir": "output_dir",
    "seed": "seed",
    "data_seed": "seed",
    "model_init_kwargs": "model",
    "trust_remote_code": "model.trust_remote_code",
    "resume_from_checkpoint": "--resume",
    "max_length": "data.max_tokens (TRL would leave longer pairs out)",
    "chat_template_path": "model.chat_template",
}


class StartConfig(ModelConfig):
    """The model that the reward model starts from.

    Attributes:
        path: a folder or a Hub id: a language model, which gets a new head, or a reward model, which keeps its own.
        revision: branch, tag or commit of a Hub id.
        trust_remote_code: run the code that comes with the model. Off unless you say so.
        dtype: of the weights that are trained; `auto` is what the checkpoint says.
        attn_implementation: as in transformers, for example `flash_attention_2`.
        chat_template: a Jinja template in the place of the tokenizer's own; it is saved with the trained model.
    """


class RewardDataConfig(BaseModel):
    """Preference pairs, or labelled rollouts that pairs are made of.

    Attributes:
        pairs: a .jsonl, .json (lines) or .parquet file or a Hub id, with a better and a worse completion in each row.
        rollouts: a file or folder of rollouts with a verdict or a label each: see `rollouts.md`.
        name: configuration name of a Hub dataset.
        split: split of a Hub dataset.
        format: of the rollouts, where it shall not be guessed.
        columns: names that differ from the usual: of `prompt`, `chosen`, `rejected` for pairs; of `prompt`,
            `completion`, `group`, `verdict`, `label`, `step` for rollouts.
        pairs_per_prompt: from the rollouts of one prompt, at most so many pairs.
        eval_fraction: share of the prompts whose pairs are held out for evaluation.
        max_tokens: a longer conversation loses its middle, as when it is scored; null is the model's own limit.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pairs: str | None = None
    rollouts: str | None = None
    name: str | None = None
    split: str = "train"
    format: Literal["rollouts", "trl", "verl", "grouped"] | None = None
    columns: dict[str, str] = {}
    pairs_per_prompt: Annotated[int, Field(ge=1)] = 4
    eval_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.0
    max_tokens: Annotated[int, Field(ge=2)] | None = 2048

    @model_validator(mode="after")
    def _check(self) -> RewardDataConfig:
        if (self.pairs is None) == (self.rollouts is None):
            raise ValueError("one of pairs and rollouts is needed, and not both")
        kind = "rollouts" if self.pairs is None else "pairs"
        if kind == "pairs" and self.format:
            raise ValueError("format is for rollouts")
        for name in self.columns:
            if name not in _COLUMNS[kind]:
                known = _COLUMNS[kind]
                hint = did_you_mean(name, known) or f"; known here: {', '.join(known)}"
                raise ValueError(f"columns.{name}: {kind} have no such column{hint}")
        return self


class RewardTrainConfig(BaseModel):
    """One training of a reward model.

    Attributes:
        output_dir: the run's folder: configuration, versions, counts of pairs, metrics, checkpoints, the model.
        model: what the reward model starts from.
        data: preference pairs or labelled rollouts.
        seed: of the new head, the choice of pairs, the split and the order.
        trl: arguments of TRL's `RewardConfig`, by their own names.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    output_dir: str
    model: StartConfig
    data: RewardDataConfig
    seed: int = 0
    trl: dict[str, Any] = {}

    @model_validator(mode="after")
    def _check(self) -> RewardTrainConfig:
        for name, place in _RESERVED.items():
            if name in self.trl:
                raise ValueError(f"trl.{name} is set by {place}")
        if not self.data.eval_fraction and self.trl.get("eval_strategy", "no") != "no":
            raise ValueError("trl.eval_strategy needs pairs to evaluate on; data.eval_fraction holds some out")
        return self
