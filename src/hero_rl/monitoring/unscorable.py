"""When to stop: too large a share of the recent rollouts could not be scored."""

from __future__ import annotations

from collections import deque

from hero_rl.errors import UnscorableError

__all__ = ["UnscorableWindow"]

_WINDOW = 256  # rollouts over which the share is taken: one bad prompt must not end a run


class UnscorableWindow:
    """Keeps count of the last 256 rollouts, or of the last batch if that is larger.

    Attributes:
        most: the share of them that may be unscorable.
    """

    def __init__(self, most: float) -> None:
        self.most = most
        self._recent: deque[tuple[int, int]] = deque()

    def add(self, lost: int, total: int, about: str) -> None:
        """Take in one batch.

        Args:
            lost: rollouts of it that could not be scored.
            total: rollouts of it.
            about: what is known of the cause, for the message.

        Raises:
            UnscorableError: the share is too large.
        """
        self._recent.append((lost, total))
        while sum(size for _, size in self._recent) - self._recent[0][1] >= _WINDOW:
            self._recent.popleft()
        all_lost, seen = (sum(column) for column in zip(*self._recent, strict=True))
        if seen >= _WINDOW and all_lost / seen > self.most:
            raise UnscorableError(
                f"{all_lost} of the last {seen} rollouts could not be scored, more than max_unscorable = "
                f"{self.most:.0%}; {about}"
            )
