"""Reward models: how good is a completion, as a raw logit?"""

from typing import Annotated, TypeAlias

from pydantic import Field

from hero_rl.own import OrOwn
from hero_rl.reward_models.base import Conversation, Message, RewardModel, Scores
from hero_rl.reward_models.cached import CachedRewardModel, CachedRewardModelConfig
from hero_rl.reward_models.generative import GenerativeRewardModel, GenerativeRewardModelConfig
from hero_rl.reward_models.loading import check_servers, load_and_check, ready
from hero_rl.reward_models.local import LocalRewardModel, LocalRewardModelConfig
from hero_rl.reward_models.remote import RemoteRewardModel, RemoteRewardModelConfig

__all__ = [
    "AnyRewardModel",
    "CachedRewardModel",
    "CachedRewardModelConfig",
    "Conversation",
    "GenerativeRewardModel",
    "GenerativeRewardModelConfig",
    "LocalRewardModel",
    "LocalRewardModelConfig",
    "Message",
    "RemoteRewardModel",
    "RemoteRewardModelConfig",
    "RewardModel",
    "Scores",
    "check_servers",
    "load_and_check",
    "ready",
]

AnyRewardModel: TypeAlias = Annotated[
    LocalRewardModelConfig | GenerativeRewardModelConfig | RemoteRewardModelConfig | CachedRewardModelConfig,
    Field(discriminator="type"),
    OrOwn("a reward model", ("load", "score")),
]
"""The configuration block of any reward model; `type` says which, and `load()` makes it."""
