"""The reward that a rollout's own environment gives, as a verdict.

    HeroGRPOTrainer(..., verifier=EnvironmentVerifier(), environment_factory=Maze)

TRL's environments may define `get_reward()`. The trainer asks it once a rollout and hands its word on in the column
`REWARD` of the request, which any verifier that takes requests can read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from hero_rl.errors import ConfigError
from hero_rl.verifiers.base import Request, Verdict

__all__ = ["REWARD", "EnvironmentVerifier"]

REWARD = "environment_reward"
"""The column with the environment's reward; None where it gave none, or failed."""


@dataclass(frozen=True)
class EnvironmentVerifier:
    """The environment's reward, from `lowest` as 0 to `highest` as 1; in between partial credit.

    A reward of None or NaN, and an environment that fails, is an abstention: where the rollout itself is why, the
    environment has to say `lowest`. With `partial=False` only `highest` is correct and all else is 0, for rules that
    take no partial credit.

    Raises:
        ConfigError: `lowest` is not below `highest`, or one is not finite.
    """

    lowest: float = 0.0
    highest: float = 1.0
    partial: bool = True

    needs_reference: ClassVar[bool] = False
    reads_environment: ClassVar[bool] = True

    @property
    def gives_grades(self) -> bool:
        """Whether a verdict may lie between 0 and 1."""
        return self.partial

    def __post_init__(self) -> None:
        if not -math.inf < self.lowest < self.highest < math.inf:
            raise ConfigError(f"lowest ({self.lowest}) must be below highest ({self.highest}), both finite")

    def verify(self, request: Request) -> Verdict:
        """Turn the environment's reward of one rollout into a verdict.

        Raises:
            ConfigError: the rollout has no environment with a reward, or one that is outside the range.
        """
        if REWARD not in request.columns:
            raise ConfigError(
                "a rollout has no environment that gives a reward: EnvironmentVerifier needs an environment_factory "
                "whose environments define get_reward"
            )
        reward = request.columns[REWARD]
        if reward is None or math.isnan(reward):
            return Verdict(math.nan, "the environment gave no reward")
        value = (float(reward) - self.lowest) / (self.highest - self.lowest)
        if not 0 <= value <= 1:
            raise ConfigError(
                f"an environment's reward is {reward}: outside of {self.lowest} to {self.highest}, which become the "
                "verdicts 0 and 1; give EnvironmentVerifier the lowest and the highest reward that there is"
            )
        return Verdict(value if self.partial else float(value == 1.0), "the environment's reward")
