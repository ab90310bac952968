"""The arena: a miniature of the paper that trains for real on two CPU cores.

A task with easy- and hard-to-verify problems, an oracle, a policy and a reward model. Names load on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hero_lab.arena.answers import ANSWER_MARKER, is_correct
    from hero_lab.arena.evaluation import Measured, PromptAccuracy, RankingQuality, evaluate, evaluate_reward_model
    from hero_lab.arena.pipeline import ArenaModels, prepare, prepare_policy, prepare_reward_model, write_prompts
    from hero_lab.arena.reward_model import ArenaRewardConfig, ArenaRewardModel
    from hero_lab.arena.settings import (
        ArenaSettings,
        LanguageModelSettings,
        PairSettings,
        RewardModelSettings,
        tiny_settings,
    )
    from hero_lab.arena.task import Exercise
    from hero_lab.arena.tokenizer import build_tokenizer

_HOMES = {
    "ANSWER_MARKER": "answers",
    "ArenaModels": "pipeline",
    "ArenaRewardConfig": "reward_model",
    "ArenaRewardModel": "reward_model",
    "ArenaSettings": "settings",
    "Measured": "evaluation",
    "LanguageModelSettings": "settings",
    "PairSettings": "settings",
    "Exercise": "task",
    "PromptAccuracy": "evaluation",
    "RankingQuality": "evaluation",
    "RewardModelSettings": "settings",
    "build_tokenizer": "tokenizer",
    "evaluate": "evaluation",
    "evaluate_reward_model": "evaluation",
    "is_correct": "answers",
    "prepare": "pipeline",
    "prepare_policy": "pipeline",
    "prepare_reward_model": "pipeline",
    "tiny_settings": "settings",
    "write_prompts": "pipeline",
}

__all__ = [
    "ANSWER_MARKER",
    "ArenaModels",
    "ArenaRewardConfig",
    "ArenaRewardModel",
    "ArenaSettings",
    "Exercise",
    "LanguageModelSettings",
    "Measured",
    "PairSettings",
    "PromptAccuracy",
    "RankingQuality",
    "RewardModelSettings",
    "build_tokenizer",
    "evaluate",
    "evaluate_reward_model",
    "is_correct",
    "prepare",
    "prepare_policy",
    "prepare_reward_model",
    "tiny_settings",
    "write_prompts",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
