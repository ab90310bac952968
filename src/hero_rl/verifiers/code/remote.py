"""Programs in a sandbox on another machine, asked over HTTP in the words of SandboxFusion.

    RemoteSandbox(url="http://localhost:8080").run(Job("print(6 * 7)")).stdout

The request is `POST /run_code` with `code`, `language`, `stdin`, `run_timeout` and `memory_limit_MB`; the reply has a
`status` (`Success`, `Failed`, `SandboxError`) and a `run_result` with `status` (`Finished`, `Error`,
`TimeLimitExceeded`), `return_code` and `stdout`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, model_validator

from hero_rl.clients.engine import Refused
from hero_rl.clients.posting import JsonServer
from hero_rl.verifiers.code.sandbox import Job, Ran, SandboxError
from hero_rl.verifiers.refusals import settled

__all__ = ["RemoteSandbox"]

_ALIVE = Job("print('alive')")


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
    it then fails a second time, that is the program's doing, and so it is if it gives no usable reply to this one,
    again and again, and runs others in between.

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
        if not _is_alive(*self._ask([_ALIVE])):
            raise SandboxError(f"the sandbox at {self.url} does not run programs")

    def run(self, job: Job) -> Ran:
        """What comes of a program.

        Raises:
            ConfigError: the server denies.
            SandboxError: it gave no usable reply, or does not run other programs either.
        """
        (ran,) = self._ask([job])
        if not isinstance(ran, Ran) and not self.is_out:
            found, _ = settled([job], lambda _: _ALIVE, self._ask, _is_alive, _is_silence, self._ask_in_turn)
            ran = found.get(job)
            ran = Ran("failed") if isinstance(ran, Refused) else ran
        if not isinstance(ran, Ran):
            raise SandboxError(f"the sandbox at {self.url} gave no usable reply, or runs no other program either")
        return Ran("too_large") if len(ran.stdout) > job.max_bytes else ran

    def _ask(self, jobs: Sequence[Job]) -> list[Ran | Refused | None]:
        """What came of programs; `Refused` where the server failed on one, None without a usable reply."""
        heard = self.post("/run_code", [self._body(job) for job in jobs], _Reply)
        return [_said(each.said) for each in heard]

    def _ask_in_turn(self, jobs: Sequence[Job]) -> list[Ran | Refused | None]:
        """The same of each in turn with a program that any sandbox runs."""
        alive = self._body(_ALIVE)
        asked = [(self._body(job), alive) for job in jobs]
        heard = self.post_in_turn("/run_code", asked, _Reply, lambda reply: reply.ran is not None)
        return [_said(each.said) for each in heard]

    def _body(self, job: Job) -> dict[str, Any]:
        return {
            "code": job.program,
            "language": "python",
            "stdin": job.stdin,
            "run_timeout": self.run_seconds,
            "memory_limit_MB": -1 if self.memory_mb is None else self.memory_mb,
        }


def _said(reply: _Reply | Refused | None) -> Ran | Refused | None:
    if reply is None or isinstance(reply, Refused):
        return reply
    return reply.ran or Refused(reply.message)


def _is_alive(ran: Ran | Refused | None) -> bool:
    return isinstance(ran, Ran) and ran.stdout.strip() == "alive"


def _is_silence(ran: Ran | Refused | None) -> bool:
    return ran is None
