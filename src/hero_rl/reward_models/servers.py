"""The servers of one reward model: which of them has the least to do, which rests, which is given up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from hero_rl.clients.breaker import Denials
from hero_rl.clients.engine import Transient

__all__ = ["Server", "Servers", "Unfit"]

_SHORTEST_REST = 0.5
_LONGEST_REST = 300.0


class Unfit(Exception):
    """A URL denies, or is not the reward model it should be.

    Attributes:
        for_good: no restart explains it.
    """

    def __init__(self, said: str, *, for_good: bool = False) -> None:
        super().__init__(said)
        self.for_good = for_good


@dataclass(eq=False)
class Server:
    """One URL and how it is doing.

    Attributes:
        slots: a semaphore of the requests it may have at one time.
        load: requests that have it or wait for it.
        turns: how often it was chosen.
        failures: rests since it last answered a request.
        rested_at: end of its rest, by the monotonic clock.
        checked: the fixed texts were scored since it last failed.
        failed_probe: why they last could not be.
        probing: held while they are.
        denials: since when it is unfit.
        recovery: the probe after a rest, while other URLs serve.
    """

    url: str
    slots: asyncio.Semaphore
    load: int = 0
    turns: int = 0
    failures: int = 0
    rested_at: float = 0.0
    checked: bool = False
    failed_probe: Transient | Unfit | None = None
    probing: asyncio.Lock = field(default_factory=asyncio.Lock)
    denials: Denials = field(default_factory=Denials)
    recovery: asyncio.Task[None] | None = None

    @property
    def ready(self) -> bool:
        """Whether it may be given a request: after a failure, one at a time until the first is answered."""
        return self.checked and not self.rests and (self.failures == 0 or self.load == 0)

    @property
    def rests(self) -> bool:
        """Whether its rest is not over."""
        return time.monotonic() < self.rested_at

    def begin(self) -> None:
        """Forget how it was doing."""
        self.checked, self.failures, self.rested_at = False, 0, 0.0
        self.denials.end()

    def rest(self, at_least: float) -> None:
        """Let it rest so long at least, and twice as long with each further failure."""
        self.checked = False
        if self.rests:  # requests that failed together are one failure
            return
        seconds = min(_SHORTEST_REST * 2**self.failures, _LONGEST_REST)
        self.failures += 1
        self.rested_at = time.monotonic() + max(at_least, seconds)


class Servers:
    """The URLs, as long as their engine runs.

    Args:
        urls: the servers.
        concurrency: requests at one time to each.

    Attributes:
        all: the servers.
        greeted: each was probed once.
        reference: a URL and its scores of the fixed texts, which those of all must equal.
    """

    def __init__(self, urls: Sequence[str], concurrency: int) -> None:
        self.all = [Server(url, asyncio.Semaphore(concurrency)) for url in urls]
        self.greeted = False
        self.reference: tuple[str, list[float]] | None = None

    def best(self) -> Server:
        """The one with the least to do of those that are ready, or do not rest, or the one whose rest ends first."""
        ready = [server for server in self.all if server.ready]
        awake = ready or [server for server in self.all if not server.rests]
        if awake:
            return min(awake, key=lambda server: (server.load, server.turns))
        return min(self.all, key=lambda server: server.rested_at)

    @property
    def hopeless(self) -> bool:
        """Whether none of them will ever do."""
        return all(server.denials.last for server in self.all)

    @asynccontextmanager
    async def one(self) -> AsyncIterator[Server]:
        """The best URL, held while it is asked."""
        while True:
            server = self.best()
            server.load += 1
            try:
                async with server.slots:
                    if (server.rests or not server.checked) and self.best().ready:
                        continue  # it failed while this request waited for it
                    server.turns += 1
                    yield server
                    return
            finally:
                server.load -= 1
