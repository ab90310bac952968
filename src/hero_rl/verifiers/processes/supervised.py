r"""Any verifier in processes that can be killed: a check that hangs, crashes or eats memory costs one abstention.

    >>> from hero_rl.verifiers import MathVerify
    >>> from hero_rl.verifiers.processes.supervised import Supervised
    >>> with Supervised(MathVerify(seconds=None), workers=2, seconds=5.0) as verifier:
    ...     verdicts = verifier.verify_batch([("1/2", r"\boxed{0.5}"), ("9", r"\boxed{9^{9^{9^9}}}")])
    >>> [verdict.reason.name for verdict in verdicts]
    ['MATCHED_SYMBOLICALLY', 'TIMED_OUT']

Works on POSIX systems, from any thread and from async code. Two limits stay on macOS: the system may refuse to limit
memory, and a worker that hangs inside the C interpreter outlives a parent that was killed with SIGKILL.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import pickle
import queue
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any

from hero_rl.errors import ConfigError, UnscorableError
from hero_rl.verifiers.base import Pair, Reason, StagedVerifier, Verdict, Verifier
from hero_rl.verifiers.processes.worker import Died, Garbled, NotLoaded, NotStarted, OutOfTime, Worker, spawning

__all__ = ["Supervised"]

_logger = logging.getLogger(__name__)

_SECONDS_TO_START = 60.0
_PAUSES_BETWEEN_STARTS = (0.2, 1.0)
_SECONDS_TO_CLOSE = 5.0
_LEAST_MEMORY_MB = 64  # Python and pydantic alone map about 50
_REMEMBERED = 16_384
_LONGEST_REMEMBERED = 2048  # characters in all of a remembered check, so that the memory stays small

Key = tuple[str, str | None]
"""What a worker is asked: the reference, and the answer or the whole completion."""


class Supervised:
    """Runs a verifier in worker processes, each of them killed when its check runs out of time.

    A check that runs out of time abstains (`Reason.TIMED_OUT`), one that raises or kills its worker does too
    (`Reason.CRASHED`). When a worker dies in the middle of a check, the check is run once more on a new worker, so
    that a worker killed from outside loses nothing. Equal checks of a batch are made once.

    With a `StagedVerifier` only `judge` runs in workers; `extract` and `judge_quickly` run in the calling thread. Equal
    answers to a reference are then judged once, and decided verdicts on them remembered over batches.

    Workers start at the first check that needs one and stay warm. They import what the parent can import, except its
    main script. They load the verifier, and call its `warm_up()` if it has one, before any check's time begins. A copy
    in another process (pickled or forked) starts workers of its own, and counts from 0.

    Args:
        verifier: any verifier that pickle can carry.
        workers: most processes at the same time; None takes one for each core this process may use.
        seconds: wall-clock limit of one check, from its start in the worker. Time in the queue and the start of a
            worker do not count.
        memory_mb: limit of each worker's address space in MiB (RLIMIT_AS), libraries and all; at least 64.

    Raises:
        ConfigError: an argument is out of range; or, from the first check on, the verifier cannot be pickled or loaded
            in a worker.
        UnscorableError: from a check: workers fail to start, several times in a row.
    """

    def __init__(
        self, verifier: Verifier, workers: int | None = None, seconds: float = 1.0, memory_mb: int = 2048
    ) -> None:
        self.verifier = verifier
        self.workers = _cores() if workers is None else workers
        self.seconds = seconds
        self.memory_mb = memory_mb
        self._check_settings()
        self._staged = verifier if isinstance(verifier, StagedVerifier) else None
        self._start_anew()
        _all_supervised.add(self)

    def _check_settings(self) -> None:
        if os.name != "posix":
            raise ConfigError("Supervised needs a POSIX system: its workers are killed by signals")
        if isinstance(self.verifier, type):
            raise ConfigError(f"verifier is the class {self.verifier.__name__}; give an instance of it")
        if not isinstance(self.verifier, Verifier):
            raise ConfigError(f"verifier must have a method verify, but is a {type(self.verifier).__name__}")
        for name, least in (("workers", 1), ("memory_mb", _LEAST_MEMORY_MB)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise ConfigError(f"{name} must be a whole number of at least {least}, not {value!r}")
        if not isinstance(self.seconds, int | float) or not 0 < self.seconds < math.inf:
            raise ConfigError(f"seconds must be a finite number above 0, not {self.seconds!r}")

    def _start_anew(self) -> None:
        self._lock = threading.Lock()
        self._counters = _Counters()
        self._complaints = _Complaints()
        self._memory = _Memory()
        self._pool: _Pool | None = None
        self._ending: weakref.finalize[..., Any] | None = None

    @property
    def counters(self) -> dict[str, int]:
        """Running totals since this object was made, as a copy.

        - `checks`: pairs asked for, in batches that ran to their end.
        - `quick`: of these, decided by `judge_quickly` in the calling thread.
        - `cache_hits`: of these, equal to one of the same batch or remembered from an earlier one.
        - `judged`: of these, given to a worker. What is left of `checks` raised in the calling thread.
        - `timeouts`: judged checks that ran out of time.
        - `crashes`: checks that raised or twice killed their worker, in either place.
        - `abstentions`: pairs with no opinion, whatever the reason; equal ones count each.
        - `respawns`: workers that were killed or died, each replaced by a new one.
        """
        return self._counters.read()

    def verify(self, reference: str, completion: str) -> Verdict:
        """Judge one completion, like `verify_batch` with one pair."""
        return self.verify_batch([(reference, completion)])[0]

    def verify_batch(self, pairs: Sequence[Pair | tuple[str, str]]) -> list[Verdict]:
        """Judge a batch; one verdict a pair, in the order given.

        A verdict's `seconds` are those of its row: in the calling thread and in the worker, 0 for a row whose verdict
        came from an equal one. The time in the queue is not in them.

        Raises:
            TypeError: a pair is not made of text.
            ConfigError: the verifier cannot be pickled or loaded in a worker.
            UnscorableError: workers fail to start, several times in a row.
            RuntimeError: `close` was called meanwhile.
        """
        rows = [_Row(_texts(number, pair)) for number, pair in enumerate(pairs)]
        first: dict[Key, _Row] = {}
        try:
            for row in rows:
                self._extract(row)
                if row.verdict is None and first.setdefault(row.key, row) is row:
                    self._begin(row)
            self._finish(list(first.values()))
        except BaseException:  # Ctrl-C too: nobody waits for the rest
            for row in rows:
                if row.pending is not None:
                    row.pending.cancel()
            raise
        for row in rows:
            if row.verdict is None:
                row.share(first[row.key].verdict)
        verdicts = [row.result() for row in rows]
        self._count(verdicts, [row.came_from for row in rows])
        return verdicts

    async def verify_batch_async(self, pairs: Sequence[Pair | tuple[str, str]]) -> list[Verdict]:
        """`verify_batch` in a thread, for async code. Cancelling it does not stop the checks."""
        import asyncio  # not for those who never need it

        return await asyncio.to_thread(self.verify_batch, pairs)

    def close(self) -> None:
        """End the workers. A batch that is running raises; a later check starts new workers."""
        with self._lock:
            pool, self._pool = self._pool, None
            ending, self._ending = self._ending, None
        if pool is not None and ending is not None:
            ending()
            pool.join()

    def __enter__(self) -> Supervised:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.verifier, self.workers, self.seconds, self.memory_mb)

    def __repr__(self) -> str:
        settings = f"workers={self.workers}, seconds={self.seconds:g}, memory_mb={self.memory_mb}"
        return f"Supervised({self.verifier!r}, {settings})"

    def _extract(self, row: _Row) -> None:
        """Put the answer into a row's key, or a verdict into the row if that raised."""
        if self._staged is None:
            return
        start = time.perf_counter()
        reference, completion = row.key
        try:
            row.key = reference, _text_or_none(self._staged.extract(completion or ""))
        except Exception:
            self._complaints.add("extract raised; its row abstains", with_traceback=True)
            row.verdict = Verdict.of(Reason.CRASHED)
        row.seconds = time.perf_counter() - start

    def _begin(self, row: _Row) -> None:
        """Give a row its verdict from memory or from the quick stage, else give it to the workers."""
        if self._staged is not None:
            remembered = self._memory.get(row.key)
            if remembered is not None:
                row.share(remembered)
                return
            start = time.perf_counter()
            try:
                row.verdict = _verdict_or_none(self._staged.judge_quickly(*row.key))
                row.came_from = "quick"
            except Exception:
                self._complaints.add("judge_quickly raised; its row abstains", with_traceback=True)
                row.verdict = Verdict.of(Reason.CRASHED, row.key[1])
            row.seconds += time.perf_counter() - start
        if row.verdict is None:
            row.came_from, row.pending = "judged", self._workers().submit(row.key)

    def _finish(self, rows: list[_Row]) -> None:
        """Wait for the workers' verdicts."""
        waiting = [(row, row.pending) for row in rows if row.pending is not None]
        done, _ = wait([pending for _, pending in waiting], return_when=FIRST_EXCEPTION)
        for pending in done:
            pending.result()  # raises if one raised; then the others may not be done
        for row, pending in waiting:
            row.verdict = verdict = pending.result()
            row.seconds += verdict.seconds
            if self._staged is None:
                continue
            if not verdict.abstained:
                self._memory.put(row.key, verdict)
            elif verdict.answer is None:  # a worker that was killed could not say what the answer was
                row.verdict = replace(verdict, answer=row.key[1])

    def _workers(self) -> _Pool:
        with self._lock:
            if self._pool is None:
                self._pool = _Pool(self, self._payload())
                # When this object is dropped, or at the interpreter's end.
                self._ending = weakref.finalize(self, self._pool.close)
            return self._pool

    def _payload(self) -> bytes:
        try:
            return pickle.dumps((self.verifier, "verify" if self._staged is None else "judge"))
        except Exception as error:
            kind = type(self.verifier).__name__
            raise ConfigError(f"verifier: a {kind} that cannot be pickled cannot go to workers: {error}") from error

    def _count(self, verdicts: list[Verdict], sources: list[str]) -> None:
        own = [verdict.reason for verdict, source in zip(verdicts, sources, strict=True) if source != "cache_hits"]
        self._counters.add(
            checks=len(verdicts),
            quick=sources.count("quick"),
            cache_hits=sources.count("cache_hits"),
            judged=sources.count("judged"),
            timeouts=own.count(Reason.TIMED_OUT),
            crashes=own.count(Reason.CRASHED),
            abstentions=sum(verdict.abstained for verdict in verdicts),
        )

    def _forget_after_fork(self) -> None:
        pool, ending = self._pool, self._ending
        if ending is not None:
            ending.detach()
        self._start_anew()
        if pool is not None:
            pool.disown()


@dataclass
class _Row:
    """One pair of a batch on its way to a verdict.

    Attributes:
        key: reference and completion, and once the answer is extracted, reference and answer.
        seconds: time spent on this very row.
        pending: the workers' verdict to come.
        came_from: the counter of checks that the row belongs to; empty if it raised in the calling thread.
    """

    key: Key
    seconds: float = 0.0
    verdict: Verdict | None = None
    pending: Future[Verdict] | None = None
    came_from: str = ""

    def share(self, verdict: Verdict | None) -> None:
        """Take the verdict on an equal pair, which costs no time."""
        self.verdict, self.seconds, self.came_from = verdict, 0.0, "cache_hits"

    def result(self) -> Verdict:
        assert self.verdict is not None
        return replace(self.verdict, seconds=self.seconds)


def _texts(number: int, pair: Pair | tuple[str, str]) -> Key:
    reference, completion, _ = Pair(*pair)
    if not isinstance(reference, str) or not isinstance(completion, str):
        kinds = f"{type(reference).__name__} and {type(completion).__name__}"
        raise TypeError(f"pairs[{number}]: reference and completion must be str, not {kinds}")
    return reference, completion


def _text_or_none(extracted: Any) -> str | None:
    if not isinstance(extracted, str | None):
        raise TypeError(f"extract returned a {type(extracted).__name__}, not text or None")
    return extracted


def _verdict_or_none(judged: Any) -> Verdict | None:
    if not isinstance(judged, Verdict | None):
        raise TypeError(f"judge_quickly returned a {type(judged).__name__}, not a Verdict or None")
    return judged


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Counters:
    """Running totals that threads may add to at the same time."""

    def __init__(self) -> None:
        names = ("checks", "quick", "cache_hits", "judged", "timeouts", "crashes", "abstentions", "respawns")
        self._totals: dict[str, int] = dict.fromkeys(names, 0)
        self._lock = threading.Lock()

    def add(self, **amounts: int) -> None:
        with self._lock:
            for name, amount in amounts.items():
                self._totals[name] += amount

    def read(self) -> dict[str, int]:
        with self._lock:
            return dict(self._totals)


class _Complaints:
    """The log's first word on crashed checks, which hostile completions may bring in any number."""

    def __init__(self) -> None:
        self._level = logging.WARNING

    def add(self, complaint: str, with_traceback: bool = False) -> None:
        level, self._level = self._level, logging.DEBUG
        _logger.log(level, "%s (logged once, counted always)", complaint, exc_info=with_traceback)


class _Memory:
    """Decided verdicts of earlier batches; the least recently used are forgotten first."""

    def __init__(self) -> None:
        self._verdicts: OrderedDict[Key, Verdict] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Key) -> Verdict | None:
        with self._lock:
            verdict = self._verdicts.get(key)
            if verdict is not None:
                self._verdicts.move_to_end(key)
            return verdict

    def put(self, key: Key, verdict: Verdict) -> None:
        if len(key[0]) + len(key[1] or "") + len(verdict.answer or "") > _LONGEST_REMEMBERED:
            return
        with self._lock:
            self._verdicts[key] = verdict
            if len(self._verdicts) > _REMEMBERED:
                self._verdicts.popitem(last=False)


class _Closed(Exception):
    """The pool ended while one of its threads was at work."""


class _Pool:
    """Threads that each keep one worker alive and take tasks from one queue."""

    def __init__(self, owner: Supervised, payload: bytes) -> None:
        # Nothing here refers to the owner itself, so that it is freed, and ends its workers, when nobody needs it.
        self.seconds = owner.seconds
        self.memory_mb = owner.memory_mb
        self.counters = owner._counters
        self.complaints = owner._complaints
        self.tasks: queue.SimpleQueue[tuple[Future[Verdict], Key] | None] = queue.SimpleQueue()
        self.closed = threading.Event()
        self.has_loaded = False
        self._payload = payload
        self._most = owner.workers
        self._threads: list[threading.Thread] = []
        self._workers: set[Worker] = set()
        self._unfinished = 0
        # Reentrant: `close` may come from the garbage collector, in a thread that is in here already.
        self._lock = threading.RLock()

    def submit(self, key: Key) -> Future[Verdict]:
        """Queue a check; its time begins when a worker gets it."""
        future: Future[Verdict] = Future()
        with self._lock:
            if self.closed.is_set():
                raise _closed_meanwhile()
            # In this order, a Ctrl-C between two lines leaves no task without a thread.
            self._unfinished += 1
            self.tasks.put((future, key))
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
        worker = Worker(self._payload, self.memory_mb)
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

    def __init__(self, pool: _Pool) -> None:
        self._pool = pool
        self._worker: Worker | None = None

    def serve(self) -> None:
        while (task := self._pool.tasks.get()) is not None:
            self._run(*task)
            self._pool.finished()
        self._pool.tasks.put(None)  # for the next thread
        self._drop()

    def _run(self, future: Future[Verdict], key: Key) -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            verdict = self._check(*key)
        except BaseException as error:
            future.set_exception(_closed_meanwhile() if isinstance(error, _Closed) else error)
            return
        future.set_result(verdict)
        if self._worker is None:
            # Now rather than at the next task, which would wait for it; what fails now fails again then.
            with contextlib.suppress(Exception):
                self._worker = self._start()

    def _check(self, reference: str, text: str | None) -> Verdict:
        request = json.dumps([reference, text]).encode()
        seconds = 0.0
        for _ in range(2):  # again on a new worker, as the first may have been killed from outside
            worker = self._worker_that_is_well()
            start = time.perf_counter()
            try:
                return self._verdict(worker.ask(request, self._pool.seconds))
            except OutOfTime:
                self._lose()
                return Verdict.of(Reason.TIMED_OUT, seconds=seconds + time.perf_counter() - start)
            except Garbled as error:
                complaint = f"a worker sent {error}"
                self._lose()
                break
            except Died:
                complaint = "a check killed its worker twice"
                self._lose()
                seconds += time.perf_counter() - start
        self._pool.complaints.add(f"{complaint}; its row abstains")
        return Verdict.of(Reason.CRASHED, seconds=seconds)

    def _verdict(self, reply: dict[str, Any]) -> Verdict:
        """What a reply says; nothing in it is trusted to be there."""
        answer, seconds = reply.get("answer"), reply.get("seconds")
        if not isinstance(answer, str | None) or not isinstance(seconds, int | float) or not 0 <= seconds < math.inf:
            raise Garbled("a reply without its parts")
        if "error" in reply:
            self._pool.complaints.add(f"a check raised in its worker, so its row abstains: {reply['error']!s:.500}")
            if reply.get("spent"):
                self._lose()
            return Verdict.of(Reason.CRASHED, seconds=seconds)
        try:
            return Verdict.of(Reason(reply.get("reason")), answer, seconds)
        except ValueError:
            raise Garbled("a reply without a reason") from None

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
                    raise _unloadable(error, self._pool.memory_mb) from None
                failure = error
            except (NotStarted, OSError) as error:
                failure = error
            if self._pool.closed.wait(pause):
                raise _Closed
        raise UnscorableError(
            f"a verifier's worker failed to start {len(_PAUSES_BETWEEN_STARTS) + 1} times in a row"
            f" (memory_mb={self._pool.memory_mb}): {failure}"
        )

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


_all_supervised: weakref.WeakSet[Supervised] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    spawning.release()
    for supervised in list(_all_supervised):
        supervised._forget_after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=spawning.acquire, after_in_parent=spawning.release, after_in_child=_after_fork_in_child)
