"""From a configuration block to a reward model that is ready to score, and is put away in the end."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from hero_rl.foreign import loading
from hero_rl.reward_models.base import RewardModel
from hero_rl.reward_models.cached import CachedRewardModel, CachedRewardModelConfig
from hero_rl.reward_models.generative import GenerativeRewardModelConfig
from hero_rl.reward_models.local import LocalRewardModelConfig
from hero_rl.reward_models.remote import RemoteRewardModel, RemoteRewardModelConfig

__all__ = ["check_servers", "load_and_check"]


def load_and_check(
    config: LocalRewardModelConfig | GenerativeRewardModelConfig | RemoteRewardModelConfig | CachedRewardModelConfig,
    stack: ExitStack | None = None,
) -> RewardModel:
    """Load a reward model; servers that cannot serve as one are refused here. The stack ends what it holds open.

    Without a stack, connections go with the object.

    Raises:
        ConfigError: it cannot be loaded, or does not give what a reward model gives.
    """
    with loading("reward_model"):
        model = config.load()
    inner = model.inner if isinstance(model, CachedRewardModel) else model
    if isinstance(inner, RemoteRewardModel):
        if stack is not None:
            stack.callback(inner.close)
        inner.check()
    return model


def check_servers(config: Any) -> None:
    """Have the servers of a remote reward model score a few texts, if it is one, also behind a cache.

    Raises:
        ConfigError: they do not answer, or give no raw logits; see `RemoteRewardModel.check`.
    """
    inner = config.inner if isinstance(config, CachedRewardModelConfig) else config
    if isinstance(inner, RemoteRewardModelConfig):
        with ExitStack() as stack:
            load_and_check(inner, stack)
