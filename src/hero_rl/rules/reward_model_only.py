"""The reward model alone: dense, and the arm that gets hacked."""

from __future__ import annotations

from typing import Literal

from hero_rl.rules.base import Eps, SquashedSettings, State, score_spread, shaped_like
from hero_rl.rules.groups import Groups, Scale, normalise
from hero_rl.signals import Shaped, Signals

__all__ = ["RewardModelOnly"]


class RewardModelOnly(SquashedSettings):
    """Reward = score. Verdicts are logged and not used, so a rollout is scorable when it has a score.

    Attributes:
        squash: `none` takes the raw score; `sigmoid` maps it to (0, 1), so that ever higher scores pay less.
        temperature: divides the score inside the sigmoid; unused with `none`.
        scale: divisor of the centred reward: none, the group's or the batch's sample standard deviation.
        eps: added to that divisor.
    """

    type: Literal["reward_model_only"] = "reward_model_only"
    scale: Scale = "none"
    eps: Eps = 1e-6

    def update(self, signals: Signals, state: State) -> tuple[Shaped, State]:
        """Shape one batch."""
        groups = Groups.of(signals.group)
        score = signals.score.double()
        scorable = ~score.isnan()
        sigma, _ = score_spread(score, groups, scorable)
        reward = self.squashed(score)
        advantage = normalise(reward, groups, scorable, self.scale, self.eps)
        return shaped_like(signals, reward, advantage, scorable, groups.spread(sigma)), state
