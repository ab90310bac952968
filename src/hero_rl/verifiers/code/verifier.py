r"""Does a completion's code pass its tests.

reference = {"inputs": ["2\n", "5\n"], "outputs": ["4\n", "25\n"]}
CodeVerifier().verify(Request(reference, "```python\nprint(int(input()) ** 2)\n```")).value  # 1.0
"""

from __future__ import annotations

import json
import logging
import secrets
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from hero_rl.verifiers.base import Reason, Request, Verdict
from hero_rl.verifiers.code import harness
from hero_rl.verifiers.code.cases import Case, NoTests, OutputCase, ValueCase, cases_of
from hero_rl.verifiers.code.comparing import same_output, same_value
from hero_rl.verifiers.code.extraction import find_code
from hero_rl.verifiers.code.local import LocalSandbox
from hero_rl.verifiers.code.remote import RemoteSandbox
from hero_rl.verifiers.code.sandbox import Job, SandboxError
from hero_rl.verifiers.math.text.thinking import after_thinking

__all__ = ["CodeVerifier"]

_logger = logging.getLogger(__name__)

_HARNESS = Path(harness.__file__).read_text(encoding="utf-8")
_MOST_SLOW = 3  # tests on which a program may be too slow; those after them count as failed
_ROOM = 2**18  # bytes that a program may write beside what is expected of it


class CodeVerifier(BaseModel):
    """Runs a completion's code against tests, each in a process of its own; correct if it passes all of them.

    The code is the last fenced block of the completion that is Python by its name or has none, after the thinking. The
    tests are the reference, as APPS, LiveCodeBench, HumanEval and MBPP write them: see `hero_rl.verifiers.code.cases`.
    LiveCodeBench's private tests are pickled in its files, which nothing here opens: a reference that holds them so is
    unreadable.

    What a program must write, what a call must return and what an assert compares a call with stays outside the
    sandbox, so no print and no exit fakes it. Other test code (`assert abs(f(2) - 1.4) < 0.1`, loops) runs in the
    candidate's process: an early exit, a print and an exception do not pass it, but code that looks for it there can
    read it, change what it calls and pretend that it passed.

    What the code does, a time-out among it, is 0. Where the sandbox fails, the row abstains.

    Attributes:
        sandbox: where the code runs: on this machine (`local`), or a SandboxFusion server (`sandbox_fusion`).
        partial: whether the value is the share of the tests passed, where three that are too slow end the check and the
            rest fail; without it, one that fails is 0 and ends the check.
        most_tests: tests that are run; of more, so many spread evenly.
        prelude: Python that runs before functions and classes; programs have none.
        max_characters: longer code is wrong without being run.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    takes_requests: ClassVar[bool] = True

    type: Literal["code"] = "code"
    sandbox: Annotated[LocalSandbox | RemoteSandbox, Field(discriminator="type")] = LocalSandbox()
    partial: bool = False
    most_tests: Annotated[int, Field(ge=1)] = 50
    prelude: str = "from typing import *"
    max_characters: Annotated[int, Field(gt=0)] = 65536

    _has_logged: bool = PrivateAttr(default=False)

    @property
    def gives_grades(self) -> bool:
        """Whether a verdict may lie between 0 and 1."""
        return self.partial

    def verify(self, request: Request) -> Verdict:
        """Judge one completion.

        Raises:
            ConfigError: the sandbox can never work as it is set.
        """
        start = time.perf_counter()
        try:
            cases = _spread(cases_of(request), self.most_tests)
        except NoTests:
            return Verdict.of(Reason.REFERENCE_UNREADABLE)
        code = find_code(after_thinking(request.completion) or "")
        if code is None:
            return Verdict.of(Reason.NO_ANSWER, None, time.perf_counter() - start)
        if len(code) > self.max_characters:
            return Verdict.of(Reason.ANSWER_TOO_LONG, None, time.perf_counter() - start)
        try:
            value, reason = self._judge(code, cases)
        except SandboxError as error:
            self._log_once(error)
            value, reason = Reason.SANDBOX_FAILED.value_of_verdict, Reason.SANDBOX_FAILED
        return Verdict(value, reason, code, time.perf_counter() - start)

    def verify_batch(self, requests: Sequence[Request | tuple[str, str]]) -> list[Verdict]:
        """Judge many completions, as many at a time as the sandbox takes; one verdict a request, in the order given."""
        pool = ThreadPoolExecutor(max(1, min(self.sandbox.at_once, len(requests))), "code")
        try:
            return list(pool.map(self.verify, map(Request.of, requests)))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # on an interrupt nobody waits for what is under way

    def close(self) -> None:
        """End the sandbox's connections."""
        self.sandbox.close()

    def _judge(self, code: str, cases: Sequence[Case]) -> tuple[float, str]:
        """Value and reason; of tests that fail, the first one's counts where none passes."""
        passed, slow, failure = 0, 0, Reason.FAILED_TESTS
        for number, case in enumerate(cases):
            reason = self._reason(code, case)
            passed += reason is Reason.PASSED_TESTS
            failure = reason if passed == 0 and number == 0 else failure
            if reason is not Reason.PASSED_TESTS and not self.partial:
                return 0.0, reason
            slow += reason is Reason.TOO_SLOW
            if slow == _MOST_SLOW:
                break
        if passed == len(cases):
            return 1.0, Reason.PASSED_TESTS
        return (passed / len(cases), f"{passed} of {len(cases)} tests") if passed else (0.0, failure)

    def _reason(self, code: str, case: Case) -> Reason:
        """Whether the code passes one test, or why not."""
        marker = secrets.token_hex(16)
        job = self._job(code, case, marker)
        ran = self.sandbox.run(job)
        if ran.how in ("too_slow", "too_large"):
            return Reason.TOO_SLOW if ran.how == "too_slow" else Reason.TOO_LARGE
        if ran.how == "failed":
            return Reason.FAILED_TESTS
        _, marked, said = ran.stdout.rpartition(marker)
        if isinstance(case, OutputCase):
            passed = same_output(ran.stdout, case.stdout)
        elif isinstance(case, ValueCase):
            passed = same_value(said.partition("\n")[0], case.expected, case.json, case.wrapped)
        else:
            passed = bool(marked)
        return Reason.PASSED_TESTS if passed else Reason.FAILED_TESTS

    def _job(self, code: str, case: Case, marker: str) -> Job:
        if isinstance(case, OutputCase):
            given = ("__main__", [code], "", "", "", "", [])
            return Job(_program(*given), case.stdin, _ROOM + 4 * len(case.stdout.encode("utf-8", "replace")))
        sources = [source for source in (self.prelude, case.setup, code, case.again) if source]
        if isinstance(case, ValueCase):
            given = ("candidate", sources, case.entry, case.expression, "", marker, case.genuine)
            return Job(_program(*given), "", _ROOM * 8)
        given = ("candidate", sources, case.entry, "", case.code, marker, case.genuine)
        return Job(_program(*given), "", _ROOM)

    def _log_once(self, error: SandboxError) -> None:
        if not self._has_logged:
            _logger.warning("a sandbox failed, and the row abstains: %s (logged once, counted always)", error)
        self._has_logged = True


def _program(*given: object) -> str:
    """The harness and a call of it; JSON of text is Python, too."""
    return f"{_HARNESS}\n\nrun(*json.loads({json.dumps(json.dumps(given))}))\n"


def _spread(cases: Sequence[Case], most: int) -> Sequence[Case]:
    """So many of the cases at most, from the first to the last."""
    if len(cases) <= most:
        return cases
    return [cases[number * (len(cases) - 1) // max(1, most - 1)] for number in range(most)]
