"""Threads that score what requests ask for, and merge what waits into one call of the scorer."""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple

from hero_rl.scoring import Scored, Scorer
from hero_rl.service.messages import Signal

__all__ = ["Batcher"]


class Texts(NamedTuple):
    """One rollout as the scorer takes it."""

    prompt: Any
    completion: Any
    reference: Any
    in_thought: bool = False
    columns: Mapping[str, Any] = {}
    domain: str = ""


class _Job(NamedTuple):
    rollouts: Sequence[Texts]
    future: Future[list[Signal]]


class Batcher:
    """A bounded number of threads that take rollouts from one queue and give each request its own signals.

    A thread that becomes free takes the request that waits longest, and more of them while the batch has fewer than
    `merge_up_to` rollouts: a reward model does many at once in little more than the time of one. Nothing waits to be
    merged. A cancelled request that is still in the queue costs nothing.

    Attributes:
        merge_up_to: rollouts from which on no further request is added to a batch.
        verifier: the scorer's.
    """

    def __init__(
        self, scorer: Scorer, threads: int, merge_up_to: int, on_batch: Callable[[int], object] = lambda rollouts: None
    ) -> None:
        self.merge_up_to = merge_up_to
        self.verifier = scorer.verifier
        self._scorer = scorer
        self._on_batch = on_batch
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._serve, name="scoring", daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def submit(self, rollouts: Sequence[Texts]) -> Future[list[Signal]]:
        """The signals to come, one a rollout; the future raises what the scorer raises."""
        future: Future[list[Signal]] = Future()
        if rollouts:
            held = list(rollouts)
            # The texts of a request that nobody waits for any more go at once, not when its turn comes.
            future.add_done_callback(lambda done: held.clear() if done.cancelled() else None)
            self._jobs.put(_Job(held, future))
        else:
            future.set_result([])
        return future

    def close(self, seconds: float) -> None:
        """End the threads once they are done with their batches, and wait for that, so long at most."""
        deadline = time.monotonic() + seconds
        self._jobs.put(None)
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _serve(self) -> None:
        while jobs := self._next():
            started = [job for job in jobs if job.future.set_running_or_notify_cancel()]
            if started:
                self._score(started)

    def _next(self) -> list[_Job]:
        """The next batch; none at the end."""
        jobs: list[_Job] = []
        job = self._jobs.get()
        while job is not None:
            jobs.append(job)
            if sum(len(taken.rollouts) for taken in jobs) >= self.merge_up_to:
                return jobs
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return jobs
        self._jobs.put(None)  # for this thread's next turn, or another's
        return jobs

    def _score(self, jobs: Sequence[_Job]) -> None:
        rollouts = [rollout for job in jobs for rollout in job.rollouts]
        self._on_batch(len(rollouts))
        try:
            signals = _signals(self._scorer.score(*map(list, zip(*rollouts, strict=True))))
        except BaseException as error:  # whatever it is, somebody waits for it
            for job in jobs:
                job.future.set_exception(error)
            return
        start = 0
        for job in jobs:
            job.future.set_result(signals[start : start + len(job.rollouts)])
            start += len(job.rollouts)


def _signals(scored: Scored) -> list[Signal]:
    columns = (scored.verdict.tolist(), scored.score.tolist(), scored.reasons, scored.answers, scored.seconds)
    return [
        Signal(
            verdict=verdict, score=score, reason=str(reason), answer=answer, seconds=seconds, empty=score == -math.inf
        )
        for verdict, score, reason, answer, seconds in zip(*columns, strict=True)
    ]
