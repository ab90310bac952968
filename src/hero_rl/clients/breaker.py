"""When a server is given up, and when it is asked again."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

__all__ = ["Breaker", "Denials"]

_SECONDS_TO_COME_BACK = 600.0  # while a server loads its model anew, the proxy before it answers 404

Item = TypeVar("Item")
Result = TypeVar("Result")


class Denials:
    """Since when a server denies: a proxy does so while what it stands for restarts, and wrong settings for ever."""

    def __init__(self) -> None:
        self._since: float | None = None

    def add(self, *, for_good: bool = False) -> None:
        """It denied, or did what no restart explains."""
        self._since = -math.inf if for_good else time.monotonic() if self._since is None else self._since

    def end(self) -> None:
        """It did something else."""
        self._since = None

    @property
    def last(self) -> bool:
        """Whether it has denied for ten minutes and done nothing else."""
        return self._since is not None and time.monotonic() - self._since >= _SECONDS_TO_COME_BACK


class Breaker:
    """Gives up a server that has gone silent, in all calls, until it answers again.

    It opens after as many requests in a row as run at one time (eight at least) that failed in all their attempts, and
    once requests were under way for `2 * seconds` and none was answered: one attempt and one more. While it is open, a
    call makes one request in one attempt of at most `seconds`, and the others only if that is answered; else it
    `is_out`.

    A request that breaks the server is answered: it may be the request's own doing, and must cost no other one its
    answer. As many of them in a row make the server `is_broken`, so that such failures are not tried again.

    Whatever the server does, a call of n requests takes at most `(2 + ceil(n / concurrency)) * seconds`: as long as if
    each took all its time, and two more.

    Where requests wait for their turn, `2 * seconds` are `2 * (seconds + spacing)`, and a call takes as long as its
    turns do: none is given up for having waited.

    Args:
        concurrency: requests at one time.
        seconds: time limit of one request.
        spacing: seconds from the beginning of one request to that of the next at least; see `Pace`.
    """

    def __init__(self, concurrency: int, seconds: float, spacing: float = 0.0) -> None:
        self._concurrency = concurrency
        self._most = max(concurrency, 8)
        self._seconds = seconds
        self._spacing = spacing
        self._failures = 0
        self._broke = 0
        self._answered_at = -math.inf
        self._opened = asyncio.Event()
        self._is_out = False

    @property
    def open(self) -> bool:
        """Whether the server is given up."""
        return self._opened.is_set()

    @property
    def is_out(self) -> bool:
        """Whether it was asked again since it is given up, and answered nothing."""
        return self._is_out

    @property
    def is_broken(self) -> bool:
        """Whether the server broke at as many requests in a row as would open it."""
        return self._broke >= self._most

    def answered(self) -> None:
        """A request was answered."""
        self._failures = self._broke = 0
        self._answered_at = time.monotonic()
        self._opened.clear()
        self._is_out = False

    def broke(self) -> None:
        """The server is there, and broke at a request in all its attempts."""
        broke = self._broke
        self.answered()
        self._broke = broke + 1

    def failed(self) -> None:
        """A request failed in all its attempts."""
        self._failures += 1
        if self._failures >= self._most:
            self.trip()

    def trip(self) -> None:
        """Open it."""
        self._opened.set()

    async def ask_all(
        self, ask: Callable[[Item, int], Awaitable[Result]], items: Sequence[Item], retries: int
    ) -> list[Result | None]:
        """What each request comes to, None for those that were given up; the first error ends the others.

        Args:
            ask: makes the request of an item with so many retries, and says what came: `answered`, `broke` or `failed`.
            items: what is asked.
            retries: attempts after the first.
        """
        most = math.inf if self._spacing else (2 + math.ceil(len(items) / self._concurrency)) * self._seconds
        until = time.monotonic() + most
        found: list[Result | None] = []
        if self.open:
            found = await _until(asyncio.sleep(self._seconds + self._spacing), [ask(item, 0) for item in items[:1]])
            if self.open:
                self._is_out = True
                return found + [None] * (len(items) - len(found))
        return found + await _until(self._silence(until), [ask(item, retries) for item in items[len(found) :]])

    async def _silence(self, until: float) -> None:
        """Returns when it opens, and then at the latest."""
        began = time.monotonic()
        while not self.open:
            now, silent_at = time.monotonic(), max(began, self._answered_at) + 2 * (self._seconds + self._spacing)
            if now >= silent_at:
                self.trip()
            elif now >= until:
                return
            else:
                with suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._opened.wait(), min(silent_at, until) - now)


async def _until(end: Coroutine[Any, Any, None], work: Iterable[Awaitable[Result]]) -> list[Result | None]:
    """What each part comes to, None for those that are under way at the end; the first error ends the others."""
    tasks = [asyncio.ensure_future(part) for part in work]
    watched = [asyncio.ensure_future(end)]
    try:
        if tasks:
            done = asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            watched.append(asyncio.ensure_future(done))  # pyright: ignore[reportArgumentType]
            await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
        return [task.result() if task.done() else None for task in tasks]
    finally:
        for task in (*watched, *tasks):
            task.cancel()  # to no effect on those that are done
        await asyncio.gather(*watched, *tasks, return_exceptions=True)
