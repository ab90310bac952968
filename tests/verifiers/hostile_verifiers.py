"""Verifiers that misbehave as they are told to, in a module that worker processes can import."""

import ctypes
import os
import re
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from hero_rl.verifiers import Reason, Verdict


def compared(reference, answer):
    return Verdict.of(Reason.MATCHED_EXACTLY if answer == reference else Reason.MISMATCH, answer)


def append(path, text):
    with Path(path).open("a") as file:
        file.write(f"{text}\n")


class Obedient:
    """Does what a completion says after "do:"; compares any other completion with the reference."""

    def verify(self, reference, completion):
        order, _, detail = completion.removeprefix("do:").partition(" ")
        return getattr(self, order)(detail) if completion.startswith("do:") else compared(reference, completion)

    def sleep(self, seconds):
        time.sleep(float(seconds))
        return Verdict.of(Reason.MATCHED_BY_VALUE)

    def loop(self, _):
        while True:
            pass

    def power(self, _):
        return 10 ** (10**9)

    def backtrack(self, _):
        return re.match(r"(a|a)*$", "a" * 60 + "b")

    def swallow(self, _):
        while True:
            try:
                time.sleep(1)
            except BaseException:
                continue

    def bomb(self, _):
        return [bytearray(2**26) for _ in range(10**6)]

    def leave(self, _):
        os._exit(3)

    def segfault(self, _):
        ctypes.string_at(0)

    def abort(self, _):
        os.abort()

    def kill(self, _):
        os.kill(os.getpid(), signal.SIGKILL)

    def abstain(self, _):
        return Verdict.of(Reason.REFERENCE_UNREADABLE)

    def exit(self, _):
        sys.exit(3)

    def interrupt(self, _):
        raise KeyboardInterrupt

    def fail(self, _):
        raise ValueError("no")

    def recurse(self, _):
        return self.recurse(_)

    def nonsense(self, _):
        return 1.0

    def chatter(self, _):
        print("to stdout " * 1000, flush=True)
        os.write(1, b"to the descriptor" * 1000)
        os.system("echo from a child")
        sys.stderr.write("to stderr " * 100_000)
        return Verdict.of(Reason.MISMATCH, answer=sys.stdin.read())

    def gossip(self, _):
        return Verdict.of(Reason.MISMATCH, answer="x" * 10_000_000)

    def pid(self, _):
        return Verdict.of(Reason.MISMATCH, answer=str(os.getpid()))

    def die_once(self, path):
        append(path, os.getpid())
        if len(Path(path).read_text().splitlines()) == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return Verdict.of(Reason.MATCHED_BY_VALUE)

    def write(self, path):
        append(path, os.getpid())
        time.sleep(0.2)
        return Verdict.of(Reason.MATCHED_BY_VALUE)


class Broken:
    """One that raises on everything."""

    def verify(self, reference, completion):
        return {}["answer"]


class Runner(Obedient):
    """One that waits for what it starts, as a verifier of code does; of a reference it does what that says."""

    hang_is_wrong = True

    def verify(self, reference, completion):
        return super().verify(reference, reference if reference.startswith("do:") else completion)


@dataclass
class Partial(Obedient):
    """One that fails on a reference, whatever the answer."""

    reference: str

    def verify(self, reference, completion):
        return super().verify(reference, reference if reference == self.reference else completion)


class Rotting(Obedient):
    """One that an answer can leave broken: it then raises on everything."""

    rotten = False

    def rot(self, _):
        self.rotten = True
        return Verdict.of(Reason.MISMATCH)

    def verify(self, reference, completion):
        if self.rotten:
            raise RuntimeError("rotten")
        return super().verify(reference, completion)


class Spawner(Obedient):
    """Starts a process of its own and waits for it."""

    hang_is_wrong = True

    def spawn(self, path):
        import subprocess

        process = subprocess.Popen(["sleep", "60"])
        append(path, process.pid)
        process.wait()


@dataclass
class Staged:
    """A verifier in stages that writes down each answer it judges."""

    log: str
    warm: str = ""

    def warm_up(self):
        time.sleep(0.7)
        self.warm = "warm"

    def verify(self, reference, completion):
        return self.judge(reference, self.extract(completion))

    def extract(self, completion):
        if completion == "unextractable":
            raise ValueError("no")
        while completion == "endless":
            pass
        _, found, answer = completion.rpartition("answer:")
        return answer.strip() if found else None

    def judge_quickly(self, reference, answer):
        if answer == "unquick":
            raise ValueError("no")
        if answer is None:
            return Verdict.of(Reason.NO_ANSWER)
        return compared(reference, answer) if answer == reference else None

    def judge(self, reference, answer):
        append(self.log, answer)
        assert self.warm
        if answer == "hang":
            while True:
                pass
        if answer == "abstain":
            return Verdict.of(Reason.REFERENCE_UNREADABLE, answer)
        return compared(reference, answer)


@dataclass
class Unpicklable:
    """Cannot be unpickled where a file exists; or is killed there while it loads."""

    path: str
    how: str

    def __reduce__(self):
        return _load, (self.path, self.how)

    def verify(self, reference, completion):
        raise AssertionError


def _load(path, how):
    append(path, os.getpid())
    if how == "raise":
        raise ImportError("a library is missing")
    sys.stderr.write("last words")
    sys.stderr.flush()
    os._exit(7)


class ShareOfTests:
    """Of a request's tests, a list of texts in its reference, the share that the completion holds; reads it all."""

    def verify(self, request):
        if request.columns.get("raises") == request.completion:
            raise ValueError("told to")
        passed = sum(test in request.completion for test in request.reference["tests"])
        total = len(request.reference["tests"])
        said = (
            f"{request.columns['unit']} {request.question} {request.messages[-1]['role'] if request.messages else ''}"
        )
        return Verdict(passed / total, f"{passed} of {total}", said.strip())
