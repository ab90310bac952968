"""Programs in a sandbox on another machine, asked over HTTP in the words of SandboxFusion.

    RemoteSandbox(url="http://localhost:8080").run(Job("print(6 * 7)")).stdout

The request is `POST /run_code` with `code`, `language`, `stdin`, `run_timeout` and `memory_limit_MB`; the reply has a
`status` (`Success`, `Failed`, `SandboxError`) and a `run_result` with `status` (`Finished`, `Error`,
`TimeLimitExceeded`), `return_code` and `stdout`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field, model_validator

from hero_rl.clients.engine import Refused
from hero_rl.clients.posting import JsonServer
from hero_rl.verifiers.code.sandbox import Job, Ran, SandboxError

__all__ = ["RemoteSandbox"]


class _RunResult(BaseModel):
    status: Literal["Finished", "Error", "TimeLimitExceeded"]
    return_code: int | None = None
    stdout: str | None = None


class _Reply(BaseModel):
    status: Literal["Success", "Failed", "SandboxError"]
    message: str = ""
    run_result: _RunResult | None = None

    @property
    def ran(self) -> Ran | None:
        """What came of the program; None where the sandbox failed."""
        result = self.run_result
        if self.status == "SandboxError" or result is None or result.status == "Error":
            return None
        if result.status == "TimeLimitExceeded":
            return Ran("too_slow")
        return Ran("finished" if result.return_code == 0 else "failed", result.stdout or "")


class RemoteSandbox(JsonServer):
    """Runs programs in a SandboxFusion server, or one that speaks its `POST /run_code`.

    A program on which the server fails or that it refuses is asked about again once the server has run another one: if
    it then fails a second time, that is the program's doing.

    Attributes:
        run_seconds: time limit of one program, which the server keeps.
        memory_mb: limit of its memory in MiB, which the server keeps; None leaves that to the server.
        seconds: time limit of one request, `run_seconds` and the server's own time included.
    """

    type: Literal["sandbox_fusion"] = "sandbox_fusion"
    run_seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 10.0
    memory_mb: Annotated[int, Field(ge=1)] | None = 1024

    @model_validator(mode="after")
    def _patient_enough(self) -> RemoteSandbox:
        if self.seconds <= self.run_seconds:
            raise ValueError(f"seconds is {self.seconds:g} and must be more than run_seconds, {self.run_seconds:g}")
        return self

    @property
    def at_once(self) -> int:
        """Programs at one time."""
        return self.concurrency

    def check(self) -> None:
        """Run a program that prints a word.

        Raises:
            ConfigError: the server denies.
            SandboxError: it does not run programs.
        """
        ran = self._run(Job("print('alive')"))
        if ran is None or ran.stdout.strip() != "alive":
            raise SandboxError(f"the sandbox at {self.url} does not run programs")

    def run(self, job: Job) -> Ran:
        """What comes of a program.

        Raises:
            ConfigError: the server denies.
            SandboxError: it gave no usable reply, or does not run other programs either.
        """
        ran = self._run(job)
        if ran is None:
            self.check()
            ran = self._run(job) or Ran("failed")
        return Ran("too_large") if len(ran.stdout) > job.max_bytes else ran

    def _run(self, job: Job) -> Ran | None:
        """What came of a program; None where the server failed on it or refused it."""
        body = {
            "code": job.program,
            "language": "python",
            "stdin": job.stdin,
            "run_timeout": self.run_seconds,
            "memory_limit_MB": -1 if self.memory_mb is None else self.memory_mb,
        }
        (heard,) = self.post("/run_code", [body], _Reply)
        if heard.said is None:
            raise SandboxError(f"the sandbox at {self.url} gave no usable reply")
        return None if isinstance(heard.said, Refused) else heard.said.ran
