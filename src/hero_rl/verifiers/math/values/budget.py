"""A limit of processor time on one check, looked at between the steps of its work.

Each step is bounded by limits on sizes; what is bounded here is their number. Time of the calling thread counts, so
that a busy machine costs no answer its verdict.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["TooSlow", "spend", "within"]

_deadline: ContextVar[float] = ContextVar("hero_rl_check_deadline", default=math.inf)


class TooSlow(Exception):
    """The check has used up its time."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Let what runs in the block take so many seconds of this thread's processor time."""
    token = _deadline.set(time.thread_time() + seconds)
    try:
        yield
    finally:
        _deadline.reset(token)


def spend() -> None:
    """Note that a step begins; raises `TooSlow` where no time is left for it."""
    if time.thread_time() > _deadline.get():
        raise TooSlow
