"""What a pool of workers remembers: its first complaint, verdicts of earlier batches."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Hashable

from hero_rl.verifiers.base import Verdict

__all__ = ["Complaints", "Memory"]

_logger = logging.getLogger(__name__)

_REMEMBERED = 16_384


class Complaints:
    """The log's first word on failed checks, which hostile completions may bring in any number.

    Attributes:
        first: that word; empty before any.
    """

    def __init__(self) -> None:
        self.first = ""

    def add(self, complaint: str) -> None:
        """Tell of a failure: the first as a warning, the others for those who debug."""
        level = logging.DEBUG if self.first else logging.WARNING
        self.first = self.first or complaint
        _logger.log(level, "%s (logged once, counted always)", complaint)


class Memory:
    """Decided verdicts of earlier batches; the least recently used are forgotten first."""

    def __init__(self) -> None:
        self._verdicts: OrderedDict[Hashable, Verdict] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Verdict | None:
        """The verdict, None if it is not known."""
        with self._lock:
            verdict = self._verdicts.get(key)
            if verdict is not None:
                self._verdicts.move_to_end(key)
            return verdict

    def put(self, key: Hashable, verdict: Verdict) -> None:
        """Remember a verdict."""
        with self._lock:
            self._verdicts[key] = verdict
            if len(self._verdicts) > _REMEMBERED:
                self._verdicts.popitem(last=False)
