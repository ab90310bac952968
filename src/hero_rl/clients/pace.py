"""How fast a server may be asked."""

from __future__ import annotations

import asyncio
import math
import time

__all__ = ["Pace"]


class Pace:
    """Lets requests begin one after the other, evenly, never more than so many in a minute.

    One that is cancelled while it waits takes nobody's turn. Lives in one event loop.

    Args:
        per_minute: requests that may begin in a minute; None for any number.
    """

    def __init__(self, per_minute: float | None) -> None:
        self.spacing = 60.0 / per_minute if per_minute else 0.0
        self._began = -math.inf
        self._turn = asyncio.Lock()

    async def wait(self) -> None:
        """Return when a request may begin."""
        if not self.spacing:
            return
        async with self._turn:  # the first in the row alone looks at the clock, so nobody else's turn is given away
            while (left := self._began + self.spacing - time.monotonic()) > 0:
                await asyncio.sleep(left)
            self._began = time.monotonic()
