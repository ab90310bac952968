"""Work in a thread of its own that can be called off, so that an interrupt waits for none of it.

    work = Background(lambda: reward_model.score(conversations), name="reward-model")
    try:
        work.start()
        verdicts = verifier.verify_batch(pairs)
        scores = work.result()
    except BaseException:
        work.call_off()
        raise

Nothing ends a thread from outside. What runs long says `in_steps` and does so in `step`s, and what waits says to
`woken_by` what ends the wait; in a thread that is no `Background` they do nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

__all__ = ["Background", "CalledOff", "in_steps", "step", "woken_by"]

Result = TypeVar("Result")

_LONGEST_STEP = 60.0

_here = threading.local()


class CalledOff(BaseException):
    """Nobody waits for this work any more. No `Exception`, so that nothing takes it for a failure of the work."""


class Background(Generic[Result]):
    """A function that runs in a daemon thread, which keeps no interpreter from exiting.

    Attributes:
        name: the thread's.
    """

    def __init__(self, work: Callable[[], Result], name: str) -> None:
        self.name = name
        self._work = work
        self._future: Future[Result] = Future()
        self._called_off = False
        self._begun = self._in_steps = False
        self._wake: Callable[[], Any] | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin; within the `try` whose end calls the work off, so that an interrupt finds it there."""
        self._begun = True
        self._thread.start()

    def result(self) -> Result:
        """What the function returned, or raises what it raised; waits for it."""
        return self._future.result()

    def call_off(self, seconds: float = 1.0) -> None:
        """Have the work end where it can, and wait for that, at most so long, or until the end of the step it is in.

        An interpreter that exits while torch computes in another thread is aborted.
        """
        self._called_off = True
        if not self._begun:
            return
        # An interrupt within `start` comes before the thread says that it is there.
        until = time.monotonic() + seconds
        while not (self._thread.is_alive() or self._future.done()):
            if time.monotonic() > until:
                return
            time.sleep(0.001)
        wake = self._wake
        if wake is not None:
            wake()
        self._thread.join(seconds)
        if self._in_steps:
            self._thread.join(_LONGEST_STEP)

    def _run(self) -> None:
        _here.work = self
        try:
            self._stop_if_called_off()
            self._future.set_result(self._work())
        except BaseException as error:
            self._future.set_exception(error)

    def _stop_if_called_off(self) -> None:
        if self._called_off:
            raise CalledOff


@contextmanager
def step() -> Iterator[None]:
    """A part of the work, of a minute at most, that is not cut short; once called off, no further one begins."""
    work: Background[Any] | None = getattr(_here, "work", None)
    if work is not None:
        work._stop_if_called_off()
    yield


@contextmanager
def in_steps() -> Iterator[None]:
    """Work in `step`s: once called off it ends with the one that it is in, which is worth waiting for."""
    work: Background[Any] | None = getattr(_here, "work", None)
    if work is None:
        yield
        return
    work._in_steps = True
    try:
        yield
    finally:
        work._in_steps = False


@contextmanager
def woken_by(wake: Callable[[], Any]) -> Iterator[None]:
    """While the block waits, calling off the work calls `wake`, from another thread; then `CalledOff` is raised."""
    work: Background[Any] | None = getattr(_here, "work", None)
    if work is None:
        yield
        return
    work._wake = wake
    try:
        work._stop_if_called_off()  # before there was anything to wake
        yield
    finally:
        work._wake = None
        work._stop_if_called_off()
