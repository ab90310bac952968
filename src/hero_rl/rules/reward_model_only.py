"""The reward model alone: dense, and the arm that gets hacked."""

from __future__ import annotations

from typing import Literal

from hero_rl.rules.base import Eps, Settings, State, score_spread, shaped_like, with_lowest
from hero_rl.rules.groups import Groups, Scale, normalise
from hero_rl.signals import Shaped, Signals

__all__ = ["RewardModelOnly"]


class RewardModelOnly(Settings):
    """Reward = score. Verdicts are logged and not used, so a rollout is scorable when it has a score.

    An empty completion has the lowest score of its group.

    Attributes:
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
        present = ~score.isnan()
        sigma, _ = score_spread(score, groups, present)
        reward = with_lowest(score, groups, present, signals.empty)
        scorable = ~reward.isnan()
        advantage = normalise(reward, groups, scorable, self.scale, self.eps)
        return shaped_like(signals, reward, advantage, scorable, groups.spread(sigma)), state
