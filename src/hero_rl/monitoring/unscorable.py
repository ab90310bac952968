"""When to stop: too large a share of the recent rollouts could not be scored."""

from __future__ import annotations

from jaxtyping import Bool
from torch import Tensor

from hero_rl.budget import FailureBudget
from hero_rl.errors import UnscorableError
from hero_rl.signals import Shaped, Signals

__all__ = ["UnscorableWindow", "lost_of", "missing_scores"]

_WINDOW = 256  # rollouts over which the share is taken: one bad prompt must not end a run


def lost_of(signals: Signals, shaped: Shaped, *, needs_score: bool) -> int:
    """How many rollouts of a batch lack what the rule works on: a reward, or a score where it needs one.

    A rollout without a score still has its verdict, so its reward is not NaN; but a run whose reward model is gone
    would go on as another rule, the verifier alone, without a word. What the policy or the data bring about is no
    failure: an empty completion has no score, and a prompt to which no verifier applies may have no reward.
    """
    lost = shaped.reward.isnan() & ~signals.unverified
    return int((lost | missing_scores(signals)).sum() if needs_score else lost.sum())


def missing_scores(signals: Signals) -> Bool[Tensor, " B"]:
    """(B,) which rollouts the reward model failed on: no score, although there is something to score."""
    return signals.score.isnan() & ~signals.empty


class UnscorableWindow:
    """Keeps count of the last 256 rollouts, or of the last batch if that is larger.

    Args:
        most: the share of them that may be unscorable.
    """

    def __init__(self, most: float) -> None:
        self._budget = FailureBudget(most, _WINDOW)

    def add(self, lost: int, total: int, about: str) -> None:
        """Take in one batch.

        Args:
            lost: rollouts of it that could not be scored.
            total: rollouts of it.
            about: what is known of the cause, for the message.

        Raises:
            UnscorableError: the share is too large.
        """
        too_many = self._budget.add(lost, total)
        if too_many and self._budget.asked >= _WINDOW:
            raise UnscorableError(
                f"{self._budget.failed} of the last {self._budget.asked} rollouts could not be scored, more than "
                f"max_unscorable = {self._budget.share:.0%}; {about}"
            )
