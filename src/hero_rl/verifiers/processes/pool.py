"""Threads that keep a worker each and put checks through it, and what they make of a check that fails.

A check fails in one of few ways, and what it gets is the answer's doing or nobody's:

- It used up its processor time: too slow.
- It raised: the control (the reference against itself, and against nobody's answer) is put through the same worker.
- Its memory ran out, its worker died or sent no reply that can be read: it is tried once more on a fresh worker, since
  the first may have been killed from outside or have had too little left.
- It used up neither, and said nothing for long: the machine stands still, or the verifier waits for something.

Whichever it was, the answer is to blame only where the control then gets its verdicts; where it does not, the row
abstains.
"""

from __future__ import annotations

import contextlib
import json
import math
import queue
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, NamedTuple

from hero_rl.counters import Counters
from hero_rl.errors import ConfigError, UnscorableError
from hero_rl.verifiers.base import NOBODYS_ANSWER, NOBODYS_COMPLETION, Reason, Verdict, as_messages, own_answer
from hero_rl.verifiers.processes.memory import Complaints
from hero_rl.verifiers.processes.worker import Died, Garbled, NotLoaded, NotStarted, Silent, Stage, Worker

__all__ = ["Check", "Pool", "PoolLimits", "Said"]

_SECONDS_TO_START = 60.0
_PAUSES_BETWEEN_STARTS = (0.2, 1.0)
_SECONDS_TO_CLOSE = 5.0

# By the clock on the wall a check may take so many times its processor time, and never less than this: far more than
# it needs on a machine with many times more to do than it has cores.
_PATIENCE = 10.0
_LEAST_PATIENCE = 10.0


class Check(NamedTuple):
    """What a worker is asked.

    Attributes:
        reference: the right answer; as JSON for a verifier that takes requests.
        text: an answer or a whole completion.
        rest: what else a request holds, as JSON; empty for a verifier that reads no more.
    """

    reference: str
    text: str | None
    rest: str = ""

    def control(self, text: str) -> Check:
        """The check of another text."""
        rest = self.rest and json.dumps(json.loads(self.rest) | {"messages": as_messages(text)})
        return self._replace(text=text, rest=rest)

    @property
    def own_answer(self) -> str:
        """The reference in the place of an answer."""
        return own_answer(json.loads(self.reference)) if self.rest else self.reference


class Said(NamedTuple):
    """What came of one check.

    Attributes:
        answer: the final answer; None where there is none or the check failed before it was known.
        verdict: None where the answer was extracted and not judged quickly.
        seconds: wall-clock time of the check.
        failed: the counter of failures that it belongs to, "timeouts" or "crashes"; empty where it did not fail.
    """

    answer: str | None
    verdict: Verdict | None
    seconds: float
    failed: str = ""


@dataclass(frozen=True)
class PoolLimits:
    """What one check may take.

    Attributes:
        seconds: processor time.
        memory_mb: address space of its process in MiB.
        hang_is_wrong: whether `seconds` limit the time by the clock as well, and silence is the answer's doing.
    """

    seconds: float
    memory_mb: int
    hang_is_wrong: bool

    @property
    def patience(self) -> float:
        """Seconds by the clock after which a worker is given up."""
        return self.seconds if self.hang_is_wrong else max(_PATIENCE * self.seconds, _LEAST_PATIENCE)


class _Failed(Exception):
    """A check gave no reply that says something of the answer.

    Attributes:
        reason: what the answer gets if it is to blame.
        otherwise: what the row gets if it is not.
        alive: whether the worker lives and may be asked again.
        again: whether another worker might do better.
    """

    def __init__(self, reason: Reason, otherwise: Reason, alive: bool = False, again: bool = True) -> None:
        super().__init__(reason.value)
        self.reason, self.otherwise, self.alive, self.again = reason, otherwise, alive, again

    @property
    def counted(self) -> str:
        return "timeouts" if self.otherwise is Reason.TIMED_OUT else "crashes"


class _Closed(Exception):
    """The pool ended while one of its threads was at work."""


Task = tuple["Future[list[Said]]", Stage, Sequence[Check]]


class Pool:
    """Threads that each keep one worker alive and take tasks from one queue.

    Args:
        payload: the pickled verifier.
        control: the stage that the control is put through.
        limits: of each check.
        most: threads, and workers, at the same time.
        counters: where lost workers are counted.
        complaints: where failures are told.
    """

    def __init__(
        self, payload: bytes, control: Stage, limits: PoolLimits, most: int, counters: Counters, complaints: Complaints
    ) -> None:
        self.control: Stage = control
        self.limits = limits
        self.counters = counters
        self.complaints = complaints
        self.tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self.closed = threading.Event()
        self.has_loaded = False
        self._payload = payload
        self._most = most
        self._threads: list[threading.Thread] = []
        self._workers: set[Worker] = set()
        self._unfinished = 0
        # Reentrant: `close` may come from the garbage collector, in a thread that is in here already.
        self._lock = threading.RLock()

    def submit(self, stage: Stage, checks: Sequence[Check]) -> Future[list[Said]]:
        """Queue some checks for one worker; the time of each begins when its turn comes."""
        future: Future[list[Said]] = Future()
        with self._lock:
            if self.closed.is_set():
                raise _closed_meanwhile()
            # In this order, a Ctrl-C between two lines leaves no task without a thread.
            self._unfinished += 1
            self.tasks.put((future, stage, checks))
            if len(self._threads) < min(self._most, self._unfinished):
                thread = threading.Thread(target=_Lane(self).serve, name="verifier-worker", daemon=True)
                thread.start()
                self._threads.append(thread)
        return future

    def finished(self) -> None:
        """Take note that a task was taken and is done with."""
        with self._lock:
            self._unfinished -= 1

    def new_worker(self) -> Worker:
        """A worker that is ready for checks."""
        worker = Worker(self._payload, self.limits.seconds, self.limits.memory_mb)
        with self._lock:
            self._workers.add(worker)
        try:
            if self.closed.is_set():
                raise _Closed
            worker.load(_SECONDS_TO_START)
        except BaseException:
            self.end(worker)
            raise
        self.has_loaded = True
        return worker

    def end(self, worker: Worker) -> None:
        """End a worker; for the thread that owns it."""
        worker.close()
        with self._lock:
            self._workers.discard(worker)

    def close(self) -> None:
        """Kill the workers and fail what is queued; the threads end on their own soon after."""
        with self._lock:
            self.closed.set()
            with contextlib.suppress(queue.Empty):
                while task := self.tasks.get_nowait():
                    if task[0].set_running_or_notify_cancel():
                        task[0].set_exception(_closed_meanwhile())
            self.tasks.put(None)
            workers = list(self._workers)
        for worker in workers:
            worker.kill()

    def join(self) -> None:
        """Wait until the threads have ended."""
        deadline = time.monotonic() + _SECONDS_TO_CLOSE
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def disown(self) -> None:
        """In a fork: let go of the workers, which belong to the process that started them."""
        for worker in list(self._workers):
            worker.disown()


class _Lane:
    """What one thread of the pool does: keep a worker, and run tasks on it one at a time.

    The thread lives as long as the pool: on Linux a worker dies with the thread that started it.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._worker: Worker | None = None

    def serve(self) -> None:
        while (task := self._pool.tasks.get()) is not None:
            self._run(*task)
            self._pool.finished()
        self._pool.tasks.put(None)  # for the next thread
        self._drop()

    def _run(self, future: Future[list[Said]], stage: Stage, checks: Sequence[Check]) -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            said = self._check_all(stage, checks)
        except BaseException as error:
            future.set_exception(_closed_meanwhile() if isinstance(error, _Closed) else error)
            return
        future.set_result(said)
        if self._worker is None:
            # Now rather than at the next task, which would wait for it; what fails now fails again then.
            with contextlib.suppress(Exception):
                self._worker = self._start()

    def _check_all(self, stage: Stage, checks: Sequence[Check]) -> list[Said]:
        """All checks in one request; those that fail, or all where their worker does, one by one."""
        if len(checks) == 1:
            return [self._check(stage, checks[0])]
        try:
            replies = self._ask(stage, checks)
        except _Failed:
            return [self._check(stage, check) for check in checks]
        return [
            self._check(stage, check) if isinstance(reply, _Failed) else reply
            for check, reply in zip(checks, replies, strict=True)
        ]

    def _check(self, stage: Stage, check: Check) -> Said:
        """One check to its end, whatever it does."""
        start = time.perf_counter()
        try:
            return self._ask_one(stage, check)
        except _Failed as error:
            failure = error
        blamed = self._blamed(failure, check) if failure.alive or not failure.again else None
        if blamed is None and failure.again:
            # Once more on a fresh worker; and then the control on one that the answer has not touched.
            self._renew()
            try:
                return self._ask_one(stage, check)
            except _Failed as error:
                failure = error
            self._renew()
            blamed = self._blamed(failure, check)
        verdict = blamed or Verdict.of(failure.otherwise)
        return Said(None, verdict, time.perf_counter() - start, failure.counted)

    def _blamed(self, failure: _Failed, check: Check) -> Verdict | None:
        """What the answer gets if the control has its verdicts, an abstention if it abstains; None where it fails."""
        if failure.reason is failure.otherwise:
            return Verdict.of(failure.otherwise)
        control: Stage = self._pool.control
        wrong = NOBODYS_ANSWER if control == "judge" else NOBODYS_COMPLETION
        for text in (check.own_answer, wrong):
            try:
                said = self._ask_one(control, check.control(text))
            except _Failed:
                return None
            assert said.verdict is not None
            if said.verdict.abstained:
                return Verdict(math.nan, said.verdict.reason)
        return Verdict.of(failure.reason)

    def _ask_one(self, stage: Stage, check: Check) -> Said:
        (reply,) = self._ask(stage, [check])
        if isinstance(reply, _Failed):
            raise reply
        return reply

    def _ask(self, stage: Stage, checks: Sequence[Check]) -> list[Said | _Failed]:
        """What the worker says of each check; `_Failed` where it was lost over them."""
        worker = self._worker_that_is_well()
        request = json.dumps([stage, checks]).encode()
        try:
            replies = worker.ask(request, self._pool.limits.patience)
            return self._read(replies.get("checks"), len(checks))
        except Garbled as error:
            self._pool.complaints.add(f"a worker sent {error}")
            self._lose()
            raise _Failed(Reason.UNREADABLE_ANSWER, Reason.CRASHED) from None
        except (Died, Silent) as error:
            silent = isinstance(error, Silent)
            self._lose()
            if worker.ran_out_of_time:
                raise _Failed(Reason.TOO_SLOW, Reason.TIMED_OUT, again=False) from None
            if silent:
                blamed = Reason.TOO_SLOW if self._pool.limits.hang_is_wrong else Reason.TIMED_OUT
                raise _Failed(blamed, Reason.TIMED_OUT, again=False) from None
            self._pool.complaints.add("a check killed its worker")
            raise _Failed(Reason.UNREADABLE_ANSWER, Reason.CRASHED) from None

    def _read(self, replies: Any, number: int) -> list[Said | _Failed]:
        """What replies say; nothing in them is trusted to be there."""
        if not isinstance(replies, list) or len(replies) != number:
            raise Garbled("another number of replies than checks")
        said = [self._read_one(reply) for reply in replies]
        if any(isinstance(one, _Failed) and not one.alive for one in said):
            self._lose()
        return said

    def _read_one(self, reply: Any) -> Said | _Failed:
        if not isinstance(reply, dict):
            raise Garbled("a reply that is no object")
        if "error" in reply:
            self._pool.complaints.add(f"a check raised in its worker: {reply['error']!s:.500}")
            if reply.get("memory"):
                return _Failed(Reason.TOO_LARGE, Reason.CRASHED)
            return _Failed(Reason.UNREADABLE_ANSWER, Reason.CRASHED, alive=True)
        answer, seconds = reply.get("answer"), reply.get("seconds")
        if not isinstance(answer, str | None) or not isinstance(seconds, int | float) or not 0 <= seconds < math.inf:
            raise Garbled("a reply without its parts")
        if "reason" not in reply:
            return Said(answer, None, seconds)
        value = reply.get("value")
        try:
            return Said(answer, Verdict(math.nan if value is None else float(value), reply["reason"], answer), seconds)
        except (TypeError, ValueError):
            raise Garbled("a reply without a verdict") from None

    def _worker_that_is_well(self) -> Worker:
        if self._worker is not None and not self._worker.is_well:
            self._lose()
        if self._worker is None:
            self._worker = self._start()
        return self._worker

    def _start(self) -> Worker:
        for pause in (*_PAUSES_BETWEEN_STARTS, 0.0):
            try:
                return self._pool.new_worker()
            except NotLoaded as error:
                if not self._pool.has_loaded:  # no worker ever could, so the next one could not either
                    raise _unloadable(error, self._pool.limits.memory_mb) from None
                failure = error
            except (NotStarted, OSError) as error:
                failure = error
            if self._pool.closed.wait(pause):
                raise _Closed
        raise UnscorableError(
            f"a verifier's worker failed to start {len(_PAUSES_BETWEEN_STARTS) + 1} times in a row"
            f" (memory_mb={self._pool.limits.memory_mb}): {failure}"
        )

    def _renew(self) -> None:
        """Let the next check have a worker that has seen no other."""
        if self._worker is not None:
            self._lose()

    def _lose(self) -> None:
        """Drop a worker that is dead or must be."""
        self._drop()
        if self._pool.closed.is_set():  # then it was the pool that killed it
            raise _Closed
        self._pool.counters.add(respawns=1)

    def _drop(self) -> None:
        if self._worker is not None:
            self._pool.end(self._worker)
        self._worker = None


def _closed_meanwhile() -> RuntimeError:
    return RuntimeError("Supervised was closed while it had checks to make")


def _unloadable(error: NotLoaded, memory_mb: int) -> ConfigError:
    return ConfigError(
        f"verifier: a worker process (memory_mb={memory_mb}) could not load it: {error}. Its class and all it refers to"
        " must be importable from a module; a class of the main script or of a notebook is not, so put it into a"
        " module of its own"
    )
