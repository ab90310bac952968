"""Reward models: how good is a completion, as a raw logit?"""

from hero_rl.reward_models.base import Conversation, Message, RewardModel, Scores
from hero_rl.reward_models.local import LocalRewardModel, LocalRewardModelConfig

__all__ = ["Conversation", "LocalRewardModel", "LocalRewardModelConfig", "Message", "RewardModel", "Scores"]
