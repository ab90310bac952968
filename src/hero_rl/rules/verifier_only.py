"""The verifier alone: plain RLVR with group-relative advantages (GRPO, arXiv 2402.03300)."""

from __future__ import annotations

from typing import ClassVar, Literal

from hero_rl.rules.base import Eps, Settings, State, score_spread, shaped_like
from hero_rl.rules.groups import Groups, Scale, normalise
from hero_rl.signals import Shaped, Signals

__all__ = ["VerifierOnly"]


class VerifierOnly(Settings):
    """Reward = verdict. A uniform group gives no gradient; scores are logged and not used.

    Attributes:
        scale: divisor of the centred reward: none, the group's or the batch's sample standard deviation.
        eps: added to that divisor (TRL 1e-4, verl 1e-6).
    """

    needs_score: ClassVar[bool] = False

    type: Literal["verifier_only"] = "verifier_only"
    scale: Scale = "none"
    eps: Eps = 1e-6

    def update(self, signals: Signals, state: State) -> tuple[Shaped, State]:
        """Shape one batch."""
        groups = Groups.of(signals.group)
        reward = signals.verdict.double()
        scorable = ~reward.isnan()
        score = signals.score.double()
        sigma, _ = score_spread(score, groups, scorable & ~score.isnan())
        advantage = normalise(reward, groups, scorable, self.scale, self.eps)
        return shaped_like(signals, reward, advantage, scorable, groups.spread(sigma)), state
