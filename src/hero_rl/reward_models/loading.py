"""From what a user names to a reward model that is ready to score."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from torch.nn import Module

from hero_rl.errors import ConfigError
from hero_rl.foreign import loading
from hero_rl.own import Own
from hero_rl.reward_models.base import RewardModel
from hero_rl.reward_models.cached import CachedRewardModel, CachedRewardModelConfig
from hero_rl.reward_models.generative import GenerativeRewardModelConfig
from hero_rl.reward_models.local import LocalRewardModelConfig
from hero_rl.reward_models.remote import RemoteRewardModel, RemoteRewardModelConfig

__all__ = ["check_servers", "load_and_check", "loaded", "ready"]

_Config = LocalRewardModelConfig | GenerativeRewardModelConfig | RemoteRewardModelConfig | CachedRewardModelConfig


def load_and_check(
    config: _Config | Own,
    stack: ExitStack,
) -> RewardModel:
    """Load a reward model; servers that cannot serve as one are refused here. The stack ends what it holds open.

    Without a stack, connections go with the object.

    Raises:
        ConfigError: it cannot be loaded, or does not give what a reward model gives.
    """
    model = loaded(config)
    server = _server_of(model)
    if server is not None:
        stack.callback(server.close)
        server.check()
    return model


def ready(reward_model: RewardModel | _Config | Own | str) -> RewardModel:
    """A reward model that can score now: servers have been asked, and what is not loaded yet is.

    Args:
        reward_model: one, or its settings, or the folder or Hub name of a one-label sequence classifier.

    Raises:
        ConfigError: it cannot be loaded, or its servers do not give what a reward model gives, or the text is the URL
            of a server, of which more has to be known.
    """
    if isinstance(reward_model, str):
        if reward_model.startswith(("http://", "https://")):
            raise ConfigError(
                f"reward_model: {reward_model} is a server, whose model's tokenizer has to be known: "
                f'RemoteRewardModelConfig(urls="{reward_model}", tokenizer="nvidia/AceMath-7B-RM"), from '
                "hero_rl.reward_models, with the folder or Hub name of the model that it serves"
            )
        reward_model = LocalRewardModelConfig(path=reward_model)
    model = loaded(reward_model) if isinstance(reward_model, _Config | Own) else reward_model
    score = getattr(model, "score", None)
    if not callable(score) or isinstance(score, Module):  # transformers calls the head of a classifier so
        raise ConfigError(
            f"reward_model: a {type(model).__name__} has no method score(conversations); name its folder or its place "
            "on the Hub, or give LocalRewardModel(model, tokenizer)"
        )
    server = _server_of(model)
    if server is not None:
        server.check()
    return model


def loaded(config: _Config | Own) -> RewardModel:
    """The reward model that settings describe; a server is not asked yet.

    Raises:
        ConfigError: it cannot be loaded.
    """
    with loading("reward_model"):
        if isinstance(config, Own):
            return config.made.load() if hasattr(config.made, "load") else config.made
        return config.load()


def _server_of(model: RewardModel) -> RemoteRewardModel | None:
    inner = model.inner if isinstance(model, CachedRewardModel) else model
    return inner if isinstance(inner, RemoteRewardModel) else None


def check_servers(config: Any) -> None:
    """Have the servers of a remote reward model score a few texts, if it is one, also behind a cache.

    Raises:
        ConfigError: they do not answer, or give no raw logits; see `RemoteRewardModel.check`.
    """
    inner = config.inner if isinstance(config, CachedRewardModelConfig) else config
    if isinstance(inner, RemoteRewardModelConfig):
        with ExitStack() as stack:
            load_and_check(inner, stack)
