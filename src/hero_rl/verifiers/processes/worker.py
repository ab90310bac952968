"""A process that runs checks, seen from both ends of its pipes: `Worker` in the parent, `main` in the child.

Frames are a length of four bytes and a body. The parent sends the pickled verifier, then JSON requests: a stage and the
checks to put through it. The child answers each with JSON alone, since what runs there reads hostile input and nothing
it says may run in the parent. A check that takes more processor time than it may is ended by the kernel, with its
process: the clock on the wall tells a slow answer from a busy machine no better than a coin does.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import select
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from typing import Any, BinaryIO, Literal, NoReturn

from hero_rl.verifiers.base import Request, StagedVerifier, Verdict, Verifier, said_of, takes_requests

__all__ = ["Died", "Garbled", "NotLoaded", "NotStarted", "Silent", "Stage", "Worker", "main"]

Stage = Literal["prepare", "judge", "verify"]
"""Of a check: `prepare` extracts the answer and judges it quickly if that can be, `judge` judges an extracted answer;
`verify` is both, for a verifier without stages."""

_LENGTH = struct.Struct(">I")
_REPLY_BYTES = 4 * 2**20
_READ_BYTES = 2**16
_TAIL_BYTES = 2000
_LONGEST_WAIT = 3600.0  # seconds; poll() overflows on much longer ones
_SECONDS_TO_DIE = 10.0
_LEAST_SECONDS = 1e-3  # a timer set to less than the system can tell from nothing is one that never rings

# The child must find hero_rl where the parent found it, so the path comes before any import of ours.
_BOOT = "import sys; sys.path[:] = sys.argv[5:]; from hero_rl.verifiers.processes.worker import main; main()"

_ENVIRONMENT = {
    # A worker is one of many, so one thread each. Threads' stacks and malloc's arenas count as memory, too.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "1",
}

# Held while a process is started and while this process forks: a fork in between would inherit the far ends of the
# pipes, which hides the worker's death and keeps Popen waiting.
spawning = threading.Lock()


class Silent(Exception):
    """The worker did not answer in time; it may still be at it."""


class Died(Exception):
    """The worker's end of the pipes is closed."""


class Garbled(Exception):
    """The worker sent something that is no reply."""


class NotStarted(Exception):
    """The worker died or fell silent before it was ready."""


class NotLoaded(Exception):
    """The worker started, but loading the verifier or warming it up raised."""


class Worker:
    """A child process that runs a verifier's checks.

    One thread owns a worker and calls all its methods but `kill`, which any thread may call. On Linux the child dies
    with the thread that made it, so that thread must live as long.

    Args:
        payload: the pickled verifier.
        seconds: limit of each check's processor time, in all threads of the child.
        memory_mb: limit of the child's address space in MiB.
    """

    def __init__(self, payload: bytes, seconds: float, memory_mb: int) -> None:
        self._payload = payload
        self._owner = os.getpid()
        self._ending = threading.Lock()
        self._gone = False
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  (closed once the child is ready)
        try:
            self._process, self._life_line = self._start(seconds, memory_mb)
        except BaseException:
            self._errors.close()
            raise
        assert self._process.stdin is not None and self._process.stdout is not None
        self._requests = self._process.stdin.fileno()
        self._replies = self._process.stdout.fileno()
        # select() would refuse descriptors over 1023, which a large training process reaches.
        self._writable, self._readable = select.poll(), select.poll()
        self._writable.register(self._requests, select.POLLOUT)
        self._readable.register(self._replies, select.POLLIN)
        os.set_blocking(self._requests, False)

    def _start(self, seconds: float, memory_mb: int) -> tuple[subprocess.Popen[bytes], int]:
        with spawning:
            far_end, life_line = os.pipe()
            path = [entry for entry in sys.path if isinstance(entry, str)]
            arguments = [str(self._owner), str(far_end), str(seconds), str(memory_mb), *path]
            try:
                process = subprocess.Popen(
                    [sys.executable, "-c", _BOOT, *arguments],
                    bufsize=0,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=self._errors,
                    pass_fds=(far_end,),
                    env=os.environ | _ENVIRONMENT,
                    # Out of reach of the terminal's Ctrl-C, and a group that can be killed as a whole.
                    start_new_session=True,
                )
            except BaseException:
                os.close(life_line)
                raise
            finally:
                os.close(far_end)
        return process, life_line

    @property
    def is_well(self) -> bool:
        """Whether the worker lives and is silent, as it should be between checks."""
        return not self._readable.poll(0)

    @property
    def ran_out_of_time(self) -> bool:
        """Whether a worker that was closed had been ended by the limit of processor time."""
        return self._process.returncode == -signal.SIGPROF

    def load(self, seconds: float) -> None:
        """Send the verifier and wait until the child is ready for checks.

        Raises:
            NotLoaded: the verifier cannot be unpickled there, or its `warm_up` raised.
            NotStarted: the child died or was not ready in time; the message has the end of what it wrote to stderr.
        """
        try:
            reply = self.ask(self._payload, seconds)
        except Silent:
            raise NotStarted(f"not ready after {seconds:g} s; {self._last_words()}") from None
        except Died:
            self.kill()
            raise NotStarted(f"exit code {self._process.returncode}; {self._last_words()}") from None
        except Garbled as error:
            raise NotStarted(str(error)) from None
        if "failed" in reply:
            raise NotLoaded(str(reply["failed"]))
        self._errors.close()

    def ask(self, request: bytes, seconds: float) -> dict[str, Any]:
        """The reply to one request, which is `[stage, [[reference, text, rest], ...]]` as JSON.

        Raises:
            Silent: sending, running and receiving together took longer than `seconds`.
            Died: the worker is gone.
            Garbled: what came back is no reply.
        """
        deadline = time.monotonic() + seconds
        self._send(_LENGTH.pack(len(request)) + request, deadline)
        return _decoded(self._receive(deadline))

    def kill(self) -> None:
        """End the worker and all it started; does nothing in a fork of the process that made it."""
        with self._ending:
            if self._gone or self._owner != os.getpid():
                return
            # Before it is reaped: the number of a reaped process may belong to another one.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_SECONDS_TO_DIE)
            self._gone = True

    def close(self) -> None:
        """End the worker and give its pipes back. For the owner: another thread's poll must not see them reused."""
        self.kill()
        self._close_pipes()

    def disown(self) -> None:
        """In a fork of the process that made the worker: let go of it, and leave it running."""
        # Else its destructor would wait for a process that is no child of this one.
        self._process.returncode = 0
        self._close_pipes()

    def _close_pipes(self) -> None:
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            if stream is not None:
                stream.close()
        if self._life_line >= 0:
            os.close(self._life_line)
            self._life_line = -1

    def _last_words(self) -> str:
        size = self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, size - _TAIL_BYTES))
        said = self._errors.read().decode(errors="replace").strip()
        return f"it said: {said}" if said else "it said nothing"

    def _send(self, frame: bytes, deadline: float) -> None:
        left = memoryview(frame)
        while left:
            try:
                left = left[os.write(self._requests, left) :]
            except BlockingIOError:
                _wait(self._writable, deadline)
            except BrokenPipeError:
                raise Died from None

    def _receive(self, deadline: float) -> bytes:
        received, size = bytearray(), _LENGTH.size
        while len(received) < size:
            _wait(self._readable, deadline)
            chunk = os.read(self._replies, _READ_BYTES)
            if not chunk:
                raise Died
            received += chunk
            if size == _LENGTH.size and len(received) >= size:
                size += _LENGTH.unpack_from(received)[0]
                if size > _REPLY_BYTES:
                    raise Garbled(f"a reply of {size} bytes")
        if len(received) > size:
            raise Garbled("more than one reply")
        return bytes(received[_LENGTH.size :])


def _wait(poll: select.poll, deadline: float) -> None:
    """Wait until the polled pipe is ready or broken; raises `Silent` at the deadline."""
    while True:
        left = deadline - time.monotonic()
        # Polled even when late: a reply that is there counts, however long this thread was kept from reading it.
        if poll.poll(min(max(left, 0.0), _LONGEST_WAIT) * 1000):
            return
        if left <= 0:
            raise Silent


def _decoded(body: bytes) -> dict[str, Any]:
    try:
        reply = json.loads(body)
    except (ValueError, RecursionError):
        raise Garbled("a reply that is no JSON") from None
    if not isinstance(reply, dict):
        raise Garbled(f"a reply of type {type(reply).__name__}")
    return reply


def main() -> NoReturn:
    """Be a worker: `python -c _BOOT <parent's pid> <life line> <seconds> <memory_mb> <sys.path...>`."""
    parent, life_line = map(int, sys.argv[1:3])
    seconds, memory_mb = float(sys.argv[3]), int(sys.argv[4])
    sys.argv[:] = ["hero-rl-worker"]
    requests, replies = _take_the_pipes()
    _end_with(parent, life_line)
    _limit(memory_mb)
    stages = _load(requests, replies)
    if stages is not None:
        _silence(2)
        _write(replies, {"ready": True})
        while (request := _read(requests)) is not None:
            stage, checks = json.loads(request)
            _write(replies, {"checks": _run_all(stages[stage], seconds, checks)})
    # Not through Python's own end, which waits for threads that a verifier may have left.
    os._exit(0 if stages is not None else 1)


def _take_the_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Stdin and stdout under other numbers, so that what a verifier reads, prints or starts cannot reach them."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    _silence(0)
    _silence(1)
    return requests, replies


def _silence(descriptor: int) -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


def _end_with(parent: int, life_line: int) -> None:
    """Die when the parent does, however it dies."""
    os.set_inheritable(life_line, False)
    if sys.platform == "linux":
        import ctypes

        parent_death_signal = 1
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(parent_death_signal, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it was gone before the signal was asked for
        os._exit(1)
    threading.Thread(target=_watch, args=(life_line,), daemon=True).start()


def _watch(life_line: int) -> None:
    # Nothing is ever written there: reading ends when the parent's end closes.
    os.read(life_line, 1)
    os._exit(1)


def _limit(memory_mb: int) -> None:
    """The timer's signal as it is by default, no core files, and so many MiB of address space.

    The system may be one that limits none (macOS).
    """
    import resource

    # Whatever the parent made of it: both its handling and its mask are inherited.
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGPROF})
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(ValueError, OSError):
        _, most = resource.getrlimit(resource.RLIMIT_AS)
        limit = memory_mb * 2**20
        limit = limit if most == resource.RLIM_INFINITY else min(limit, most)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


Step = Callable[[str, "str | None", str], "dict[str, Any]"]
"""What a stage does with the parts of a `Check`; what it returns is the reply."""


def _load(requests: BinaryIO, replies: BinaryIO) -> dict[Stage, Step] | None:
    """The stages of the verifier, warm; None after saying why it cannot be had."""
    try:
        verifier = pickle.loads(_read(requests) or b"")
        stages = _stages(verifier)
        warm_up = getattr(verifier, "warm_up", None)
        if callable(warm_up):
            warm_up()
    except BaseException as error:
        _write(replies, {"failed": said_of(error)})
        return None
    return stages


def _stages(verifier: Any) -> dict[Stage, Step]:
    if isinstance(verifier, StagedVerifier):
        staged = verifier
        return {
            "prepare": lambda reference, text, _: _prepared(staged, reference, text or ""),
            "judge": lambda reference, text, _: _judged(staged.judge(reference, text)),
        }
    assert isinstance(verifier, Verifier)
    plain = verifier
    if takes_requests(plain):
        return {"verify": lambda reference, text, rest: _judged(plain.verify(_request(reference, text or "", rest)))}
    return {"verify": lambda reference, text, _: _judged(plain.verify(reference, text or ""))}


def _request(reference: str, completion: str, rest: str) -> Request:
    return Request(json.loads(reference), completion, **json.loads(rest))


def _run_all(step: Step, seconds: float, checks: list[tuple[str, str | None, str]]) -> list[dict[str, Any]]:
    """Checks one after the other; those behind one that memory ran out for are not made, and fail like it."""
    replies: list[dict[str, Any]] = []
    for check in checks:
        spent = bool(replies) and replies[-1].get("memory", False)
        replies.append(replies[-1] if spent else _run(step, seconds, *check))
    return replies


def _run(step: Step, seconds: float, reference: str, text: str | None, rest: str) -> dict[str, Any]:
    """One check, ended with this process by SIGPROF where it takes longer than it may."""
    start = time.perf_counter()
    signal.setitimer(signal.ITIMER_PROF, max(seconds, _LEAST_SECONDS))
    try:
        reply = step(reference, text, rest)
    except BaseException as error:  # sys.exit() in a verifier, too, is a check that failed
        # After an allocation failed, no library's state can be relied on.
        reply = {"error": said_of(error), "memory": isinstance(error, MemoryError)}
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return reply | {"seconds": time.perf_counter() - start}


def _prepared(verifier: StagedVerifier, reference: str, completion: str) -> dict[str, Any]:
    answer = verifier.extract(completion)
    if not isinstance(answer, str | None):
        raise TypeError(f"extract returned a {type(answer).__name__}, not text or None")
    try:
        verdict = verifier.judge_quickly(reference, answer)
    except MemoryError:
        raise
    except Exception:  # what fails here fails in `judge` as well, which comes next and is where failures are dealt with
        verdict = None
    return {"answer": answer} if verdict is None else _judged(verdict) | {"answer": answer}


def _judged(verdict: Any) -> dict[str, Any]:
    if not isinstance(verdict, Verdict):
        raise TypeError(f"the verifier returned a {type(verdict).__name__}, not a Verdict")
    if not isinstance(verdict.answer, str | None):
        raise TypeError(f"the verdict's answer is a {type(verdict.answer).__name__}, not text")
    value = None if verdict.abstained else float(verdict.value)
    return {"answer": verdict.answer, "reason": str(verdict.reason), "value": value}


def _read(stream: BinaryIO) -> bytes | None:
    """The body of the next frame; None at the end of the stream."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (size,) = _LENGTH.unpack(head)
    body = stream.read(size)
    return body if len(body) == size else None


def _write(stream: BinaryIO, reply: dict[str, Any]) -> None:
    body = json.dumps(reply).encode()
    if len(body) > _REPLY_BYTES - _LENGTH.size:
        body = json.dumps({"checks": [{"error": f"a reply of {len(body)} bytes", "seconds": 0.0}]}).encode()
    stream.write(_LENGTH.pack(len(body)) + body)
    stream.flush()
