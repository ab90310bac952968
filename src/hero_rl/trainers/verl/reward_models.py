"""The reward model that verl itself serves, as one of ours: `reward.reward_model.enable=true`."""

from __future__ import annotations

from typing import Any, Literal

from hero_rl.errors import ConfigError
from hero_rl.reward_models import RemoteRewardModelConfig

__all__ = ["served_by_verl"]

# How verl's own reward loop asks them (verl/experimental/reward_loop/reward_loop.py, compute_score_disrm).
_PROTOCOLS: dict[str, Literal["vllm_classify", "sglang_embeddings"]] = {
    "vllm": "vllm_classify",
    "sglang": "sglang_embeddings",
}


def served_by_verl(reward_model: Any, address: str) -> RemoteRewardModelConfig:
    """How to ask the router in front of verl's reward model servers.

    Args:
        reward_model: the block `reward.reward_model` of verl's configuration.
        address: the router's host and port.

    Raises:
        ConfigError: an engine that serves no sequence classifiers.
    """
    rollout = reward_model.rollout
    if rollout.name not in _PROTOCOLS:
        raise ConfigError(f"reward.reward_model.rollout.name: {rollout.name} is none of {', '.join(_PROTOCOLS)}")
    from verl.utils.fs import copy_to_local

    return RemoteRewardModelConfig(
        urls=[f"http://{address}"],
        tokenizer=copy_to_local(reward_model.model_path),
        protocol=_PROTOCOLS[rollout.name],
        model=reward_model.model_path,
        max_tokens=rollout.get("max_model_len") or rollout.prompt_length + rollout.response_length,
    )
