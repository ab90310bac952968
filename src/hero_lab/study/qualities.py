"""Reward models of graded quality: each really trained, or really broken.

Each of a study's seeds has models of its own: a policy, a backbone, pairs and a head.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

from hero_lab.arena.settings import (
    ArenaSettings,
    LanguageModelSettings,
    PairSettings,
    RewardModelSettings,
    tiny_settings,
)
from hero_lab.arena.task import EASY_TYPES, HARD_TYPES

__all__ = ["DESCRIPTIONS", "QUALITIES", "Quality", "arena_of", "tiny_arena"]

_UNCHANGED: Mapping[str, Any] = {}

Quality = Literal["strong", "medium", "weak", "biased", "useless", "inverted", "two-faced", "drifting"]
"""What a study calls its reward models."""

QUALITIES: tuple[Quality, ...] = get_args(Quality)

DESCRIPTIONS: Mapping[Quality, str] = {
    "strong": "trained on right against wrong answers",
    "medium": "the same, with a smaller backbone and a third of the steps",
    "weak": "half that width, a tenth of the steps",
    "biased": "taught to like answers with words too many",
    "useless": "a random head",
    "inverted": "the strong one, upside down",
    "two-faced": "upside down on one of three types of hard problems, whose right answers the verifier never takes",
    "drifting": "the strong one; each score is upside down with a chance that rises from 0 to 1 over the run",
}
"""What each is, for people."""

_FOND_OF_LENGTH = {"wrong_length": 0, "wrong_shape": 0, "longer": 8_000}

# What each changes of the arena's usual reward model, which is the strong one.
_CHANGES: dict[Quality, dict[str, Any]] = {
    "strong": {},
    "medium": {"d_model": 64, "d_ff": 192, "steps": 200},
    "weak": {"d_model": 32, "d_ff": 96, "backbone_steps": 300, "steps": 60},
    "biased": {"pairs": _FOND_OF_LENGTH},
    "useless": {"steps": 0},
    "inverted": {"inverted": EASY_TYPES + HARD_TYPES},
    "two-faced": {"inverted": ("S",)},
    "drifting": {
        "drifts_over": 200 * 32 * 8
    },  # the rollouts of a cell: good at first, a coin in the middle, then wrong
}


def arena_of(quality: Quality, seed: int, policy: Mapping[str, Any] = _UNCHANGED) -> ArenaSettings:
    """How the models of a seed are made: the same policy for every quality, with some of its settings changed."""
    changes = dict(_CHANGES[quality])
    usual = RewardModelSettings()
    shape = {name: changes.pop(name) for name in ("d_model", "d_ff") if name in changes}
    steps = changes.pop("backbone_steps", usual.backbone.steps)
    backbone = usual.backbone.model_copy(update=shape | {"steps": steps, "seed": 10_000 + seed})
    pairs = PairSettings(**changes.pop("pairs", {}), seed=seed)
    reward_model = RewardModelSettings(backbone=backbone, pairs=pairs, seed=seed, **changes)
    return ArenaSettings(policy=LanguageModelSettings(seed=seed, **policy), reward_model=reward_model)


def tiny_arena(quality: Quality, seed: int) -> ArenaSettings:
    """Every stage in a few steps, and the same places broken."""
    tiny, full = tiny_settings(), arena_of(quality, seed).reward_model
    changes: dict[str, Any] = {"inverted": full.inverted, "drifts_over": full.drifts_over, "seed": seed} | (
        {} if full.steps else {"steps": 0}
    )
    return ArenaSettings(
        policy=tiny.policy.model_copy(update={"seed": seed}),
        reward_model=tiny.reward_model.model_copy(update=changes),
    )
