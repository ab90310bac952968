"""The advantage functions of the trainers that are installed, for rewards that somebody else made.

    advantages = trl_advantages({"scale_rewards": "none"}, rollouts=4)(torch.tensor([1.0, 0.0, 0.0, 0.0]))

They run the trainer's own code, so that what is said of a setting is what this version does with it.
"""

from __future__ import annotations

import inspect
import tempfile
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from hero_rl.errors import ConfigError

__all__ = ["AdvantageFunction", "trl_advantages", "verl_advantages"]

AdvantageFunction: TypeAlias = Callable[[Float[Tensor, " B"]], Float[Tensor, " B"]]
"""Rewards of whole groups, side by side, to advantages."""

_TRL_SETTINGS = ("scale_rewards", "multi_objective_aggregation", "loss_type")


def trl_advantages(arguments: Mapping[str, Any], rollouts: int) -> AdvantageFunction:
    """TRL's, as `GRPOTrainer._generate_and_score_completions` has it: a trainer of two tiny layers writes one token.

    Args:
        arguments: of `GRPOConfig`; those that the advantage depends on are taken.
        rollouts: of a prompt, `num_generations`.

    Raises:
        ConfigError: TRL refuses a value.
    """
    from trl import GRPOConfig

    taken = {name: arguments[name] for name in _TRL_SETTINGS if name in arguments}
    plain = {"use_cpu": True, "bf16": False, "report_to": "none", "gradient_checkpointing": False}
    plain |= {"disable_tqdm": True, "max_completion_length": 1, "num_generations": rollouts}

    def advantages(rewards: Float[Tensor, " B"]) -> Float[Tensor, " B"]:
        with tempfile.TemporaryDirectory() as folder:
            try:
                config = GRPOConfig(output_dir=folder, per_device_train_batch_size=len(rewards), **(plain | taken))
            except (TypeError, ValueError) as error:
                raise ConfigError(f"{error}") from error
            return _generated(config, rewards)

    return advantages


def _generated(config: Any, rewards: Float[Tensor, " B"]) -> Float[Tensor, " B"]:
    """What a real trainer makes of these rewards."""
    from datasets import Dataset
    from tokenizers import Tokenizer, models
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
    from trl import GRPOTrainer

    class Given(GRPOTrainer):
        def _calculate_rewards(self, inputs: Any, *rest: Any) -> Tensor:
            return rewards.to(torch.float32).unsqueeze(1)

    words = {"<pad>": 0, "<eos>": 1, "a": 2}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel(words, unk_token="a")), pad_token="<pad>", eos_token="<eos>"
    )
    shape = LlamaConfig(
        vocab_size=3,
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=None,
    )
    prompts = [{"prompt": "a"}] * len(rewards)
    trainer: Any = Given(
        model=LlamaForCausalLM(shape),
        reward_funcs=[_no_reward],
        args=config,
        train_dataset=Dataset.from_list(prompts),
        processing_class=tokenizer,
    )
    trainer.model.train()
    return trainer._generate_and_score_completions(prompts)["advantages"].detach().cpu()


def _no_reward(**_: Any) -> list[float | None]:
    raise AssertionError("the rewards are given")


def verl_advantages(estimator: str, divides: bool, rollouts: int) -> AdvantageFunction:
    """verl's, as registered under `algorithm.adv_estimator`.

    Args:
        estimator: its name.
        divides: `norm_adv_by_std_in_grpo`.
        rollouts: of a prompt.

    Raises:
        ConfigError: there is no such estimator, or it needs more than the rewards of groups, as GAE does.
    """
    import numpy as np
    from verl.trainer.ppo.core_algos import get_adv_estimator_fn  # pyright: ignore[reportMissingImports]

    try:
        function = get_adv_estimator_fn(estimator)
    except ValueError as error:
        raise ConfigError(f"algorithm.adv_estimator: {error}") from error
    accepts = inspect.signature(function).parameters
    known = {"token_level_rewards", "response_mask", "index", "norm_adv_by_std_in_grpo"}
    needed = {
        name for name, given in accepts.items() if given.default is given.empty and given.kind != given.VAR_KEYWORD
    }
    if not needed <= known or "index" not in needed:
        raise ConfigError(f"algorithm.adv_estimator: {estimator} needs more than the rewards of groups")

    def advantages(rewards: Float[Tensor, " B"]) -> Float[Tensor, " B"]:
        given = {
            "token_level_rewards": rewards.float().unsqueeze(1),
            "response_mask": torch.ones(len(rewards), 1),
            "index": np.arange(len(rewards)) // rollouts,
            "norm_adv_by_std_in_grpo": divides,
        }
        return function(**{name: value for name, value in given.items() if name in accepts})[0][:, 0]

    return advantages
