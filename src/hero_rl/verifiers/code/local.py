r"""Programs in processes of this machine, each of them limited, walled in and killed.

    LocalSandbox().run(Job("print(6 * 7)")).stdout  # "42\n"

**Not safe against a determined attacker.** The program runs under this user and this kernel: a hole in the kernel, in
Python or in the filter is enough. It holds off what a policy in training comes upon. Where code comes from people who
want out, use a sandbox on a machine of its own.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import cache
from io import FileIO
from pathlib import Path
from typing import Annotated, Literal, cast

from pydantic import BaseModel, ConfigDict, Field

from hero_rl.errors import ConfigError
from hero_rl.verifiers.code.sandbox import Job, Ran, SandboxError
from hero_rl.verifiers.processes.cores import share_of_cores

__all__ = ["LocalSandbox", "Wall"]

_logger = logging.getLogger(__name__)

Wall = Literal["network", "processes", "files"]

_JAIL = str(Path(__file__).with_name("jail.py"))
_SECONDS_TO_START = 30.0
_SECONDS_TO_DIE = 10.0
_BEAT = 0.05
_PAUSE = 0.005
_CHUNK = 65536


class LocalSandbox(BaseModel):
    """Runs each program in a fresh process of this machine; not safe against a determined attacker.

    The process has an empty environment, an empty working folder and Python's standard library, in a session of its own
    that is killed as a whole. Three walls are asked of the kernel (Linux on x86-64 or 64-bit ARM):

    - `processes`: no further process, no signal to another one and no change of its limits;
    - `network`: no socket, and where namespaces are allowed, no network device;
    - `files`: nothing can be read but Python and the system's libraries, and nothing written but the working folder.
      It needs user namespaces, which containers often forbid. Without it, all files of this user can be read and
      written.

    Where one of those in `walls` does not stand, nothing is run: that is an error, and no weaker run. The number of
    threads is limited where user namespaces are allowed, and never for root, for whom the kernel has no such limit.

    Attributes:
        seconds: processor time of one program.
        wall_seconds: time of one program by the clock; a program that waits for longer is too slow, too.
        memory_mb: its address space in MiB.
        file_mb: the longest file that it may write and, behind the wall `files`, all of them together, in MiB.
        workers: programs at one time; None for this process's share of the cores.
        walls: what must stand.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["local"] = "local"
    seconds: Annotated[int, Field(ge=1, le=3600)] = 5
    wall_seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 20.0
    memory_mb: Annotated[int, Field(ge=64)] = 1024
    file_mb: Annotated[int, Field(ge=1)] = 16
    workers: Annotated[int, Field(ge=1)] | None = None
    walls: tuple[Wall, ...] = ("network", "processes", "files")

    @property
    def at_once(self) -> int:
        """Programs at one time."""
        return self.workers or share_of_cores()

    def check(self) -> None:
        """Run a program that does nothing.

        Raises:
            ConfigError: not all walls stand here.
            SandboxError: it did not run.
        """
        if self.run(Job("print('alive')")).stdout != "alive\n":
            raise SandboxError("a program that prints a word did not")

    def run(self, job: Job) -> Ran:
        """What comes of a program.

        Raises:
            ConfigError: not all walls stand here.
            SandboxError: no process could be started.
        """
        warn_of_root()
        ran = self._run_once(job)
        # Killed by a signal that it cannot send to itself: it may have been somebody else. Twice, it was not.
        ran = ran or self._run_once(job)
        return ran or Ran("too_large")

    def close(self) -> None:
        """Nothing is open between programs."""

    def _run_once(self, job: Job) -> Ran | None:
        """What comes of one process; None where it was killed, and not by us."""
        with contextlib.ExitStack() as stack:
            try:
                folder = stack.enter_context(_folder())
                process = stack.enter_context(self._start(folder, job))
            except OSError as error:
                raise SandboxError(f"no process could be started: {error}") from error
            missing = set(self.walls) - set(process.wait_for_walls())
            if missing:
                raise ConfigError(
                    f"sandbox.walls: the kernel does not let {', '.join(sorted(missing))} stand here; run in a "
                    f"container that allows it, ask a sandbox server, or leave it out of walls"
                )
            return process.wait(self.wall_seconds)

    def _start(self, folder: str, job: Job) -> _Process:
        """A process, also where others take up all that the user may have for a while."""
        deadline = time.monotonic() + self.wall_seconds
        while True:
            try:
                return _Process(self._settings(folder), folder, job)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_BEAT)

    def _settings(self, folder: str) -> dict[str, object]:
        limits = {"seconds": self.seconds, "memory_mb": self.memory_mb, "file_mb": self.file_mb}
        return {**limits, "root": folder if "files" in self.walls else "", "parent": os.getpid()}


@cache
def warn_of_root() -> None:
    """Say once, where root runs programs, that one of the limits does not hold."""
    if os.geteuid() == 0:
        _logger.warning(
            "root runs programs: the kernel does not limit root's threads, so that a program may start as many as its "
            "memory holds; run as another user"
        )


@contextlib.contextmanager
def _folder() -> Iterator[str]:
    """An empty folder that is gone afterwards, whatever a program made in it."""
    folder = tempfile.mkdtemp(prefix="hero-code-")
    try:
        yield folder
    finally:
        with contextlib.suppress(OSError):
            os.rmdir(folder)  # behind the wall `files` it is empty
        # Python's own rmtree does not go down as deep as a program can.
        for command in (["rm", "-rf"], ["chmod", "-R", "u+rwx"], ["rm", "-rf"]):
            if os.path.lexists(folder):
                with contextlib.suppress(OSError):
                    subprocess.run([*command, "--", folder], stderr=subprocess.DEVNULL, check=False)
        if os.path.lexists(folder):
            _logger.warning("a program's folder cannot be removed: %s", folder)


class _Process:
    """One program on its way, from the start of its process to its end."""

    def __init__(self, settings: dict[str, object], folder: str, job: Job) -> None:
        self._job = job
        program, self._program = _pipe()
        self._status, status = _pipe()
        try:
            given = json.dumps({**settings, "program": program.fileno(), "status": status.fileno()})
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-X", "utf8", _JAIL, given],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=folder,
                env={},
                pass_fds=(program.fileno(), status.fileno()),
                start_new_session=True,
                bufsize=0,
            )
        except BaseException:
            self._program.close()
            self._status.close()
            raise
        finally:
            program.close()
            status.close()
        self._stdin, self._stdout, self._stderr = map(
            _raw, (self._process.stdin, self._process.stdout, self._process.stderr)
        )
        self._pipes = (self._program, self._status, self._stdin, self._stdout, self._stderr)
        for pipe in self._pipes:
            os.set_blocking(pipe.fileno(), False)

    def __enter__(self) -> _Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        for pipe in self._pipes:
            pipe.close()

    def wait_for_walls(self) -> list[str]:
        """Hand the program over; the walls that stand, once they do.

        Raises:
            SandboxError: the process ended before, or took too long; with what it said.
        """
        said, words = bytearray(), bytearray()
        deadline = time.monotonic() + _SECONDS_TO_START
        program = memoryview(self._job.program.encode())
        ended = _pump(self._program, program, {self._status: said, self._stderr: words}, self._status, deadline, _CHUNK)
        try:
            return json.loads(said)["walls"]
        except (ValueError, KeyError):
            why = words.decode("utf-8", "replace").strip()[-1000:]
            raise SandboxError(f"a program's process {'ended' if ended else 'hung'} before it began: {why}") from None

    def wait(self, seconds: float) -> Ran | None:
        """What comes of the program; None where it was killed, and not by us."""
        out, most = bytearray(), self._job.max_bytes
        deadline = time.monotonic() + seconds
        stdin = memoryview(self._job.stdin.encode("utf-8", "replace"))
        _pump(self._stdin, stdin, {self._stdout: out, self._stderr: None}, self._stdout, deadline, most)
        if len(out) > most:
            return Ran("too_large")
        while not self._has_ended():
            if time.monotonic() > deadline:
                return Ran("too_slow")
            time.sleep(_PAUSE)
        code = self._reap()
        if code == -signal.SIGKILL:
            return None
        if code == -signal.SIGXCPU:
            return Ran("too_slow")
        return Ran("finished" if code == 0 else "failed", out.decode("utf-8", "replace"))

    def kill(self) -> None:
        """End the process and all of its group."""
        if self._process.returncode is None:
            self._reap()

    def _has_ended(self) -> bool:
        return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def _reap(self) -> int:
        # The group is killed before its leader is reaped: afterwards the number may belong to others.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_SECONDS_TO_DIE)
        return self._process.returncode if self._process.returncode is not None else -signal.SIGKILL


def _pump(
    sender: FileIO, data: memoryview, readers: dict[FileIO, bytearray | None], until: FileIO, deadline: float, most: int
) -> bool:
    """Send, and read what comes, until one pipe is at its end, something is longer than it may be, or time is over.

    Returns:
        Whether the pipe `until` came to its end.
    """
    with selectors.DefaultSelector() as selector:
        selector.register(sender, selectors.EVENT_WRITE)
        for reader in readers:
            selector.register(reader, selectors.EVENT_READ)
        while time.monotonic() < deadline:
            for key, _ in selector.select(_BEAT):
                if key.fileobj is sender:
                    data = data[_written(sender, data) :]
                    if not data:
                        selector.unregister(sender)
                        sender.close()
                    continue
                reader = cast(FileIO, key.fileobj)
                part, kept = reader.read(_CHUNK), readers[reader]
                if part and kept is not None:
                    kept += part
                    if len(kept) > most:
                        return False
                if part == b"":
                    selector.unregister(reader)
                    if reader is until:
                        return True
    return False


def _written(pipe: FileIO, data: memoryview) -> int:
    """How much the pipe took: all of it where nobody reads it any more."""
    try:
        return pipe.write(data[:_CHUNK]) or 0
    except BrokenPipeError:
        return len(data)


def _pipe() -> tuple[FileIO, FileIO]:
    """Both ends of a pipe, the one for reading first."""
    reader, writer = os.pipe()
    return FileIO(reader, "rb"), FileIO(writer, "wb")


def _raw(stream: object) -> FileIO:
    assert isinstance(stream, FileIO)
    return stream
