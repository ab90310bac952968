"""How much may fail: one measure for verifiers, reward models, generators and judges, in training and over files.

>>> budget = FailureBudget(0.1, window=100)
>>> budget.add(5, 50), budget.add(6, 50)
(False, True)
"""

from __future__ import annotations

from collections import deque

__all__ = ["FailureBudget"]


class FailureBudget:
    """Allows a share of the last things that were asked to fail.

    Attributes:
        share: the share; 1 allows all of them.
        window: over how many it is taken, or over what came last if that is more. Of fewer, as many may fail as of so
            many: a few that had nothing to say must not end a run.
        failed: of the last things asked.
        asked: the last things asked.
        answered: what did not fail since the beginning.
    """

    def __init__(self, share: float, window: int) -> None:
        self.share = share
        self.window = window
        self.failed = self.asked = self.answered = 0
        self._recent: deque[tuple[int, int]] = deque()

    def add(self, failed: int, asked: int) -> bool:
        """Take in what came of some; returns whether too many have failed."""
        self._recent.append((failed, asked))
        self.failed += failed
        self.asked += asked
        self.answered += asked - failed
        while self.asked - self._recent[0][1] >= self.window:
            old_failed, old_asked = self._recent.popleft()
            self.failed -= old_failed
            self.asked -= old_asked
        return self.share < 1 and self.failed > self.share * max(self.asked, self.window)

    @property
    def in_vain(self) -> bool:
        """Whether all has failed so far, where not all may."""
        return self.share < 1 and self.failed > 0 and not self.answered
