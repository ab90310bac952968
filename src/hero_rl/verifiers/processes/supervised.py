r"""Any verifier in processes that can be killed: what an answer does to one costs no other answer its verdict.

    >>> from hero_rl.verifiers import MathVerify
    >>> from hero_rl.verifiers.processes.supervised import Supervised
    >>> with Supervised(MathVerify(seconds=None), workers=2, seconds=5.0) as verifier:
    ...     verdicts = verifier.verify_batch([("1/2", r"\boxed{0.5}"), ("9", r"\boxed{9^{9^{9^9}}}")])
    >>> [verdict.reason.name for verdict in verdicts]
    ['MATCHED_SYMBOLICALLY', 'TOO_SLOW']

Works on POSIX systems, from any thread and from async code. Two limits stay on macOS: the system may refuse to limit
memory, and a worker that hangs inside the C interpreter outlives a parent that was killed with SIGKILL.
"""

from __future__ import annotations

import json
import math
import os
import pickle
import threading
import weakref
from collections.abc import Hashable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any

from hero_rl.counters import Counters
from hero_rl.errors import ConfigError
from hero_rl.verifiers.base import Request, StagedVerifier, Verdict, Verifier, takes_requests
from hero_rl.verifiers.processes.cores import share_of_cores
from hero_rl.verifiers.processes.memory import Complaints, Memory
from hero_rl.verifiers.processes.pool import Check, Pool, PoolLimits, Said
from hero_rl.verifiers.processes.worker import Stage, spawning

__all__ = ["Supervised"]

_LEAST_MEMORY_MB = 64  # Python and pydantic alone map about 50
_LONGEST_REMEMBERED = 2048  # characters in all of a remembered check, so that the memory stays small

# Completions go to a worker several at a time: extraction is short work beside a pipe's.
_MOST_AT_ONCE = 64
_MOST_CHARACTERS_AT_ONCE = 200_000


class Supervised:
    """Runs a verifier in worker processes, each of them ended when a check takes more than it may.

    A check that takes too much processor time, too much memory, raises or kills its worker is the answer's doing, and 0
    (`TOO_SLOW`, `TOO_LARGE`, `UNREADABLE_ANSWER`), as long as the verifier does its work on the reference: judged
    against itself, and against an answer that is nobody's. Where it does not, the row abstains. A check whose worker
    dies is made once more on a fresh one, so that a worker killed from outside loses nothing. A worker that uses no
    processor time and says nothing for long (ten times `seconds`, ten seconds at least) is replaced, and its row
    abstains (`TIMED_OUT`). A verifier that runs code in a process of its own, or waits for a sandbox, says of itself
    that a hang is the answer's doing, by an attribute `hang_is_wrong = True`: then `seconds` limit the time by the
    clock as well, and silence is 0 (`TOO_SLOW`), too.

    Equal checks of a batch are made once: equal in all that the verifier is given, which is the whole request only for
    one that takes requests. With a `StagedVerifier`, equal answers to a reference are judged once, and decided verdicts
    on them remembered over batches. Nothing of a completion is looked at in the calling thread.

    Workers start at the first check and stay warm. They import what the parent can import, except its main script. They
    load the verifier, and call its `warm_up()` if it has one, before any check's time begins. A copy in another process
    (pickled or forked) starts workers of its own, and counts from 0.

    Args:
        verifier: any verifier that pickle can carry.
        workers: most processes at the same time; None takes this process's share of the cores that it may use: all of
            them, or where several ranks run on a machine (LOCAL_WORLD_SIZE) as many as each gets.
        seconds: limit of one check's processor time.
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
        self.workers = share_of_cores() if workers is None else workers
        self.seconds = seconds
        self.memory_mb = memory_mb
        self._check_settings()
        self._staged = isinstance(verifier, StagedVerifier)
        self.takes_requests = takes_requests(verifier)
        self.needs_reference = bool(getattr(verifier, "needs_reference", True))
        self.gives_grades = bool(getattr(verifier, "gives_grades", False))
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
        self._counters = Counters(*_COUNTERS)
        self._complaints = Complaints()
        self._memory = Memory()
        self._pool: Pool | None = None
        self._ending: weakref.finalize[..., Any] | None = None

    @property
    def counters(self) -> dict[str, int]:
        """Running totals since this object was made, as a copy.

        - `checks`: pairs asked for, in batches that ran to their end.
        - `quick`: of these, decided by `judge_quickly`.
        - `cache_hits`: of these, equal to one of the same batch or remembered from an earlier one.
        - `judged`: of these, judged at length. What is left of `checks` failed while its answer was extracted.
        - `timeouts`: checks that ran out of time, whoever is to blame.
        - `crashes`: checks that raised, ran out of memory or killed their workers, whoever is to blame.
        - `abstentions`: pairs with no opinion, whatever the reason; equal ones count each.
        - `respawns`: workers that were killed or died, each replaced by a new one.
        """
        return {name: int(total) for name, total in self._counters.totals.items()}

    @property
    def first_failure(self) -> str:
        """What the first check that failed came to, whoever is to blame; empty where none has."""
        return self._complaints.first

    def verify(self, *request: Any) -> Verdict:
        """Judge one completion: of a `Request`, or of a reference and a completion."""
        return self.verify_batch([Request.of(*request)])[0]

    def verify_batch(self, requests: Sequence[Request | tuple[str, str]]) -> list[Verdict]:
        """Judge a batch; one verdict a request, in the order given.

        A verdict's `seconds` are those of its row in the worker, 0 for a row whose verdict came from an equal one. The
        time in the queue is not in them.

        Raises:
            TypeError: a request is not made of text, or where the verifier takes requests, of JSON values.
            ConfigError: the verifier cannot be pickled or loaded in a worker.
            UnscorableError: workers fail to start, several times in a row.
            RuntimeError: `close` was called meanwhile.
        """
        check = _whole if self.takes_requests else _texts
        rows = [_Row(check(number, Request.of(request))) for number, request in enumerate(requests)]
        waiting: list[Future[list[Said]]] = []
        try:
            judged = self._prepare(rows, waiting) if self._staged else _first_of_each(rows)
            self._judge(judged, waiting)
        except BaseException:  # Ctrl-C too: nobody waits for the rest
            for future in waiting:
                future.cancel()
            raise
        verdicts = [row.result() for row in rows]
        self._count(rows, verdicts)
        return verdicts

    async def verify_batch_async(self, requests: Sequence[Request | tuple[str, str]]) -> list[Verdict]:
        """`verify_batch` in a thread, for async code. Cancelling it does not stop the checks."""
        import asyncio  # not for those who never need it

        return await asyncio.to_thread(self.verify_batch, requests)

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

    def _prepare(self, rows: list[_Row], waiting: list[Future[list[Said]]]) -> Iterator[_Row]:
        """Extract the answers; gives the rows that are to be judged at length, each as soon as it is known."""
        chunks = list(_chunks(_first_of_each(rows), self.workers))
        waiting += [self._workers().submit("prepare", [row.check for row in chunk]) for chunk in chunks]
        first: dict[Hashable, _Row] = {}
        for chunk, prepared in zip(chunks, list(waiting), strict=True):
            for row, said in zip(chunk, prepared.result(), strict=True):
                if said.failed:
                    row.take(said, "")
                    continue
                row.seconds, row.check = said.seconds, Check(row.check.reference, said.answer)
                same = first.setdefault(row.check, row)
                remembered = self._memory.get(row.check)
                if same is not row:
                    row.like = same
                elif said.verdict is not None:
                    row.take(said, "quick")
                elif remembered is not None:
                    row.share(remembered)
                else:
                    yield row

    def _judge(self, rows: Iterator[_Row], waiting: list[Future[list[Said]]]) -> None:
        """Judge rows at length, while others are still being prepared."""
        stage: Stage = "judge" if self._staged else "verify"
        asked: list[tuple[_Row, Future[list[Said]]]] = []
        for row in rows:
            asked.append((row, self._workers().submit(stage, [row.check])))
            waiting.append(asked[-1][1])
        done, _ = wait([future for _, future in asked], return_when=FIRST_EXCEPTION)
        for future in done:
            future.result()  # raises if one raised; then the others may not be done
        for row, future in asked:
            (said,) = future.result()
            row.take(said, "judged", row.check.text if self._staged else None)
            if self._staged:
                self._remember(row)

    def _remember(self, row: _Row) -> None:
        verdict = row.result()
        reference, answer, _ = row.check
        if verdict.abstained or len(reference) + len(answer or "") + len(verdict.answer or "") > _LONGEST_REMEMBERED:
            return
        self._memory.put(row.check, verdict)

    def _workers(self) -> Pool:
        with self._lock:
            if self._pool is None:
                limits = PoolLimits(self.seconds, self.memory_mb, bool(getattr(self.verifier, "hang_is_wrong", False)))
                control: Stage = "judge" if self._staged else "verify"
                # Nothing in it refers to this object, so that it is freed, and ends its workers, when nobody needs it.
                self._pool = Pool(self._payload(), control, limits, self.workers, self._counters, self._complaints)
                # When this object is dropped, or at the interpreter's end.
                self._ending = weakref.finalize(self, self._pool.close)
            return self._pool

    def _payload(self) -> bytes:
        try:
            return pickle.dumps(self.verifier)
        except Exception as error:
            kind = type(self.verifier).__name__
            raise ConfigError(f"verifier: a {kind} that cannot be pickled cannot go to workers: {error}") from error

    def _count(self, rows: list[_Row], verdicts: list[Verdict]) -> None:
        sources, failed = [row.source for row in rows], [row.failed for row in rows]
        self._counters.add(
            checks=len(rows),
            abstentions=sum(verdict.abstained for verdict in verdicts),
            **{name: sources.count(name) for name in ("quick", "cache_hits", "judged")},
            **{name: failed.count(name) for name in ("timeouts", "crashes")},
        )

    def _forget_after_fork(self) -> None:
        pool, ending = self._pool, self._ending
        if ending is not None:
            ending.detach()
        self._start_anew()
        if pool is not None:
            pool.disown()


_COUNTERS = ("checks", "quick", "cache_hits", "judged", "timeouts", "crashes", "abstentions", "respawns")


@dataclass
class _Row:
    """One request of a batch on its way to a verdict.

    Attributes:
        check: what is asked: reference and completion, and once the answer is extracted, reference and answer.
        like: an equal row, whose verdict is this one's, too.
        seconds: time spent on this very row.
        verdict: once it is known.
        own_source: the counter of checks that a row without an equal one belongs to; empty if its extraction failed.
        own_failure: the counter of failures that it belongs to; empty if it did not fail.
    """

    check: Check
    like: _Row | None = None
    seconds: float = 0.0
    verdict: Verdict | None = None
    own_source: str = ""
    own_failure: str = ""

    def take(self, said: Said, source: str, known: str | None = None) -> None:
        """Take what a worker said of it; one that lost its worker could not say the answer that may be known."""
        assert said.verdict is not None
        self.own_source, self.own_failure = source, said.failed
        self.seconds += said.seconds
        self.verdict = replace(said.verdict, answer=known if said.failed else said.answer)

    def share(self, verdict: Verdict) -> None:
        """Take a remembered verdict, which costs no time."""
        self.verdict, self.seconds, self.own_source = verdict, 0.0, "cache_hits"

    @property
    def source(self) -> str:
        return self.own_source if self.like is None else "cache_hits"

    @property
    def failed(self) -> str:
        return self.own_failure if self.like is None else ""

    def result(self) -> Verdict:
        if self.like is not None:
            return replace(self.like.result(), seconds=0.0)
        assert self.verdict is not None
        return replace(self.verdict, seconds=self.seconds)


def _texts(number: int, request: Request) -> Check:
    reference, completion = request.reference, request.completion
    if not isinstance(reference, str) or not isinstance(completion, str):
        kinds = f"{type(reference).__name__} and {type(completion).__name__}"
        raise TypeError(f"requests[{number}]: reference and completion must be str, not {kinds}")
    return Check(reference, completion)


def _whole(number: int, request: Request) -> Check:
    reference, completion, *_ = request
    if not isinstance(completion, str):
        raise TypeError(f"requests[{number}]: completion must be str, not {type(completion).__name__}")
    rest = request._asdict()
    del rest["reference"], rest["completion"]
    try:
        return Check(json.dumps(reference), completion, json.dumps(rest))
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"requests[{number}] must hold JSON values to go to a worker: {error}") from error


def _first_of_each(rows: list[_Row]) -> Iterator[_Row]:
    """The rows that are equal to none before them; the others are told whose verdict is theirs."""
    first: dict[Hashable, _Row] = {}
    for row in rows:
        same = first.setdefault(row.check, row)
        if same is row:
            yield row
        else:
            row.like = same


def _chunks(rows: Iterator[_Row], workers: int) -> Iterator[list[_Row]]:
    """Rows in the portions that a worker gets at a time: several for each worker, none of too many characters."""
    listed = list(rows)
    most = max(1, min(_MOST_AT_ONCE, len(listed) // (4 * workers)))
    chunk: list[_Row] = []
    characters = 0
    for row in listed:
        length = sum(map(len, (row.check.reference, row.check.text or "", row.check.rest)))
        if chunk and (len(chunk) == most or characters + length > _MOST_CHARACTERS_AT_ONCE):
            yield chunk
            chunk, characters = [], 0
        chunk.append(row)
        characters += length
    if chunk:
        yield chunk


_all_supervised: weakref.WeakSet[Supervised] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    spawning.release()
    for supervised in list(_all_supervised):
        supervised._forget_after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=spawning.acquire, after_in_parent=spawning.release, after_in_child=_after_fork_in_child)
